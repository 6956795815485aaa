#include "stack_geometry.hpp"

#include <algorithm>
#include <numbers>

#include "stack_builder.hpp"

namespace isocenter::detail::dicom {
namespace {

/// "-567.8": millimetres without trailing zeros.
std::string mm(double v) {
  char text[40];
  std::snprintf(text, sizeof text, "%.3f", v);
  std::string s = text;
  s.erase(s.find_last_not_of('0') + 1);
  if (s.back() == '.') s.pop_back();
  return s == "-0" ? "0" : s;
}

std::string list(const std::vector<std::string>& items) {
  constexpr std::size_t shown = 8;
  std::string text;
  for (std::size_t i = 0; i < std::min(shown, items.size()); ++i) text += (i == 0 ? "" : ", ") + items[i];
  if (items.size() > shown) text += " and " + std::to_string(items.size() - shown) + " more";
  return text;
}

class StackMeasure {
 public:
  StackMeasure(const std::vector<Image>& images, Stack& stack, std::vector<Finding>& findings)
      : images_(images), stack_(stack), findings_(findings) {}

  void run() {
    const Slice& first = stack_.slices.front();
    const Frame& f = frame(first);
    StackGeometry& g = stack_.geometry;
    g.row = *f.row_direction;
    g.column = *f.column_direction;
    g.normal = cross(g.row, g.column);
    g.origin = *f.position;
    g.dx_mm = f.column_spacing_mm;
    g.dy_mm = f.row_spacing_mm;
    g.nx = image(first).format.columns;
    g.ny = image(first).format.rows;
    check_pixels();
    check_rescale();
    take_planes();
    if (planes_.size() == 1)
      single_plane(f);
    else
      check_steps();
    if (planes_.size() > 1) check_shear();
  }

 private:
  const Image& image(const Slice& s) const { return images_[static_cast<std::size_t>(s.image)]; }
  const Frame& frame(const Slice& s) const { return image(s).frames[static_cast<std::size_t>(s.frame)]; }

  void add(FindingCode code, Severity severity, const std::string& what, const std::string& fix, const Attribute& a,
           const std::string& value = {}) {
    findings_.push_back({code, severity, what, fix, "", text(a), value, "", 0});
  }

  void check_pixels() {
    const StackGeometry& g = stack_.geometry;
    if (std::fabs(g.dx_mm - g.dy_mm) <= 1e-4 * g.dx_mm) return;
    add(FindingCode::non_square_pixel, Severity::note,
        "pixels are not square: " + text(attribute::pixel_spacing) + " = " + mm(g.dy_mm) + "\\" + mm(g.dx_mm) +
            ", rows and columns in mm",
        "nothing; the volume's geometry has both spacings", attribute::pixel_spacing, mm(g.dy_mm) + "\\" + mm(g.dx_mm));
  }

  /// CT and PET images need both attributes (PS3.3 C.8.2.1, C.8.9.4); others may do without.
  void check_rescale() {
    const std::string& modality = image(stack_.slices.front()).modality;
    if (modality != "CT" && modality != "PT") return;
    const auto without = std::count_if(stack_.slices.begin(), stack_.slices.end(), [&](const Slice& s) {
      return !frame(s).rescale && image(s).modality_lut == nullptr;
    });
    if (without == 0 || stack_.localiser) return;
    add(FindingCode::missing_rescale, Severity::error,
        std::to_string(without) + " of " + std::to_string(stack_.slices.size()) + " " + modality +
            " images have no RescaleSlope (0028,1053) and RescaleIntercept (0028,1052), so that their values are "
            "unknown",
        "export the series again, or set missing_rescale = identity to take stored values as they are",
        attribute::rescale_slope);
  }

  void take_planes() {
    std::vector<std::string> doubled;
    std::string files;
    for (const Slice& s : stack_.slices) {
      if (planes_.empty() || s.offset_mm - planes_.back().offset_mm >= same_plane_mm) {
        planes_.push_back(s);
        continue;
      }
      if (doubled.empty()) files = "'" + image(planes_.back()).name + "' and '" + image(s).name + "'";
      if (doubled.empty() || doubled.back() != mm(planes_.back().offset_mm))
        doubled.push_back(mm(planes_.back().offset_mm));
    }
    if (doubled.empty()) return;
    add(FindingCode::duplicate_slices, Severity::error,
        "more than one image lies at " + list(doubled) + " mm along the normal by " +
            text(attribute::image_position_patient) + " (" + std::to_string(stack_.slices.size()) + " images, " +
            std::to_string(planes_.size()) + " positions; the first are " + files + ")",
        "take the surplus images out of the folder, or set duplicates = keep_first to use the one with the lowest "
        "InstanceNumber (0020,0013)",
        attribute::image_position_patient);
  }

  void single_plane(const Frame& f) {
    StackGeometry& g = stack_.geometry;
    g.nz = 1;
    g.dz_mm = f.slice_thickness_mm > 0 ? f.slice_thickness_mm : f.spacing_between_slices_mm;
    if (g.dz_mm > 0) return;
    g.dz_mm = 1;
    add(FindingCode::bad_value, Severity::warning,
        "SliceThickness (0018,0050) and SpacingBetweenSlices (0018,0088) are missing for a single slice; 1 mm was "
        "taken",
        "nothing, unless volumes or distances along the normal matter", attribute::slice_thickness);
  }

