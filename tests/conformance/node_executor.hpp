#pragma once
// What runs the node tests: the CPU's engine (node_executor_cpu.cpp), or CUDA's with what is not ours stood in for
// (node_executor_cuda.cpp).
#include "infer/executor.hpp"

/// Plans a test's graph; throws as the engine does.
std::unique_ptr<isocenter::infer::Executor> plan_graph(isocenter::infer::Graph graph);
