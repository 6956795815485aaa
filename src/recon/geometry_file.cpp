#include "recon/geometry_file.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <numbers>

#include "recon/geometry_text.hpp"
#include "recon/rtk_geometry.hpp"

namespace isocenter::detail {

namespace {

constexpr double degree = std::numbers::pi / 180.0;
constexpr std::streamoff largest_file = std::streamoff{1} << 28;

struct Column {
  const char* name;
  double GantryPosition::*member;
  double unit;
};
constexpr std::array columns = {
    Column{"gantry_angle_deg", &GantryPosition::gantry_angle_rad, degree},
    Column{"out_of_plane_angle_deg", &GantryPosition::out_of_plane_angle_rad, degree},
    Column{"in_plane_angle_deg", &GantryPosition::in_plane_angle_rad, degree},
    Column{"source_to_isocenter_mm", &GantryPosition::source_to_isocenter_mm, 1},
    Column{"source_to_detector_mm", &GantryPosition::source_to_detector_mm, 1},
    Column{"source_offset_x_mm", &GantryPosition::source_offset_x_mm, 1},
    Column{"source_offset_y_mm", &GantryPosition::source_offset_y_mm, 1},
    Column{"detector_offset_x_mm", &GantryPosition::detector_offset_x_mm, 1},
    Column{"detector_offset_y_mm", &GantryPosition::detector_offset_y_mm, 1},
};
constexpr const char* time_column = "time_s";

/// f(content, place) for each line that holds more than comment.
template <class F>
void for_each_line(std::string_view text, const std::string& name, F&& f) {
  TextPlace at{&name, 0};
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    std::string_view line = text.substr(begin, end - begin);
    begin = end + 1;
    ++at.line;
    line = line.substr(0, std::min(line.find('#'), line.size()));
    if (line.find_first_not_of(" \t\r,;") != std::string_view::npos) f(line, at);
  }
}

std::string_view without_quotes(std::string_view word) {
  if (word.size() >= 2 && word.front() == '"' && word.back() == '"') return word.substr(1, word.size() - 2);
  return word;
}

ScanGeometry parse_gantry_table(std::string_view text, const std::string& name, const DetectorSampling& sampling) {
  constexpr std::size_t no_member = columns.size();
  std::vector<std::size_t> order;  // of each column, the index in `columns`; no_member: the time
  ScanGeometry scan;
  scan.format = "IEC 61217 angles";
  const auto read_names = [&](std::string_view line, const TextPlace& at) {
    for (const std::string_view word : words_of(line)) {
      const std::string_view wanted = without_quotes(word);
      const auto* found =
          std::find_if(columns.begin(), columns.end(), [&](const Column& c) { return wanted == c.name; });
      if (found == columns.end() && wanted != time_column)
        refuse_text(at, "names the column " + quoted(wanted) + ", which a table of gantry angles has not",
                    "name the columns as docs/recon/geometry.md does");
      const auto index = static_cast<std::size_t>(found - columns.begin());
      if (std::find(order.begin(), order.end(), index) != order.end())
        refuse_text(at, "names the column " + quoted(wanted) + " twice", "remove one of them");
      order.push_back(index);
    }
    for (const std::size_t needed : {std::size_t{0}, std::size_t{3}})
      if (std::find(order.begin(), order.end(), needed) == order.end())
        refuse_text(at, std::string("names no column ") + columns[needed].name, "add it to the table");
  };
  for_each_line(text, name, [&](std::string_view line, const TextPlace& at) {
    if (order.empty()) return read_names(line, at);
    const std::vector<double> values = numbers_of(line, at);
    if (values.size() != order.size())
      refuse_text(at,
                  "has " + std::to_string(values.size()) + " numbers, and the table has " +
                      std::to_string(order.size()) + " columns",
                  "correct that line");
    GantryPosition g;
    double time = 0.0;
    for (std::size_t i = 0; i < order.size(); ++i) {
      if (order[i] == no_member)
        time = values[i];
      else
        g.*(columns[order[i]].member) = values[i] * columns[order[i]].unit;
    }
    const Beam beam = g.source_to_detector_mm == 0.0 ? Beam::parallel : Beam::cone;
    if (!scan.views.empty() && beam != scan.beam)
      refuse_text(at,
                  "has source_to_detector_mm = " + exact_text(g.source_to_detector_mm) +
                      ", and only some views have 0 there (a parallel beam)",
                  "give a parallel or a cone beam in all views");
    scan.beam = beam;
    scan.views.push_back(view_of_gantry(g, beam, DetectorShape::flat, sampling));
    scan.views.back().time_s = time;
  });
  return scan;
}

/// From the file's coordinates to ours: the patient frame on one side, elements on the other.
ProjectionMatrix in_our_coordinates(ProjectionMatrix p, const GeometryFileOptions& options) {
  if (options.matrix_space == MatrixSpace::iec61217)
    for (std::size_t r = 0; r < 3; ++r) {  // (X, Y, Z) = (x, z, -y)
      const double of_y = -p[4 * r + 2], of_z = p[4 * r + 1];
      p[4 * r + 1] = of_y;
      p[4 * r + 2] = of_z;
    }
  if (options.matrix_target == MatrixTarget::detector_mm)
    for (std::size_t k = 0; k < 4; ++k) {
      p[k] = (p[k] - options.sampling.first_u_mm * p[8 + k]) / options.sampling.step_u_mm;
      p[4 + k] = (p[4 + k] - options.sampling.first_v_mm * p[8 + k]) / options.sampling.step_v_mm;
    }
  return p;
}

ScanGeometry parse_matrices(std::string_view text, const std::string& name, const GeometryFileOptions& options) {
  ScanGeometry scan;
  scan.format = "projection matrices";
  std::vector<double> held;
  for_each_line(text, name, [&](std::string_view line, const TextPlace& at) {
    const std::vector<double> values = numbers_of(line, at);
    if (values.size() != 4 && values.size() != 12)
      refuse_text(at,
                  "has " + std::to_string(values.size()) +
                      " numbers, and a line holds a projection matrix (12) or one row of it (4)",
                  "correct that line");
    held.insert(held.end(), values.begin(), values.end());
    if (held.size() < 12) return;
    if (held.size() > 12) refuse_text(at, "holds a whole matrix amid the rows of another", "correct that line");
    ProjectionMatrix p{};
    std::copy(held.begin(), held.end(), p.begin());
    held.clear();
    p = in_our_coordinates(p, options);
    View view;
    try {
      view = view_of_matrix(p, options.sampling.step_u_mm);
    } catch (const Failure& e) {
      throw Error(e.code(), "'" + name + "' line " + std::to_string(at.line) + ", view " +
                                std::to_string(scan.views.size()) + ": " + e.what());
    }
    const Beam beam = is_parallel(p) ? Beam::parallel : Beam::cone;
    if (!scan.views.empty() && beam != scan.beam)
      refuse_text(at,
                  "ends a matrix of a " + std::string(beam == Beam::cone ? "cone" : "parallel") +
                      " beam, and view 0 has the other",
                  "give a parallel or a cone beam in all views");
    scan.beam = beam;
    scan.views.push_back(view);
  });
  if (!held.empty())
    throw Failure(ErrorCode::bad_data,
                  "'" + name + "' ends within the matrix of view " + std::to_string(scan.views.size()),
                  "get an undamaged copy of it");
  return scan;
}

}  // namespace

