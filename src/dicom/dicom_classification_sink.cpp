#include "dicom_classification_sink.hpp"

#include <algorithm>
#include <numeric>
#include <sstream>

#include "object_builder.hpp"
#include "operator_support.hpp"
#include "output_file.hpp"
#include "segment_codes.hpp"

namespace isocenter::detail::dicom {

void DicomClassificationSinkOperator::plan(PlanContext& plan) {
  const PayloadRef input = plan.input("input");
  const TensorView scores = input.tensor("voxels");
  const std::string scale = input.text("classification.scale");
  if (scale.empty() || std::string(scores.axes) != "czyx" || scores.extent('y') != 1 || scores.extent('x') != 1)
    throw Failure(ErrorCode::bad_data, "the volume has no scores of images: no attribute classification.scale",
                  "put the node classify_image before this one");
  if (scale == "none")
    throw Failure(ErrorCode::bad_data,
                  "the scores are the network's own numbers (classification.scale is none), and a certainty of finding "
                  "is a probability",
                  "set activation of classify_image to softmax or sigmoid");
  source_ = read_metadata(input);
  if (source_.empty())
    throw Failure(ErrorCode::unsupported, "the images come from no DICOM series, which a report could be of",
                  "read them with dicom_series_source or dicom_frames_source");
  read_classes(input, scores);
  find_images(plan, input);
  require_short("algorithm_name", params.algorithm_name, 64);
  written_.algorithm_name = params.algorithm_name.empty() ? input.text("classification.model") : params.algorithm_name;
  written_.algorithm_version = "SHA-256 " + input.text("classification.model_sha256");
  written_.algorithm_parameters = "model = " + input.text("classification.model") + "; activation = " + scale;
  description_ = describe_output({params.series_description, "", params.manufacturer, params.model_name,
                                  params.device_serial_number, params.series_number},
                                 DicomDerivation::none, input);
  require_file_path(numbered_path(params.path, 0));
  plan.fact("file", params.path);
}

void DicomClassificationSinkOperator::read_classes(const PayloadRef& input, const TensorView& scores) {
  classes_ = scores.extent('c');
  images_ = scores.extent('z');
  written_.classes.clear();
  std::istringstream names(input.text("labels.names"));
  for (std::string name; std::getline(names, name, '\\');) {
    require_short("labels.names", name, 64);
    Segment s;
    s.label = static_cast<int>(written_.classes.size());
    s.name = name;
    written_.classes.push_back(std::move(s));
  }
  if (static_cast<std::int64_t>(written_.classes.size()) != classes_)
    throw Failure(ErrorCode::bad_data,
                  "the attribute labels.names names " + std::to_string(written_.classes.size()) + " classes, and " +
                      std::to_string(classes_) + " have scores",
                  "put the node classify_image before this one");
  complete_codes(params.codes, written_.classes);
}

/// The source's slices that each image was made of: those near its plane, or one by one where they have no place.
void DicomClassificationSinkOperator::find_images(PlanContext& plan, const PayloadRef& input) {
  const Geometry g = input.geometry();
  const auto n = g.axis(2);
  written_.slices.clear();
  for (std::int64_t i = 0; i < images_; ++i) {
    const auto p = g.position_mm(0, 0, static_cast<double>(i));
    const bool placed = dot(source_.normal, source_.normal) > 0.5;
    if (!placed && static_cast<std::int64_t>(source_.slices.size()) == images_)
      written_.slices.push_back({static_cast<int>(i)});
    else
      written_.slices.push_back(slices_near(source_, {p[0], p[1], p[2]}, {n[0], n[1], n[2]}, g.spacing_mm[2]));
  }
  const auto none = [](const std::vector<int>& slices) { return slices.empty(); };
  const auto without = std::count_if(written_.slices.begin(), written_.slices.end(), none);
  if (without == 0) return;
  const auto first = std::find_if(written_.slices.begin(), written_.slices.end(), none) - written_.slices.begin();
  plan.warn(std::to_string(without) + " of " + std::to_string(images_) + " images, the first of them image " +
                std::to_string(first + 1) +
                ", lie farther than a slice from every image of the source series, and what is found in them names no "
                "source image",
            "classify slices of the source series, or resample onto its grid");
}

std::vector<ClassOfImage> DicomClassificationSinkOperator::findings(const PayloadRef& input) const {
  const auto scores = input.numbers("classification.scores");
  if (static_cast<std::int64_t>(scores.size()) != images_ * classes_)
    throw Failure(ErrorCode::bad_data,
                  "the attribute classification.scores has " + std::to_string(scores.size()) + " numbers, and " +
                      std::to_string(images_) + " images have " + std::to_string(classes_) + " classes",
                  "put the node classify_image before this one");
  std::vector<ClassOfImage> all;
  std::vector<int> order(static_cast<std::size_t>(classes_));
  for (std::int64_t image = 0; image < images_; ++image) {
    const auto of = scores.subspan(static_cast<std::size_t>(image * classes_), static_cast<std::size_t>(classes_));
    for (const double score : of)
      if (!(score >= 0 && score <= 1))
        throw Failure(ErrorCode::bad_data,
                      "image " + std::to_string(image + 1) + " has the score " + std::to_string(score) +
                          ", and a probability lies between 0 and 1",
                      "look at the network's input");
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(),
                     [&](int a, int b) { return of[static_cast<std::size_t>(a)] > of[static_cast<std::size_t>(b)]; });
    for (std::int64_t k = 0; k < std::min(params.most, classes_); ++k) {
      const int c = order[static_cast<std::size_t>(k)];
      const double probability = of[static_cast<std::size_t>(c)];
      if (probability >= params.score_from) all.push_back({static_cast<int>(image), c, probability});
    }
  }
  return all;
}

void DicomClassificationSinkOperator::run(const RunContext& run) {
  written_.findings = findings(run.input("input"));
  write_classification(numbered_path(params.path, run.sequence()), written_, source_, description_);
}

}  // namespace isocenter::detail::dicom
