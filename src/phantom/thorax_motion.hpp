#pragma once
// The moving thorax' motion as a smooth displacement field.
#include "phantom/phantom.hpp"
#include "phantom/thorax_anatomy.hpp"

namespace isocenter::detail {

/// Where tissue that is at a place at the end of exhalation (time 0) is at another time, less that place. Exact for the
/// lesion and 4 mm around it, for lung and domes outside the mediastinum, and for the middle of the heart; 0 in the
/// chest's wall and along the spine; smooth between them (smoothstep):
///  - lung and abdomen: -diaphragm_mm · b(t) · clamp((120 - z) / 200, 0, 1) along z, ended between 0.9 and 1 of the way
///    to the inner wall and between 45 and 20 mm from the plane x = 0;
///  - heart: 0.3 of the diaphragm's way in a ball of 45 mm, ended at 65 mm;
///  - lesion: its own way, ended between 4 and 16 mm outside its surface.
/// The heart's beat is left out.
class ThoraxMotion {
 public:
  explicit ThoraxMotion(const ThoraxParams& params);
  Vector3 displacement_mm(const Vector3& at_exhalation_mm, double time_s) const;

 private:
  ThoraxParams params_;
  Anatomy anatomy_;
  Matrix3 from_patient_;  ///< inverse of the anatomy's stretch and turn
  Vector3 lesion_mm_;     ///< at time 0, in the anatomy's frame
};

}  // namespace isocenter::detail
