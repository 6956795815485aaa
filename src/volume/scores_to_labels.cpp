#include <algorithm>
#include <isocenter/volume/scores_to_labels.hpp>

#include "core/builtin.hpp"
#include "core/launcher.hpp"
#include "volume/label_colours.hpp"
#include "volume/scores.hpp"

namespace isocenter::detail {

static_assert(static_cast<int>(ScoreActivation::none) == static_cast<int>(ScoreScale::none) &&
              static_cast<int>(ScoreActivation::softmax) == static_cast<int>(ScoreScale::softmax) &&
              static_cast<int>(ScoreActivation::sigmoid) == static_cast<int>(ScoreScale::sigmoid));

class ScoresToLabelsOperator : public OperatorBase<ScoresToLabels> {
 public:
  void plan(PlanContext& plan) override {
    const PayloadRef in = plan.input("input");
    const TensorView t = in.tensor("voxels");
    if (std::string_view(t.axes) != "czyx" || t.type() != DType::float32)
      throw Failure(ErrorCode::bad_data,
                    std::string("input 'input' has the axes '") + t.axes + "', and float32 scores 'czyx' are needed",
                    "give network_inference's scores of one time point");
    const std::int64_t channels = t.shape[0];
    if (channels < 1 || channels > 256 || *std::max_element(t.shape + 1, t.shape + 4) > 65535)
      throw Failure(ErrorCode::bad_data,
                    "input 'input' has " + std::to_string(channels) +
                        " channels, and 1 to 256 on a grid of up to 65535 voxels along an axis are allowed",
                    "labels of 8 bits hold no more");
    kernel_ = {};
    kernel_.nx = static_cast<int>(t.shape[3]);
    kernel_.ny = static_cast<int>(t.shape[2]);
    kernel_.nz = static_cast<int>(t.shape[1]);
    kernel_.channels = static_cast<int>(channels);
    kernel_.scale = static_cast<ScoreScale>(params.activation);
    kernel_.threshold = static_cast<float>(params.threshold);
    if (channels == 1 && params.activation == ScoreActivation::softmax)
      throw Failure(ErrorCode::invalid_argument, "activation = softmax over one channel is 1 everywhere",
                    "set activation to sigmoid, or to none for probabilities");
    describe(plan, in, static_cast<int>(std::max<std::int64_t>(2, channels)));
    probabilities_ = plan.output_used("probabilities");
    uncertainty_ = plan.output_used("uncertainty");
    plan.require_kernel<ScoreLabelsKernel>();
  }

  void run(const RunContext& run) override {
    kernel_.scores = run.input("input").tensor("voxels").as<const float>();
    kernel_.labels = run.output("output").tensor("labels").as<std::uint8_t>();
    kernel_.probabilities = probabilities_ ? run.output("probabilities").tensor("voxels").as<float>() : nullptr;
    kernel_.entropy = uncertainty_ ? run.output("uncertainty").tensor("voxels").as<float>() : nullptr;
    launch(launcher_of(run), kernel_, kernel_.nx, kernel_.ny, kernel_.nz);
  }

 private:
  void describe(PlanContext& plan, const PayloadRef& in, int labels) const {
    std::string names = params.names;
    if (names.empty()) {
      names = "background";
      for (int i = 1; i < labels; ++i) names += "/class " + std::to_string(i);
    }
    if (const auto given = std::count(names.begin(), names.end(), '/') + 1; given != labels)
      throw Failure(ErrorCode::invalid_argument,
                    "names = " + params.names + " names " + std::to_string(given) + " labels, and there are " +
                        std::to_string(labels),
                    "name each label, the background first, with '/' between");
    std::replace(names.begin(), names.end(), '/', '\\');
    PayloadRef out = plan.output("output");
    out.set_tensor("labels", tensor(DType::uint8, "zyx", {kernel_.nz, kernel_.ny, kernel_.nx}));
    out.set_text("labels.names", names);
    out.set_numbers("labels.colours", label_colours(labels));
    PayloadRef probabilities = plan.output("probabilities"), uncertainty = plan.output("uncertainty");
    probabilities.set_tensor("voxels", PayloadRef::without_data(in.tensor("voxels")));
    uncertainty.set_tensor("voxels", tensor(DType::float32, "zyx", {kernel_.nz, kernel_.ny, kernel_.nx}));
    for (PayloadRef* p : {&out, &probabilities, &uncertainty}) {
      p->set_geometry(in.geometry());
      p->inherit_attributes(in);
      isocenter_payload_set_text(p->get(), "unit", p == &out ? nullptr : "1", nullptr);
    }
  }

  ScoreLabelsKernel kernel_{};
  bool probabilities_ = false, uncertainty_ = false;
};

}  // namespace isocenter::detail

ISOCENTER_BUILTIN_OPERATOR(scores_to_labels, ScoresToLabelsOperator)
