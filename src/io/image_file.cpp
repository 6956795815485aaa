#include "image_file.hpp"

#include <algorithm>
#include <cmath>
#include <isocenter/error.hpp>
#include <limits>

#include "image_header.hpp"
#include "number_text.hpp"

namespace isocenter::detail::io {
namespace {

[[noreturn]] void fail(ErrorCode code, const std::filesystem::path& path, const std::string& what,
                       const std::string& fix) {
  throw Failure(code, "'" + path.string() + "' " + what, fix);
}

ImageHeader read_header(const std::filesystem::path& path, ImageFormat format) {
  switch (format) {
    case ImageFormat::nifti:
      return read_nifti_header(path);
    case ImageFormat::meta:
      return read_meta_header(path);
    case ImageFormat::nrrd:
      return read_nrrd_header(path);
  }
  return {};
}

void require_extents(const std::filesystem::path& path, const std::vector<std::int64_t>& size) {
  constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max() / 64;
  std::int64_t voxels = 1;
  for (const std::int64_t n : size) {
    if (n < 1 || n > most / voxels)
      fail(ErrorCode::bad_data, path, "has an axis of " + std::to_string(n) + " voxels", "correct its header");
    voxels *= n;
  }
}

void require_lengths(const std::filesystem::path& path, const Geometry& g) {
  for (int i = 0; i < 3; ++i)
    if (!(g.spacing_mm[i] > 0) || !std::isfinite(g.spacing_mm[i]) || !std::isfinite(g.origin_mm[i]))
      fail(ErrorCode::bad_data, path,
           "has spacing " + number_text(g.spacing_mm[i]) + " mm and origin " + number_text(g.origin_mm[i]) +
               " mm along " + "xyz"[i],
           "correct its header: spacing is positive and both are finite");
  if (!(g.time_step_s >= 0) || !std::isfinite(g.time_step_s) || !std::isfinite(g.time_origin_s))
    fail(ErrorCode::bad_data, path,
         "has a time step of " + number_text(g.time_step_s) + " s from " + number_text(g.time_origin_s) + " s on",
         "correct its header");
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

/// More data than the header speaks of: its extents or its type may not be those of the data.
void remark_what_is_left(ImageInfo* info) {
  const DataLocation& data = info->data;
  std::error_code none;
  const std::uintmax_t bytes = std::filesystem::file_size(data.file, none);
  if (none || data.is_compressed || bytes <= data.offset + data.skip + data.bytes || !info->remark.empty()) return;
  info->remark = "'" + data.file.string() + "' goes on for " +
                 std::to_string(bytes - data.offset - data.skip - data.bytes) + " bytes behind the " +
                 std::to_string(data.bytes) + " that the header speaks of";
  info->remedy = "check the header's extents and type, and where its data begin";
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

void require_grid(const std::filesystem::path& path, const std::vector<std::int64_t>& size, const Geometry& geometry) {
  require_extents(path, size);
  require_lengths(path, geometry);
  require_orthonormal(path, geometry);
}

ImageInfo read_image_info(const std::filesystem::path& path) { return read_image_info(path, image_format_of(path)); }

ImageInfo read_image_info(const std::filesystem::path& path, ImageFormat format) {
  const ImageHeader header = read_header(path, format);
  require_grid(path, header.size, header.geometry);

  ImageInfo info;
  info.path = path;
  std::copy(header.size.begin(), header.size.end(), info.size.begin());
  info.has_time = header.size.size() == 4;
  info.geometry = header.geometry;
  info.has_orientation = header.has_orientation;
  info.remark = header.remark;
  if (!info.remark.empty()) info.remedy = "make both the same in the program that wrote it";
  info.type = header.type;
  info.slope = header.slope;
  info.intercept = header.intercept;
  info.data = header.data;
  info.data.bytes = static_cast<std::uint64_t>(info.voxels()) * size_of(info.type);
  if (header.data_are_at_the_end) {
    const std::uint64_t file_bytes = InputFile(info.data.file).size();
    info.data.offset = file_bytes - std::min(file_bytes, info.data.bytes);
  }
  remark_what_is_left(&info);
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
