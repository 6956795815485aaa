#pragma once
// Stands in for cuDNN: the same problems, computed on the CPU by a convolution's definition in float64.
#include <array>
#include <functional>

#include "infer/cuda/cudnn_convolution.hpp"
#include "infer/reference.hpp"
#include "infer/storage.hpp"

namespace isocenter::infer::test {

class HostConvolution final : public CudnnConvolution {
 public:
  explicit HostConvolution(const CudnnProblem& problem) : p_(problem) {}
  std::int64_t workspace_bytes() const override { return 512; }
  std::string plan_name() const override { return "by definition"; }
  bool was_kept() const override { return false; }

  void run(const void* x, const void* w, const void* bias, const void* residual, void* y, void*) override {
    const Convolution& c = p_.convolution;
    const Extents in = spatial(p_.x, 2, 1), out = spatial(p_.y, 2, 1), taps = spatial(p_.w, 2, 1);
    const Extents stride = spatial(c.window.strides, 0, 1), dilation = spatial(c.window.dilations, 0, 1),
                  pad = spatial(c.window.pads_begin, 0, 0);
    const std::int64_t ins = p_.x[1], outs = p_.y[1], in_g = ins / c.groups, out_g = outs / c.groups;
    const std::int64_t pixels = out[0] * out[1] * out[2], tap_count = taps[0] * taps[1] * taps[2];
    for (std::int64_t item = 0; item < p_.y[0]; ++item)
      for (std::int64_t pixel = 0; pixel < pixels; ++pixel)
        for (std::int64_t o = 0; o < outs; ++o) {
          double sum = 0;
          for (std::int64_t tap = 0; tap < tap_count; ++tap) {
            const std::int64_t from = source(pixel, tap, in, out, taps, stride, dilation, pad);
            for (std::int64_t i = 0; from >= 0 && i < in_g; ++i) {
              const std::int64_t channel = o / out_g * in_g + i;
              // Channels last: (out, taps, in / groups), transposed (in, taps, out / groups).
              const std::int64_t at =
                  c.transposed ? (channel * tap_count + tap) * out_g + o % out_g : (o * tap_count + tap) * in_g + i;
              sum += value(p_.factors, x, (item * in[0] * in[1] * in[2] + from) * ins + channel) *
                     value(p_.factors, w, at);
            }
          }
          const std::int64_t to = (item * pixels + pixel) * outs + o;
          if (c.bias) sum += value(p_.bias, bias, o);
          if (c.residual) sum += value(p_.residual, residual, to);
          auto result = static_cast<float>(sum);
          if (!c.then.none())
            result = isocenter::detail::apply_unary(c.then.function, c.then.alpha, c.then.beta, result);
          put(y, to, result);
        }
  }

 private:
  using Extents = std::array<std::int64_t, 3>;
  static Extents spatial(const Shape& s, std::size_t skip, std::int64_t otherwise) {
    Extents e{otherwise, otherwise, otherwise};
    for (std::size_t k = 0; k < s.size() - skip; ++k) e[3 - (s.size() - skip) + k] = s[skip + k];
    return e;
  }
  /// The pixel that a tap reads for a pixel of the output; -1 outside.
  std::int64_t source(std::int64_t pixel, std::int64_t tap, const Extents& in, const Extents& out, const Extents& taps,
                      const Extents& stride, const Extents& dilation, const Extents& pad) const {
    std::int64_t at = 0, weight = 1;
    for (std::size_t k = 3; k-- > 0;) {
      const std::int64_t o = pixel % out[k], t = tap % taps[k];
      pixel /= out[k];
      tap /= taps[k];
      std::int64_t i = o * stride[k] - pad[k] + t * dilation[k];
      if (p_.convolution.transposed) {
        const std::int64_t scaled = o + pad[k] - t * dilation[k];
        if (scaled % stride[k] != 0) return -1;
        i = scaled / stride[k];
      }
      if (i < 0 || i >= in[k]) return -1;
      at += i * weight;
      weight *= in[k];
    }
    return at;
  }
  static double value(ElementType type, const void* data, std::int64_t i) {
    return read_real(type, static_cast<const std::byte*>(data), i);
  }
  void put(void* data, std::int64_t i, float v) const {
    write_real(p_.result, static_cast<std::byte*>(data), i, static_cast<double>(v));
  }

