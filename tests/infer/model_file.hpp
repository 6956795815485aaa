#pragma once
// Networks of one convolution as files, and volumes for them.
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <isocenter/isocenter.hpp>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "tiny_model.hpp"

namespace isocenter::infer::test {

/// A model file that goes with the test.
class ModelFile {
 public:
  explicit ModelFile(const std::string& bytes) {
    static int count = 0;
    path_ = std::filesystem::temp_directory_path() /
            ("isocenter_infer_test_" + std::to_string(::getpid()) + "_" + std::to_string(count++) + ".onnx");
    std::ofstream(path_, std::ios::binary) << bytes;
  }
  ~ModelFile() { std::filesystem::remove(path_); }
  operator std::string() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

/// One convolution over volumes, any number of them: channels x 1 x k^3 weights, zero padding; metadata after it.
inline std::string convolution(const std::vector<float>& weights, std::uint64_t channels, std::uint64_t k,
                               const std::vector<float>& bias, const std::string& more = "") {
  using namespace tiny;
  const std::uint64_t p = k / 2;
  return model(node("Conv", {"x", "w", "b"}, "y", ints("pads", {p, p, p, p, p, p})) +
               initialiser("w", {channels, 1, k, k, k}, floats(weights)) + initialiser("b", {channels}, floats(bias)) +
               port(11, "x", {-1, 1, -1, -1, -1}) +
               port(12, "y", {-1, static_cast<std::int64_t>(channels), -1, -1, -1})) +
         more;
}
inline std::string identity(const std::string& more = "") { return convolution({1}, 1, 1, {0}, more); }

inline std::vector<float> noise(std::int64_t count) {
  std::mt19937 random(3);
  std::normal_distribution<float> normal(0, 100);
  std::vector<float> v(static_cast<std::size_t>(count));
  for (float& x : v) x = normal(random);
  return v;
}
inline Volume volume(std::vector<float> v, std::int64_t nx, std::int64_t ny, std::int64_t nz,
                     std::array<double, 3> spacing = {1, 1, 1}) {
  return Volume::own(std::move(v), nx, ny, nz, Geometry::centred(nx, ny, nz, spacing), "HU");
}
/// Items through a session one after the other; each(i, output) gets what comes out.
template <class Op, class Item, class Each>
void run_stream(const Context& context, const typename Op::Params& params, const std::vector<Item>& items,
                const SessionOptions& options, const Each& each) {
  Pipeline pipeline(context);
  const auto input = pipeline.add_input("input", items[0]);
  const auto node = pipeline.add<Op>("node", params);
  pipeline.connect(input, node.input);
  pipeline.add_output("output", node.output);
  Session session = pipeline.prepare(options);
  session.start();
  std::jthread pushes([&] {
    for (const Item& item : items) session.push("input", item);
    session.end_input("input");
  });
  for (std::size_t i = 0; auto output = session.pull("output"); ++i) each(i, *output);
  session.wait();
}
template <class T>
std::vector<T> values(const Payload& p, const char* tensor) {
  const auto s = p.tensor(tensor).span<T>();
  return {s.begin(), s.end()};
}

}  // namespace isocenter::infer::test
