#include "infer/winograd_step.hpp"

#include <algorithm>

#include "infer/winograd.hpp"

namespace isocenter::infer {
namespace {

using isocenter::detail::WinogradConvolution;

constexpr std::int64_t fewest_tiles = 24;  // below that reading the weights, 16/9 as many, takes longer than it saves

bool all_are(const Shape& s, std::int64_t v) {
  return std::all_of(s.begin(), s.end(), [=](std::int64_t e) { return e == v; });
}

bool has_activation(Function f) {
  return f == Function::identity || f == Function::relu || f == Function::leaky_relu || f == Function::clip;
}

class WinogradStep final : public Step {
 public:
  struct Slots {
    Slot in, weights, bias, residual, out, scratch;
    bool has_bias, has_residual;
  };
  WinogradStep(const WinogradConvolution& convolution, const Slots& slots, int threads)
      : convolution_(convolution), slots_(slots), threads_(threads) {}
  void bind(const Addresses& a) override {
    convolution_.in = a.at<void>(slots_.in);
    convolution_.weights = a.at<void>(slots_.weights);
    convolution_.bias = slots_.has_bias ? a.at(slots_.bias) : nullptr;
    convolution_.residual = slots_.has_residual ? a.at<void>(slots_.residual) : nullptr;
    convolution_.out = a.at<void>(slots_.out);
    scratch_ = a.at<std::byte>(slots_.scratch);
  }
  void run(const isocenter::detail::Launcher& launcher) override {
    const std::int64_t blocks = convolution_.blocks();
    parallel_for(launcher, threads_, 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i)
        run_winograd(convolution_, blocks * i / threads_, blocks * (i + 1) / threads_,
                     scratch_ + i * convolution_.scratch_bytes());
    });
  }

 private:
  WinogradConvolution convolution_;
  Slots slots_;
  std::int64_t threads_;
  std::byte* scratch_ = nullptr;
};

WinogradConvolution describe(const StepBuilder& b, const Node& node, const Convolution& conv) {
  const Graph& g = b.schedule.graph;
  const Shape &in = g.value(node.inputs[0]).shape, &out = g.value(node.output).shape;
  const Placement &from = b.schedule.placement(node.inputs[0]), &to = b.schedule.placement(node.output);
  WinogradConvolution c;
  c.narrow_in = from.storage == ElementType::bf16;
  c.narrow_out = to.storage == ElementType::bf16;
  c.batch = static_cast<int>(in[0]);
  std::fill_n(c.in_extent, 3, 1);
  std::fill_n(c.out_extent, 3, 1);
  for (std::size_t axis = 2; axis < in.size(); ++axis) {
    const std::size_t k = axis + 3 - in.size();
    c.in_extent[k] = static_cast<int>(in[axis]);
    c.out_extent[k] = static_cast<int>(out[axis]);
    c.pad[k] = static_cast<int>(conv.window.pads_begin[axis - 2]);
  }
  c.slice_taps = in.size() == 5 ? static_cast<int>(conv.window.kernel[0]) : 1;
  c.channels_in = static_cast<int>(in[1]);
  c.channels_out = static_cast<int>(out[1]);
  c.in_step = from.strides.back();
  c.out_step = to.strides.back();
  c.then = conv.then.function;
  c.alpha = conv.then.alpha;
  c.beta = conv.then.beta;
  return c;
}

Slot add_weights(StepBuilder& b, const WinogradConvolution& c, const Array& weights) {
  const auto bytes = static_cast<std::size_t>(c.weight_elements() * (c.narrow_in ? 2 : 4));
  if (b.constants.filled()) return b.constants.reserve(bytes);
  std::vector<std::byte> transformed(bytes);
  transform_weights(c, weights.as<float>(), transformed.data());
  return b.constants.add(transformed);
}

}  // namespace

bool is_winograd(const Graph& graph, const Node& node, bool narrow) {
  const auto* conv = std::get_if<Convolution>(&node.operation);
  if (conv == nullptr || conv->transposed || conv->groups != 1 || !conv->in.none() ||
      !has_activation(conv->then.function) || !has_kernel(graph, node) ||
      !isocenter::detail::winograd_runs_here(narrow))
    return false;
  const Window& w = conv->window;
  const Shape &in = graph.value(node.inputs[0]).shape, &out = graph.value(node.output).shape;
  if (in.size() < 4 || !all_are(w.strides, 1) || !all_are(w.dilations, 1)) return false;
  const std::size_t axes = w.kernel.size();
  if (w.kernel[axes - 1] != 3 || w.kernel[axes - 2] != 3 || (axes == 3 && w.kernel[0] != 1 && w.kernel[0] != 3) ||
      in[1] % 16 != 0 || out[1] % 16 != 0)
    return false;
  // One pixel lies in plain layout (layouts_agree), whose last stride is no pixel's.
  if (std::all_of(in.begin() + 2, in.end(), [](std::int64_t e) { return e == 1; })) return false;
  std::int64_t tiles = out[0] * ((out[out.size() - 1] + 1) / 2) * ((out[out.size() - 2] + 1) / 2);
  if (axes == 3) tiles *= out[2];
  return tiles >= fewest_tiles;
}

bool add_winograd_step(StepBuilder& b, int node_index) {
  const Node node = b.schedule.graph.nodes[static_cast<std::size_t>(node_index)];
  if (node.inputs.empty() ||
      !is_winograd(b.schedule.graph, node, b.schedule.placement(node.inputs[0]).storage == ElementType::bf16))
    return false;
  const auto& conv = std::get<Convolution>(node.operation);
  WinogradConvolution c = describe(b, node, conv);
  choose_blocks(c, b.threads);
  WinogradStep::Slots slots{};
  slots.in = b.slot(node.inputs[0]);
  slots.out = b.slot(node.output);
  slots.weights = add_weights(b, c, *b.schedule.graph.value(node.inputs[1]).constant);
  slots.has_bias = conv.bias;
  if (conv.bias) slots.bias = b.slot(node.inputs[2]);
  slots.has_residual = conv.residual;
  if (conv.residual) {
    const ValueId from = node.inputs.back();
    const bool alike = b.schedule.placement(from).storage == b.schedule.placement(node.output).storage;
    if (!alike) add_copy_step(b, from, node.output);
    slots.residual = alike ? b.slot(from) : slots.out;
    c.residual_step = b.schedule.placement(alike ? from : node.output).strides.back();
  }
  slots.scratch = {add_scratch(b.schedule, node_index, b.threads * c.scratch_bytes()), 0};
  b.steps.push_back(std::make_unique<WinogradStep>(c, slots, b.threads));
  return true;
}

}  // namespace isocenter::infer
