#include "recon/ramp_filter.hpp"

#include <cmath>
#include <numbers>

namespace isocenter::detail {

namespace {

double window_at(RampWindow window, double f) {
  constexpr double pi = std::numbers::pi;
  if (f > 1.0) return 0.0;
  const double x = 0.5 * pi * f;
  switch (window) {
    case RampWindow::ramp:
      return 1.0;
    case RampWindow::shepp_logan:
      return x == 0.0 ? 1.0 : std::sin(x) / x;
    case RampWindow::cosine:
      return std::cos(x);
    case RampWindow::hamming:
      return 0.54 + 0.46 * std::cos(2.0 * x);
    case RampWindow::hann:
      return 0.5 + 0.5 * std::cos(2.0 * x);
  }
  return 1.0;
}

}  // namespace

std::int64_t ramp_filter_length(std::int64_t columns) {
  std::int64_t length = 2;
  while (length < 2 * columns - 1) length *= 2;
  return length;
}

std::vector<double> ramp_response(std::int64_t length, std::int64_t columns, double step, RampWindow window,
                                  double cutoff, double scale, double curved_step_rad) {
  const auto n = static_cast<std::size_t>(length);
  std::vector<Complex<double>> kernel(n, {0.0, 0.0});
  for (std::int64_t k = 0; k < columns; ++k) {
    const double x = static_cast<double>(k) * std::numbers::pi;
    const double h = k == 0 ? 0.25 : k % 2 != 0 ? -1.0 / (x * x) : 0.0;
    const double gamma = static_cast<double>(k) * curved_step_rad;
    const double curved = gamma == 0.0 ? 1.0 : std::pow(gamma / std::sin(gamma), 2);
    kernel[static_cast<std::size_t>(k)].re = h * curved / step;
    if (k > 0) kernel[static_cast<std::size_t>(length - k)].re = h * curved / step;
  }
  std::vector<Complex<double>> twiddles(static_cast<std::size_t>(fft_twiddle_count(length)));
  fft_fill_twiddles(length, twiddles.data());
  fft_forward(kernel.data(), length, twiddles.data());
  std::vector<double> response(n);
  for (std::int64_t position = 0; position < length; ++position) {
    const std::int64_t k = fft_frequency_at(position, length);
    const double f =
        static_cast<double>(k <= length / 2 ? k : length - k) / (0.5 * static_cast<double>(length) * cutoff);
    response[static_cast<std::size_t>(k)] =
        kernel[static_cast<std::size_t>(position)].re * window_at(window, f) * scale / static_cast<double>(length);
  }
  return response;
}

RowExtension plan_row_extension(RowTruncation truncation, double extension_mm, double mu_water_per_mm, double step_mm,
                                const RowReadings& readings) {
  RowExtension e;
  e.truncation = truncation;
  if (truncation == RowTruncation::none) return e;
  e.left = readings.begin == 0;
  e.right = readings.end == readings.columns;
  e.columns = extension_mm > 0.0 ? static_cast<int>(std::ceil(extension_mm / step_mm))
                                 : (readings.end - readings.begin + 1) / 2;
  e.mu_column = static_cast<float>(mu_water_per_mm * step_mm);
  return e;
}

}  // namespace isocenter::detail
