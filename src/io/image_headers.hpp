#pragma once
// The headers that image_writer.cpp puts before the voxels.
#include <string>

#include "image_writer.hpp"

namespace isocenter::detail::io {

/// NIfTI-1: 348 bytes and 4 of an empty extension list; RAS, mm, s. Method 2 (quaternion) and 3 (matrix) of nifti1.h.
std::vector<std::byte> nifti_header(const ImageView& image, VoxelType stored);

/// MetaImage up to the data. With a compressed block the size stands in a fixed-width field that ends
/// `compressed_size_end` bytes into the text.
struct MetaHeader {
  std::string text;
  std::size_t compressed_size_end = 0;
};
inline constexpr std::size_t compressed_size_digits = 16;
MetaHeader meta_header(const ImageView& image, VoxelType stored, bool compress, const std::string& data_file);

/// NRRD up to the data.
std::string nrrd_header(const ImageView& image, VoxelType stored, bool compress);

}  // namespace isocenter::detail::io
