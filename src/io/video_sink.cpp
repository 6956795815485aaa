#include "video_sink.hpp"

#include <algorithm>

#include "numbered_path.hpp"
#include "staged_file.hpp"

namespace isocenter::detail::io {
namespace {

double period_of(const VideoSink::Params& params, const Payload& input) {
  if (params.frames_per_second > 0) return 1 / params.frames_per_second;
  const double step_s = input.geometry().time_step_s;
  if (!(step_s > 0))
    throw Failure(ErrorCode::bad_data, "the frames have no time step, so that the video's rate is not known",
                  "set frames_per_second, for example 25");
  return step_s;
}

}  // namespace

void VideoSinkOperator::plan(PlanContext& plan) {
  require_ending(params.path, ".webm");
  const PayloadRef input = plan.input("input");
  planned_ = dense_tensor(input, "pixels");
  const FrameStack frames = frame_stack(planned_);
  if (frames.channels != 3)
    throw Failure(ErrorCode::bad_data,
                  "the frames have " + std::to_string(frames.channels) + " channels, and videos take 3 (sRGB)",
                  "give frames in colour");
  format_.width = static_cast<int>(std::clamp<std::int64_t>(frames.width, 0, 1 << 30));
  format_.height = static_cast<int>(std::clamp<std::int64_t>(frames.height, 0, 1 << 30));
  format_.period_s = period_of(params, input);
  format_.quality = static_cast<int>(params.quality);
  format_.effort = params.encoding == VideoEncoding::small ? VideoEffort::small : VideoEffort::fast;
  format_.threads = plan.launcher().concurrency;
  require_encodable(format_);
  require_writable(params.path);
  plan.declare_host_memory(video_encoder_bytes(format_));
  plan.fact("file", params.path);
}

void VideoSinkOperator::run(const RunContext& run) {
  if (is_given_up_)
    throw Failure(ErrorCode::invalid_state, "the video '" + params.path + "' was given up after an earlier error",
                  "see the first error of this node");
  try {
    add(run, frame_stack(planned_tensor(run.input("input"), "pixels", planned_)));
  } catch (...) {
    is_given_up_ = true;
    video_.reset();
    throw;
  }
}

void VideoSinkOperator::add(const RunContext& run, const FrameStack& frames) {
  if (video_ == nullptr) video_ = std::make_unique<VideoFile>(params.path, format_);
  for (std::int64_t n = 0; n < frames.count; ++n) {
    run.check_cancelled();
    video_->add(frames.frame(n), frames.row_bytes());
    run.progress(static_cast<double>(n + 1) / static_cast<double>(frames.count));
  }
}

void VideoSinkOperator::finish(bool completed) {
  const std::unique_ptr<VideoFile> video = std::move(video_);
  if (!completed || is_given_up_) return;
  if (video == nullptr)
    throw Failure(ErrorCode::bad_data, "no frame came, so that '" + params.path + "' was not written",
                  "see the errors of the nodes before this one");
  video->finish();
}

}  // namespace isocenter::detail::io
