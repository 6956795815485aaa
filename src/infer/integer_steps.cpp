#include "infer/integer_steps.hpp"

#include <algorithm>
#include <isocenter/error.hpp>

#include "core/launch.hpp"
#include "infer/storage.hpp"

namespace isocenter::infer {
namespace {

using isocenter::detail::bfloat16;
using isocenter::detail::Scalar;

constexpr std::int64_t block = 512;  // elements that are brought to float32 at once, on the stack

/// Rows of elements that follow one another.
struct Operand {
  Slot slot;
  ElementType storage = ElementType::f32;
  Quantised held;
  std::int64_t step = 0;  ///< elements from a row to the next; 0: one row for all
  std::byte* data = nullptr;

  std::byte* at(std::int64_t row, std::int64_t column) const {
    return data + (row * step + column) * bytes_of(storage);
  }
};

template <class T>
void read_integers(const T* in, std::int64_t count, const Quantised& held, float* out) {
  for (std::int64_t i = 0; i < count; ++i) out[i] = static_cast<float>(in[i] - held.zero) * held.scale;
}

void read(const Operand& from, const std::byte* in, std::int64_t count, float* out) {
  switch (from.storage) {
    case ElementType::u8:
      return read_integers(reinterpret_cast<const std::uint8_t*>(in), count, from.held, out);
    case ElementType::i8:
      return read_integers(reinterpret_cast<const std::int8_t*>(in), count, from.held, out);
    case ElementType::bf16:
      for (std::int64_t i = 0; i < count; ++i) out[i] = load(Scalar{}, reinterpret_cast<const bfloat16*>(in) + i);
      return;
    default:
      std::memcpy(out, in, static_cast<std::size_t>(count) * sizeof(float));
  }
}

/// Rounded half to even by the float32 whose last bit is 1, shifted, and brought into the type's range. What is not a
/// number becomes the lowest. ONNX QuantizeLinear: saturate(round(x / scale) + zero).
void write(const Operand& to, const float* in, std::int64_t count, std::byte* out) {
  if (to.held.none()) {
    std::memcpy(out, in, static_cast<std::size_t>(count) * sizeof(float));
    return;
  }
  const int zero = to.held.zero, least = to.held.is_signed ? -128 : 0;
  const float scale = to.held.scale, low = static_cast<float>(least - zero), high = low + 255.0F;
  for (std::int64_t i = 0; i < count; ++i) {
    const float v = in[i] / scale;
    const float bounded = v > low ? (v < high ? v : high) : low;
    const float shifted = bounded + 12582912.0F;  // 1.5 * 2^23
    std::uint32_t bits;
    std::memcpy(&bits, &shifted, sizeof bits);
    out[i] = static_cast<std::byte>(bits + static_cast<std::uint32_t>(zero));
  }
}

void combine(Function function, float* a, const float* b, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) {
    if (function == Function::add)
      a[i] += b[i];
    else if (function == Function::sub)
      a[i] -= b[i];
    else
      a[i] *= b[i];
  }
}

void activate(const Activation& then, float* a, std::int64_t count) {
  const float alpha = then.alpha, beta = then.beta;
  switch (then.function) {
    case Function::relu:
      for (std::int64_t i = 0; i < count; ++i) a[i] = a[i] > 0.0F ? a[i] : 0.0F;
      return;
    case Function::leaky_relu:
      for (std::int64_t i = 0; i < count; ++i) a[i] = a[i] > 0.0F ? a[i] : alpha * a[i];
      return;
    case Function::clip:
      for (std::int64_t i = 0; i < count; ++i) a[i] = std::min(std::max(a[i], alpha), beta);
      return;
    default:
      return;
  }
}

struct Job {
  std::vector<Operand> in;  ///< one, or two that `map` combines
  Operand out;
  Map map;
  std::int64_t rows = 1, columns = 0;
};

inline __attribute__((always_inline)) void run_part(const Job& job, std::int64_t row, std::int64_t begin,
                                                    std::int64_t end) {
  float a[block], b[block];
  for (std::int64_t i = begin; i < end; i += block) {
    const std::int64_t count = std::min(block, end - i);
    read(job.in[0], job.in[0].at(row, i), count, a);
    if (job.in.size() > 1) {
      read(job.in[1], job.in[1].at(row, i), count, b);
      combine(job.map.function, a, b, count);
    }
    activate(job.map.then, a, count);
    write(job.out, a, count, job.out.at(row, i));
  }
}
#if defined(__x86_64__)
__attribute__((flatten, target("avx512f,avx512bw,avx512vl,avx512dq"))) void run_part_avx512(const Job& job,
                                                                                            std::int64_t row,
                                                                                            std::int64_t begin,
                                                                                            std::int64_t end) {
  run_part(job, row, begin, end);
}
#endif
void run_part_base(const Job& job, std::int64_t row, std::int64_t begin, std::int64_t end) {
  run_part(job, row, begin, end);
}

class IntegerStep final : public Step {
 public:
  explicit IntegerStep(Job job) : job_(std::move(job)) {}
  void bind(const Addresses& a) override {
    for (Operand& in : job_.in) in.data = a.at<std::byte>(in.slot);
    job_.out.data = a.at<std::byte>(job_.out.slot);
  }
  void run(const isocenter::detail::Launcher& launcher) override {
#if defined(__x86_64__)
    static const bool wide =
        __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
    const auto part = wide ? &run_part_avx512 : &run_part_base;
#else
    const auto part = &run_part_base;
#endif
    constexpr std::int64_t longest = 16 * block;
    const std::int64_t parts = (job_.columns + longest - 1) / longest;
    const std::int64_t grain = std::max<std::int64_t>(1, longest / job_.columns);
    parallel_for(launcher, job_.rows * parts, grain, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) {
        const std::int64_t from = i % parts * longest;
        part(job_, i / parts, from, std::min(job_.columns, from + longest));
      }
    });
  }

 private:
  Job job_;
};

