#pragma once
// The operator video_sink; see isocenter/io/video_sink.hpp.
#include <isocenter/io/video_sink.hpp>
#include <memory>

#include "frame_stack.hpp"
#include "video_file.hpp"

namespace isocenter::detail::io {

class VideoSinkOperator : public OperatorBase<VideoSink> {
 public:
  void plan(PlanContext& plan) override;
  void run(const RunContext& run) override;
  void finish(bool completed) override;

 private:
  void add(const RunContext& run, const FrameStack& frames);

  TensorView planned_;
  VideoFormat format_;
  std::unique_ptr<VideoFile> video_;  ///< from the first item on
  bool is_given_up_ = false;          ///< after an error: what would follow has a gap
};

}  // namespace isocenter::detail::io
