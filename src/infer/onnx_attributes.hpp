#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace isocenter::infer {

/// The names of the attributes that ONNX gives an operator of its own at an opset.
std::vector<std::string> onnx_attributes(std::string_view op_type, std::int64_t opset);

}  // namespace isocenter::infer
