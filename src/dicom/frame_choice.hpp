#pragma once
// Which frames of an object an operator gives, and how many in an item.
#include <cstdint>
#include <isocenter/error.hpp>
#include <string>

#include "frame_numbers.hpp"

namespace isocenter::detail::dicom {

struct FrameChoice {
  int first = 0, count = 0, in_item = 0;

  /// The values of the frames that were chosen.
  std::vector<double> of(const std::vector<double>& all) const {
    return {all.begin() + first, all.begin() + first + count};
  }
};

/// Of the parameters first_frame, frames and frames_per_item. Throws Failure(invalid_argument).
template <class Params>
FrameChoice choose_frames(const Params& params, const Image& image) {
  const auto all = static_cast<std::int64_t>(image.frames.size());
  if (params.first_frame > all || (params.frames > 0 && params.first_frame - 1 + params.frames > all))
    throw Failure(ErrorCode::invalid_argument,
                  "first_frame = " + std::to_string(params.first_frame) + ", frames = " +
                      std::to_string(params.frames) + ": '" + image.name + "' has " + std::to_string(all),
                  "ask for frames from 1 to " + std::to_string(all));
  FrameChoice choice;
  choice.first = static_cast<int>(params.first_frame) - 1;
  choice.count = static_cast<int>(params.frames > 0 ? params.frames : all - choice.first);
  choice.in_item = params.frames_per_item > 0 ? static_cast<int>(params.frames_per_item) : choice.count;
  if (choice.count % choice.in_item != 0)
    throw Failure(ErrorCode::invalid_argument,
                  "frames_per_item = " + std::to_string(choice.in_item) + " does not divide the " +
                      std::to_string(choice.count) + " frames asked for",
                  "set frames_per_item to 1 or another divisor, or frames to a multiple of it");
  return choice;
}

}  // namespace isocenter::detail::dicom
