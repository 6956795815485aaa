#include "node_executor.hpp"

std::unique_ptr<isocenter::infer::Executor> plan_graph(isocenter::infer::Graph graph) {
  return isocenter::infer::plan_cpu(std::move(graph), isocenter::infer::CpuOptions{});
}
