#pragma once
// The committed networks of make_fixtures.py, and running a planned network on plain arrays.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <isocenter/error.hpp>
#include <string>
#include <vector>

#include "infer/executor.hpp"
#include "infer/lower.hpp"

namespace isocenter::infer::test {

inline std::string data_path(const std::string& name) { return std::string(ISOCENTER_TEST_DATA) + "/" + name; }

inline std::vector<float> read_floats(const std::string& name) {
  std::ifstream in(data_path(name), std::ios::binary | std::ios::ate);
  EXPECT_TRUE(in) << "missing " << name;
  std::vector<float> values(static_cast<std::size_t>(in.tellg()) / sizeof(float));
  in.seekg(0);
  in.read(reinterpret_cast<char*>(values.data()), static_cast<std::streamsize>(values.size() * sizeof(float)));
  return values;
}

inline std::vector<std::byte> read_bytes(const std::string& path) {
  std::ifstream in(path, std::ios::binary | std::ios::ate);
  std::vector<std::byte> bytes(static_cast<std::size_t>(in.tellg()));
  in.seekg(0);
  in.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  return bytes;
}

/// A planned network with an arena of its own.
class Runner {
 public:
  explicit Runner(std::unique_ptr<Executor> executor) : executor_(std::move(executor)) {
    memory_.resize(static_cast<std::size_t>(executor_->summary().arena_bytes) + 256);
    arena_ = reinterpret_cast<std::byte*>((reinterpret_cast<std::uintptr_t>(memory_.data()) + 255) / 256 * 256);
    executor_->bind(arena_);
  }
  Executor& executor() { return *executor_; }
  float* input(std::size_t i = 0) { return reinterpret_cast<float*>(arena_ + executor_->inputs()[i].offset); }
  const float* output(std::size_t i = 0) const {
    return reinterpret_cast<const float*>(arena_ + executor_->outputs()[i].offset);
  }
  std::vector<float> run(const std::vector<float>& x) {
    std::memcpy(input(), x.data(), x.size() * sizeof(float));
    executor_->run(nullptr);
    return {output(), output() + element_count(executor_->outputs()[0].shape)};
  }

 private:
  std::unique_ptr<Executor> executor_;
  std::vector<std::byte> memory_;
  std::byte* arena_ = nullptr;
};

struct Fixture {
  const char* name;
  Shape shape;
};
inline const Fixture fixtures[] = {
    {"unet3d", {1, 1, 16, 12, 20}}, {"linknet3d", {1, 1, 16, 8, 24}}, {"dncnn", {1, 1, 33, 29}}};

inline Graph load(const Fixture& f) {
  LowerOptions options;
  options.input_shapes["input"] = f.shape;
  return lower(read_onnx(data_path(std::string(f.name) + ".onnx")), options);
}

/// ||a - b|| / ||b||
inline double relative_error(const std::vector<float>& a, const std::vector<float>& b) {
  EXPECT_EQ(a.size(), b.size());
  double difference = 0, norm = 0;
  for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    const double d = static_cast<double>(a[i]) - static_cast<double>(b[i]);
    difference += d * d;
    norm += static_cast<double>(b[i]) * static_cast<double>(b[i]);
  }
  return std::sqrt(difference / norm);
}

}  // namespace isocenter::infer::test
