#pragma once
// What operators ask a CUDA device for besides kernels, by name: libraries behind structures of function pointers.

namespace isocenter::detail {

/// The service of this name on device `index`, or null: "fft" is a FftService (kernels/core/fft.hpp) over cuFFT,
/// "streams" a StreamService (kernels/core/streams.hpp).
const void* cuda_service(int index, const char* name);

}  // namespace isocenter::detail
