// Our side of benchmarks/peers/networks.py: one network of one float32 input on the CPU.
//   peer_networks MODEL.onnx INPUT.raw OUTPUT.raw PRECISION THREADS
// Reads a number of runs from each line of the standard input, and answers with the elapsed and the processor time of
// each in seconds on one line, so that the script can take turns between programs. The first line tells version, start
// times and memory as JSON.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <fstream>
#include <iostream>

#include "infer/calibration.hpp"
#include "infer/executor.hpp"
#include "infer/lower.hpp"

using namespace isocenter::infer;

namespace {

using Clock = std::chrono::steady_clock;
double since(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

/// A planned network with its arena.
struct Network {
  explicit Network(std::unique_ptr<Executor> planned)
      : executor(std::move(planned)),
        memory(new std::byte[static_cast<std::size_t>(executor->summary().arena_bytes) + 256]),
        arena(reinterpret_cast<std::byte*>((reinterpret_cast<std::uintptr_t>(memory.get()) + 255) / 256 * 256)) {
    executor->bind(arena);
  }
  void run(const std::vector<char>& input) const {
    std::memcpy(arena + executor->inputs().at(0).offset, input.data(), input.size());
    executor->run(nullptr);
  }
  std::unique_ptr<Executor> executor;
  std::unique_ptr<std::byte[]> memory;
  std::byte* arena;
};

/// int8: as the model says where it comes quantised, else with ranges from the very input, since the weights are
/// random.
Graph read_graph(const char* path, const CpuOptions& options, const std::vector<char>& input) {
  const OnnxModel model = read_onnx(path);
  const bool integers = options.precision == Precision::int8;
  Graph graph = lower(model, {.real_products = integers});
  const bool quantised = std::any_of(model.nodes.begin(), model.nodes.end(),
                                     [](const OnnxNode& node) { return node.op_type == "DequantizeLinear"; });
  if (!integers || quantised) return graph;
  const Network wide(plan_cpu(graph, {.threads = options.threads}));
  wide.executor->record_ranges();
  wide.run(input);
  graph.metadata[calibration_key] = wide.executor->recorded_ranges(99.99);
  return graph;
}

void serve(char** argv) {
  CpuOptions options;
  options.threads = std::stoi(argv[5]);
  const std::string precision = argv[4];
  if (precision != "float32" && precision != "bfloat16" && precision != "int8")
    throw std::runtime_error("PRECISION is float32, bfloat16 or int8");
  options.precision = precision == "bfloat16" ? Precision::bfloat16
                      : precision == "int8"   ? Precision::int8
                                              : Precision::float32;
  std::ifstream file(argv[2], std::ios::binary | std::ios::ate);
  std::vector<char> input(static_cast<std::size_t>(file.tellg()));
  file.seekg(0).read(input.data(), static_cast<std::streamsize>(input.size()));
  const auto begin = Clock::now();
  const Network network(plan_cpu(read_graph(argv[1], options, input), options));
  const Executor* executor = network.executor.get();
  const double planned = since(begin);
  const Port& in = executor->inputs().at(0);
  if (input.size() != static_cast<std::size_t>(element_count(in.shape) * bytes_of(in.type)))
    throw std::runtime_error("the input has another size than the network's");
  const auto run = [&] { network.run(input); };
  run();
  const double first = since(begin);
  const Port& out = executor->outputs().at(0);
  std::ofstream(argv[3], std::ios::binary)
      .write(reinterpret_cast<const char*>(network.arena + out.offset), element_count(out.shape) * bytes_of(out.type));
  std::printf(
      "{\"engine\": \"%s\", \"precision\": \"%s\", \"plan_s\": %.4f, \"first_result_s\": %.4f, \"arena_mib\": %.1f, "
      "\"weights_mib\": %.1f}\n",
      executor->summary().engine.c_str(), executor->summary().precision.c_str(), planned, first,
      static_cast<double>(executor->summary().arena_bytes) / 1048576.0,
      static_cast<double>(executor->summary().constant_bytes) / 1048576.0);
  std::fflush(stdout);
  for (int runs = 0; std::cin >> runs;) {
    for (int i = 0; i < runs; ++i) {
      const auto start = Clock::now();
      const std::clock_t processor = std::clock();
      run();
      std::printf("%.6f %.6f ", since(start), static_cast<double>(std::clock() - processor) / CLOCKS_PER_SEC);
    }
    std::printf("\n");
    std::fflush(stdout);
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 6) {
    std::fprintf(stderr, "usage: peer_networks MODEL.onnx INPUT.raw OUTPUT.raw float32|bfloat16|int8 THREADS\n");
    return 2;
  }
  try {
    serve(argv);
    return 0;
  } catch (const std::exception& e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 1;
  }
}
