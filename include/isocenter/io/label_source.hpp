#pragma once
#include <isocenter/operator.hpp>

namespace isocenter::inline v1 {

/// A label volume from a file of another program: NIfTI-1 (.nii, .nii.gz), MetaImage (.mha, .mhd), NRRD (.nrrd, .nhdr).
///
/// | port   | payload      | shape                         | unit           |
/// |--------|--------------|-------------------------------|----------------|
/// | output | Segmentation | zyx, or tzyx with a time axis | label, 0 to 255 |
///
/// Geometry and errors as image_source; bad_data also when a voxel is no whole number from 0 to 255.
struct LabelSource {
  static constexpr const char* name = "label_source";
  static constexpr const char* module = "io";
  static constexpr const char* summary = "A label volume from a NIfTI, MetaImage or NRRD file.";
  static constexpr const char* help = "Truncated and damaged files are refused.";
  static constexpr bool host_only = true;
  struct Params {
    std::string path;
    std::string names;
    static constexpr auto describe() {
      return std::tuple{
          param(&Params::path, "path", "File ending in .nii, .nii.gz, .mha, .mhd, .nrrd or .nhdr.",
                isocenter::required | isocenter::path),
          param(&Params::names, "names",
                "The labels' names, separated by backslashes, the background's first: background\\liver\\spleen."),
      };
    }
  };
  struct Ports {
    Out<Segmentation> output{"output", "The file's labels and geometry."};
    static constexpr auto describe() { return std::tuple{&Ports::output}; }
  };
};

}  // namespace isocenter::inline v1