namespace {

ScanGeometry parse_any(std::string_view text, const std::string& name, const GeometryFileOptions& options) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  if (first != std::string_view::npos && text[first] == '<') return parse_rtk_geometry(text, name, options.sampling);
  char kind = '\0';
  for_each_line(text, name, [&](std::string_view line, const TextPlace&) {
    if (kind == '\0') kind = line[line.find_first_not_of(" \t\r,;")];
  });
  const bool is_table = kind == '"' || kind == '_' || (kind >= 'a' && kind <= 'z') || (kind >= 'A' && kind <= 'Z');
  return is_table ? parse_gantry_table(text, name, options.sampling) : parse_matrices(text, name, options);
}

}  // namespace

ScanGeometry parse_geometry(std::string_view text, const std::string& name, const GeometryFileOptions& options) {
  ScanGeometry scan = parse_any(text, name, options);
  if (scan.views.empty())
    throw Failure(ErrorCode::bad_data, "'" + name + "' holds no view",
                  "give RTK's geometry XML, 3x4 matrices or a table of gantry angles (docs/recon/geometry.md)");
  for (std::size_t n = 0; n < scan.views.size(); ++n)
    for (const Vector3* p : {&scan.views[n].source_mm, &scan.views[n].detector_origin_mm, &scan.views[n].u_step_mm,
                             &scan.views[n].v_step_mm})
      if (!std::isfinite((*p)[0] + (*p)[1] + (*p)[2]))
        throw Failure(ErrorCode::bad_data,
                      "'" + name + "' places view " + std::to_string(n) + " at a position that is not finite",
                      "correct the numbers of this view");
  return scan;
}

