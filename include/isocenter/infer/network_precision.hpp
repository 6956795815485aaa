#pragma once
#include <cstdint>

namespace isocenter::inline v1 {

/// What a network's convolutions and matrix products are computed in. Sums are float32, of int8 int32, and so are the
/// network's inputs and outputs. Which of them a device has is checked when the network is planned.
enum class NetworkPrecision : std::uint8_t {
  float32,
  tf32,      ///< CUDA: float32 in memory, factors rounded to 10 bits of mantissa
  bfloat16,  ///< CPU (AVX512_BF16 or AMX), CUDA: factors, and what lies between them, with 7 bits of mantissa
  int8,      ///< CPU (AVX512_VNNI): products whose ranges or grids the model carries; between them bfloat16, or float32
  float16,   ///< CUDA: factors, and what lies between them, with 10 bits of mantissa; values above 65504 are infinite
};
inline constexpr const char* network_precisions[] = {"float32", "tf32", "bfloat16", "int8", "float16"};

}  // namespace isocenter::inline v1
