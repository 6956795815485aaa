#pragma once
// The formats that pass through ITK, and what ITK 5.2 keeps of an image in each; tests/itk holds this table to ITK.
#include <filesystem>
#include <isocenter/itk/itk_image_source.hpp>
#include <limits>
#include <string_view>
#include <vector>

#include "io/image_file.hpp"

namespace isocenter::detail::itk_io {
using io::ImageInfo;

struct Format {
  ItkImageIo image_io;
  const char* title;                      ///< in messages
  std::vector<std::string_view> endings;  ///< lower case
  bool is_written = true;
  bool has_compression = false;  ///< that is asked for and not named by the ending
  int most_axes = 4;
  std::int64_t most_voxels = std::numeric_limits<std::int32_t>::max();  ///< along an axis
  bool keeps_direction = true;
  bool keeps_origin = true;
  bool keeps_slice_spacing = true;
  bool keeps_single_slice = true;  ///< false: a volume with nz = 1 comes back as a picture
  bool keeps_time_origin = true;
};

/// The format that is asked for, or that the name stands for. Throws unsupported with the list of endings.
const Format& format_of(const std::filesystem::path& path, ItkImageIo asked);

/// Whether the name says that the file is compressed.
bool is_gzip_name(const std::filesystem::path& path);

/// What of an image's geometry comes back from a file of a format.
struct KeptGeometry {
  Geometry geometry;
  std::string lost;  ///< in words; empty when nothing is
};
KeptGeometry kept_geometry(const Format& format, const ImageInfo& image);

/// The larger of the distances between what two geometries say of the corners of one grid, in mm; times apart in s.
struct Apart {
  double mm = 0, s = 0;
};
Apart apart(const Geometry& a, const Geometry& b, const ImageInfo& grid);

/// How far apart two geometries may be that say the same to float32.
Apart tolerance(const ImageInfo& image);

}  // namespace isocenter::detail::itk_io
