#include "recon/rtk_geometry.hpp"

#include <algorithm>
#include <array>
#include <numbers>
#include <optional>

#include "recon/geometry_text.hpp"

namespace isocenter::detail {

namespace {

constexpr double degree = std::numbers::pi / 180.0;
constexpr double matrix_tolerance = 1e-3;  // RTK's
constexpr double same = 1e-6;              // relative
constexpr const char* root = "RTKThreeDCircularGeometry";

/// The numbers of a file, in force until they are given again.
struct Parameter {
  const char* name;
  double GantryPosition::*member;
  double unit;
};
constexpr std::array parameters = {
    Parameter{"SourceToIsocenterDistance", &GantryPosition::source_to_isocenter_mm, 1},
    Parameter{"SourceToDetectorDistance", &GantryPosition::source_to_detector_mm, 1},
    Parameter{"SourceOffsetX", &GantryPosition::source_offset_x_mm, 1},
    Parameter{"SourceOffsetY", &GantryPosition::source_offset_y_mm, 1},
    Parameter{"ProjectionOffsetX", &GantryPosition::detector_offset_x_mm, 1},
    Parameter{"ProjectionOffsetY", &GantryPosition::detector_offset_y_mm, 1},
    Parameter{"InPlaneAngle", &GantryPosition::in_plane_angle_rad, degree},
    Parameter{"OutOfPlaneAngle", &GantryPosition::out_of_plane_angle_rad, degree},
    Parameter{"GantryAngle", &GantryPosition::gantry_angle_rad, degree},
    Parameter{"Angle", &GantryPosition::gantry_angle_rad, degree},  // of older files
};

/// Elements, one after the other. Knows what RTK's writer makes: no entities, no CDATA.
class XmlCursor {
 public:
  struct Tag {
    std::string_view name, attributes;
    bool closes = false;  ///< </name>
    bool empty = false;   ///< <name/>
  };
  XmlCursor(std::string_view text, const std::string& file) : text_(text), file_(&file) {}

  TextPlace place() {
    const auto at = [this](std::size_t n) { return text_.begin() + static_cast<std::ptrdiff_t>(n); };
    line_ += static_cast<std::size_t>(std::count(at(counted_), at(at_), '\n'));
    counted_ = at_;
    return {file_, line_};
  }
  /// The next tag, past comments and declarations; what stands before it is given by content().
  std::optional<Tag> next() {
    content_ = {};
    while (true) {
      const std::size_t open = text_.find('<', at_);
      if (open == std::string_view::npos) {
        if (text_.substr(at_).find_first_not_of(" \t\r\n") != std::string_view::npos)
          refuse_text(place(), "has text after its last element", "get an undamaged copy of it");
        return std::nullopt;
      }
      content_ = text_.substr(at_, open - at_);
      at_ = open;
      if (skip("<!--", "-->") || skip("<?", "?>") || skip("<!", ">")) continue;
      const std::size_t close = end_of(">");
      std::string_view inside = text_.substr(open + 1, close - open - 1);
      at_ = close + 1;
      Tag tag;
      tag.closes = inside.starts_with('/');
      if (tag.closes) inside.remove_prefix(1);
      tag.empty = inside.ends_with('/');
      if (tag.empty) inside.remove_suffix(1);
      const std::size_t blank = std::min(inside.find_first_of(" \t\r\n"), inside.size());
      tag.name = inside.substr(0, blank);
      tag.attributes = inside.substr(blank);
      return tag;
    }
  }
  std::string_view content() const { return content_; }

 private:
  bool skip(std::string_view begin, std::string_view end) {
    if (!text_.substr(at_).starts_with(begin)) return false;
    at_ = end_of(end) + end.size();
    return true;
  }
  std::size_t end_of(std::string_view mark) {
    const std::size_t end = text_.find(mark, at_);
    if (end == std::string_view::npos)
      refuse_text(place(), "begins a tag that does not end", "get an undamaged copy of it");
    return end;
  }

  std::string_view text_, content_;
  const std::string* file_;
  std::size_t at_ = 0;
  std::size_t line_ = 1, counted_ = 0;  ///< the line of character counted_
};

/// What RTK's reader does, in its order.
class RtkReader {
 public:
  RtkReader(std::string_view text, const std::string& name, const DetectorSampling& sampling)
      : xml_(text, name), name_(name), sampling_(sampling) {}

  ScanGeometry read() {
    scan_.format = "RTK XML";
    read_root();
    bool in_projection = false;
    while (true) {
      const auto tag = xml_.next();
      if (!tag) refuse_text(xml_.place(), std::string("ends before </") + root + ">", "get an undamaged copy of it");
      require_blank();
      if (tag->closes && tag->name == (in_projection ? "Projection" : root)) {
        if (!in_projection) break;
        end_projection();
        in_projection = false;
      } else if (!tag->closes && !tag->empty && tag->name == "Projection" && !in_projection) {
        in_projection = true;
      } else if (!tag->closes && !tag->empty) {
        read_value(*tag);
      } else {
        refuse_text(xml_.place(), "has the tag " + quoted(tag->name) + " out of place", "get an undamaged copy of it");
      }
    }
    if (xml_.next())
      refuse_text(xml_.place(), std::string("goes on after </") + root + ">", "keep one geometry a file");
    place_views();
    return std::move(scan_);
  }