  CudnnProblem p_;
};

/// The other operations by the reference's plain loops, on values that are gathered as they lie.
class HostOperation final : public CudnnPlan {
 public:
  explicit HostOperation(CudnnOperation op) : op_(std::move(op)) {}
  std::int64_t workspace_bytes() const override { return 256; }
  std::string plan_name() const override { return "by definition"; }
  void run(const std::vector<const void*>& inputs, void* output, void*) override {
    std::vector<Array> arrays;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      const CudnnTensor& t = op_.inputs[i];
      const bool parameter = is_norm() && i > 0;
      arrays.emplace_back(ElementType::f32, parameter ? Shape{t.shape[1]} : t.shape);
      each(t, [&](std::int64_t dense, std::int64_t at) {
        arrays.back().set_real(dense, read_real(t.type, static_cast<const std::byte*>(inputs[i]), at));
      });
    }
    Array y(ElementType::f32, op_.output.shape);
    std::vector<ConstView> views;
    for (const Array& a : arrays) views.push_back(view_of(a));
    evaluate_reference({{}, {}, operation(), {}, no_value}, views, {y.type(), &y.shape(), y.mutable_data()});
    each(op_.output, [&](std::int64_t dense, std::int64_t at) {
      write_real(op_.output.type, static_cast<std::byte*>(output), at, y.real(dense));
    });
  }

 private:
  using Kind = CudnnOperation::Kind;
  bool is_norm() const { return op_.kind == Kind::instance_norm || op_.kind == Kind::layer_norm; }
  Operation operation() const {
    if (op_.kind == Kind::pool) return op_.pool;
    if (op_.kind == Kind::product) return MatrixProduct{};
    if (op_.kind == Kind::attention) return Attention{op_.factor, op_.inputs.size() == 4};
    return Normalisation{op_.kind == Kind::layer_norm ? 1 : op_.inputs[0].shape[1], op_.factor, op_.then};
  }
  template <class Visit>
  static void each(const CudnnTensor& t, Visit visit) {
    for (std::int64_t i = 0; i < element_count(t.shape); ++i) {
      std::int64_t at = 0, rest = i;
      for (std::size_t k = t.shape.size(); k-- > 0; rest /= t.shape[k]) at += rest % t.shape[k] * t.strides[k];
      visit(i, at);
    }
  }
  CudnnOperation op_;
};

class HostConvolutions final : public CudnnDevice {
 public:
  using Refuses = std::function<bool(const CudnnProblem&)>;
  explicit HostConvolutions(Refuses refuses, bool operations = true)
      : refuses_(std::move(refuses)), operations_(operations) {}
  void set_stream(void*) override {}
  std::string name() const override { return "a stand-in"; }
  std::unique_ptr<CudnnConvolution> plan(const CudnnProblem& problem, std::string& why_not) override {
    why_not = "the test refuses it";
    if (refuses_ && refuses_(problem)) return nullptr;
    ++planned;
    return std::make_unique<HostConvolution>(problem);
  }
  std::unique_ptr<CudnnPlan> plan(const CudnnOperation& operation, std::string& why_not) override {
    why_not = "the test refuses it";
    if (!operations_) return nullptr;
    posed.push_back(operation);
    return std::make_unique<HostOperation>(operation);
  }
  int planned = 0;
  std::vector<CudnnOperation> posed;

 private:
  Refuses refuses_;
  bool operations_;
};

}  // namespace isocenter::infer::test
