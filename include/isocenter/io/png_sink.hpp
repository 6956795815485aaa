#pragma once
#include <isocenter/operator.hpp>

namespace isocenter::inline v1 {

/// Frames into PNG files.
///
/// | port  | payload | shape                        | unit |
/// |-------|---------|------------------------------|------|
/// | input | Frames  | n × height × width × 3 (or 1) | sRGB |
///
/// One frame in all goes to the path as it is; several are numbered where the path says so: orbit_%04d.png gives
/// orbit_0000.png, orbit_0001.png, ... over all items. Lossless; tagged as sRGB. Where the Frames have the attribute
/// "pixel_size_mm" (two numbers: width, height of a pixel) it is stored as chunk pHYs, to a whole number of pixels per
/// metre. The frames of an item are encoded on all cores. A file appears whole or not at all and replaces one of the
/// same name; what was written stays when the session is cancelled.
///
/// Errors: unsupported ending; bad_data when there are no frames; invalid_argument when there are several frames and
/// the path has no place for their number; io_error with the path.
struct PngSink {
  static constexpr const char* name = "png_sink";
  static constexpr const char* module = "io";
  static constexpr const char* summary = "Frames into one PNG file or numbered ones.";
  static constexpr const char* help = "Lossless, 8 bits, sRGB, by libpng.";
  static constexpr bool host_only = true;
  struct Params {
    std::string path;
    static constexpr auto describe() {
      return std::tuple{
          param(&Params::path, "path", "File ending in .png; %04d is the frame's number.",
                isocenter::required | isocenter::path),
      };
    }
  };
  struct Ports {
    In<Frames> input{"input", "The pictures."};
    static constexpr auto describe() { return std::tuple{&Ports::input}; }
  };
};

}  // namespace isocenter::inline v1
