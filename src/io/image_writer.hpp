#pragma once
// Volumes and label volumes into files of other programs.
#include <array>
#include <cstdint>
#include <filesystem>
#include <isocenter/payload.hpp>
#include <optional>

#include "data_sink.hpp"
#include "image_file.hpp"
#include "staged_file.hpp"

namespace isocenter::detail::io {

/// A dense image in host memory, x fastest.
struct ImageView {
  const void* voxels = nullptr;
  VoxelType type = VoxelType::float32;  ///< float32, uint8 or uint16
  std::array<std::int64_t, 4> size{1, 1, 1, 1};
  bool has_time = false;
  Geometry geometry;
  bool is_labels = false;
  std::int64_t first_slice = 0;  ///< of the whole image, where this is a slab of it
};

struct ImageFileOptions {
  VoxelType stored = VoxelType::float32;  ///< the view's type, or int16 or uint8 for a float32 view
  bool compress = false;                  ///< for .mha, .mhd and .nrrd; .nii.gz is compressed by its name
};

/// What can be told before there are voxels. Errors: unsupported ending or extents (NIfTI-1 holds at most 32767 voxels
/// along an axis), bad_data when spacing is not positive, a direction is no unit vector, or there are several time
/// points and no time step.
void require_storable(const std::filesystem::path& path, const ImageView& description);

/// An image without compression, written slab after slab.
class SlabImageFile {
 public:
  /// Writes the header; `whole` needs no voxels.
  SlabImageFile(const std::filesystem::path& path, const ImageView& whole, const ImageFileOptions& options);
  /// Slices that follow those that were written.
  void append(const ImageView& slab, const isocenter_launcher& launcher, const WriteProgress& progress);
  void commit();

 private:
  std::filesystem::path path_;
  ImageFileOptions options_;
  StagedFile file_;
  std::optional<StagedFile> data_;  ///< of an .mhd
};

/// Why a file of this name cannot be written slab after slab; "" when it can.
std::string why_no_slabs(const std::filesystem::path& path, const ImageFileOptions& options);

/// Writes NIfTI-1 (.nii, .nii.gz), MetaImage (.mha; .mhd beside .raw or .zraw) or NRRD (.nrrd). Geometry is exact in
/// MetaImage and NRRD; NIfTI holds it in float32 (both as quaternion and as matrix). Values become int16 or uint8 by
/// rounding to nearest, ties to even.
///
/// The formats are written here and not by ITK, because ITK 5.2's writers report success when the disk is full.
/// Errors: as require_storable; bad_data with the voxel's index when a value is not finite or does not fit; io_error.
void write_image(const std::filesystem::path& path, const ImageView& image, const ImageFileOptions& options,
                 const isocenter_launcher& launcher, const WriteProgress& progress);

}  // namespace isocenter::detail::io
