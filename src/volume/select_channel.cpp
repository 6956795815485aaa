#include <algorithm>
#include <isocenter/volume/select_channel.hpp>

#include "core/builtin.hpp"
#include "core/dense_input.hpp"

namespace isocenter::detail {

class SelectChannelOperator : public OperatorBase<SelectChannel> {
 public:
  void plan(PlanContext& plan) override {
    const PayloadRef in = plan.input("input");
    const TensorView t = dense_tensor(in, "voxels");
    const std::string axes = t.axes;
    if ((axes != "czyx" && axes != "tczyx") || t.type() != DType::float32)
      throw Failure(
          ErrorCode::bad_data, "input 'input' has the axes '" + axes + "', and float32 'czyx' or 'tczyx' is needed",
          t.type() != DType::float32 ? "convert it when it is read" : "take the node out where there are no channels");
    channels_ = t.extent('c');
    if (params.channel >= channels_)
      throw Failure(
          ErrorCode::invalid_argument,
          "channel = " + std::to_string(params.channel) + ", and input 'input' has " + std::to_string(channels_),
          "give one of 0 ... " + std::to_string(channels_ - 1));
    times_ = t.extent('t');
    voxels_ = t.extent('z') * t.extent('y') * t.extent('x');
    describe(plan, in, t);
  }

  void run(const RunContext& run) override {
    const auto* in = run.input("input").tensor("voxels").as<const float>();
    auto* out = run.output("output").tensor("voxels").as<float>();
    for (std::int64_t t = 0; t < times_; ++t)
      run.copy(out + t * voxels_, in + (t * channels_ + params.channel) * voxels_,
               static_cast<std::uint64_t>(voxels_) * sizeof(float));
  }

 private:
  void describe(PlanContext& plan, const PayloadRef& in, const TensorView& t) const {
    PayloadRef out = plan.output("output");
    const std::int64_t z = t.extent('z'), y = t.extent('y'), x = t.extent('x');
    out.set_tensor("voxels", t.rank == 5 ? tensor(DType::float32, "tzyx", {times_, z, y, x})
                                         : tensor(DType::float32, "zyx", {z, y, x}));
    out.set_geometry(in.geometry());
    out.inherit_attributes(in);
    const std::string names = in.text("labels.names");
    if (std::count(names.begin(), names.end(), '\\') + 1 != channels_) return;
    std::size_t begin = 0;
    for (int i = 0; i < params.channel; ++i) begin = names.find('\\', begin) + 1;
    plan.fact("channel", names.substr(begin, names.find('\\', begin) - begin));
  }

  std::int64_t channels_ = 0, times_ = 0, voxels_ = 0;
};

}  // namespace isocenter::detail

ISOCENTER_BUILTIN_OPERATOR(select_channel, SelectChannelOperator)
