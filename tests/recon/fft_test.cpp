// The transform against the sum that defines it, the ramp filter against its closed form.
#include <gtest/gtest.h>

#include <cmath>
#include <numbers>
#include <vector>

#include "phantom/poisson.hpp"
#include "recon/ramp_filter.hpp"

namespace isocenter::testing {
namespace {

using namespace isocenter::detail;

template <class V, class T>
std::vector<Complex<V>> transformed(std::vector<Complex<V>> x, bool back = false) {
  const auto n = static_cast<std::int64_t>(x.size());
  std::vector<Complex<T>> twiddles(static_cast<std::size_t>(fft_twiddle_count(n)));
  fft_fill_twiddles(n, twiddles.data());
  back ? fft_backward(x.data(), n, twiddles.data()) : fft_forward(x.data(), n, twiddles.data());
  return x;
}

std::vector<Complex<double>> random_numbers(std::size_t n) {
  Philox random(n, 0);
  std::vector<Complex<double>> x(n);
  for (auto& c : x) c = {random.uniform(-1, 1), random.uniform(-1, 1)};
  return x;
}

TEST(Fft, EqualsTheSumThatDefinesIt) {
  for (std::size_t n = 2; n <= 1024; n *= 2) {
    const auto x = random_numbers(n);
    const auto y = transformed<double, double>(x);
    for (std::size_t position = 0; position < n; ++position) {
      const auto k =
          static_cast<double>(fft_frequency_at(static_cast<std::int64_t>(position), static_cast<std::int64_t>(n)));
      double re = 0.0, im = 0.0;
      for (std::size_t j = 0; j < n; ++j) {
        const double a = -2.0 * std::numbers::pi * std::fmod(k * static_cast<double>(j), static_cast<double>(n)) /
                         static_cast<double>(n);
        re += x[j].re * std::cos(a) - x[j].im * std::sin(a);
        im += x[j].re * std::sin(a) + x[j].im * std::cos(a);
      }
      ASSERT_NEAR(y[position].re, re, 1e-11 * static_cast<double>(n)) << n << ' ' << position;
      ASSERT_NEAR(y[position].im, im, 1e-11 * static_cast<double>(n)) << n << ' ' << position;
    }
  }
}

TEST(Fft, BackwardUndoesForward) {
  for (std::size_t n = 2; n <= 8192; n *= 2) {
    const auto x = random_numbers(n);
    const auto y = transformed<double, double>(transformed<double, double>(x), true);
    for (std::size_t j = 0; j < n; j += 1 + n / 64)
      ASSERT_NEAR(y[j].re / static_cast<double>(n), x[j].re, 1e-13) << n << ' ' << j;
  }
}

TEST(Fft, GivesAPackTheSameBitsAsItsLanesAlone) {
  const std::size_t n = 128;
  std::vector<Complex<float8>> pack(n);
  std::vector<std::vector<Complex<float>>> rows(8, std::vector<Complex<float>>(n));
  for (int lane = 0; lane < 8; ++lane) {
    Philox random(5, static_cast<std::uint64_t>(lane));
    for (std::size_t j = 0; j < n; ++j) {
      const Complex<float> c{static_cast<float>(random.uniform()), static_cast<float>(random.uniform())};
      rows[static_cast<std::size_t>(lane)][j] = c;
      pack[j].re[lane] = c.re;
      pack[j].im[lane] = c.im;
    }
  }
  const auto packed = transformed<float8, float>(pack);
  for (std::size_t lane = 0; lane < 8; ++lane) {
    const auto alone = transformed<float, float>(rows[lane]);
    for (std::size_t j = 0; j < n; ++j) {
      ASSERT_EQ(packed[j].re[lane], alone[j].re);
      ASSERT_EQ(packed[j].im[lane], alone[j].im);
    }
  }
}

TEST(RampFilter, IsLongEnoughNotToWrapAround) {
  EXPECT_EQ(ramp_filter_length(1), 2);
  EXPECT_EQ(ramp_filter_length(256), 512);
  EXPECT_EQ(ramp_filter_length(257), 1024);
}

TEST(RampFilter, RisesWithTheFrequencyAndKeepsTheTruncatedMean) {
  const std::int64_t n = 1024, columns = 512;
  const double step = 0.7;
  const auto h = ramp_response(n, columns, step, RampWindow::ramp, 1.0, 1.0);
  for (std::int64_t k = 20; k <= n / 2; k += 50)  // |f| in cycles a mm
    EXPECT_NEAR(h[static_cast<std::size_t>(k)] * static_cast<double>(n),
                static_cast<double>(k) / (step * static_cast<double>(n)), 2e-3);
  // At zero frequency the kernel's sum remains: 1/4 - 2/π² (1 + 1/9 + ...) over the columns, above 0.
  double sum = 0.25;
  for (int k = 1; k < columns; k += 2) sum -= 2.0 / (std::numbers::pi * std::numbers::pi * k * k);
  EXPECT_NEAR(h[0] * static_cast<double>(n), sum / step, 1e-12);
  EXPECT_GT(h[0], 0.0);
}

TEST(RampFilter, WindowsAreThoseOfTheirNames) {
  const std::int64_t n = 256;
  const auto ramp = ramp_response(n, 128, 1, RampWindow::ramp, 1.0, 1.0);
  const auto ratio = [&](RampWindow window, double cutoff, std::size_t k) {
    return ramp_response(n, 128, 1, window, cutoff, 1.0)[k] / ramp[k];
  };
  EXPECT_NEAR(ratio(RampWindow::hann, 1.0, 64), 0.5, 1e-12);
  EXPECT_NEAR(ratio(RampWindow::hann, 1.0, 128), 0.0, 1e-12);
  EXPECT_NEAR(ratio(RampWindow::hann, 0.5, 32), 0.5, 1e-12);
  EXPECT_EQ(ratio(RampWindow::hann, 0.5, 65), 0.0);
  EXPECT_EQ(ratio(RampWindow::ramp, 0.5, 65), 0.0);
  EXPECT_NEAR(ratio(RampWindow::hamming, 1.0, 128), 0.08, 1e-12);
  EXPECT_NEAR(ratio(RampWindow::cosine, 1.0, 64), std::numbers::sqrt2 / 2, 1e-12);
  EXPECT_NEAR(ratio(RampWindow::shepp_logan, 1.0, 128), 2 / std::numbers::pi, 1e-12);
}

}  // namespace
}  // namespace isocenter::testing
