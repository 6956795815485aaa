#pragma once
// The C++20 face of Isocenter: header-only over the C ABI, so no std type crosses the shared library.
// Writing operators needs <isocenter/operator.hpp>; each operator has a header of its own,
// <isocenter/recon/fdk_reconstruction.hpp>.
#include <isocenter/pipeline.hpp>

namespace isocenter::inline v1 {
inline const char* version() { return isocenter_version(); }
}  // namespace isocenter::inline v1
