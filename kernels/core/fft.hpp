#pragma once
// Fourier transforms of a device, where only its library is fast. The device's module fills the table in and offers it
// as the service "fft"; the CPU needs none (recon filters with kernels/recon/fft_pack.hpp). Plans are made and
// destroyed while planning and executed while running: execution allocates nothing and enqueues on the given stream.
#include <cstdint>

namespace isocenter::detail {

struct FftService {
  static constexpr const char* name = "fft";
  std::uint32_t struct_size;
  /// Plans `count` one-dimensional real transforms of `length` (even) on device `index`: real rows lie `length` floats
  /// apart, spectra length / 2 + 1 complex numbers. *workspace_bytes is what execution needs beside them. 0, or an
  /// error.
  int (*plan_real)(std::int32_t index, std::int64_t length, std::int64_t count, void** plan,
                   std::uint64_t* workspace_bytes);
  /// Rows to spectra; unscaled, e^{-i...}. The rows may be destroyed.
  int (*forward)(void* plan, float* rows, float* spectra, void* workspace, void* stream);
  /// Spectra to rows; unscaled: forward and back multiply by `length`. The spectra may be destroyed.
  int (*backward)(void* plan, float* spectra, float* rows, void* workspace, void* stream);
  void (*destroy)(void* plan);
  const char* (*error_text)(int error);
};

}  // namespace isocenter::detail
