#pragma once
#include <isocenter/operator.hpp>

namespace isocenter::inline v1 {

/// Values of any linear scale to Hounsfield units: from inserts of known HU, or from water and air, given or measured
/// in the volume itself.
///
/// | port   | payload | shape       | unit                        |
/// |--------|---------|-------------|-----------------------------|
/// | input  | Volume  | zyx or tzyx | 1/mm, or what a scanner has |
/// | output | Volume  | as input    | HU                          |
///
/// HU = 1000 (v - water) / (water - air), Hounsfield's scale. Inserts: with two or more measured_values and their
/// nominal_hu the least-squares line through them. Else water and air are each a number, or the mean over a region
/// (centre x, y, z and radius in the patient frame; a sphere, or over all slices a cylinder), of all time frames
/// together. Metrics: slope, intercept, water, air. Errors: bad_data when a region holds no voxel of the volume,
/// or water and air are the same; invalid_argument when inserts do
/// not fit each other. On a device run waits for what it has measured, which it refuses or reports.
struct HounsfieldCalibration {
  static constexpr const char* name = "hounsfield_calibration";
  static constexpr const char* module = "recon";
  static constexpr const char* summary = "Linear calibration to Hounsfield units from inserts, or from water and air.";
  static constexpr const char* help =
      "Two-point or least-squares calibration; water and air given or measured in the volume.";
  struct Params {
    std::vector<double> measured_values;
    std::vector<double> nominal_hu;
    double water_value = 0;
    double air_value = 0;
    std::vector<double> water_centre_mm;
    double water_radius_mm = 0;
    std::vector<double> air_centre_mm;
    double air_radius_mm = 0;
    bool all_slices = true;
    static constexpr auto describe() {
      return std::tuple{
          param(&Params::measured_values, "measured_values", Unit::none, -1e9, 1e9, "The inserts' means as measured."),
          param(&Params::nominal_hu, "nominal_hu", Unit::hu, -10000, 100000, "The inserts' known values."),
          param(&Params::water_value, "water_value", Unit::none, -1e9, 1e9,
                "What water has; not with water_radius_mm."),
          param(&Params::air_value, "air_value", Unit::none, -1e9, 1e9, "What air has; not with air_radius_mm."),
          param(&Params::water_centre_mm, "water_centre_mm", Unit::mm, -1e5, 1e5, "Where water is: x, y, z."),
          param(&Params::water_radius_mm, "water_radius_mm", Unit::mm, 0, 1e4, "0: water_value is taken."),
          param(&Params::air_centre_mm, "air_centre_mm", Unit::mm, -1e5, 1e5, "Where air is: x, y, z."),
          param(&Params::air_radius_mm, "air_radius_mm", Unit::mm, 0, 1e4, "0: air_value is taken."),
          param(&Params::all_slices, "all_slices", "Regions are cylinders along the slices, not spheres."),
      };
    }
  };
  struct Ports {
    In<Volume> input{"input", "Reconstructed values."};
    Out<Volume> output{"output", "The same in HU."};
    static constexpr auto describe() { return std::tuple{&Ports::input, &Ports::output}; }
  };
};

}  // namespace isocenter::inline v1
