#pragma once
// Volumes as files of other programs: NIfTI, MetaImage, NRRD.
#include <array>
#include <cstdint>
#include <filesystem>
#include <isocenter/payload.hpp>
#include <string>

#include "data_stream.hpp"

namespace isocenter::detail::io {

enum class ImageFormat { nifti, meta, nrrd };

/// The format that a file name's ending stands for: .nii .nii.gz, .mha .mhd, .nrrd .nhdr, in any case. Throws
/// unsupported with the list of endings.
ImageFormat image_format_of(const std::filesystem::path& path);

enum class VoxelType { uint8, int8, uint16, int16, uint32, int32, uint64, int64, float32, float64 };
std::size_t size_of(VoxelType type);
const char* to_string(VoxelType type);

/// What a file's header says.
struct ImageInfo {
  std::filesystem::path path;
  std::array<std::int64_t, 4> size{1, 1, 1, 1};  ///< nx, ny, nz, nt
  bool has_time = false;                         ///< four axes in the file, even if nt = 1
  Geometry geometry;                             ///< DICOM patient frame (LPS), mm; s
  bool has_orientation = true;                   ///< false: the file does not say how it lies in the patient
  std::string remark, remedy;                    ///< something that the user should know, and do; mostly empty
  VoxelType type = VoxelType::float32;
  double slope = 1;  ///< value = slope * stored + intercept
  double intercept = 0;
  DataLocation data;

  std::int64_t voxels() const { return size[0] * size[1] * size[2] * size[3]; }
};

/// Reads a header and checks it. This is our own code, and ITK's readers are what the tests hold it to: ITK 5.2 takes
/// truncated NIfTI and MetaImage files for whole ones, prints to the console, mistakes milliseconds for seconds, and
/// ends the process when a NIfTI matrix holds NaN.
///
/// Errors: not_found; bad_data when the file is damaged, its axes are not perpendicular or its spacing is not positive;
/// unsupported for other axes than x, y, z and t, for several numbers a voxel, text data, several data files, bzip2.
ImageInfo read_image_info(const std::filesystem::path& path);
/// The same of a file whose name does not say its format.
ImageInfo read_image_info(const std::filesystem::path& path, ImageFormat format);

/// Throws bad_data unless extents and spacings are positive, everything is finite and the axes are perpendicular.
void require_grid(const std::filesystem::path& path, const std::vector<std::int64_t>& size, const Geometry& geometry);

/// Voxel `index` as "(x, y, z)" or "(x, y, z, t)".
std::string voxel_text(const ImageInfo& info, std::int64_t index);

}  // namespace isocenter::detail::io
