#pragma once
#include <isocenter/itk/itk_image_source.hpp>

namespace isocenter::inline v1 {

enum class ItkLostGeometry { refuse, accept };

/// Volumes and segmentations into any file that ITK writes.
///
/// | port  | payload                | shape       | unit |
/// |-------|------------------------|-------------|------|
/// | input | Volume or Segmentation | zyx or tzyx | any  |
///
/// The format follows from the path's ending, or from `image_io`: NIfTI, MetaImage, NRRD, GIPL, legacy VTK, TIFF (a
/// page a slice), MRC, HDF5. Voxels are stored as they come: float32, uint8 or uint16. ITK writes into a hidden folder
/// beside the file; what it wrote is read again and compared, voxel by voxel and with its geometry, then flushed to the
/// disk and renamed: ITK's writers report success on a full disk. A header is renamed after its data file. Where a
/// format has no place for a part of the geometry (GIPL, VTK, MRC: orientation; TIFF: orientation, origin, slice
/// spacing; NIfTI, as ITK writes it: the time of the first volume), the image is refused unless `lost_geometry` accepts
/// that. Memory: the voxels, twice.
///
/// Errors: unsupported ending, axes, extents or geometry; bad_data with the voxel when a value is not finite, or when
/// several time points have no time step; io_error with the path and the system's reason when what was written is not
/// whole; invalid_argument when a second item comes and the path has no place for its number.
struct ItkImageSink {
  static constexpr const char* name = "itk_image_sink";
  static constexpr const char* module = "itk";
  static constexpr const char* summary = "Volumes and segmentations into any file that ITK writes.";
  static constexpr const char* help =
      "One file for each item. With several items the path numbers them: phase_%02d.gipl gives phase_00.gipl, ...";
  static constexpr bool host_only = true;
  struct Params {
    std::string path;
    ItkImageIo image_io = ItkImageIo::automatic;
    bool compress = false;
    ItkLostGeometry lost_geometry = ItkLostGeometry::refuse;
    static constexpr const char* lost_geometry_choices[] = {"refuse", "accept"};
    static constexpr auto describe() {
      return std::tuple{
          param(
              &Params::path, "path",
              "File ending in .nii, .nii.gz, .mha, .mhd, .nrrd, .nhdr, .gipl, .gipl.gz, .vtk, .tif, .tiff, .mrc, .rec, "
              ".h5 or .hdf5; %04d is the item's number.",
              isocenter::required | isocenter::path),
          choice(&Params::image_io, "image_io", itk_image_ios, "The file's format, where its ending does not say it."),
          param(&Params::compress, "compress",
                "Compress MetaImage, NRRD, TIFF and HDF5; .nii.gz and .gipl.gz are compressed by their names."),
          choice(&Params::lost_geometry, "lost_geometry", lost_geometry_choices,
                 "What becomes of an image whose geometry the format cannot hold: it is refused, or loses it."),
      };
    }
  };
  struct Ports {
    In<AnyOf<Volume, Segmentation>> input{"input", "What is written."};
    static constexpr auto describe() { return std::tuple{&Ports::input}; }
  };
};

}  // namespace isocenter::inline v1
