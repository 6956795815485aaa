#pragma once
#include <isocenter/operator.hpp>

namespace isocenter::inline v1 {

enum class StoredVoxels { input, int16, uint8 };

/// Volumes and segmentations into files for other programs: NIfTI-1 (.nii, .nii.gz), MetaImage (.mha, or .mhd beside
/// its .raw or .zraw), NRRD (.nrrd), by the path's ending.
///
/// | port  | payload                | shape       | unit |
/// |-------|------------------------|-------------|------|
/// | input | Volume or Segmentation | zyx or tzyx | any  |
///
/// Geometry is exact in MetaImage and NRRD; NIfTI holds it in float32. A time axis becomes the fourth, in seconds. The
/// formats have no place for the unit of the values. Compression is lossless, runs on all cores, and its bytes do not
/// depend on their number. A file appears whole or not at all and replaces one of the same name.
/// A volume that comes in slabs (isocenter/slabs.hpp) is written slab after slab, without compression.
/// Memory: 4.7 MiB for each thread.
///
/// Errors: unsupported ending or extents; bad_data with the voxel when a value is not finite or does not fit into the
/// stored type, or when several time points have no time step; io_error with the path; invalid_argument when a second
/// item comes and the path has no place for its number.
struct ImageSink {
  static constexpr const char* name = "image_sink";
  static constexpr const char* module = "io";
  static constexpr const char* summary = "Volumes and segmentations into NIfTI, MetaImage or NRRD files.";
  static constexpr const char* help =
      "One file for each item. With several items the path numbers them: phase_%02d.nii.gz gives phase_00.nii.gz, ...";
  static constexpr bool host_only = true;
  static constexpr bool takes_slabs = true;
  struct Params {
    std::string path;
    StoredVoxels voxel_type = StoredVoxels::input;
    bool compress = false;
    static constexpr const char* voxel_types[] = {"input", "int16", "uint8"};
    static constexpr auto describe() {
      return std::tuple{
          param(&Params::path, "path", "File ending in .nii, .nii.gz, .mha, .mhd or .nrrd; %04d is the item's number.",
                isocenter::required | isocenter::path),
          choice(&Params::voxel_type, "voxel_type", voxel_types,
                 "How a volume's voxels are stored: as they are (float32), or rounded to nearest."),
          param(&Params::compress, "compress", "Compress .mha, .mhd and .nrrd; .nii.gz is compressed by its name."),
      };
    }
  };
  struct Ports {
    In<AnyOf<Volume, Segmentation>> input{"input", "What is written."};
    static constexpr auto describe() { return std::tuple{&Ports::input}; }
  };
};

}  // namespace isocenter::inline v1
