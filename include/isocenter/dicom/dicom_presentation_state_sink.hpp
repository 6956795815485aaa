#pragma once
#include <isocenter/dicom/object_parameters.hpp>
#include <isocenter/operator.hpp>

namespace isocenter::inline v1 {

/// How viewers shall show the source images: a Grayscale Softcopy Presentation State (PS3.3 A.33.1) with a window and
/// texts.
///
/// | port  | payload                     | shape        | unit |
/// |-------|-----------------------------|--------------|------|
/// | input | Volume of a DICOM series    | nz × ny × nx | any  |
///
/// Refers to the images that the volume was loaded from, whole and in their own places; a resampled volume is refused.
/// annotations holds texts at points of the patient (LPS, mm), each anchored to the slice nearest to it:
/// "12.5 -80 30 = nodule; 40 0 31 = calcification".
///
/// Errors: bad_data without source images, for slices elsewhere than these, for an annotation outside them;
/// invalid_argument for annotations that do not parse; io_error with the path.
struct DicomPresentationStateSink {
  static constexpr const char* name = "dicom_presentation_state_sink";
  static constexpr const char* module = "dicom";
  static constexpr const char* summary =
      "A window and annotations for the source images, as a greyscale presentation state.";
  static constexpr const char* help = "annotations: x y z = text; ... with the point in the patient (LPS) in mm.";
  static constexpr bool host_only = true;
  struct Params {
    std::string path;
    std::string series_description = "Presentation by Isocenter";
    std::int64_t series_number = 1008;
    double window_centre = 40;
    double window_width = 400;
    std::string label = "ISOCENTER";
    std::string annotations;
    std::string manufacturer = "Isocenter";
    std::string model_name = "Isocenter SDK";
    std::string device_serial_number = "1";
    static constexpr auto describe() {
      return std::tuple_cat(
          std::tuple{
              param(&Params::path, "path", "File to write; %02d is the item's number.",
                    isocenter::required | isocenter::path),
          },
          series_parameters<Params>(),
          std::tuple{
              param(&Params::window_centre, "window_centre", Unit::none, -1e6, 1e6,
                    "WindowCenter, in the volume's unit."),
              param(&Params::window_width, "window_width", Unit::none, 1, 1e6, "WindowWidth, in the volume's unit."),
              param(&Params::label, "label",
                    "ContentLabel: upper case letters, digits, space and underscore, at most 16."),
              param(&Params::annotations, "annotations", "Texts at points of the patient: x y z = text; ..."),
          },
          equipment_parameters<Params>());
    }
  };
  struct Ports {
    In<Volume> input{"input", "A volume as its source gave it."};
    static constexpr auto describe() { return std::tuple{&Ports::input}; }
  };
};

}  // namespace isocenter::inline v1
