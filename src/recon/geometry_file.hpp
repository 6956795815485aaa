#pragma once
// Acquisition geometries as text: RTK's XML, projection matrices, tables of gantry angles. Our own parser, without
// third parties; compiled into libisocenter.so and into isocenter_io.so.
#include <isocenter/recon/acquisition.hpp>
#include <isocenter/recon/iec61217.hpp>
#include <isocenter/recon/projection_matrix.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace isocenter::detail {

/// The coordinates in which a file's matrices take points, and those to which they take them.
enum class MatrixSpace { lps, iec61217 };
enum class MatrixTarget { elements, detector_mm };

struct GeometryFileOptions {
  DetectorSampling sampling;  ///< where the elements lie in the detector's coordinates
  MatrixSpace matrix_space = MatrixSpace::lps;
  MatrixTarget matrix_target = MatrixTarget::elements;
};

struct ScanGeometry {
  std::vector<View> views;
  Beam beam = Beam::cone;
  DetectorShape detector = DetectorShape::flat;
  const char* format = "";           ///< "RTK XML", "projection matrices" or "IEC 61217 angles"
  std::vector<std::string> ignored;  ///< what the file says and a View has no place for
};

/// Reads a geometry; its format follows from its first characters:
///  - '<': RTK's geometry file, versions 2 and 3 (RTK documentation, "3D projection geometry", "XML File"). Values hold
///    until they are given again. A Matrix that differs from the parameters by more than 0.001 is refused, as by RTK.
///  - a letter or '"': a table, one view a line, whose first line names the columns (in any order): gantry_angle_deg,
///    source_to_isocenter_mm, and if wanted source_to_detector_mm (0 or none: parallel beam), out_of_plane_angle_deg,
///    in_plane_angle_deg, source_offset_x_mm, source_offset_y_mm, detector_offset_x_mm, detector_offset_y_mm, time_s.
///    GantryPosition says what they mean.
///  - else numbers: 3x4 matrices, row-major; a line holds one matrix (12 numbers) or one row of it (4 numbers).
/// Numbers stand apart by spaces, tabs, commas or semicolons; from '#' to the end of a line is comment. `name` is the
/// file's, for messages. Throws Failure: bad_data with the line for what is no such text, unsupported for a cylinder
/// that is not around the focal spot.
ScanGeometry parse_geometry(std::string_view text, const std::string& name, const GeometryFileOptions& options);

/// The same from a file of at most 256 MiB. Throws Failure: not_found, io_error.
ScanGeometry read_geometry_file(const std::string& path, const GeometryFileOptions& options);

/// RTK's geometry file, version 3, with 17 digits. All views need one spacing of columns and one of rows (a part in a
/// million), which RTK keeps in the stack; on a curved detector one radius. Throws Failure that names the view.
std::string rtk_geometry_text(const ScanGeometry& scan, const DetectorSampling& sampling);

/// One matrix a line, from patient frame (LPS, mm) to elements; normalised as projection_matrix_of says.
std::string matrices_text(const ScanGeometry& scan);

/// A table of gantry angles with the columns named above.
std::string gantry_table_text(const ScanGeometry& scan, const DetectorSampling& sampling);

/// RTK's matrix of a gantry position: from its fixed system to the detector's coordinates in mm.
ProjectionMatrix rtk_matrix(const GantryPosition& g, bool parallel);

}  // namespace isocenter::detail
