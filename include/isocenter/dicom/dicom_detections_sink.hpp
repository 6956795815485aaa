#pragma once
#include <isocenter/dicom/object_parameters.hpp>
#include <isocenter/operator.hpp>

namespace isocenter::inline v1 {

/// Boxes of a detector as a Comprehensive 3D SR document (PS3.3 A.35.13) by TID 1500 of PS3.16.
///
/// | port  | payload                    | shape        | unit |
/// |-------|----------------------------|--------------|------|
/// | input | Segmentation of detections | nz × ny × nx |      |
///
/// Each box is a measurement group with its place in the patient (SCOORD3D), a coded finding, and the certainty of
/// finding (111012, DCM) in %, the detector's score: TID 1411 with the box's two faces across the slices as its
/// surface, TID 1410 with a rectangle for 2-D boxes. The labels that lie in the boxes are for dicom_seg_sink and
/// dicom_structure_set_sink.
///
/// Errors: bad_data without boxes of `detections`, and for a score outside [0, 1]; unsupported without a DICOM source;
/// invalid_argument for a class without a code; io_error with the path. The file appears whole or not at all.
struct DicomDetectionsSink {
  static constexpr const char* name = "dicom_detections_sink";
  static constexpr const char* module = "dicom";
  static constexpr const char* summary = "Boxes of a detector into a structured report (TID 1500).";
  static constexpr const char* help = "codes as for dicom_seg_sink. Put detections before it.";
  static constexpr bool host_only = true;
  struct Params {
    std::string path;
    std::string series_description = "Detections by Isocenter";
    std::int64_t series_number = 1008;
    std::string codes;
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
              param(&Params::codes, "codes",
                    "Coded concepts for classes: name = category / type / anatomic region; ..."),
          },
          equipment_parameters<Params>());
    }
  };
  struct Ports {
    In<Segmentation> input{"input", "Boxes of the node detections."};
    static constexpr auto describe() { return std::tuple{&Ports::input}; }
  };
};

}  // namespace isocenter::inline v1
