// Runs a network of float32 inputs, on the CPU: onnx_run MODEL INPUT OUTPUT [PRECISION [CALIBRATION]] reads its inputs
// from INPUT, one behind the other, writes OUTPUT.0, OUTPUT.1, ... (raw, as they come) and one line on how it ran.
// PRECISION is float32, bfloat16, or int8 with ranges that a run in float32 on CALIBRATION's inputs gives. For
// networks.py.
#include <chrono>
#include <cstdio>
#include <cstring>
#include <fstream>

#include "infer/caffe/caffe_model.hpp"
#include "infer/calibration.hpp"
#include "infer/executor.hpp"
#include "infer/lower.hpp"

using namespace isocenter::infer;

namespace {

/// A planned network with its arena.
struct Network {
  explicit Network(std::unique_ptr<Executor> planned)
      : executor(std::move(planned)), memory(static_cast<std::size_t>(executor->summary().arena_bytes) + 256) {
    arena = reinterpret_cast<std::byte*>((reinterpret_cast<std::uintptr_t>(memory.data()) + 255) / 256 * 256);
    executor->bind(arena);
  }
  void run(const std::string& input) {
    std::ifstream file(input, std::ios::binary);
    for (const Port& in : executor->inputs())
      file.read(reinterpret_cast<char*>(arena + in.offset), element_count(in.shape) * bytes_of(in.type));
    if (!file) throw std::runtime_error(input + " ends early");
    executor->run(nullptr);
  }
  std::unique_ptr<Executor> executor;
  std::vector<std::byte> memory;
  std::byte* arena;
};

Precision precision_of(const std::string& name) {
  if (name == "float32") return Precision::float32;
  if (name == "bfloat16") return Precision::bfloat16;
  if (name == "int8") return Precision::int8;
  throw std::runtime_error("PRECISION is float32, bfloat16 or int8");
}

void run(const std::string& model, const std::string& input, const std::string& output, Precision precision,
         const std::string& calibration) {
  Graph graph = lower(read_model(model), {});
  if (precision == Precision::int8) {
    Network wide(plan_cpu(graph, {}));
    wide.executor->record_ranges();
    wide.run(calibration);
    graph.metadata[calibration_key] = wide.executor->recorded_ranges(99.99);
  }
  Network network(plan_cpu(std::move(graph), {.precision = precision}));
  const auto start = std::chrono::steady_clock::now();
  network.run(input);
  const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - start;
  const Executor& executor = *network.executor;
  for (std::size_t i = 0; i < executor.outputs().size(); ++i) {
    const Port& out = executor.outputs()[i];
    std::ofstream(output + "." + std::to_string(i), std::ios::binary)
        .write(reinterpret_cast<const char*>(network.arena + out.offset),
               element_count(out.shape) * bytes_of(out.type));
  }
  std::string loops;
  for (const auto& node : executor.summary().reference_nodes) loops += " " + node;
  std::printf("%.0f ms the first time, %zu nodes in plain loops%s\n", took.count(),
              executor.summary().reference_nodes.size(), loops.substr(0, 200).c_str());
}

}  // namespace

int main(int argc, char** argv) {
  const std::string precision = argc > 4 ? argv[4] : "float32";
  if (argc < 4 || argc > 6 || (precision == "int8") != (argc == 6)) {
    std::fprintf(stderr, "usage: onnx_run MODEL INPUT OUTPUT [float32|bfloat16|int8 CALIBRATION]\n");
    return 2;
  }
  try {
    run(argv[1], argv[2], argv[3], precision_of(precision), argc == 6 ? argv[5] : "");
    return 0;
  } catch (const std::exception& e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 1;
  }
}