/// A whole value as rows of `columns`; a constant of one row is the same for all.
Operand whole(StepBuilder& b, ValueId id, std::int64_t columns) {
  const Value& v = b.schedule.graph.value(id);
  if (v.constant) return {b.slot(id), ElementType::f32, {}, element_count(v.shape) == columns ? 0 : columns};
  const Placement& p = b.schedule.placement(id);
  return {b.slot(id), p.storage, p.held, columns};
}

void add(StepBuilder& b, Job job) { b.steps.push_back(std::make_unique<IntegerStep>(std::move(job))); }

/// Both lie alike; what is read may be some of the channels of a wider array.
void add_conversion(StepBuilder& b, ValueId from, ValueId to) {
  const Shape& shape = b.schedule.graph.value(to).shape;
  const Placement& p = b.schedule.placement(from);
  Job job;
  job.columns = element_count(shape);
  if (p.strides != strides_of(shape, p.layout)) {
    job.columns = shape[1];
    job.rows = element_count(shape) / shape[1];
  }
  job.in = {whole(b, from, job.columns)};
  if (job.rows > 1) job.in[0].step = p.strides.back();
  job.out = whole(b, to, job.columns);
  add(b, std::move(job));
}

/// Between layouts by way of float32.
void add_copy(StepBuilder& b, int node_index, ValueId from, ValueId to) {
  const Layout wanted = b.schedule.placement(to).layout;
  if (b.schedule.placement(from).layout != wanted) {
    if (const Placement p = b.schedule.placement(from); !p.held.none()) {
      const ValueId real = add_scratch_value(b, node_index, from, p.layout);
      add_conversion(b, from, real);
      from = real;
    }
    if (b.schedule.placement(to).held.none()) return add_copy_step(b, from, to);
    from = in_plain_form(b, node_index, from, wanted);
  }
  add_conversion(b, from, to);
}

void add_map(StepBuilder& b, const Node& node, const Map& map) {
  const Shape& shape = b.schedule.graph.value(node.output).shape;
  Job job;
  job.map = map;
  job.columns = element_count(shape);
  for (const ValueId id : node.inputs)
    if (b.schedule.graph.value(id).constant) job.columns = shape.back();
  job.rows = element_count(shape) / job.columns;
  for (const ValueId id : node.inputs) job.in.push_back(whole(b, id, job.columns));
  job.out = whole(b, node.output, job.columns);
  add(b, std::move(job));
}

/// Along the channels of channels-last values.
void add_concat(StepBuilder& b, const Node& node) {
  const Shape& shape = b.schedule.graph.value(node.output).shape;
  std::int64_t channel = 0;
  for (const ValueId id : node.inputs) {
    Job job;
    job.columns = b.schedule.graph.value(id).shape[1];
    job.rows = element_count(shape) / shape[1];
    job.in = {whole(b, id, job.columns)};
    job.in[0].step = job.columns;
    job.out = whole(b, node.output, shape[1]);
    job.out.slot.offset += channel;
    channel += job.columns;
    add(b, std::move(job));
  }
}

}  // namespace

bool add_integer_steps(StepBuilder& b, int node_index) {
  const Node node = b.schedule.graph.nodes[static_cast<std::size_t>(node_index)];
  const bool made = !b.schedule.placement(node.output).held.none();
  if (std::holds_alternative<Copy>(node.operation)) {
    if (!made && b.schedule.placement(node.inputs[0]).held.none()) return false;
    add_copy(b, node_index, node.inputs[0], node.output);
    return true;
  }
  if (!made) return false;
  if (const auto* map = std::get_if<Map>(&node.operation))
    add_map(b, node, *map);
  else if (std::holds_alternative<Concat>(node.operation))
    add_concat(b, node);
  else
    return false;
  return true;
}

}  // namespace isocenter::infer
