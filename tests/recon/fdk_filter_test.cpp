// Weights and ramp filter against the convolution in space, in double; the device's way against the CPU's.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <isocenter/error.hpp>
#include <isocenter/recon/vector3.hpp>
#include <numbers>

#include "phantom/poisson.hpp"
#include "plain_fft.hpp"
#include "recon_test_data.hpp"

namespace isocenter::testing {
namespace {

using namespace isocenter::detail;

struct FilterCase {
  int columns, rows, views;
};

class FdkFilterTest : public ::testing::TestWithParam<FilterCase> {
 protected:
  FdkFilterTest() {
    const auto [columns, rows, views] = GetParam();
    Philox random(77, static_cast<std::uint64_t>(columns * rows));
    projections_.resize(static_cast<std::size_t>(columns * rows * (views + 2)));
    for (float& p : projections_) p = static_cast<float>(random.uniform(-1, 4));
    for (int n = 0; n < views; ++n) {
      order_.push_back((n * 5 + 1) % (views + 2));
      weights_.push_back({static_cast<float>(0.4 * columns), static_cast<float>(0.6 * rows), 0.011F, 0.017F,
                          static_cast<float>(0.3 + 0.1 * n)});
    }
    length_ = ramp_filter_length(columns);
    stack_ = FdkStack::describe(nullptr, columns, rows);
    stack_memory_.assign(static_cast<std::size_t>(views * stack_.view_stride), -7e30F);
    stack_.data = stack_memory_.data();
    response_ = ramp_response(length_, columns, step_mm_, RampWindow::ramp, 1.0, 3.0);
  }

  /// The same by the definition: every element weighted, every row convolved.
  double expected(int n, int column, int row) const {
    const int columns = GetParam().columns, rows = GetParam().rows;
    const FdkViewWeight& w = weights_[static_cast<std::size_t>(n)];
    const float* p = projections_.data() + order_[static_cast<std::size_t>(n)] * columns * rows + row * columns;
    double sum = 0.0;
    for (int i = 0; i < columns; ++i) {
      const double u = (i - static_cast<double>(w.centre_column)) * w.column_slope;
      const double v = (row - static_cast<double>(w.centre_row)) * w.row_slope;
      const int d = std::abs(i - column);
      const double h = d == 0       ? 0.25 / (step_mm_ * step_mm_)
                       : d % 2 != 0 ? -1.0 / std::pow(d * std::numbers::pi * step_mm_, 2)
                                    : 0.0;
      sum += w.weight * p[i] / std::sqrt(1.0 + u * u + v * v) * h * step_mm_;
    }
    return 3.0 * sum;
  }

  FdkFilter filter() const {
    const auto [columns, rows, views] = GetParam();
    return {{projections_.data(), order_.data(), weights_.data(), columns, rows, columns, 0, columns},
            views,
            stack_,
            length_,
            nullptr,
            nullptr};
  }

  void check() const {
    const auto [columns, rows, views] = GetParam();
    for (int n = 0; n < views; ++n)
      for (int column = -1; column <= columns; ++column)
        for (int row = -FdkStack::pad; row < stack_.row_stride - FdkStack::pad; ++row) {
          const float got = stack_.column(n, column)[row];
          if (column < 0 || column == columns || row < 0 || row >= rows)
            ASSERT_EQ(got, 0.0F) << "around view " << n << " at " << column << ' ' << row;
          else
            ASSERT_NEAR(got, expected(n, column, row), 2e-5) << n << ' ' << column << ' ' << row;
        }
  }

