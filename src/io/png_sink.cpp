#include "png_sink.hpp"

#include <algorithm>
#include <exception>

#include "staged_file.hpp"

namespace isocenter::detail::io {
namespace {

PngInfo picture_of(const Payload& input, const FrameStack& frames) {
  if (frames.channels != 1 && frames.channels != 3)
    throw Failure(
        ErrorCode::bad_data,
        "the frames have " + std::to_string(frames.channels) + " channels, and 3 (sRGB) or 1 (grey) are written",
        "give frames in colour or grey");
  constexpr std::int64_t largest = 1000000;  // libpng's own limit
  if (std::min(frames.width, frames.height) < 1 || std::max(frames.width, frames.height) > largest)
    throw Failure(ErrorCode::bad_data,
                  "frames of " + std::to_string(frames.width) + " x " + std::to_string(frames.height) +
                      " pixels cannot be written: PNG takes 1 to 1000000 in each direction",
                  "render frames within that size");
  PngInfo info;
  info.layout = frames.channels == 1 ? PngLayout::grey8 : PngLayout::rgb8;
  info.width = static_cast<int>(frames.width);
  info.height = static_cast<int>(frames.height);
  info.is_srgb = true;
  if (const auto size = input.numbers("pixel_size_mm"); size.size() == 2 && size[0] > 0 && size[1] > 0) {
    info.pixel_width_mm = size[0];
    info.pixel_height_mm = size[1];
  }
  return info;
}

}  // namespace

void PngSinkOperator::plan(PlanContext& plan) {
  require_ending(params.path, ".png");
  path_ = NumberedPath(params.path);
  const PayloadRef input = plan.input("input");
  planned_ = dense_tensor(input, "pixels");
  const FrameStack frames = frame_stack(planned_);
  info_ = picture_of(input, frames);
  if (frames.count > 1 && !path_.has_number())
    throw Failure(ErrorCode::invalid_argument,
                  "the input has " + std::to_string(frames.count) + " frames and path = '" + params.path +
                      "' has no place for their numbers",
                  "write %04d where the number goes, or use video_sink");
  require_writable(path_.at(0));
  const std::uint64_t frame_bytes =
      static_cast<std::uint64_t>(info_.row_bytes()) * static_cast<std::uint64_t>(info_.height);
  const auto at_once =
      static_cast<std::uint64_t>(std::clamp<std::int64_t>(plan.launcher().concurrency, 1, frames.count));
  constexpr std::uint64_t of_libpng = std::uint64_t{1} << 20;
  plan.declare_host_memory(at_once * (2 * frame_bytes + of_libpng));
  plan.fact("file", params.path);
}

void PngSinkOperator::run(const RunContext& run) {
  const FrameStack frames = frame_stack(planned_tensor(run.input("input"), "pixels", planned_));
  std::vector<std::exception_ptr> errors(static_cast<std::size_t>(frames.count));
  run.parallel_for(frames.count, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t n = begin; n < end; ++n) {
      try {
        run.check_cancelled();
        write_png(path_.at_only(written_ + n, "frame"), info_, frames.frame(n), frames.row_bytes());
      } catch (...) {
        errors[static_cast<std::size_t>(n)] = std::current_exception();  // none may cross the threads' owner
      }
    }
  });
  for (const std::exception_ptr& error : errors)
    if (error != nullptr) std::rethrow_exception(error);
  written_ += frames.count;
}

}  // namespace isocenter::detail::io
