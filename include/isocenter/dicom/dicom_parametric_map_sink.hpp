#pragma once
#include <isocenter/dicom/object_parameters.hpp>
#include <isocenter/operator.hpp>

namespace isocenter::inline v1 {

/// A volume of real values as a DICOM Parametric Map (PS3.3 A.75): 32-bit floats exactly as they are.
///
/// | port  | payload | shape        | unit                                  |
/// |-------|---------|--------------|---------------------------------------|
/// | input | Volume  | nz × ny × nx | one with a UCUM code, or unit_code's |
///
/// Or nc × nz × ny × nx, of which `channel` is written: a network's probability, score or variance of one class.
///
/// For quantities that no CT, MR or PET image may hold: attenuation, perfusion, T1, probability, dose. One frame for
/// each slice at its place in the patient, with references to the source images; the unit stands in
/// RealWorldValueMappingSequence (0040,9096). Patient, study and provenance as dicom_series_sink.
///
/// Errors: unsupported for 4-D and for a unit without a code; invalid_argument for codes that do not parse; bad_data
/// with the voxel when a value is not finite; io_error with the path. The file appears whole or not at all.
struct DicomParametricMapSink {
  static constexpr const char* name = "dicom_parametric_map_sink";
  static constexpr const char* module = "dicom";
  static constexpr const char* summary = "A volume of real values into a DICOM Parametric Map.";
  static constexpr const char* help =
      "unit_code and quantity are value^scheme^meaning, for example ms^UCUM^ms and 113063^DCM^T1; a probability's unit "
      "is 1^UCUM^no units.";
  static constexpr bool host_only = true;
  struct Params {
    std::string path;
    std::string series_description = "Parametric map by Isocenter";
    std::int64_t series_number = 1004;
    std::string unit_code;
    std::string quantity;
    std::string label = "MAP";
    int channel = -1;
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
              param(&Params::unit_code, "unit_code", "Coded unit; empty: from the volume's unit."),
              param(&Params::quantity, "quantity", "Coded quantity; may be empty."),
              param(&Params::label, "label", "LUTLabel of the real world values, at most 16 characters."),
              param(&Params::channel, "channel", Unit::none, -1, 65534,
                    "Of a volume with channels (czyx), counted from 0; -1: a volume without."),
          },
          equipment_parameters<Params>());
    }
  };
  struct Ports {
    In<Volume> input{"input", "What is written."};
    static constexpr auto describe() { return std::tuple{&Ports::input}; }
  };
};

}  // namespace isocenter::inline v1
