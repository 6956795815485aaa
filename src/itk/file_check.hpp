#pragma once
// What is known of a file before ITK sees it: ITK 5.2 takes truncated files for whole ones, in most formats.
#include <optional>

#include "formats.hpp"
#include "io/voxel_reader.hpp"

namespace isocenter::detail::itk_io {

/// What a file's header says, read here and not by ITK.
struct HeaderFacts {
  std::vector<std::int64_t> size;  ///< along x, y, z, t, as far as the file has them; empty: not known (HDF5, Bruker)
  std::optional<ImageInfo> image;  ///< NIfTI, MetaImage, NRRD: all that the header says
  std::optional<io::DataLocation> data;  ///< where the voxels lie; TIFF and HDF5: in pieces that were checked
  bool has_orientation = true;           ///< false: the format does not say how the image lies in the patient
};

/// Reads a header. Errors: those of read_image_info; bad_data when it is none of its format, or says that the file is
/// longer than it is; unsupported for several numbers a voxel and types that have no place in a Volume.
HeaderFacts check_header(const std::filesystem::path& path, const Format& format);

/// Reads compressed voxels to their end, and compares others with the file's size. Errors: bad_data.
void check_voxels(const HeaderFacts& facts, const io::ReadProgress& progress);

HeaderFacts check_tiff(const std::filesystem::path& path);
HeaderFacts check_vtk(const std::filesystem::path& path);

}  // namespace isocenter::detail::itk_io
