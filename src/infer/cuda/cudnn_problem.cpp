#include <algorithm>
#include <isocenter/error.hpp>

#include "infer/cuda/cudnn_convolution.hpp"

namespace isocenter::infer {
namespace {

CudnnProblem of_convolution(const Graph& g, const Node& node, const Convolution& conv) {
  CudnnProblem p{g.value(node.inputs[0]).shape, g.value(node.inputs[1]).shape, g.value(node.output).shape, conv};
  if (p.x.size() > 3) return p;
  for (Shape* s : {&p.x, &p.w, &p.y}) s->insert(s->begin() + 2, 1);
  Window& w = p.convolution.window;
  for (Shape* s : {&w.kernel, &w.strides, &w.dilations}) s->insert(s->begin(), 1);
  for (Shape* s : {&w.pads_begin, &w.pads_end}) s->insert(s->begin(), 0);
  return p;
}

/// Rows of the left factor are pixels, their elements channels: dense rows lie as channels-last data do.
std::optional<CudnnProblem> of_product(const Graph& g, const Node& node, const MatrixProduct& product) {
  const Value& weights = g.value(node.inputs[1]);
  const Shape& a = g.value(node.inputs[0]).shape;
  if (product.transpose_a || !weights.constant || a.size() < 2 || weights.shape.size() < 2) return std::nullopt;
  if (std::any_of(weights.shape.begin(), weights.shape.end() - 2, [](std::int64_t e) { return e != 1; }))
    return std::nullopt;
  const Shape& out = g.value(node.output).shape;
  const std::int64_t depth = a.back(), columns = out.back(), rows = element_count(out) / columns;
  if (rows * depth != element_count(a)) return std::nullopt;
  CudnnProblem p;
  p.x = {1, depth, rows, 1};
  p.w = {columns, depth, 1, 1};
  p.y = {1, columns, rows, 1};
  p.convolution.window = {{1, 1}, {1, 1}, {1, 1}, {0, 0}, {0, 0}};
  p.convolution.bias = product.bias;
  if (product.bias && !g.value(node.inputs[2]).constant) return std::nullopt;
  return p;
}

}  // namespace

std::optional<CudnnProblem> cudnn_problem(const Graph& graph, const Node& node) {
  if (const auto* conv = std::get_if<Convolution>(&node.operation)) return of_convolution(graph, node, *conv);
  if (const auto* product = std::get_if<MatrixProduct>(&node.operation)) return of_product(graph, node, *product);
  return std::nullopt;
}

std::unique_ptr<CudnnConvolution> plan_as_fused_as_possible(CudnnDevice& device, CudnnProblem& problem,
                                                            std::string& why_not) {
  const auto plan_with_either_bias = [&]() -> std::unique_ptr<CudnnConvolution> {
    problem.bias = problem.factors;  // engines that are there ready-made take nothing else
    if (auto planned = device.plan(problem, why_not)) return planned;
    if (!problem.convolution.bias || problem.factors == ElementType::f32) return nullptr;
    problem.bias = ElementType::f32;
    return device.plan(problem, why_not);
  };
  if (auto planned = plan_with_either_bias()) return planned;
  problem.convolution.residual = false;
  problem.convolution.then = {};
  if (auto planned = plan_with_either_bias()) return planned;
  problem.convolution.bias = false;
  return plan_with_either_bias();
}

PlanChoice plan_choice(const char* word) {
  const std::string text = word == nullptr ? "heuristic" : word;
  if (text == "heuristic") return PlanChoice::heuristic;
  if (text == "autotuned") return PlanChoice::autotuned;
  throw Failure(ErrorCode::invalid_argument, "the environment's ISOCENTER_PLAN_CHOICE is '" + text + "'",
                "set it to heuristic or autotuned, or leave it out");
}

}  // namespace isocenter::infer
