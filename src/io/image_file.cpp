#include "image_file.hpp"

#include <algorithm>
#include <cmath>
#include <isocenter/error.hpp>
#include <limits>

#include "data_location.hpp"
#include "image_header_itk.hpp"
#include "number_text.hpp"

namespace isocenter::detail::io {
namespace {

[[noreturn]] void fail(ErrorCode code, const std::filesystem::path& path, const std::string& what,
                       const std::string& fix) {
  throw Failure(code, "'" + path.string() + "' " + what, fix);
}

StoredVoxels locate(const std::filesystem::path& path, ImageFormat format) {
  switch (format) {
    case ImageFormat::nifti:
      return locate_nifti(path);
    case ImageFormat::meta:
      return locate_meta(path);
    case ImageFormat::nrrd:
      return locate_nrrd(path);
  }
  return {};
}

void require_volume(const std::filesystem::path& path, const ItkHeader& header) {
  if (header.size.size() != 3 && header.size.size() != 4)
    fail(ErrorCode::unsupported, path,
         "has " + std::to_string(header.size.size()) + " axes, and 3 (x y z) or 4 (x y z t) are read",
         "save it as a volume; one slice is a volume with nz = 1");
  if (header.components != 1)
    fail(ErrorCode::unsupported, path,
         "has " + std::to_string(header.components) + " numbers for each voxel, and 1 is read",
         "save each component as a file of its own");
  constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max() / 64;
  std::int64_t voxels = 1;
  for (const std::int64_t n : header.size) {
    if (n < 1 || n > most / voxels)
      fail(ErrorCode::bad_data, path, "has an axis of " + std::to_string(n) + " voxels", "check its header");
    voxels *= n;
  }
}

/// The columns of a direction matrix must be unit vectors at right angles; the tolerance is that of NIfTI's float32.
void require_orthonormal(const std::filesystem::path& path, const Geometry& geometry) {
  constexpr double tolerance = 1e-3;
  for (int i = 0; i < 3; ++i)
    for (int j = i; j < 3; ++j) {
      const auto a = geometry.axis(i), b = geometry.axis(j);
      const double dot = a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
      if (!(std::abs(dot - (i == j ? 1 : 0)) < tolerance))
        fail(ErrorCode::bad_data, path,
             "has axes " + std::string(1, "xyz"[i]) + " and " + "xyz"[j] +
                 " that are not perpendicular unit vectors (their product is " + number_text(dot) + ")",
             "resample it onto a grid with right angles");
    }
}

Geometry geometry_of(const std::filesystem::path& path, const ItkHeader& header, const StoredVoxels& stored) {
  Geometry geometry;
  for (std::size_t i = 0; i < 3; ++i) {
    geometry.origin_mm[i] = header.origin[i];
    geometry.spacing_mm[i] = header.spacing[i];
    for (std::size_t row = 0; row < 3; ++row) geometry.direction[3 * row + i] = header.direction[i][row];
    if (!(header.spacing[i] > 0) || !std::isfinite(header.spacing[i]) || !std::isfinite(header.origin[i]))
      fail(ErrorCode::bad_data, path,
           "has spacing " + number_text(header.spacing[i]) + " mm and origin " + number_text(header.origin[i]) +
               " mm along " + "xyz"[i],
           "correct its header: spacing is positive and both are finite");
  }
  require_orthonormal(path, geometry);
  if (header.size.size() == 4) {
    geometry.time_step_s = stored.time_step_s.value_or(header.spacing[3]);
    geometry.time_origin_s = stored.time_origin_s.value_or(header.origin[3]);
    if (!std::isfinite(geometry.time_step_s) || geometry.time_step_s < 0 || !std::isfinite(geometry.time_origin_s))
      fail(ErrorCode::bad_data, path, "has a time step of " + number_text(geometry.time_step_s) + " s",
           "correct its header");
  }
  return geometry;
}

}  // namespace

ImageFormat image_format_of(const std::filesystem::path& path) {
  std::string name = path.filename().string();
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  if (name.ends_with(".nii") || name.ends_with(".nii.gz")) return ImageFormat::nifti;
  if (name.ends_with(".mha") || name.ends_with(".mhd")) return ImageFormat::meta;
  if (name.ends_with(".nrrd") || name.ends_with(".nhdr")) return ImageFormat::nrrd;
  fail(ErrorCode::unsupported, path, "has an ending that stands for no known format",
       "use .nii, .nii.gz, .mha, .mhd, .nrrd or .nhdr");
}

std::size_t size_of(VoxelType type) {
  constexpr std::size_t sizes[] = {1, 1, 2, 2, 4, 4, 8, 8, 4, 8};
  return sizes[static_cast<int>(type)];
}

const char* to_string(VoxelType type) {
  constexpr const char* names[] = {"uint8", "int8",   "uint16", "int16",   "uint32",
                                   "int32", "uint64", "int64",  "float32", "float64"};
  return names[static_cast<int>(type)];
}

ImageInfo read_image_info(const std::filesystem::path& path) {
  const ImageFormat format = image_format_of(path);
  const StoredVoxels stored = locate(path, format);
  const ItkHeader header = read_header_with_itk(path, format);
  require_volume(path, header);

  ImageInfo info;
  info.path = path;
  std::copy(header.size.begin(), header.size.end(), info.size.begin());
  info.has_time = header.size.size() == 4;
  info.geometry = geometry_of(path, header, stored);
  info.has_orientation = stored.has_orientation;
  info.type = stored.type.value_or(header.type);
  info.slope = stored.slope;
  info.intercept = stored.intercept;
  info.data = stored.data;
  info.data.bytes = static_cast<std::uint64_t>(info.voxels()) * size_of(info.type);
  if (stored.data_are_at_the_end) {
    const std::uint64_t file_bytes = InputFile(info.data.file).size();
    info.data.offset = file_bytes - std::min(file_bytes, info.data.bytes);
  }
  return info;
}

std::string voxel_text(const ImageInfo& info, std::int64_t index) {
  std::string text = "(";
  for (std::size_t i = 0; i < (info.has_time ? 4U : 3U); ++i) {
    text += (i == 0 ? "" : ", ") + std::to_string(index % info.size[i]);
    index /= info.size[i];
  }
  return text + ")";
}

}  // namespace isocenter::detail::io
