#pragma once
// What an image says about each of its frames by numbers: index vectors, angles, times.
#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dcitem.h>

#include <isocenter/recon/acquisition.hpp>
#include <string>
#include <vector>

#include "image.hpp"

namespace isocenter::detail::dicom {

/// A payload attribute: one number for each frame.
struct FrameNumbers {
  std::string name;
  std::vector<double> values;
};

/// Those that this object has, in this order:
/// - "dicom.EnergyWindowVector" and the other index vectors of a gamma camera (PS3.3 C.8.4.8);
/// - "dicom.detector_angle_deg" of its tomographic views: StartAngle of the detector or else of the rotation, and
///   AngularStep along RotationDirection for each view (C.8.4.12); 0 at the patient's back, 90 at the left side;
/// - "dicom.PositionerPrimaryAngle", "dicom.PositionerSecondaryAngle" in degrees, those of each frame also where the
///   object has increments (C.8.7.5.1.3) or functional groups (C.8.19.6.10); without increments several frames have
///   the first one's where PositionerMotion (0018,1500) is STATIC, and else none;
/// - "dicom.frame_times_s" from the first frame, of FrameTimeVector or FrameTime (C.7.6.5).
/// An attribute that has not a number for each frame is left out, and a sentence in `problems` says so.
std::vector<FrameNumbers> read_frame_numbers(const Image& image, DcmItem& dataset, std::vector<std::string>& problems);

/// The view of each frame of an X-ray run around the isocentre, in a frame whose origin that is and whose axes are the
/// patient's (LPS): the detector stands at the positioner's angles (PS3.3 C.8.7.5.1.2), the picture is seen from it
/// with the head up (PS3.17 FFF.2.1.3.1.2), the central ray meets it at a right angle: where
/// PositionOfIsocenterProjection (0018,9430), FieldOfViewOrigin (0018,7030) and DetectorElementSpacing (0018,7022) say,
/// else in its centre. Empty, and `missing` names the attribute, where the object does not say as much, or says
/// otherwise: a picture that was turned, a FieldOfViewOrigin without the other two unless zero and of the whole
/// PhysicalDetectorSize (0018,9429), a DetectorPrimaryAngle or DetectorSecondaryAngle (0018,1530/1531) other than 0.
std::vector<View> xray_views(const Image& image, DcmItem& dataset, const std::vector<FrameNumbers>& numbers,
                             std::string& missing);

/// Distances between the centres of rows and of columns: PixelSpacing (0028,0030), else ImagerPixelSpacing (0018,1164),
/// which is at the detector and not in the patient. `from` is the attribute; zeros and "" without either.
struct FrameSpacing {
  double row_mm = 0, column_mm = 0;
  std::string from;
};
FrameSpacing spacing_of(const Image& image, DcmItem& dataset, int frame);

}  // namespace isocenter::detail::dicom
