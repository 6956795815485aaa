#pragma once
// Which windows a network takes, said in the operator's words.
#include <array>
#include <optional>
#include <string>

#include "infer/onnx_model.hpp"

namespace isocenter::infer {

struct WindowAsk {
  std::array<int, 3> window{};  ///< x, y, z
  bool flat = false;            ///< z is no axis of the network
  std::int64_t batch = 1, channels = 1;
  bool on_grid = true;  ///< the output has to have the input's extents
};

/// Why this window does not suit the network where others do, with the next smaller and larger ones that do; nothing
/// where it suits, and where no window near it does. Lowers the model for up to about a hundred windows.
struct WindowMisfit {
  std::string what, fix;
};
std::optional<WindowMisfit> window_misfit(const OnnxModel& model, const WindowAsk& ask);

}  // namespace isocenter::infer
