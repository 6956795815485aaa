#pragma once
#include <vector>

#include "core/fft.hpp"
#include "recon/fft_pack.hpp"

namespace isocenter::testing {

/// A device's transforms, made of ours: what cuFFT gives on CUDA.
struct PlainFft {
  std::int64_t length, count;
  std::vector<detail::Complex<double>> twiddles;
};
inline const detail::FftService& plain_fft() {
  static const detail::FftService service = {
      sizeof(detail::FftService),
      [](std::int32_t, std::int64_t length, std::int64_t count, void** plan, std::uint64_t* workspace_bytes) {
        auto* p = new PlainFft{length, count, {}};
        p->twiddles.resize(static_cast<std::size_t>(detail::fft_twiddle_count(length)));
        detail::fft_fill_twiddles(length, p->twiddles.data());
        *plan = p;
        *workspace_bytes = 7;
        return 0;
      },
      [](void* plan, float* rows, float* spectra, void*, void*) {
        const auto& p = *static_cast<PlainFft*>(plan);
        std::vector<detail::Complex<double>> x(static_cast<std::size_t>(p.length));
        for (std::int64_t row = 0; row < p.count; ++row) {
          for (std::int64_t i = 0; i < p.length; ++i) x[static_cast<std::size_t>(i)] = {rows[row * p.length + i], 0.0};
          detail::fft_forward(x.data(), p.length, p.twiddles.data());
          for (std::int64_t i = 0; i < p.length; ++i) {
            const std::int64_t k = detail::fft_frequency_at(i, p.length);
            if (k > p.length / 2) continue;
            spectra[row * (p.length + 2) + 2 * k] = static_cast<float>(x[static_cast<std::size_t>(i)].re);
            spectra[row * (p.length + 2) + 2 * k + 1] = static_cast<float>(x[static_cast<std::size_t>(i)].im);
          }
        }
        return 0;
      },
      [](void* plan, float* spectra, float* rows, void*, void*) {
        const auto& p = *static_cast<PlainFft*>(plan);
        std::vector<detail::Complex<double>> x(static_cast<std::size_t>(p.length));
        for (std::int64_t row = 0; row < p.count; ++row) {
          const float* s = spectra + row * (p.length + 2);
          for (std::int64_t i = 0; i < p.length; ++i) {
            const std::int64_t k = detail::fft_frequency_at(i, p.length);
            const std::int64_t half = k <= p.length / 2 ? k : p.length - k;
            x[static_cast<std::size_t>(i)] = {s[2 * half], k <= p.length / 2 ? s[2 * half + 1] : -s[2 * half + 1]};
          }
          detail::fft_backward(x.data(), p.length, p.twiddles.data());
          for (std::int64_t i = 0; i < p.length; ++i)
            rows[row * p.length + i] = static_cast<float>(x[static_cast<std::size_t>(i)].re);
        }
        return 0;
      },
      [](void* plan) { delete static_cast<PlainFft*>(plan); },
      [](int) { return "failed"; }};
  return service;
}

}  // namespace isocenter::testing
