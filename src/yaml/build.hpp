#pragma once
// From a pipeline file to a pipeline, through the C ABI.
#include <isocenter/isocenter.h>

#include "yaml/document.hpp"

namespace isocenter::detail::yaml {

/// A value that the caller puts before the file's.
struct Override {
  std::string node, parameter, value;
};

void build(const Document& document, const std::vector<Override>& overrides, isocenter_context* context,
           isocenter_pipeline* pipeline);

}  // namespace isocenter::detail::yaml