  static constexpr double step_mm_ = 0.8;
  std::vector<float> projections_, stack_memory_;
  std::vector<std::int64_t> order_;
  std::vector<FdkViewWeight> weights_;
  std::int64_t length_;
  FdkStack stack_;
  std::vector<double> response_;
};
INSTANTIATE_TEST_SUITE_P(Shapes, FdkFilterTest,
                         ::testing::Values(FilterCase{1, 1, 1}, FilterCase{2, 3, 2}, FilterCase{17, 16, 3},
                                           FilterCase{33, 5, 2}, FilterCase{64, 31, 2}, FilterCase{129, 47, 1}));

TEST_P(FdkFilterTest, EqualsTheConvolutionThatDefinesItAndFillsThePads) {
  std::vector<Complex<float>> twiddles(static_cast<std::size_t>(fft_twiddle_count(length_)));
  fft_fill_twiddles(length_, twiddles.data());
  std::vector<float> response;
  for (std::int64_t k = 0; k < length_; ++k)
    response.push_back(static_cast<float>(response_[static_cast<std::size_t>(fft_frequency_at(k, length_))]));
  FdkFilter f = filter();
  f.twiddles = twiddles.data();
  f.response = response.data();
  const Scratch scratch(fdk_filter_scratch(length_, GetParam().columns, false, 3));
  fdk_filter(launcher_with(3), f, scratch.get());
  check();
  const std::vector<float> three_threads = stack_memory_;
  fdk_filter(launcher_with(1), f, scratch.get());
  EXPECT_EQ(stack_memory_, three_threads);
}

TEST_P(FdkFilterTest, OnADeviceGivesTheSame) {
  std::vector<float> response(response_.begin(), response_.begin() + length_ / 2 + 1);
  const std::int64_t lines = static_cast<std::int64_t>(GetParam().rows) * GetParam().views;
  std::vector<float> padded(static_cast<std::size_t>(lines * length_), -7e30F);
  std::vector<float> spectra(static_cast<std::size_t>(lines * (length_ + 2)), -7e30F);
  void* plan = nullptr;
  std::uint64_t workspace = 0;
  plain_fft().plan_real(0, length_, lines, &plan, &workspace);
  const FdkDeviceFilter device{&plain_fft(), plan, padded.data(), spectra.data(), nullptr, response.data()};
  EXPECT_EQ(fdk_filter_on_device(launcher_with(2), filter(), device, false), 0);
  plain_fft().destroy(plan);
  check();
}

TEST(FdkOnADevice, ReconstructsWhatTheCpuDoes) {
  Solids head;
  shepp_logan(Contrast::original, 80, &head);
  const auto agree = [&](const CircularOrbit& orbit, double skew, RowTruncation truncation) {
    auto views = orbit.build();
    for (View& v : views) {
      const Vector3 u = v.u_step_mm, w = v.v_step_mm;
      v.u_step_mm = plus(times(std::cos(skew), u), times(std::sin(skew), w));
      v.v_step_mm = minus(times(std::cos(skew), w), times(std::sin(skew), u));
    }
    const Scan scan = scan_of(head, views, orbit.columns, orbit.rows);
    FdkRequest r = request_for(scan);
    r.truncation = truncation;
    r.mu_water_per_mm = 0.9;
    const Image cpu = reconstruct(scan, r, launcher_with(2, true));
    const Image device = reconstruct(scan, r, launcher_with(2, true), 0.0F, &plain_fft());
    EXPECT_LT(relative_difference(device.voxels, cpu.voxels), 2e-6);
  };
  const CircularOrbit whole{.views = 100, .columns = 40, .rows = 36, .column_step_mm = 7, .row_step_mm = 7};
  CircularOrbit small = whole, displaced = whole, arc = whole;
  small.columns = 23;
  displaced.columns = 27;
  displaced.detector_offset_u_mm = -30;
  arc.arc_rad = 3.9;
  agree(whole, 0.0, RowTruncation::none);
  agree(whole, 0.05, RowTruncation::none);
  agree(arc, 0.0, RowTruncation::none);
  agree(arc, 0.05, RowTruncation::none);
  agree(displaced, 0.0, RowTruncation::roll_off);
  agree(displaced, -0.05, RowTruncation::none);
  agree(small, 0.0, RowTruncation::roll_off);
  agree(small, 0.0, RowTruncation::water_cylinder);
  agree(small, 0.05, RowTruncation::water_cylinder);
}

TEST(FdkFilterOnTheCpu, NamesTheReadingThatIsNotANumber) {
  Scan scan = scan_of(Solids{{}, Composition::additive},
                      CircularOrbit{.views = 40, .columns = 37, .rows = 21, .column_step_mm = 7}.build(), 37, 21);
  for (const float bad : {std::nanf(""), -INFINITY}) {
    Scan broken = scan;
    broken.projections[(17 * 21 + 20) * 37 + 5] = bad;
    broken.projections[(17 * 21 + 20) * 37 + 6] = bad;
    broken.projections[(31 * 21 + 2) * 37 + 3] = bad;
    try {
      reconstruct(broken, request_for(scan), launcher_with(3));
      ADD_FAILURE() << bad << " was taken";
    } catch (const Failure& e) {
      EXPECT_THAT(e.what(), ::testing::HasSubstr("view 17 has")) << bad;
      EXPECT_THAT(e.what(), ::testing::HasSubstr("at row 20, column 5")) << bad;
    }
  }
  Scan overflowing = scan;
  std::fill_n(overflowing.projections.begin() + (9 * 21 + 4) * 37, 37, 3e38F);
  try {
    reconstruct(overflowing, request_for(scan), launcher_with(3));
    ADD_FAILURE() << "an overflow was taken";
  } catch (const Failure& e) {
    EXPECT_THAT(e.what(), ::testing::HasSubstr("view 9 has"));
    EXPECT_THAT(e.what(), ::testing::HasSubstr("beyond what float32 holds"));
  }
  scan.projections[5] = -2.0F;  // more light than without the object: noise
  EXPECT_NO_THROW(reconstruct(scan, request_for(scan), launcher_with(3)));
}

}  // namespace
}  // namespace isocenter::testing
