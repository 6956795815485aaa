#include <algorithm>
#include <cmath>
#include <isocenter/error.hpp>
#include <limits>
#include <optional>

#include "image_header.hpp"

namespace isocenter::detail::io {
namespace {

using Vector = std::vector<double>;

TextHeader read_fields(const std::filesystem::path& path) {
  bool is_first = true;
  TextHeader fields(path, [&](TextHeader& header, std::string_view line) {
    if (std::exchange(is_first, false)) {
      header.set("magic", line);
      return line.rfind("NRRD000", 0) == 0;
    }
    if (line.empty()) return false;
    const auto colon = line.find(": ");
    if (line[0] == '#' || colon == std::string_view::npos) return true;  // a comment, or the user's own key:=value
    std::string key = TextHeader::lower(line.substr(0, colon));
    key.erase(std::remove(key.begin(), key.end(), ' '), key.end());
    header.set(key, line.substr(colon + 2));
    return true;
  });
  if (fields.get("magic").rfind("NRRD000", 0) != 0)
    fields.fail(ErrorCode::bad_data, "is not a NRRD file: it does not begin with NRRD000",
                "give a .nrrd or .nhdr file");
  return fields;
}

VoxelType voxel_type_of(const TextHeader& fields) {
  std::string name = TextHeader::lower(fields.required("type"));
  const bool is_unsigned = name[0] == 'u';
  for (const char* word : {"unsigned ", "signed "})
    if (name.rfind(word, 0) == 0) name.erase(0, std::string_view(word).size());
  if (is_unsigned && name[0] == 'u') name.erase(0, 1);
  const std::pair<const char*, VoxelType> known[] = {
      {"char", VoxelType::int8},     {"int8", VoxelType::int8},           {"int8_t", VoxelType::int8},
      {"short", VoxelType::int16},   {"short int", VoxelType::int16},     {"int16", VoxelType::int16},
      {"int16_t", VoxelType::int16}, {"int", VoxelType::int32},           {"int32", VoxelType::int32},
      {"int32_t", VoxelType::int32}, {"longlong", VoxelType::int64},      {"long long", VoxelType::int64},
      {"int64", VoxelType::int64},   {"long long int", VoxelType::int64}, {"int64_t", VoxelType::int64},
      {"float", VoxelType::float32}, {"double", VoxelType::float64}};
  for (const auto& [text, type] : known)
    if (name == text && !is_unsigned) return type;
  // Each unsigned type stands before its signed one.
  for (const auto& [text, type] : known)
    if (name == text && type <= VoxelType::int64) return static_cast<VoxelType>(static_cast<int>(type) - 1);
  fields.fail(ErrorCode::unsupported,
              "holds voxels of the type '" + fields.get("type").substr(0, 40) + "', which is not read",
              "save it with integers of 8 to 64 bits, float or double");
}

/// "(1,0,0) none (0,0,2)": a vector for each axis, nothing for "none".
std::vector<std::optional<Vector>> vectors(const TextHeader& fields, const char* key, const std::string& text) {
  std::vector<std::optional<Vector>> list;
  std::size_t at = 0;
  while ((at = text.find_first_not_of(' ', at)) != std::string::npos) {
    if (text.compare(at, 4, "none") == 0) {
      list.emplace_back();
      at += 4;
      continue;
    }
    const std::size_t end = text.find(')', at);
    if (text[at] != '(' || end == std::string::npos) break;
    std::string inner = text.substr(at + 1, end - at - 1);
    const auto commas = static_cast<std::size_t>(std::count(inner.begin(), inner.end(), ','));
    std::replace(inner.begin(), inner.end(), ',', ' ');
    list.emplace_back(fields.numbers(key, inner, commas + 1));
    at = end + 1;
  }
  if (at != std::string::npos)
    fields.fail(
        ErrorCode::bad_data,
        std::string("has the header field ") + key + ": " + text.substr(0, 80) + ", which is no list of vectors",
        "correct that line");
  return list;
}

/// Signs that turn the space's axes into L, P, S; nothing for a space that is not the patient's.
std::optional<std::array<double, 3>> signs_to_lps(const TextHeader& fields) {
  std::string space = TextHeader::lower(fields.get("space"));
  for (const char* end : {"-time", "t"})
    if (space.size() > 3 && space.ends_with(end)) space.erase(space.size() - std::string_view(end).size());
  if (space == "left-posterior-superior" || space == "lps") return std::array{1.0, 1.0, 1.0};
  if (space == "right-anterior-superior" || space == "ras") return std::array{-1.0, -1.0, 1.0};
  if (space == "left-anterior-superior" || space == "las") return std::array{1.0, -1.0, 1.0};
  // ITK writes series as "space dimension: 4" and means LPS.
  if (space.empty() && !fields.get("spacedimension").empty()) return std::array{1.0, 1.0, 1.0};
  return std::nullopt;
}

/// Lengths must be in mm; the factor that turns the time axis' unit into seconds.
double seconds_per_unit(const TextHeader& fields) {
  double seconds = 1;
  const std::string text = fields.get_any({"spaceunits", "units"});
  std::size_t at = 0;
  while ((at = text.find('"', at)) != std::string::npos) {
    const std::size_t end = text.find('"', at + 1);
    if (end == std::string::npos) break;
    const std::string unit = TextHeader::lower(text.substr(at + 1, end - at - 1));
    at = end + 1;
    if (unit == "ms" || unit == "msec") seconds = 1e-3;
    const bool is_known = unit.empty() || unit == "mm" || unit == "millimeter" || unit == "s" || unit == "sec" ||
                          unit == "ms" || unit == "msec";
    if (!is_known)
      fields.fail(ErrorCode::unsupported, "gives lengths or times in '" + unit.substr(0, 20) + "'",
                  "save it in mm and s");
  }
  return seconds;
}

[[noreturn]] void fail_axes(const TextHeader& fields) {
  fields.fail(ErrorCode::unsupported,
              "has axes that are not x, y, z and then t (space directions: " +
                  fields.get("spacedirections").substr(0, 80) + ")",
              "save colours and components as files of their own, and time as the last axis");
}

void read_geometry(const TextHeader& fields, std::size_t axes, ImageHeader& header) {
  Geometry& g = header.geometry;
  const double seconds = seconds_per_unit(fields);
  const std::string directions = fields.get("spacedirections");
  const auto signs = signs_to_lps(fields);
  header.has_orientation = !directions.empty() && signs.has_value();
  const std::array<double, 3> sign = signs.value_or(std::array{1.0, 1.0, 1.0});
  Vector spacings;
  if (const std::string text = fields.get("spacings"); !text.empty()) spacings = fields.numbers("spacings", text, axes);
  if (axes == 4 && spacings.size() == 4) g.time_step_s = spacings[3] * seconds;
  if (directions.empty()) {
    for (std::size_t i = 0; i < 3 && !spacings.empty(); ++i) g.spacing_mm[i] = spacings[i];
    return;
  }

  const auto steps = vectors(fields, "space directions", directions);
  if (steps.size() != axes) fail_axes(fields);
  for (std::size_t axis = 0; axis < axes; ++axis) {
    const bool is_time = axis == 3;
    if (!steps[axis].has_value()) {
      if (is_time) continue;  // a list: its step is in "spacings", if anywhere
      fail_axes(fields);
    }
    const Vector& v = *steps[axis];
    if (v.size() != 3 && v.size() != axes) fail_axes(fields);
    double square = 0;
    for (std::size_t row = 0; row < 3; ++row) square += v[row] * v[row];
    if (is_time ? square != 0 || v.size() != 4 : v.size() == 4 && v[3] != 0) fail_axes(fields);
    if (is_time) {
      g.time_step_s = v[3] * seconds;
      continue;
    }
    g.spacing_mm[axis] = std::sqrt(square);
    for (std::size_t row = 0; row < 3; ++row) g.direction[3 * row + axis] = sign[row] * v[row] / g.spacing_mm[axis];
  }
  if (const std::string text = fields.get("spaceorigin"); !text.empty()) {
    const auto origin = vectors(fields, "space origin", text);
    if (origin.size() != 1 || !origin[0].has_value() || (origin[0]->size() != 3 && origin[0]->size() != axes))
      fail_axes(fields);
    for (std::size_t i = 0; i < 3; ++i) g.origin_mm[i] = sign[i] * (*origin[0])[i];
    if (origin[0]->size() == 4) g.time_origin_s = (*origin[0])[3] * seconds;
  }
}

}  // namespace

ImageHeader read_nrrd_header(const std::filesystem::path& path) {
  const TextHeader fields = read_fields(path);
  fields.required("dimension");
  const std::int64_t axes = fields.integer("dimension", 0);
  if (axes != 3 && axes != 4)
    fields.fail(ErrorCode::unsupported, "has " + std::to_string(axes) + " axes, and 3 (x y z) or 4 (x y z t) are read",
                "save it as a volume; one slice is a volume with nz = 1");
  ImageHeader header;
  header.size = fields.integers("sizes", static_cast<std::size_t>(axes));
  header.type = voxel_type_of(fields);
  read_geometry(fields, static_cast<std::size_t>(axes), header);

  const std::string name = fields.get("datafile");
  if (name.rfind("LIST", 0) == 0 || name.find('%') != std::string::npos)
    fields.fail(ErrorCode::unsupported, "spreads its voxels over several files (data file: " + name.substr(0, 80) + ")",
                "save it as one .nrrd file");
  header.data.file = name.empty() ? path : path.parent_path() / name;
  header.data.offset = name.empty() ? fields.end() : 0;
  const std::string encoding = TextHeader::lower(fields.required("encoding"));
  header.data.is_compressed = encoding == "gzip" || encoding == "gz";
  if (!header.data.is_compressed && encoding != "raw")
    fields.fail(ErrorCode::unsupported, "stores its voxels with the encoding '" + encoding.substr(0, 20) + "'",
                "save it with raw or gzip");
  if (fields.integer("lineskip", 0) != 0)
    fields.fail(ErrorCode::unsupported, "leaves out lines of its data file (line skip)", "save it as one .nrrd file");
  const std::int64_t skip = fields.integer("byteskip", 0);
  header.data_are_at_the_end = skip == -1 && !header.data.is_compressed;
  if (skip > 0) header.data.skip = static_cast<std::uint64_t>(skip);
  if (size_of(header.type) > 1) header.data.is_big_endian = TextHeader::lower(fields.required("endian")) == "big";
  return header;
}

}  // namespace isocenter::detail::io