 private:
  struct Numbered {
    GantryPosition position;
    TextPlace place;
    std::optional<ProjectionMatrix> matrix;
  };

  void require_blank() {
    if (xml_.content().find_first_not_of(" \t\r\n") != std::string_view::npos)
      refuse_text(xml_.place(), "has " + quoted(xml_.content()) + " between its elements", "correct that line");
  }

  void read_root() {
    const auto tag = xml_.next();
    if (!tag || tag->closes || tag->empty || tag->name != root)
      refuse_text(xml_.place(), std::string("is XML, and its first element is not ") + root,
                  "give a geometry file that RTK wrote");
    constexpr std::string_view key = "version=";
    const std::size_t at = tag->attributes.find(key);
    const std::string_view value =
        at == std::string_view::npos ? std::string_view() : tag->attributes.substr(at + key.size());
    if (value.size() < 3 || (value[1] != '2' && value[1] != '3') || value[0] != value[2])
      refuse_text(xml_.place(), "has a geometry of the version " + quoted(value) + ", and 2 and 3 are known",
                  "write the geometry again with RTK 2");
  }

  void read_value(const XmlCursor::Tag& tag) {
    const std::string name(tag.name);
    const TextPlace place = xml_.place();
    const auto end = xml_.next();
    if (!end || !end->closes || end->name != name)
      refuse_text(place, "opens <" + name.substr(0, 40) + ">, which is not closed", "get an undamaged copy of it");
    const std::vector<double> values = numbers_of(xml_.content(), place);
    const std::size_t wanted = name == "Matrix" ? 12 : 1;
    if (values.size() != wanted)
      refuse_text(place,
                  "has " + std::to_string(values.size()) + " numbers in <" + name.substr(0, 40) + ">, where " +
                      std::to_string(wanted) + " belong",
                  "correct that element");
    if (name == "Matrix") {
      matrix_.emplace();
      std::copy(values.begin(), values.end(), matrix_->begin());
      return;
    }
    if (name == "RadiusCylindricalDetector") {
      radius_ = values[0];
      return;
    }
    if (name.starts_with("Collimation")) {
      if (std::fabs(values[0]) < 1e300 &&
          std::find(scan_.ignored.begin(), scan_.ignored.end(), name) == scan_.ignored.end())
        scan_.ignored.push_back(name);
      return;
    }
    for (const Parameter& p : parameters)
      if (name == p.name) {
        now_.*(p.member) = values[0] * p.unit;
        return;
      }
    refuse_text(place, "has the element <" + name.substr(0, 40) + ">, which RTK's geometry has not",
                "remove it, or name it as RTK's documentation does");
  }

  void end_projection() {
    list_.push_back({now_, xml_.place(), matrix_});
    matrix_.reset();
  }

  void place_views() {
    if (list_.empty())
      throw Failure(ErrorCode::bad_data, "'" + name_ + "' has no Projection", "write one for each view");
    const bool parallel = list_.front().position.source_to_detector_mm == 0.0;
    scan_.beam = parallel ? Beam::parallel : Beam::cone;
    scan_.detector = radius_ != 0.0 ? DetectorShape::curved : DetectorShape::flat;
    for (std::size_t n = 0; n < list_.size(); ++n) {
      const GantryPosition& g = list_[n].position;
      if ((g.source_to_detector_mm == 0.0) != parallel)
        refuse_text(list_[n].place,
                    "ends view " + std::to_string(n) +
                        ", and some views have SourceToDetectorDistance 0 (a parallel beam) and others have not",
                    "give a parallel or a cone beam in all views");
      if (radius_ != 0.0 && (parallel || std::fabs(g.source_to_detector_mm - radius_) > same * std::fabs(radius_) ||
                             std::fabs(g.source_offset_x_mm) > same * std::fabs(radius_)))
        throw Failure(ErrorCode::unsupported,
                      "'" + name_ + "' has RadiusCylindricalDetector = " + exact_text(radius_) + ", and in view " +
                          std::to_string(n) + " SourceToDetectorDistance = " + exact_text(g.source_to_detector_mm) +
                          " and SourceOffsetX = " + exact_text(g.source_offset_x_mm) +
                          ": the cylinder is not around the focal spot",
                      "resample the projections onto a flat detector or one around the focal spot");
      check_matrix(n, parallel);
      GantryPosition placed = g;
      if (radius_ != 0.0) placed.source_offset_x_mm = 0.0;
      scan_.views.push_back(view_of_gantry(placed, scan_.beam, scan_.detector, sampling_));
    }
  }

