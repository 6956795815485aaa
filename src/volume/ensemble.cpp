#include <algorithm>
#include <cmath>
#include <isocenter/dense.hpp>
#include <isocenter/volume/ensemble.hpp>

#include "core/builtin.hpp"
#include "core/launcher.hpp"
#include "volume/scores.hpp"

namespace isocenter::detail {
namespace {

constexpr const char* ports[most_members] = {"input_1", "input_2", "input_3", "input_4",
                                             "input_5", "input_6", "input_7", "input_8"};

std::string shape_of(const TensorView& t) {
  std::string text;
  for (int i = 0; i < t.rank; ++i) text += (i == 0 ? "" : " x ") + std::to_string(t.shape[i]);
  return text + " (" + t.axes + ")";
}

bool same_place(const Geometry& a, const Geometry& b) {
  for (int i = 0; i < 3; ++i)
    if (std::fabs(a.spacing_mm[i] - b.spacing_mm[i]) > 1e-6 * a.spacing_mm[i] ||
        std::fabs(a.origin_mm[i] - b.origin_mm[i]) > 1e-2 * a.spacing_mm[i])
      return false;
  return std::equal(a.direction, a.direction + 9, b.direction,
                    [](double p, double q) { return std::fabs(p - q) < 1e-5; });
}

}  // namespace

class EnsembleOperator : public OperatorBase<Ensemble> {
 public:
  void plan(PlanContext& plan) override {
    for (const char* port : ports)
      if (plan.has_input(port)) members_.emplace_back(port);
    if (members_.size() < 2)
      throw Failure(ErrorCode::invalid_argument,
                    std::to_string(members_.size()) + " inputs are connected, and 2 to 8 make an ensemble",
                    "connect input_1, input_2 and so on");
    const PayloadRef first = plan.input(members_[0].c_str());
    for (const std::string& member : members_) check(first, plan.input(member.c_str()), member);
    const TensorView t = first.tensor("voxels");
    kernel_.count = static_cast<int>(members_.size());
    kernel_.nx = static_cast<int>(t.shape[t.rank - 1]);
    kernel_.ny = t.rank > 1 ? static_cast<int>(t.shape[t.rank - 2]) : 1;
    const std::int64_t rest = t.count() / (static_cast<std::int64_t>(kernel_.nx) * kernel_.ny);
    if (rest > INT32_MAX)
      throw Failure(ErrorCode::unsupported, "the inputs have " + std::to_string(rest) + " slices over all channels",
                    "give fewer time frames or channels at a time");
    nz_ = static_cast<int>(rest);
    plan.output("output").like(first);
    PayloadRef variance = plan.output("variance");
    variance.like(first);
    const std::string unit = first.text("unit");
    const std::string squared = unit.empty() || unit == "1" ? unit : unit + "2";
    isocenter_payload_set_text(variance.get(), "unit", squared.empty() ? nullptr : squared.c_str(), nullptr);
    wanted_ = plan.output_used("variance");
    plan.require_kernel<EnsembleKernel>();
  }

  void run(const RunContext& run) override {
    for (std::size_t m = 0; m < members_.size(); ++m)
      kernel_.members[m] = run.input(members_[m].c_str()).tensor("voxels").as<const float>();
    kernel_.mean = run.output("output").tensor("voxels").as<float>();
    kernel_.variance = wanted_ ? run.output("variance").tensor("voxels").as<float>() : nullptr;
    launch(launcher_of(run), kernel_, kernel_.nx, kernel_.ny, nz_);
  }

 private:
  void check(const PayloadRef& first, const PayloadRef& other, const std::string& port) const {
    const TensorView a = first.tensor("voxels"), b = other.tensor("voxels");
    if (b.type() != DType::float32)
      throw Failure(ErrorCode::bad_data, "input '" + port + "' does not hold float32", "convert it when it is read");
    if (!is_dense(b))
      throw Failure(ErrorCode::bad_data, "input '" + port + "' is not dense", "copy it into a dense tensor");
    const std::string fix = "give results of networks that ran over the same volume";
    if (a.rank != b.rank || std::string_view(a.axes) != b.axes || !std::equal(a.shape, a.shape + a.rank, b.shape))
      throw Failure(ErrorCode::bad_data,
                    "input '" + members_[0] + "' is " + shape_of(a) + " and input '" + port + "' " + shape_of(b), fix);
    if (!same_place(first.geometry(), other.geometry()))
      throw Failure(ErrorCode::bad_data, "input '" + members_[0] + "' and input '" + port + "' lie at different places",
                    fix);
    if (first.text("unit") != other.text("unit"))
      throw Failure(ErrorCode::bad_data,
                    "input '" + members_[0] + "' is in '" + first.text("unit") + "' and input '" + port + "' in '" +
                        other.text("unit") + "'",
                    "bring them to one unit");
  }

  std::vector<std::string> members_;
  EnsembleKernel kernel_{};
  int nz_ = 0;
  bool wanted_ = false;
};

}  // namespace isocenter::detail

ISOCENTER_BUILTIN_OPERATOR(ensemble, EnsembleOperator)
