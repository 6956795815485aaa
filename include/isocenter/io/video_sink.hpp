#pragma once
#include <isocenter/operator.hpp>

namespace isocenter::inline v1 {

enum class VideoEncoding { fast, small };

/// Frames into a video that browsers play: VP9 (profile 0) in WebM.
///
/// | port  | payload | shape                  | unit |
/// |-------|---------|------------------------|------|
/// | input | Frames  | n × height × width × 3 | sRGB |
///
/// All items' frames, in order, become one video. The rate comes from the frames' time step unless frames_per_second is
/// set. Colours go through Y'CbCr 4:2:0 (BT.709 matrix, limited range) and are tagged so; odd sizes are padded to even
/// by repeating the last column or row. Constant quality; a key frame at least every half second; duration and cues are
/// written, so that players can seek. The same frames give the same bytes whatever the number of threads, with one
/// version of libvpx. The file appears when the last frame is in; a cancelled session leaves none.
/// Memory: 24 MiB, 6.5 MiB a thread, and 60 (fast) or 90 (small) pictures of 1.5 bytes a pixel.
///
/// Errors: unsupported ending; bad_data when there are no frames, or their size or rate cannot be played; io_error with
/// the path.
struct VideoSink {
  static constexpr const char* name = "video_sink";
  static constexpr const char* module = "io";
  static constexpr const char* summary = "Frames into a WebM video (VP9) that browsers play.";
  static constexpr const char* help = "Encoded by libvpx on all cores. Lossy: keep PNG where each pixel counts.";
  static constexpr bool host_only = true;
  struct Params {
    std::string path;
    double frames_per_second = 0;
    std::int64_t quality = 75;
    VideoEncoding encoding = VideoEncoding::fast;
    static constexpr const char* encodings[] = {"fast", "small"};
    static constexpr auto describe() {
      return std::tuple{
          param(&Params::path, "path", "File ending in .webm.", isocenter::required | isocenter::path),
          param(&Params::frames_per_second, "frames_per_second", Unit::hz, 0, 240,
                "How fast it plays; 0: as the frames' time step says."),
          param(&Params::quality, "quality", Unit::none, 1, 100, "100 is the best; 75 looks like the original."),
          choice(&Params::encoding, "encoding", encodings,
                 "fast, or an eighth of the speed for a sixth fewer bytes at the same quality."),
      };
    }
  };
  struct Ports {
    In<Frames> input{"input", "The pictures."};
    static constexpr auto describe() { return std::tuple{&Ports::input}; }
  };
};

}  // namespace isocenter::inline v1
