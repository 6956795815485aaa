#include "cuda/services.hpp"

namespace isocenter::detail {

const void* cuda_service(int, const char*) { return nullptr; }

}  // namespace isocenter::detail
