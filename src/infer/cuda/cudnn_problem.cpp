#include "infer/cuda/cudnn_convolution.hpp"

namespace isocenter::infer {

CudnnProblem cudnn_problem(const Graph& g, const Node& node) {
  const auto& conv = std::get<Convolution>(node.operation);
  CudnnProblem p{g.value(node.inputs[0]).shape, g.value(node.inputs[1]).shape, g.value(node.output).shape, conv};
  if (p.x.size() > 3) return p;
  for (Shape* s : {&p.x, &p.w, &p.y}) s->insert(s->begin() + 2, 1);
  Window& w = p.convolution.window;
  for (Shape* s : {&w.kernel, &w.strides, &w.dilations}) s->insert(s->begin(), 1);
  for (Shape* s : {&w.pads_begin, &w.pads_end}) s->insert(s->begin(), 0);
  return p;
}

std::unique_ptr<CudnnConvolution> plan_as_fused_as_possible(const std::shared_ptr<CudnnDevice>& device,
                                                            CudnnProblem& problem, std::string& why_not) {
  if (auto planned = plan_cudnn(device, problem, why_not)) return planned;
  problem.convolution.residual = false;
  problem.convolution.then = {};
  if (auto planned = plan_cudnn(device, problem, why_not)) return planned;
  problem.convolution.bias = false;
  return plan_cudnn(device, problem, why_not);
}

}  // namespace isocenter::infer
