#pragma once
#include <isocenter/operator.hpp>

namespace isocenter::inline v1 {

/// One of ITK's classes ImageIO: the format of a file.
enum class ItkImageIo { automatic, nifti, meta, nrrd, gipl, vtk, tiff, mrc, hdf5, analyze, bruker };
inline constexpr const char* itk_image_ios[] = {"automatic", "nifti", "meta", "nrrd",    "gipl",  "vtk",
                                                "tiff",      "mrc",   "hdf5", "analyze", "bruker"};

/// A volume from any file that ITK reads, with ITK's interpretation of it.
///
/// | port   | payload | shape                         | unit              |
/// |--------|---------|-------------------------------|-------------------|
/// | output | Volume  | zyx, or tzyx with a time axis | as `unit` says it |
///
/// The format follows from the path's ending, or from `image_io`: .nii .nii.gz, .mha .mhd, .nrrd .nhdr, .gipl .gipl.gz,
/// .vtk (legacy structured points), .tif .tiff (pages are slices), .mrc .rec, .h5 .hdf5, .hdr .img (Analyze 7.5), 2dseq
/// (Bruker). Values as float32; geometry as ITK gives it (LPS, mm); a fourth axis is time in seconds; two axes are one
/// slice. Before ITK sees a file, its header is read by Isocenter and held against the file's size, because ITK takes
/// many damaged files for whole ones. Compressed files are inflated twice for that. One file is read at a time in a
/// process: HDF5 and libtiff keep state that belongs to nobody. Memory beyond the volume: the voxels as stored, twice.
///
/// Errors: not_found, io_error; bad_data when the file is truncated or damaged, ITK cannot read it, its axes are not
/// perpendicular, or a value is not finite or does not fit into float32; unsupported for colours, vectors, complex
/// numbers, other numbers of axes, pages of several sizes, and where ITK reads another geometry than the header states.
struct ItkImageSource {
  static constexpr const char* name = "itk_image_source";
  static constexpr const char* module = "itk";
  static constexpr const char* summary = "A volume from any file that ITK reads.";
  static constexpr const char* help =
      "The file is checked before ITK sees it. These files do not say what their values mean: give the unit. For "
      "NIfTI, "
      "MetaImage and NRRD, image_source needs no ITK and reads more of what the formats allow.";
  static constexpr bool host_only = true;
  enum class NonFinite { refuse, zero };
  struct Params {
    std::string path;
    std::string unit;
    ItkImageIo image_io = ItkImageIo::automatic;
    NonFinite non_finite = NonFinite::refuse;
    static constexpr const char* non_finite_choices[] = {"refuse", "zero"};
    static constexpr auto describe() {
      return std::tuple{
          param(
              &Params::path, "path",
              "File ending in .nii, .nii.gz, .mha, .mhd, .nrrd, .nhdr, .gipl, .gipl.gz, .vtk, .tif, .tiff, .mrc, .rec, "
              ".h5, .hdf5, .hdr or .img, or a file 2dseq.",
              isocenter::required | isocenter::path),
          param(&Params::unit, "unit", "What a value of 1 is: HU, 1/mm, SUV, ...; empty when it is arbitrary."),
          choice(&Params::image_io, "image_io", itk_image_ios, "The file's format, where its ending does not say it."),
          choice(&Params::non_finite, "non_finite", non_finite_choices,
                 "What becomes of NaN and infinite voxels: the file is refused, or they become 0."),
      };
    }
  };
  struct Ports {
    Out<Volume> output{"output", "The file's values and geometry."};
    static constexpr auto describe() { return std::tuple{&Ports::output}; }
  };
};

}  // namespace isocenter::inline v1
