#pragma once
#include <isocenter/operator.hpp>

namespace isocenter::inline v1 {

enum class NonFiniteVoxels { refuse, zero };

/// A volume from a file of another program: NIfTI-1 (.nii, .nii.gz), MetaImage (.mha, .mhd), NRRD (.nrrd, .nhdr), or a
/// grey PNG as one slice.
///
/// | port   | payload | shape                        | unit              |
/// |--------|---------|------------------------------|-------------------|
/// | output | Volume  | zyx, or tzyx with a time axis | as `unit` says it |
///
/// Values are slope · stored + intercept where the file has them, as float32. The geometry is the file's in the DICOM
/// patient frame (LPS, mm, s; NIfTI's RAS and NRRD's spaces are turned); a fourth axis is time. Without orientation in
/// the file there is a warning. A PNG lies in the plane z = 0 with the pixel size of its chunk pHYs, or 1 mm with a
/// warning. Cost: one pass over the file; memory beyond the volume: 1 MiB, and a PNG whole.
///
/// Errors: not_found, io_error; bad_data when the file is truncated, damaged, has axes that are not perpendicular, or
/// a value that is not finite or that float32 cannot hold; unsupported for colours, vectors, other numbers of axes, and
/// formats that are not named above.
struct ImageSource {
  static constexpr const char* name = "image_source";
  static constexpr const char* module = "io";
  static constexpr const char* summary = "A volume from a NIfTI, MetaImage, NRRD or grey PNG file.";
  static constexpr const char* help =
      "Truncated and damaged files are refused. These files do not say what their "
      "values "
      "mean: give the unit.";
  static constexpr bool host_only = true;
  struct Params {
    std::string path;
    std::string unit;
    NonFiniteVoxels non_finite = NonFiniteVoxels::refuse;
    static constexpr const char* non_finite_choices[] = {"refuse", "zero"};
    static constexpr auto describe() {
      return std::tuple{
          param(&Params::path, "path", "File ending in .nii, .nii.gz, .mha, .mhd, .nrrd, .nhdr or .png.",
                isocenter::required | isocenter::path),
          param(&Params::unit, "unit", "What a value of 1 is: HU, 1/mm, SUV, ...; empty when it is arbitrary."),
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
