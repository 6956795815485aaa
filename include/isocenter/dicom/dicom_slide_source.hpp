#pragma once
#include <isocenter/operator.hpp>

namespace isocenter::inline v1 {

/// A region of a whole slide image (PS3.3 A.32.8), tiled full or sparse.
///
/// | port   | payload | shape                  | unit |
/// |--------|---------|------------------------|------|
/// | output | Frames  | 1 × height × width × 3 | sRGB |
///
/// Tiles are addressed by their position in the total pixel matrix; those that the region touches are read and no
/// others, whatever the slide's size. Where a sparse slide has no tile it is white. Of several focal planes or optical
/// paths the first is taken. Planning reads the header, which names each tile of a sparse slide. Memory: the region,
/// one tile a thread.
///
/// Errors: not_found; bad_data with the attribute; invalid_argument for a region beyond the slide.
struct DicomSlideSource {
  static constexpr const char* name = "dicom_slide_source";
  static constexpr const char* module = "dicom";
  static constexpr const char* summary = "A region of a whole slide image, from the tiles that it touches.";
  static constexpr const char* help = "The slide's size is in the facts columns and rows.";
  static constexpr bool host_only = true;
  struct Params {
    std::string path;
    std::int64_t x = 0;
    std::int64_t y = 0;
    std::int64_t width = 0;
    std::int64_t height = 0;
    static constexpr auto describe() {
      return std::tuple{
          param(&Params::path, "path", "The file.", isocenter::required | isocenter::path),
          param(&Params::x, "x", Unit::px, 0, 2e9, "The region's first column in the total pixel matrix, from 0."),
          param(&Params::y, "y", Unit::px, 0, 2e9, "Its first row, from 0."),
          param(&Params::width, "width", Unit::px, 0, 1e6, "Its columns; 0: to the slide's edge."),
          param(&Params::height, "height", Unit::px, 0, 1e6, "Its rows; 0: to the slide's edge."),
      };
    }
  };
  struct Ports {
    Out<Frames> output{"output", "The region."};
    static constexpr auto describe() { return std::tuple{&Ports::output}; }
  };
};

}  // namespace isocenter::inline v1