  double find_step(std::vector<double> distances) const {
    std::sort(distances.begin(), distances.end());
    const double smallest = distances.front();
    const auto equal = std::count_if(distances.begin(), distances.end(),
                                     [&](double d) { return d - smallest <= tolerance(smallest, 1); });
    const double announced = frame(planes_.front()).spacing_between_slices_mm;
    const bool as_announced = std::fabs(announced - smallest) <= tolerance(smallest, 1);
    if (as_announced || 2 * equal >= static_cast<std::ptrdiff_t>(distances.size())) {
      double sum = 0;
      for (std::ptrdiff_t i = 0; i < equal; ++i) sum += distances[static_cast<std::size_t>(i)];
      return sum / static_cast<double>(equal);
    }
    return distances[distances.size() / 2];
  }
  static double tolerance(double step, double steps) { return 0.02 * step * steps + std::fmin(0.01, step / 10); }

  void check_steps() {
    std::vector<double> distances;
    for (std::size_t i = 1; i < planes_.size(); ++i)
      distances.push_back(planes_[i].offset_mm - planes_[i - 1].offset_mm);
    const double step = find_step(distances);
    const double extent = planes_.back().offset_mm - planes_.front().offset_mm;
    std::vector<std::string> missing, uneven;
    double steps_in_all = 0;
    for (std::size_t i = 0; i < distances.size(); ++i) {
      const double steps = std::fmax(1, std::round(distances[i] / step));
      steps_in_all += steps;
      if (std::fabs(distances[i] - steps * step) > tolerance(step, steps))
        uneven.push_back(mm(distances[i]) + " mm after " + mm(planes_[i].offset_mm));
      else
        for (int k = 1; k < static_cast<int>(std::fmin(steps, 10000)); ++k)
          missing.push_back(mm(planes_[i].offset_mm + k * distances[i] / steps));
    }
    StackGeometry& g = stack_.geometry;
    if (uneven.empty() && steps_in_all < 1e5) {
      g.dz_mm = extent / steps_in_all;
      g.nz = static_cast<int>(steps_in_all) + 1;
    } else {
      g.dz_mm = step;
      g.nz = static_cast<int>(std::fmin(extent / step + 1e-6, 1e5)) + 1;
    }
    const std::string fix =
        "find the missing images, or set uneven_spacing = resample to interpolate between the slices that are there";
    if (!uneven.empty())
      add(FindingCode::uneven_spacing, Severity::error,
          "slices are unevenly spaced: the step is " + mm(step) + " mm, but " + list(uneven) +
              " mm along the normal by " + text(attribute::image_position_patient),
          "choose a series with even steps, or set uneven_spacing = resample to interpolate between the slices",
          attribute::image_position_patient);
    if (!missing.empty())
      add(FindingCode::missing_slices, Severity::error,
          std::to_string(missing.size()) + (missing.size() == 1 ? " slice is" : " slices are") + " missing at " +
              list(missing) + " mm along the normal by " + text(attribute::image_position_patient) + " (step " +
              mm(step) + " mm)",
          fix, attribute::image_position_patient);
  }

  /// Sideways positions against distance along the normal: a straight line through the origin is a shear.
  void check_shear() {
    StackGeometry& g = stack_.geometry;
    double pp = 0, px = 0, py = 0;
    const auto sideways = [&](const Slice& s, double& x, double& y, double& p) {
      const Vec3 d = *frame(s).position - g.origin;
      x = dot(d, g.row);
      y = dot(d, g.column);
      p = dot(d, g.normal);
    };
    double x = 0, y = 0, p = 0;
    for (const Slice& s : planes_) {
      sideways(s, x, y, p);
      pp += p * p;
      px += p * x;
      py += p * y;
    }
    const double shear_row = px / pp, shear_column = py / pp;
    double largest = 0, wander = 0;
    for (const Slice& s : planes_) {
      sideways(s, x, y, p);
      largest = std::fmax(largest, std::fmax(std::fabs(x) / g.dx_mm, std::fabs(y) / g.dy_mm));
      wander = std::fmax(wander,
                         std::fmax(std::fabs(x - shear_row * p) / g.dx_mm, std::fabs(y - shear_column * p) / g.dy_mm));
    }
    constexpr double straight_px = 0.1;
    if (largest <= straight_px) return;
    if (wander > straight_px) {
      add(FindingCode::shifted_slices, Severity::error,
          "slices are shifted sideways against each other by up to " + mm(largest) +
              " pixels without a common slope by " + text(attribute::image_position_patient),
          "load the positions that belong together from a folder of their own", attribute::image_position_patient);
      return;
    }
    g.shear_row = shear_row;
    g.shear_column = shear_column;
    const double degrees = std::atan(std::hypot(shear_row, shear_column)) * 180 / std::numbers::pi;
    const Image& first = image(planes_.front());
    add(FindingCode::gantry_tilt, Severity::error,
        "the stack is sheared by " + mm(degrees) +
            " degrees: its slices are not perpendicular to the line that they lie on by " +
            text(attribute::image_position_patient) +
            (first.has_gantry_tilt ? " (GantryDetectorTilt (0018,1120) = " + mm(first.gantry_tilt_deg) + ")" : ""),
        "set gantry_tilt = shear to resample the slices onto a straight grid", attribute::image_position_patient,
        mm(degrees));
  }

  const std::vector<Image>& images_;
  Stack& stack_;
  std::vector<Finding>& findings_;
  std::vector<Slice> planes_;  ///< one slice for each position
};

}  // namespace

void measure_stack(const std::vector<Image>& images, Stack& stack, std::vector<Finding>& findings) {
  StackMeasure(images, stack, findings).run();
}

}  // namespace isocenter::detail::dicom
