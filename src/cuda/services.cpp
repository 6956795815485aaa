#include "cuda/services.hpp"

#include <cstring>

namespace isocenter::detail {

const void* cuda_fft_service();  // fft_cufft.cpp

const void* cuda_service(int, const char* name) { return std::strcmp(name, "fft") == 0 ? cuda_fft_service() : nullptr; }

}  // namespace isocenter::detail
