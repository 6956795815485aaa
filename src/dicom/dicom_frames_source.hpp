#pragma once
// The operator dicom_frames_source; see isocenter/dicom/dicom_frames_source.hpp.
#include <isocenter/dicom/dicom_frames_source.hpp>

#include "frame_choice.hpp"
#include "picture.hpp"

namespace isocenter::detail::dicom {

class DicomFramesSourceOperator : public OperatorBase<DicomFramesSource> {
 public:
  void plan(PlanContext& plan) override;
  void run(const RunContext& run) override;

 private:
  void choose_window(PlanContext& plan);
  void probe(PlanContext& plan);

  Image image_;
  GreyDisplay display_;
  FrameChoice frames_;
  bool is_video_ = false;
  PictureReader video_;  ///< goes on from item to item
};

}  // namespace isocenter::detail::dicom