ScanGeometry read_geometry_file(const std::string& path, const GeometryFileOptions& options) {
  errno = 0;
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  if (!file)
    throw Failure(errno == ENOENT ? ErrorCode::not_found : ErrorCode::io_error,
                  "the geometry file '" + path + "' cannot be opened (" + std::strerror(errno) + ")",
                  "check the path and the right to read it");
  const std::streamoff size = file.tellg();
  if (size < 0 || size > largest_file)
    throw Failure(ErrorCode::io_error, "'" + path + "' is no geometry file (it has " + std::to_string(size) + " bytes)",
                  "give RTK's geometry XML, 3x4 matrices or a table of gantry angles, of at most 256 MiB");
  std::string text(static_cast<std::size_t>(size), '\0');
  file.seekg(0);
  if (!file.read(text.data(), size))
    throw Failure(ErrorCode::io_error, "the geometry file '" + path + "' cannot be read", "check that it is a file");
  return parse_geometry(text, path, options);
}

std::string matrices_text(const ScanGeometry& scan) {
  if (scan.detector == DetectorShape::curved)
    throw Failure(ErrorCode::unsupported, "acquisition.detector is curved, and only a flat detector has matrices",
                  "write RTK's geometry XML");
  std::string text =
      "# One projection matrix a line: three rows of four numbers, from the patient frame (LPS, mm) to (column * w,\n"
      "# row * w, w); element (0, 0) is the centre of the first one.\n";
  for (const View& v : scan.views) {
    const ProjectionMatrix p = projection_matrix_of(v, scan.beam);
    for (std::size_t k = 0; k < p.size(); ++k) text += exact_text(p[k]) + (k + 1 < p.size() ? " " : "\n");
  }
  return text;
}

std::string gantry_table_text(const ScanGeometry& scan, const DetectorSampling& sampling) {
  if (scan.detector == DetectorShape::curved)
    throw Failure(ErrorCode::unsupported, "acquisition.detector is curved, and a table of gantry angles has flat ones",
                  "write RTK's geometry XML");
  std::string text;
  for (const Column& c : columns) text += std::string(c.name) + ",";
  text += std::string(time_column) + "\n";
  for (std::size_t n = 0; n < scan.views.size(); ++n) {
    const View& v = scan.views[n];
    try {
      const GantryPosition g = gantry_of_view(v, scan.beam, scan.detector, sampling.first_u_mm, sampling.first_v_mm);
      for (const Column& c : columns) text += exact_text(g.*(c.member) / c.unit) + ",";
    } catch (const Failure& e) {
      throw Error(e.code(), "view " + std::to_string(n) + ": " + e.what());
    }
    text += exact_text(v.time_s) + "\n";
  }
  return text;
}

}  // namespace isocenter::detail
