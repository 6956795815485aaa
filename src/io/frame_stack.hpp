#pragma once
// What the sinks of pictures get.
#include "core/dense_input.hpp"

namespace isocenter::detail::io {

/// A picture stack: axes "nyxc", uint8.
struct FrameStack {
  std::int64_t count = 0, height = 0, width = 0, channels = 0;
  const std::uint8_t* pixels = nullptr;

  std::int64_t row_bytes() const { return width * channels; }
  const std::uint8_t* frame(std::int64_t n) const { return pixels + n * height * row_bytes(); }
};

inline FrameStack frame_stack(const TensorView& t) {
  if (std::string_view(t.axes) != "nyxc" || t.type() != DType::uint8)
    throw Failure(ErrorCode::bad_data,
                  std::string("the frames have the axes '") + t.axes + "', and nyxc of uint8 is needed",
                  "give frames as Frames::describe makes them");
  const FrameStack stack{t.extent('n'), t.extent('y'), t.extent('x'), t.extent('c'), t.as<const std::uint8_t>()};
  if (stack.count < 1)
    throw Failure(ErrorCode::bad_data, "the input has no frames (n = 0)",
                  "check the node that makes them: at least one frame is needed");
  return stack;
}

}  // namespace isocenter::detail::io
