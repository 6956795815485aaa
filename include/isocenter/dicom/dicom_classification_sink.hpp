#pragma once
#include <isocenter/dicom/object_parameters.hpp>
#include <isocenter/operator.hpp>

namespace isocenter::inline v1 {

/// What classify_image found as a Comprehensive 3D SR document (PS3.3 A.35.13) by TID 1500 of PS3.16.
///
/// | port  | payload                  | shape                          | unit |
/// |-------|--------------------------|--------------------------------|------|
/// | input | Volume of classify_image | czyx: classes × images × 1 × 1 |      |
///
/// Each image's best class (the `most` best) that scores at least `score_from` is a group of TID 1501, "Measurement and
/// Qualitative Evaluation Group": a coded finding with its category and site, the certainty of finding (111012, DCM) in
/// %, the images of the source within a slice of its plane (121112, DCM; none is warned of), and by TID 4019 the
/// algorithm: the model file's name, its SHA-256 as the version, and how scores became probabilities. An image in which
/// no class scores enough has no group.
///
/// Errors: bad_data without scores of classify_image, and for scores that are no probabilities; unsupported without a
/// DICOM source; invalid_argument for a class without a code; io_error with the path. The file appears whole or not at
/// all.
struct DicomClassificationSink {
  static constexpr const char* name = "dicom_classification_sink";
  static constexpr const char* module = "dicom";
  static constexpr const char* summary = "Classes of images into a structured report (TID 1500).";
  static constexpr const char* help = "codes as for dicom_seg_sink. Put classify_image before it.";
  static constexpr bool host_only = true;
  struct Params {
    std::string path;
    std::string series_description = "Classification by Isocenter";
    std::int64_t series_number = 1009;
    std::int64_t most = 1;
    double score_from = 0.5;
    std::string algorithm_name;
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
              param(&Params::most, "most", Unit::none, 1, 100, "At most so many classes of an image, the best."),
              param(&Params::score_from, "score_from", Unit::none, 0, 1, "Least probability of a class."),
              param(&Params::algorithm_name, "algorithm_name",
                    "Algorithm Name (111001, DCM), at most 64 characters; empty: the model's file."),
              param(&Params::codes, "codes",
                    "Coded concepts for classes: name = category / type / anatomic region; ..."),
          },
          equipment_parameters<Params>());
    }
  };
  struct Ports {
    In<Volume> input{"input", "Scores of the node classify_image."};
    static constexpr auto describe() { return std::tuple{&Ports::input}; }
  };
};

}  // namespace isocenter::inline v1
