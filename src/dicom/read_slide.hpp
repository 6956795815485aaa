#pragma once
// A whole slide image: its tiles by position, and regions of it (PS3.3 C.8.12.14, C.7.6.17.3).
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "image.hpp"
#include "workers.hpp"

namespace isocenter::detail::dicom {

struct Slide {
  Image image;
  int columns = 0, rows = 0;                ///< TotalPixelMatrixColumns and Rows
  int tiles_x = 0, tiles_y = 0;             ///< of Columns × Rows pixels each
  std::vector<std::int32_t> frame_of_tile;  ///< row after row; -1 where there is no tile
};

struct SlideRegion {
  int x = 0, y = 0, width = 0, height = 0;  ///< in pixels of the total pixel matrix, from 0 at its upper left
};

/// Of several focal planes or optical paths the first. Throws Failure with file and attribute.
Slide open_slide(const std::string& path);

/// Fills rgb, height × width × 3, from the tiles that the region touches and no others; white where there is none.
void read_region(const Slide& slide, const SlideRegion& region, const Workers& workers,
                 const std::function<void()>& check_cancelled, std::span<std::uint8_t> rgb);

}  // namespace isocenter::detail::dicom
