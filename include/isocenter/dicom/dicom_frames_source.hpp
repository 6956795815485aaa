#pragma once
#include <isocenter/operator.hpp>

namespace isocenter::inline v1 {

/// The pictures of one DICOM object, as a viewer shows them: ultrasound, angiography, endoscopy, radiographs, nuclear
/// medicine, secondary captures, single or multi-frame.
///
/// | port   | payload | shape                  | unit |
/// |--------|---------|------------------------|------|
/// | output | Frames  | n × Rows × Columns × 3 | sRGB |
///
/// Colour is converted as PS3.3 C.7.6.3.1.2 says, palettes are looked up, more than 8 bits keep their upper 8. Grey
/// values go through rescale or Modality LUT, then the window given here, else the file's first window or VOI LUT
/// (C.11.2), else the whole range of BitsStored, with a warning; MONOCHROME1 is inverted. The time step is FrameTime,
/// CineRate or RecommendedDisplayFrameRate, 0 without one; the spacing PixelSpacing, else ImagerPixelSpacing, the one
/// at the detector (fact "spacing"). Index vectors, angles and times of the frames given are attributes, as
/// dicom_projections_source has them. Ultrasound regions (C.8.5.5) are in the fact
/// "ultrasound.regions", JSON. All frames are one item, or `frames_per_item` of them, decoded on all cores; memory: one
/// compressed and one stored frame a thread.
///
/// Video (PS3.5 8.2.7 to 8.2.11), where the build has the codec: progressive 4:2:0 H.264 of 8 bits without B slices
/// (OpenH264) and HEVC of 8 or 10 bits (libde265), in MP4, a transport stream or a byte stream; one frame after the
/// other on one core, from the stream's begin. The stream has to hold as many pictures as NumberOfFrames says, unless
/// `frames` asks for fewer. With frames_per_item = 1 memory does not grow with the video's length.
///
/// Errors: not_found; bad_data with the file, frame and attribute; invalid_argument for frames that are not there;
/// unsupported for a video that is none of these.
struct DicomFramesSource {
  static constexpr const char* name = "dicom_frames_source";
  static constexpr const char* module = "dicom";
  static constexpr const char* summary = "Colour frames from any DICOM object that has pictures.";
  static constexpr const char* help =
      "Facts: Modality, SOPClassUID, frames, spacing, window, video, ultrasound.regions (JSON).";
  static constexpr bool host_only = true;
  struct Params {
    std::string path;
    std::int64_t first_frame = 1;
    std::int64_t frames = 0;
    double window_centre = 0;
    double window_width = 0;
    std::int64_t frames_per_item = 0;
    static constexpr auto describe() {
      return std::tuple{
          param(&Params::path, "path", "The file.", isocenter::required | isocenter::path),
          param(&Params::first_frame, "first_frame", Unit::none, 1, 1e7, "The first frame to take, from 1."),
          param(&Params::frames, "frames", Unit::none, 0, 1e7, "How many; 0: all from the first on."),
          param(&Params::window_centre, "window_centre", Unit::none, -1e9, 1e9,
                "Of the window, where window_width is set."),
          param(&Params::window_width, "window_width", Unit::none, 0, 1e9,
                "Of the window for grey values; 0: the file's."),
          param(&Params::frames_per_item, "frames_per_item", Unit::none, 0, 1e7,
                "Frames in an item, a divisor of their number; 0: all are one item."),
      };
    }
  };
  struct Ports {
    Out<Frames> output{"output", "The pictures."};
    static constexpr auto describe() { return std::tuple{&Ports::output}; }
  };
};

}  // namespace isocenter::inline v1
