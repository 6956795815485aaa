#pragma once
#include <isocenter/dicom/object_parameters.hpp>
#include <isocenter/operator.hpp>

namespace isocenter::inline v1 {

/// A segmentation as an RT Structure Set (PS3.3 A.19): a region of interest for each label, closed contours in the
/// planes of its slices.
///
/// | port  | payload      | shape        | unit |
/// |-------|--------------|--------------|------|
/// | input | Segmentation | nz × ny × nx |      |
///
/// Contours run along the voxels' edges, so that the voxels whose centre they hold are those of the label; a hole is
/// reached by a channel without width. Names, colours and codes of labels are those of dicom_seg_sink.
///
/// Errors: invalid_argument for codes that do not parse; bad_data for a label without a name or codes, or when no voxel
/// is labelled; unsupported for 4-D; io_error with the path. The file appears whole or not at all.
struct DicomStructureSetSink {
  static constexpr const char* name = "dicom_structure_set_sink";
  static constexpr const char* module = "dicom";
  static constexpr const char* summary = "A segmentation into an RT Structure Set with a contour in each slice.";
  static constexpr const char* help = "codes as for dicom_seg_sink.";
  static constexpr bool host_only = true;
  struct Params {
    std::string path;
    std::string series_description = "Contours by Isocenter";
    std::int64_t series_number = 1005;
    std::string structure_set_label = "Isocenter";
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
              param(&Params::structure_set_label, "structure_set_label", "StructureSetLabel, at most 16 characters."),
              param(&Params::codes, "codes",
                    "Coded concepts for labels: name = category / type / anatomic region; ..."),
          },
          equipment_parameters<Params>());
    }
  };
  struct Ports {
    In<Segmentation> input{"input", "What is written."};
    static constexpr auto describe() { return std::tuple{&Ports::input}; }
  };
};

}  // namespace isocenter::inline v1
