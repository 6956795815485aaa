#include "infer/quantise_step.hpp"

#include <isocenter/error.hpp>

#include "core/launch.hpp"
#include "infer/storage.hpp"

namespace isocenter::infer {
namespace {

using isocenter::detail::bfloat16;
using isocenter::detail::Scalar;

/// One row of channels: rounded half to even by the float32 whose last bit is 1, and brought into the type's range.
/// What is not a number becomes the lowest.
template <class T>
ISOCENTER_HD void quantise_row(const T* in, std::uint8_t* out, std::int64_t count, float factor, bool is_signed) {
  const float low = is_signed ? -127.0F : 0.0F, high = is_signed ? 127.0F : 255.0F;
  for (std::int64_t i = 0; i < count; ++i) {
    const float v = load(Scalar{}, in + i) * factor;
    const float bounded = v > low ? (v < high ? v : high) : low;
    const float shifted = bounded + 12582912.0F;  // 1.5 * 2^23
    std::uint32_t bits;
    std::memcpy(&bits, &shifted, sizeof bits);
    out[i] = static_cast<std::uint8_t>(bits);
  }
}
#if defined(__x86_64__)
template <class T>
__attribute__((flatten, target("avx512f,avx512bw,avx512vl"))) void quantise_row_avx512(const T* in, std::uint8_t* out,
                                                                                       std::int64_t count, float factor,
                                                                                       bool is_signed) {
  quantise_row(in, out, count, factor, is_signed);
}
#endif
template <class T>
void quantise_row_base(const T* in, std::uint8_t* out, std::int64_t count, float factor, bool is_signed) {
  quantise_row(in, out, count, factor, is_signed);
}

template <class T>
class QuantiseStep final : public Step {
 public:
  QuantiseStep(Slot in, Slot out, std::int64_t pixels, std::int64_t channels, std::int64_t step, float scale,
               bool is_signed)
      : in_slot_(in),
        out_slot_(out),
        pixels_(pixels),
        channels_(channels),
        step_(step),
        factor_(1.0F / scale),
        is_signed_(is_signed) {}
  void bind(const Addresses& a) override {
    in_ = a.at<T>(in_slot_);
    out_ = a.at<std::uint8_t>(out_slot_);
  }
  void run(const isocenter::detail::Launcher& launcher) override {
#if defined(__x86_64__)
    static const bool wide = __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
    const auto row = wide ? &quantise_row_avx512<T> : &quantise_row_base<T>;
#else
    const auto row = &quantise_row_base<T>;
#endif
    parallel_for(launcher, pixels_, 64, [&](std::int64_t begin, std::int64_t end) {
      if (step_ == channels_)
        return row(in_ + begin * step_, out_ + begin * channels_, (end - begin) * channels_, factor_, is_signed_);
      for (std::int64_t p = begin; p < end; ++p)
        row(in_ + p * step_, out_ + p * channels_, channels_, factor_, is_signed_);
    });
  }

 private:
  Slot in_slot_, out_slot_;
  std::int64_t pixels_, channels_, step_;
  float factor_;
  bool is_signed_;
  const T* in_ = nullptr;
  std::uint8_t* out_ = nullptr;
};

}  // namespace

bool add_quantise_step(StepBuilder& b, int node_index) {
  const Node node = b.schedule.graph.nodes[static_cast<std::size_t>(node_index)];
  const Placement to = b.schedule.placement(node.output);
  if (to.scale == 0.0F || !std::holds_alternative<Copy>(node.operation)) return false;
  ValueId id = node.inputs[0];
  if (b.schedule.placement(id).layout != Layout::channels_last)
    id = in_plain_form(b, node_index, id, Layout::channels_last);
  const Placement& from = b.schedule.placement(id);
  const Shape& shape = b.schedule.graph.value(node.output).shape;
  const std::int64_t channels = shape[1], pixels = element_count(shape) / channels;
  const auto add = [&](auto type) {
    using T = decltype(type);
    b.steps.push_back(std::make_unique<QuantiseStep<T>>(b.slot(id), b.slot(node.output), pixels, channels,
                                                        from.strides.back(), to.scale, to.storage == ElementType::i8));
  };
  if (from.storage == ElementType::bf16)
    add(bfloat16{});
  else if (from.storage == ElementType::f32)
    add(float{});
  else
    throw Failure(ErrorCode::internal,
                  b.schedule.graph.source + ": node '" + node.name + "' makes 8-bit integers of other integers",
                  "report this with the model");
  return true;
}

}  // namespace isocenter::infer
