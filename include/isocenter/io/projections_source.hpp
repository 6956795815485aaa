#pragma once
#include <isocenter/io/image_source.hpp>
#include <isocenter/operator.hpp>

namespace isocenter::inline v1 {

/// The coordinates from which a file's projection matrices take points: the patient frame, or IEC 61217's fixed system.
enum class MatrixPoints { lps, iec61217 };
/// Those to which they take them: detector elements, or mm in the coordinates of the stack (origin and spacing).
enum class MatrixResult { elements, mm };

/// Projections from a stack of another program and a file with its geometry.
///
/// | port   | payload     | shape                  | unit              |
/// |--------|-------------|------------------------|-------------------|
/// | output | Projections | views × rows × columns | as `unit` says it |
///
/// The stack is an image of columns × rows × views: NIfTI-1 (.nii, .nii.gz), MetaImage (.mha, .mhd) or NRRD (.nrrd,
/// .nhdr). Its origin and spacing along the first two axes place the elements in the detector's coordinates, mm; its
/// axes are not turned; what it says along the third axis is not used. The geometry is RTK's XML, 3x4 projection
/// matrices, or a table of gantry angles (IEC 61217); docs/recon/geometry.md has the formats.
/// Attributes: "acquisition.views", "acquisition.beam", "acquisition.detector", "unit", and "mu_water_per_mm" if given.
///
/// Errors: those of image_source for the stack; bad_data with file and line for the geometry, and when the stack and
/// the geometry differ in their number of views, or the stack's axes are turned.
struct ProjectionsSource {
  static constexpr const char* name = "projections_source";
  static constexpr const char* module = "io";
  static constexpr const char* summary =
      "Projections from an image stack and a geometry file (RTK XML, matrices, angles).";
  static constexpr const char* help =
      "The stack is MetaImage, NRRD or NIfTI with columns, rows and views; the geometry RTK's XML, 3x4 matrices or a "
      "table of gantry angles. Collimation in RTK's XML is not applied, with a warning.";
  static constexpr bool host_only = true;
  struct Params {
    std::string path;
    std::string geometry;
    MatrixPoints matrix_points = MatrixPoints::lps;
    MatrixResult matrix_result = MatrixResult::elements;
    std::string unit = "1";
    double mu_water_per_mm = 0;
    NonFiniteVoxels non_finite = NonFiniteVoxels::refuse;
    static constexpr const char* points[] = {"lps", "iec61217"};
    static constexpr const char* results[] = {"elements", "mm"};
    static constexpr const char* non_finite_choices[] = {"refuse", "zero"};
    static constexpr auto describe() {
      return std::tuple{
          param(&Params::path, "path", "The stack: a file ending in .mha, .mhd, .nrrd, .nhdr, .nii or .nii.gz.",
                isocenter::required | isocenter::path),
          param(&Params::geometry, "geometry", "The geometry: RTK's XML, 3x4 matrices or a table of gantry angles.",
                isocenter::required | isocenter::path),
          choice(&Params::matrix_points, "matrix_points", points,
                 "Matrices: from the patient frame (LPS), or from the fixed system of IEC 61217; mm."),
          choice(&Params::matrix_result, "matrix_result", results,
                 "Matrices: to detector elements, or to mm in the stack's coordinates."),
          param(&Params::unit, "unit", "What a value of 1 is: 1 for line integrals, counts, ..."),
          param(&Params::mu_water_per_mm, "mu_water_per_mm", Unit::per_mm, 0, 10,
                "Attenuation of water at this beam, for HU after the reconstruction; 0: not known."),
          choice(&Params::non_finite, "non_finite", non_finite_choices,
                 "What becomes of NaN and infinite values: the file is refused, or they become 0."),
      };
    }
  };
  struct Ports {
    Out<Projections> output{"output", "The stack with its acquisition geometry."};
    static constexpr auto describe() { return std::tuple{&Ports::output}; }
  };
};

}  // namespace isocenter::inline v1
