// The kernels for AVX-512 against the definition in float64, and against the kernels that they stand for.
#include "infer/winograd.hpp"

#include <gmock/gmock.h>

#include <algorithm>

#include "fixture.hpp"
#include "infer/channels_avx512.hpp"
#include "infer/onednn_steps.hpp"
#include "infer/passes.hpp"
#include "infer/schedule.hpp"
#include "infer/threads.hpp"
#include "tiny_model.hpp"

namespace isocenter::infer::test {
namespace {

using isocenter::detail::bfloat16;
using isocenter::detail::WinogradConvolution;

std::vector<float> ramp(std::size_t count, float scale, unsigned seed = 1) {
  std::vector<float> v(count);
  std::uint32_t state = seed * 2654435761U + 12345U;
  for (auto& x : v)
    x = scale * (static_cast<float>((state = state * 1664525U + 1013904223U) >> 8) / 16777216.0F - 0.5F);
  return v;
}
std::vector<bfloat16> narrowed(const std::vector<float>& v) {
  std::vector<bfloat16> out(v.size());
  for (std::size_t i = 0; i < v.size(); ++i) store(&out[i], v[i]);
  return out;
}
std::vector<float> widened(const std::vector<bfloat16>& v) {
  std::vector<float> out(v.size());
  for (std::size_t i = 0; i < v.size(); ++i) out[i] = isocenter::detail::widen(v[i].bits);
  return out;
}

struct Case {
  int batch, slices, rows, columns, taps, pad, ins, outs;
};

WinogradConvolution describe(const Case& t, bool narrow) {
  WinogradConvolution c;
  c.narrow_in = c.narrow_out = narrow;
  c.batch = t.batch;
  const int in[3] = {t.slices, t.rows, t.columns};
  for (int k = 0; k < 3; ++k) {
    c.in_extent[k] = in[k];
    c.pad[k] = k == 0 && t.taps == 1 ? 0 : t.pad;
    c.out_extent[k] = in[k] + 2 * c.pad[k] - (k == 0 ? t.taps : 3) + 1;
  }
  c.slice_taps = t.taps;
  c.channels_in = t.ins;
  c.channels_out = t.outs;
  c.in_step = t.ins;
  c.out_step = c.residual_step = t.outs;
  return c;
}

/// The sum over taps and channels, as the operator is defined. Weights are (out, in, slices, 3, 3).
std::vector<float> by_definition(const WinogradConvolution& c, const std::vector<float>& x, const std::vector<float>& w,
                                 const std::vector<float>& bias, const std::vector<float>& residual) {
  std::vector<float> y;
  const auto pixel = [&](int n, int z, int r, int q) {
    return static_cast<std::size_t>(((n * c.in_extent[0] + z) * c.in_extent[1] + r) * c.in_extent[2] + q);
  };
  for (int n = 0; n < c.batch; ++n)
    for (int z = 0; z < c.out_extent[0]; ++z)
      for (int r = 0; r < c.out_extent[1]; ++r)
        for (int q = 0; q < c.out_extent[2]; ++q)
          for (int o = 0; o < c.channels_out; ++o) {
            double sum = static_cast<double>(bias[static_cast<std::size_t>(o)]);
            for (int tap = 0; tap < 9 * c.slice_taps; ++tap) {
              const int zz = z + tap / 9 - c.pad[0], rr = r + tap / 3 % 3 - c.pad[1], qq = q + tap % 3 - c.pad[2];
              if (zz < 0 || rr < 0 || qq < 0 || zz >= c.in_extent[0] || rr >= c.in_extent[1] || qq >= c.in_extent[2])
                continue;
              for (int i = 0; i < c.channels_in; ++i)
                sum +=
                    static_cast<double>(x[pixel(n, zz, rr, qq) * static_cast<std::size_t>(c.channels_in) +
                                          static_cast<std::size_t>(i)]) *
                    static_cast<double>(w[static_cast<std::size_t>((o * c.channels_in + i) * 9 * c.slice_taps + tap)]);
            }
            if (!residual.empty()) sum += static_cast<double>(residual[y.size()]);
            y.push_back(static_cast<float>(sum < 0 ? 0.125 * sum : sum));
          }
  return y;
}

class Winograd : public ::testing::TestWithParam<Case> {};
INSTANTIATE_TEST_SUITE_P(Shapes, Winograd,
                         ::testing::Values(Case{1, 1, 13, 17, 1, 1, 16, 32}, Case{2, 1, 7, 8, 1, 0, 48, 16},
                                           Case{1, 1, 6, 31, 1, 2, 32, 80}, Case{1, 5, 9, 7, 3, 1, 16, 48},
                                           Case{2, 11, 4, 5, 3, 1, 32, 16}, Case{1, 4, 6, 6, 3, 0, 16, 64},
                                           Case{1, 3, 5, 9, 1, 1, 16, 16}, Case{1, 1, 1, 1, 1, 1, 16, 16}));

TEST_P(Winograd, GivesTheSumOverTapsWhateverTheBlocks) {
  for (const bool narrow : {false, true}) {
    if (!isocenter::detail::winograd_runs_here(narrow)) continue;
    WinogradConvolution c = describe(GetParam(), narrow);
    const auto count = [&](const int(&e)[3], int channels) {
      return static_cast<std::size_t>(c.batch * e[0] * e[1] * e[2] * channels);
    };
    auto x = ramp(count(c.in_extent, c.channels_in), 2, 1);
    auto residual = ramp(count(c.out_extent, c.channels_out), 1, 2);
    const auto bias = ramp(static_cast<std::size_t>(c.channels_out), 1, 3);
    const auto w = ramp(static_cast<std::size_t>(c.channels_in * c.channels_out * 9 * c.slice_taps), 0.3F, 4);
    const auto x_narrow = narrowed(x), residual_narrow = narrowed(residual);
    if (narrow) {
      x = widened(x_narrow);
      residual = widened(residual_narrow);
    }
    const auto expected = by_definition(c, x, w, bias, residual);
    std::vector<float> weights(static_cast<std::size_t>(c.weight_elements())), y(residual.size()), once;
    std::vector<bfloat16> y_narrow(residual.size());
    transform_weights(c, w.data(), weights.data());  // bfloat16 takes half of the room
    c.weights = weights.data();
    c.bias = bias.data();
    c.then = Function::leaky_relu;
    c.alpha = 0.125F;
    c.in = narrow ? static_cast<const void*>(x_narrow.data()) : x.data();
    c.residual = narrow ? static_cast<const void*>(residual_narrow.data()) : residual.data();
    c.out = narrow ? static_cast<void*>(y_narrow.data()) : y.data();
    for (const int threads : {1, 2, 3, 5}) {
      choose_blocks(c, threads);
      std::vector<std::byte> memory(static_cast<std::size_t>(c.scratch_bytes()) + 64);
      auto* scratch = reinterpret_cast<std::byte*>((reinterpret_cast<std::uintptr_t>(memory.data()) + 63) / 64 * 64);
      std::fill(y.begin(), y.end(), NAN);
      run_winograd(c, 0, c.blocks(), scratch);
      if (narrow) y = widened(y_narrow);
      EXPECT_LT(relative_error(y, expected), narrow ? 0.008 : 1e-6) << threads << " threads, bfloat16: " << narrow;
      if (once.empty()) once = y;
      EXPECT_EQ(y, once) << threads << " threads, bfloat16: " << narrow;
    }
  }
}

/// A residual unit and a concatenation, which a convolution writes its part of.
OnnxModel units() {
  using namespace tiny;
  const auto conv = [](const std::string& in, const std::string& out, std::uint64_t ins, std::uint64_t outs) {
    return node("Conv", {in, out + "w"}, out, ints("pads", {1, 1, 1, 1})) +
           initialiser(out + "w", {outs, ins, 3, 3}, floats(ramp(outs * ins * 9, 0.3F)));
  };
  const std::string bytes =
      model(conv("x", "a", 16, 32) + node("Relu", {"a"}, "b") + conv("b", "c", 32, 32) + node("Add", {"c", "b"}, "d") +
            node("Relu", {"d"}, "e") + conv("e", "f", 32, 16) + node("LeakyRelu", {"f"}, "g") +
            node("Concat", {"e", "g"}, "h", field(5, field(1, "axis") + number(3, 1) + number(20, 2))) +
            node("MaxPool", {"h"}, "y", ints("kernel_shape", {3, 2})) + port(11, "x", {2, 16, 15, 18}) +
            port(12, "y", {2, 48, 13, 17}));
  return parse_onnx({reinterpret_cast<const std::byte*>(bytes.data()), bytes.size()}, "units", "");
}

TEST(WinogradInNetworks, GivesWhatPlainLoopsGiveForEveryThreadCount) {
  const auto x = ramp(2 * 16 * 15 * 18, 4);
  const auto expected = Runner(plan_cpu(lower(units(), {}), {.reference = true})).run(x);
  for (const Precision precision : {Precision::float32, Precision::bfloat16}) {
    if (precision == Precision::bfloat16 && !onednn_has_bfloat16()) continue;
    const auto planned = [&](int threads) {
      return Runner(plan_cpu(lower(units(), {}), {.precision = precision, .threads = threads})).run(x);
    };
    const auto once = planned(1);
    EXPECT_LT(relative_error(once, expected), precision == Precision::float32 ? 1e-6 : 0.01);
    for (const int threads : {2, 3, 4}) EXPECT_EQ(planned(threads), once) << threads << " threads";
  }
}

/// Runs a kernel on rows of 32 channels in both ways.
template <class K>
void expect_same_bits(K kernel, bool narrow, int ny, int nz, std::vector<float>& out) {
  const auto launcher = cpu_launcher(2);
  std::fill(out.begin(), out.end(), -7.0F);
  launch(launcher, kernel, 32, ny, nz);
  const std::vector<float> expected = out;
  std::fill(out.begin(), out.end(), -7.0F);
  launch_wide(launcher, kernel, narrow, 32, ny, nz);
  EXPECT_TRUE(std::any_of(out.begin(), out.end(), [](float v) { return v != -7.0F; }));
  EXPECT_EQ(std::memcmp(out.data(), expected.data(), out.size() * sizeof(float)), 0);
}

template <class T>
class WideChannels : public ::testing::Test {
 protected:
  static constexpr bool narrow = sizeof(T) == 2;
  std::vector<float> values = ramp(3 * 7 * 9 * 32, 8);
  std::vector<bfloat16> halves = narrowed(values);
  const T* in() {
    if constexpr (narrow)
      return halves.data();
    else
      return values.data();
  }
  std::vector<float> out = std::vector<float>(values.size());
};
using Storages = ::testing::Types<float, bfloat16>;
TYPED_TEST_SUITE(WideChannels, Storages);

TYPED_TEST(WideChannels, AffineMapsGiveTheSameBits) {
  const auto factors = ramp(64, 2, 5);
  for (const Function then :
       {Function::identity, Function::relu, Function::leaky_relu, Function::clip, Function::sigmoid}) {
    isocenter::detail::ChannelAffineKernelOf<TypeParam, TypeParam> k{};
    k.in = this->in();
    k.out = reinterpret_cast<TypeParam*>(this->out.data());
    k.scale = factors.data();
    k.shift = factors.data() + 32;
    k.in_y = k.out_y = 32;
    k.in_z = k.out_z = 63 * 32;
    k.pixels = 63;
    k.block = 10;
    k.then = then;
    k.alpha = -0.25F;
    k.beta = 1.5F;
    expect_same_bits(k, this->narrow, 7, 3, this->out);
  }
}

TYPED_TEST(WideChannels, MomentsGiveTheSameBits) {
  isocenter::detail::PartialMomentsKernelOf<TypeParam> k{};
  k.in = this->in();
  k.mean = this->out.data();
  k.squares = this->out.data() + 32;
  k.pixels = 3 * 63;
  k.channels = 32;
  k.blocks = 1;
  expect_same_bits(k, this->narrow, 1, 1, this->out);
}

TYPED_TEST(WideChannels, PoolsGiveTheSameBitsWhatIsNotANumberToo) {
  if (this->narrow)
    this->halves[100 * 32 + 3].bits = 0x7fc0;
  else
    this->values[100 * 32 + 3] = NAN;
  for (const int average : {0, 1}) {
    isocenter::detail::PoolKernelOf<TypeParam> k{};
    k.in = this->in();
    k.out = reinterpret_cast<TypeParam*>(this->out.data());
    k.in_step = k.out_step = 32;
    const int in[3] = {3, 7, 9}, out[3] = {2, 4, 4};
    for (int a = 0; a < 3; ++a) {
      k.in_extent[a] = in[a];
      k.out_extent[a] = out[a];
      k.kernel[a] = 3;
      k.stride[a] = 2;
      k.dilation[a] = 1;
      k.pad_begin[a] = a == 2 ? 0 : 1;
      k.pad_end[a] = 1;
    }
    k.average = average;
    k.count_pads = average;
    expect_same_bits(k, this->narrow, 4, 8, this->out);
  }
}

}  // namespace
}  // namespace isocenter::infer::test
