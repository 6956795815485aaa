#pragma once
// What the sinks ask of the tensors that they get.
#include <isocenter/operator.hpp>

namespace isocenter::detail::io {

/// The tensor `name`; throws bad_data unless its rows lie one after the other, which is all that the sinks take.
inline TensorView dense_tensor(const Payload& payload, const char* name) {
  const TensorView t = payload.tensor(name);
  std::int64_t dense = 1;
  for (int i = t.rank - 1; i >= 0; --i) {
    if (t.strides[i] != 0 && t.strides[i] != dense)
      throw Failure(ErrorCode::bad_data, std::string("the tensor '") + name + "' of the input is not dense",
                    "copy it into a dense tensor, the last axis fastest");
    dense *= t.shape[i];
  }
  return t;
}

/// The same, of the type and shape that were planned.
inline TensorView planned_tensor(const Payload& payload, const char* name, const TensorView& planned) {
  const TensorView t = dense_tensor(payload, name);
  bool is_same = t.dtype == planned.dtype && t.rank == planned.rank;
  for (int i = 0; is_same && i < t.rank; ++i) is_same = t.shape[i] == planned.shape[i];
  if (!is_same)
    throw Failure(ErrorCode::bad_data, std::string("the tensor '") + name + "' has another size than was planned",
                  "give items of one size, or prepare a session for each size");
  return t;
}

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
