#pragma once
// What ITK says of an image file. image_header_itk.cpp is the only source file that includes ITK.
#include <cstdint>
#include <vector>

#include "image_file.hpp"

namespace isocenter::detail::io {

/// An image's grid as ITK gives it: one entry for each axis, x first, in LPS.
struct ItkHeader {
  std::vector<std::int64_t> size;
  std::vector<double> origin;
  std::vector<double> spacing;
  std::vector<std::vector<double>> direction;  ///< direction[i]: the unit vector of axis i
  VoxelType type = VoxelType::float32;         ///< as ITK would deliver it
  int components = 1;
};

ItkHeader read_header_with_itk(const std::filesystem::path& path, ImageFormat format);

}  // namespace isocenter::detail::io
