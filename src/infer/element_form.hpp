#pragma once
// How kernels read and write elements of a type.
#include "infer/elements.hpp"
#include "infer/tensor.hpp"

namespace isocenter::infer {

const isocenter::detail::ElementForm& form_of(ElementType type);

}  // namespace isocenter::infer
