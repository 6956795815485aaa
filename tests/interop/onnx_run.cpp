// Runs a network of float32 inputs, on the CPU: onnx_run MODEL INPUT OUTPUT reads its inputs from INPUT, one behind the
// other, writes OUTPUT.0, OUTPUT.1, ... (raw float32) and one line on how it ran. For networks.py.
#include <chrono>
#include <cstdio>
#include <cstring>
#include <fstream>

#include "infer/caffe/caffe_model.hpp"
#include "infer/executor.hpp"
#include "infer/lower.hpp"

using namespace isocenter::infer;

namespace {

void run(const std::string& model, const std::string& input, const std::string& output) {
  const auto executor = plan_cpu(lower(read_model(model), {}), {});
  std::vector<std::byte> memory(static_cast<std::size_t>(executor->summary().arena_bytes) + 256);
  auto* arena = reinterpret_cast<std::byte*>((reinterpret_cast<std::uintptr_t>(memory.data()) + 255) / 256 * 256);
  executor->bind(arena);
  std::ifstream file(input, std::ios::binary);
  for (const Port& in : executor->inputs())
    file.read(reinterpret_cast<char*>(arena + in.offset), element_count(in.shape) * bytes_of(in.type));
  if (!file) throw std::runtime_error("the input ends early");
  const auto start = std::chrono::steady_clock::now();
  executor->run(nullptr);
  const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - start;
  for (std::size_t i = 0; i < executor->outputs().size(); ++i) {
    const Port& out = executor->outputs()[i];
    std::ofstream(output + "." + std::to_string(i), std::ios::binary)
        .write(reinterpret_cast<const char*>(arena + out.offset), element_count(out.shape) * bytes_of(out.type));
  }
  std::string loops;
  for (const auto& node : executor->summary().reference_nodes) loops += " " + node;
  std::printf("%.0f ms the first time, %zu nodes in plain loops%s\n", took.count(),
              executor->summary().reference_nodes.size(), loops.substr(0, 200).c_str());
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: onnx_run MODEL INPUT OUTPUT\n");
    return 2;
  }
  try {
    run(argv[1], argv[2], argv[3]);
    return 0;
  } catch (const std::exception& e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 1;
  }
}
