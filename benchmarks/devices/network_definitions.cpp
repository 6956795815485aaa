#include "network_definitions.hpp"

#include <cmath>

namespace isocenter::benchmarks {
namespace {

using infer::Array;
using infer::OnnxAttribute;
using infer::OnnxModel;
using infer::Shape;

class Writer {
 public:
  Writer(const char* name, const Shape& input) {
    model_.source = name;
    model_.opset = 17;
    std::vector<infer::OnnxDimension> dimensions;
    for (const std::int64_t e : input) dimensions.push_back({e, {}});
    model_.inputs.push_back({"input", infer::ElementType::f32, dimensions});
  }

  std::string add(const char* type, const std::vector<std::string>& inputs,
                  const std::map<std::string, OnnxAttribute>& attributes = {}) {
    infer::OnnxNode node;
    node.name = node.op_type = type;
    node.name += " #" + std::to_string(model_.nodes.size());
    node.inputs = inputs;
    node.outputs = {node.name + " gives"};
    node.attributes = attributes;
    model_.nodes.push_back(node);
    return node.outputs[0];
  }
  /// Uniform values that keep the variance through a ReLU: K. He et al., "Delving deep into rectifiers", ICCV 2015,
  /// eq. 10; `gain` times that.
  std::string weights(const Shape& shape, std::int64_t summed, double gain = 1.0) {
    std::vector<float> values(static_cast<std::size_t>(infer::element_count(shape)));
    const double bound = gain * std::sqrt(6.0 / static_cast<double>(summed));
    for (float& v : values) v = static_cast<float>(bound * (2 * next() - 1));
    return keep(Array::of(shape, values));
  }
  std::string same(std::int64_t count, float value) {
    return keep(Array::of({count}, std::vector<float>(static_cast<std::size_t>(count), value)));
  }
  std::string convolution(const std::string& x, std::int64_t ins, std::int64_t outs, std::size_t axes,
                          std::int64_t kernel, std::int64_t stride, double gain = 1.0) {
    Shape shape{outs, ins};
    shape.resize(2 + axes, kernel);
    const std::int64_t summed = infer::element_count(shape) / outs;
    return add("Conv", {x, weights(shape, summed, gain), same(outs, 0.01F)},
               {{"kernel_shape", Shape(axes, kernel)},
                {"strides", Shape(axes, stride)},
                {"pads", Shape(2 * axes, kernel / 2)}});
  }
  OnnxModel finish(const std::string& output) {
    model_.outputs.push_back({output, infer::ElementType::f32, std::nullopt});
    return std::move(model_);
  }

 private:
  std::string keep(Array array) {
    const std::string name = "weights #" + std::to_string(model_.initialisers.size());
    model_.initialisers[name] = std::move(array);
    return name;
  }
  /// In [0, 1): G. Marsaglia, "Xorshift RNGs", J. Stat. Software 8 (2003), section 3, triple (13, 7, 17).
  double next() {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 7;
    state_ ^= state_ << 17;
    return static_cast<double>(state_ >> 11) * 0x1p-53;
  }

  OnnxModel model_;
  std::uint64_t state_ = 88172645463325252ULL;
};

}  // namespace

OnnxModel resnet50(std::int64_t batch) {
  Writer w("resnet50", {batch, 3, 224, 224});
  std::string x = w.add("Relu", {w.convolution("input", 3, 64, 2, 7, 2)});
  x = w.add("MaxPool", {x}, {{"kernel_shape", Shape{3, 3}}, {"strides", Shape{2, 2}}, {"pads", Shape{1, 1, 1, 1}}});
  std::int64_t ins = 64;
  constexpr int blocks[] = {3, 4, 6, 3};
  for (int stage = 0; stage < 4; ++stage)
    for (int block = 0; block < blocks[stage]; ++block) {
      const std::int64_t width = std::int64_t{64} << stage, outs = 4 * width, stride = stage > 0 && block == 0 ? 2 : 1;
      std::string y = w.add("Relu", {w.convolution(x, ins, width, 2, 1, 1)});
      y = w.add("Relu", {w.convolution(y, width, width, 2, 3, stride)});
      y = w.convolution(y, width, outs, 2, 1, 1, 0.3);  // sixteen sums do not grow without bound
      if (block == 0) x = w.convolution(x, ins, outs, 2, 1, stride, 0.7);
      x = w.add("Relu", {w.add("Add", {y, x})});
      ins = outs;
    }
  x = w.add("Flatten", {w.add("GlobalAveragePool", {x})});
  return w.finish(w.add("Gemm", {x, w.weights({1000, ins}, ins), w.same(1000, 0.01F)}, {{"transB", std::int64_t{1}}}));
}

OnnxModel unet3d(std::int64_t batch, std::int64_t n) {
  constexpr std::int64_t levels = 5, first = 32;
  Writer w("unet3d", {batch, 1, n, n, n});
  const auto twice = [&](std::string x, std::int64_t ins, std::int64_t outs) {
    for (int i = 0; i < 2; ++i, ins = outs) {
      x = w.add("InstanceNormalization", {w.convolution(x, ins, outs, 3, 3, 1), w.same(outs, 1), w.same(outs, 0)});
      x = w.add("LeakyRelu", {x}, {{"alpha", 0.01F}});
    }
    return x;
  };
  std::vector<std::string> skipped;
  std::string x = twice("input", 1, first);
  for (std::int64_t level = 1; level < levels; ++level) {
    skipped.push_back(x);
    x = w.add("MaxPool", {x}, {{"kernel_shape", Shape{2, 2, 2}}, {"strides", Shape{2, 2, 2}}});
    x = twice(x, first << (level - 1), first << level);
  }
  for (std::int64_t level = levels - 1; level-- > 0;) {
    const std::int64_t ins = first << (level + 1), outs = first << level;
    x = w.add("ConvTranspose", {x, w.weights({ins, outs, 2, 2, 2}, ins), w.same(outs, 0)},
              {{"kernel_shape", Shape{2, 2, 2}}, {"strides", Shape{2, 2, 2}}});
    x = twice(w.add("Concat", {skipped[static_cast<std::size_t>(level)], x}, {{"axis", std::int64_t{1}}}), 2 * outs,
              outs);
  }
  return w.finish(w.convolution(x, first, 4, 3, 1, 1));
}

}  // namespace isocenter::benchmarks
