#pragma once
#include <isocenter/dicom/object_parameters.hpp>
#include <isocenter/operator.hpp>

namespace isocenter::inline v1 {

/// Measurements of segments as a Comprehensive 3D SR document (PS3.3 A.35.13) by TID 1500 of PS3.16, and the SEG object
/// that it refers to.
///
/// | port  | payload                             | shape        | unit |
/// |-------|-------------------------------------|--------------|------|
/// | input | Segmentation of segment_measurements | nz × ny × nx |      |
///
/// Two files: `segmentation_path` with the segments (as dicom_seg_sink writes them), then `path` with a measurement
/// group (TID 1411) for each segment that has a voxel: volume, and mean, standard deviation, minimum and maximum of the
/// measured values.
///
/// Errors: bad_data without measurements or when no voxel is labelled; unsupported for a unit without a UCUM code;
/// otherwise as dicom_seg_sink. Each file appears whole or not at all.
struct DicomReportSink {
  static constexpr const char* name = "dicom_report_sink";
  static constexpr const char* module = "dicom";
  static constexpr const char* summary =
      "Measurements of segments into a structured report (TID 1500) and the SEG that it refers to.";
  static constexpr const char* help = "codes as for dicom_seg_sink. Put segment_measurements before it.";
  static constexpr bool host_only = true;
  struct Params {
    std::string path;
    std::string series_description = "Measurements by Isocenter";
    std::int64_t series_number = 1006;
    std::string segmentation_path;
    std::string segmentation_description = "Segmentation by Isocenter";
    std::int64_t segmentation_number = 1007;
    std::string algorithm_name = "Isocenter";
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
              param(&Params::segmentation_path, "segmentation_path", "SEG file to write; %02d is the item's number.",
                    isocenter::required | isocenter::path),
              param(&Params::segmentation_description, "segmentation_description",
                    "SeriesDescription of the SEG file."),
              param(&Params::segmentation_number, "segmentation_number", Unit::none, 1, 2147483647,
                    "SeriesNumber of the SEG file."),
              param(&Params::algorithm_name, "algorithm_name", "SegmentAlgorithmName, at most 64 characters."),
              param(&Params::codes, "codes",
                    "Coded concepts for labels: name = category / type / anatomic region; ..."),
          },
          equipment_parameters<Params>());
    }
  };
  struct Ports {
    In<Segmentation> input{"input", "Segments with their measurements."};
    static constexpr auto describe() { return std::tuple{&Ports::input}; }
  };
};

}  // namespace isocenter::inline v1
