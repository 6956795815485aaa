#pragma once
#include <isocenter/operator.hpp>

namespace isocenter::inline v1 {

/// The values of one object's grey frames, where dicom_frames_source gives what a viewer shows of them: angiography and
/// fluoroscopy, radiographs, mammograms, gamma camera views.
///
/// | port   | payload     | shape              | unit                                      |
/// |--------|-------------|--------------------|-------------------------------------------|
/// | output | Projections | n × Rows × Columns | RescaleType or ModalityLUTType, else a.u. |
///
/// Row 0 is the picture's upper one. Values are slope · stored + intercept or what the Modality LUT has (PS3.3 C.11.1);
/// no window, no inversion: MONOCHROME1 and PixelIntensityRelationship stay as stored, DicomHeader::xray() says which.
///
/// Attributes with a number for each frame given, where the object has them: "dicom.EnergyWindowVector" and the other
/// index vectors of nuclear medicine, "dicom.detector_angle_deg", "dicom.PositionerPrimaryAngle",
/// "dicom.PositionerSecondaryAngle", "dicom.frame_times_s". Where an X-ray object has its angles, distances and
/// ImagerPixelSpacing, also "acquisition.views" (isocenter/recon/acquisition.hpp) around the isocentre, with the axes
/// of the patient: the detector at the positioner's angles (C.8.7.5.1.2), the head up (PS3.17 FFF.2.1.3.1.2). The
/// geometry's spacing is PixelSpacing, else ImagerPixelSpacing, the one at the detector: fact "spacing".
///
/// All frames are one item, or `frames_per_item` of them ("acquisition.view_blocks"), decoded on all cores; memory: one
/// compressed and one stored frame a thread.
///
/// Errors: not_found; bad_data with the file, frame and attribute; invalid_argument for frames that are not there;
/// unsupported for colour and for what a SEG or a palette stores.
struct DicomProjectionsSource {
  static constexpr const char* name = "dicom_projections_source";
  static constexpr const char* module = "dicom";
  static constexpr const char* summary = "Values of X-ray and gamma camera frames, with their angles.";
  static constexpr const char* help = "Facts: Modality, SOPClassUID, frames, spacing, views (none and why).";
  static constexpr bool host_only = true;
  struct Params {
    std::string path;
    std::int64_t first_frame = 1;
    std::int64_t frames = 0;
    std::int64_t frames_per_item = 0;
    static constexpr auto describe() {
      return std::tuple{
          param(&Params::path, "path", "The file.", isocenter::required | isocenter::path),
          param(&Params::first_frame, "first_frame", Unit::none, 1, 1e7, "The first frame to take, from 1."),
          param(&Params::frames, "frames", Unit::none, 0, 1e7, "How many; 0: all from the first on."),
          param(&Params::frames_per_item, "frames_per_item", Unit::none, 0, 1e7,
                "Frames in an item, a divisor of their number; 0: all are one item."),
      };
    }
  };
  struct Ports {
    Out<Projections> output{"output", "The values."};
    static constexpr auto describe() { return std::tuple{&Ports::output}; }
  };
};

}  // namespace isocenter::inline v1
