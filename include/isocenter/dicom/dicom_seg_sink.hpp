#pragma once
#include <isocenter/dicom/dicom_series_sink.hpp>
#include <isocenter/dicom/object_parameters.hpp>
#include <isocenter/operator.hpp>

namespace isocenter::inline v1 {

/// A segmentation as a DICOM Segmentation object (PS3.3 A.51): binary, every label a segment; or fractional, from
/// probabilities.
///
/// | port  | payload      | shape                            | unit             |
/// |-------|--------------|----------------------------------|------------------|
/// | input | Segmentation | nz × ny × nx                     |                  |
/// |       | or Volume    | nz × ny × nx or nc × nz × ny × nx | 1, within [0, 1] |
///
/// Channel c of a volume is the probability of label c, channel 0 the background's; a volume without channels is that
/// of label 1. Probabilities become FRACTIONAL, PROBABILITY, in steps of 1/255.
///
/// Label 0 is background; the others are named by the attribute "labels.names" and coloured by "labels.colours". Codes
/// come from the name where it is known (lung, heart, bone, lesion, ...), or from the parameter codes. A frame for each
/// segment and slice that holds any of it, at the slice's place in the patient (oblique ones too), with references to
/// the source images that the "dicom.*" attributes name. A label without a voxel is a segment without a frame.
///
/// Errors: invalid_argument for codes that do not parse; bad_data for a label without a name or codes, or when no voxel
/// is labelled, or a probability is outside [0, 1]; unsupported for 4-D and for compressed binary ones; io_error with
/// the path. The file appears whole or not at all.
struct DicomSegSink {
  static constexpr const char* name = "dicom_seg_sink";
  static constexpr const char* module = "dicom";
  static constexpr const char* summary = "A segmentation into a DICOM SEG file that refers to its source series.";
  static constexpr const char* help =
      "codes gives category / type / anatomic region for labels whose names are not known: lesion = "
      "49755003^SCT^Morphologically Abnormal Structure / 27925004^SCT^Nodule / 39607008^SCT^Lung; ...";
  static constexpr bool host_only = true;
  struct Params {
    std::string path;
    std::string series_description = "Segmentation by Isocenter";
    std::int64_t series_number = 1002;
    std::string algorithm_name = "Isocenter";
    std::string codes;
    DicomLosslessCompression compression = DicomLosslessCompression::none;
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
              param(&Params::algorithm_name, "algorithm_name", "SegmentAlgorithmName, at most 64 characters."),
              param(&Params::codes, "codes",
                    "Coded concepts for labels: name = category / type / anatomic region; ..."),
              choice(&Params::compression, "compression", dicom_lossless_choices,
                     "Lossless compression; fractional segmentations only."),
          },
          equipment_parameters<Params>());
    }
  };
  struct Ports {
    In<AnyOf<Segmentation, Volume>> input{"input", "What is written."};
    static constexpr auto describe() { return std::tuple{&Ports::input}; }
  };
};

}  // namespace isocenter::inline v1