  void check_matrix(std::size_t n, bool parallel) const {
    if (!list_[n].matrix) return;
    const ProjectionMatrix computed = rtk_matrix(list_[n].position, parallel);
    for (std::size_t k = 0; k < 12; ++k)
      if (!(std::fabs(computed[k] - (*list_[n].matrix)[k]) <= matrix_tolerance))
        refuse_text(list_[n].place,
                    "ends view " + std::to_string(n) + ", whose Matrix has " + exact_text((*list_[n].matrix)[k]) +
                        " where its angles and distances give " + exact_text(computed[k]),
                    "write the geometry again, or remove Matrix and keep the parameters");
  }

  XmlCursor xml_;
  const std::string& name_;
  const DetectorSampling& sampling_;
  ScanGeometry scan_;
  GantryPosition now_;
  double radius_ = 0.0;
  std::optional<ProjectionMatrix> matrix_;
  std::vector<Numbered> list_;
};

}  // namespace

ProjectionMatrix rtk_matrix(const GantryPosition& g, bool parallel) {
  const RotatedAxes lps = rotated_axes(g);
  const Vector3 x = iec61217_of_lps(lps.x), y = iec61217_of_lps(lps.y), z = iec61217_of_lps(lps.z);
  ProjectionMatrix p{};
  for (std::size_t k = 0; k < 4; ++k) {
    const double qx = k < 3 ? x[k] : -g.source_offset_x_mm, qy = k < 3 ? y[k] : -g.source_offset_y_mm;
    const double w = k < 3 ? z[k] : -g.source_to_isocenter_mm;
    p[k] = -g.source_to_detector_mm * qx + (g.source_offset_x_mm - g.detector_offset_x_mm) * w;
    p[4 + k] = -g.source_to_detector_mm * qy + (g.source_offset_y_mm - g.detector_offset_y_mm) * w;
    p[8 + k] = w;
    if (parallel) {
      p[k] = k < 3 ? x[k] : -g.detector_offset_x_mm;
      p[4 + k] = k < 3 ? y[k] : -g.detector_offset_y_mm;
      p[8 + k] = k < 3 ? 0.0 : 1.0;
    }
  }
  return p;
}

ScanGeometry parse_rtk_geometry(std::string_view text, const std::string& name, const DetectorSampling& sampling) {
  return RtkReader(text, name, sampling).read();
}

std::string rtk_geometry_text(const ScanGeometry& scan, const DetectorSampling& sampling) {
  const bool parallel = scan.beam == Beam::parallel;
  double radius = 0.0;
  std::vector<GantryPosition> list;
  for (std::size_t n = 0; n < scan.views.size(); ++n) {
    const View& v = scan.views[n];
    const double u = length(v.u_step_mm), w = length(v.v_step_mm);
    if (std::fabs(u - sampling.step_u_mm) > same * u || std::fabs(w - sampling.step_v_mm) > same * w)
      throw Failure(ErrorCode::unsupported,
                    "view " + std::to_string(n) + " has detector steps of " + exact_text(u) + " and " + exact_text(w) +
                        " mm, and RTK's geometry has " + exact_text(sampling.step_u_mm) + " and " +
                        exact_text(sampling.step_v_mm) + " mm for all views",
                    "write projection matrices, or resample the projections onto one detector");
    try {
      list.push_back(gantry_of_view(v, scan.beam, scan.detector, sampling.first_u_mm, sampling.first_v_mm));
    } catch (const Failure& e) {
      throw Error(e.code(), "view " + std::to_string(n) + ": " + e.what());
    }
    if (scan.detector == DetectorShape::curved && n > 0 &&
        std::fabs(list[n].source_to_detector_mm - radius) > same * radius)
      throw Failure(ErrorCode::unsupported,
                    "view " + std::to_string(n) + " has a curved detector of radius " +
                        exact_text(list[n].source_to_detector_mm) + " mm, and view 0 one of " + exact_text(radius) +
                        " mm, where RTK's geometry has one for all",
                    "resample the projections onto one detector");
    if (scan.detector == DetectorShape::curved && n == 0) radius = list[0].source_to_detector_mm;
  }
  std::string text = "<?xml version=\"1.0\"?>\n<!DOCTYPE RTKGEOMETRY>\n<" + std::string(root) + " version=\"3\">\n";
  const auto element = [&text](const std::string& indent, const char* name, double value) {
    text += indent + "<" + name + ">" + exact_text(value) + "</" + name + ">\n";
  };
  if (scan.detector == DetectorShape::curved) element("  ", "RadiusCylindricalDetector", radius);
  for (const GantryPosition& g : list) {
    text += "  <Projection>\n";
    for (const Parameter& p : parameters)
      if (std::string_view(p.name) != "Angle") element("    ", p.name, g.*(p.member) / p.unit);
    const ProjectionMatrix m = rtk_matrix(g, parallel);
    text += "    <Matrix>\n";
    for (std::size_t r = 0; r < 3; ++r)
      text += "      " + exact_text(m[4 * r]) + " " + exact_text(m[4 * r + 1]) + " " + exact_text(m[4 * r + 2]) + " " +
              exact_text(m[4 * r + 3]) + "\n";
    text += "    </Matrix>\n  </Projection>\n";
  }
  return text + "</" + root + ">\n";
}

}  // namespace isocenter::detail
