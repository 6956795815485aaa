#pragma once
// The last line of the source of an operator that is part of libisocenter.so.
#include <isocenter/operator.hpp>

#define ISOCENTER_BUILTIN_OPERATOR(operator_name, Class)                                           \
  namespace isocenter::detail {                                                                    \
  void register_##operator_name(isocenter_context* context);                                       \
  void register_##operator_name(isocenter_context* context) { register_operator<Class>(context); } \
  }
