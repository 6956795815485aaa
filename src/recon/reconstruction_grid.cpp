#include "recon/reconstruction_grid.hpp"

#include <Eigen/Dense>
#include <algorithm>

namespace isocenter::detail {

namespace {

std::vector<double> three(const std::vector<double>& v, const char* name) {
  if (v.size() == 1) return {v[0], v[0], v[0]};
  if (v.size() != 3)
    throw Failure(ErrorCode::invalid_argument,
                  std::string(name) + " has " + std::to_string(v.size()) + " numbers, and one or three are needed",
                  "give one number, or x, y, z");
  return v;
}

/// A detector column's step as seen at the isocentre.
double step_at(const Acquisition& scan, const Vector3& isocentre) {
  const View& view = scan.views.front();
  const double step = length(view.u_step_mm);
  if (scan.beam == Beam::parallel) return step;
  return step * std::fabs(detector_point(view, scan.beam, scan.detector, isocentre).depth);
}

}  // namespace

Vector3 isocentre_of(const Acquisition& scan) {
  Eigen::Matrix3d normal = Eigen::Matrix3d::Zero();
  Eigen::Vector3d right = Eigen::Vector3d::Zero();
  for (const View& view : scan.views) {
    const Vector3 centre = view.element_mm(0.5 * (scan.columns - 1), 0.5 * (scan.rows - 1), scan.detector);
    const Vector3 along = scan.beam == Beam::cone ? unit(minus(centre, view.source_mm)) : view.source_mm;
    const Eigen::Vector3d d(along[0], along[1], along[2]), p(centre[0], centre[1], centre[2]);
    const Eigen::Matrix3d off = Eigen::Matrix3d::Identity() - d * d.transpose();
    normal += off;
    right += off * p;
  }
  // Directions in which the rays leave the point open to a millionth keep to the origin.
  const Eigen::SelfAdjointEigenSolver<Eigen::Matrix3d> solver(normal);
  Eigen::Vector3d x = Eigen::Vector3d::Zero();
  for (int k = 0; k < 3; ++k) {
    if (solver.eigenvalues()[k] < 1e-6 * solver.eigenvalues()[2]) continue;
    const Eigen::Vector3d axis = solver.eigenvectors().col(k);
    x += axis * (axis.dot(right) / solver.eigenvalues()[k]);
  }
  return {x[0], x[1], x[2]};
}

VolumeGrid place_grid(const Acquisition& scan, const std::int64_t (&n)[3], const std::vector<double>& spacing_mm,
                      const std::vector<double>& offset_mm) {
  const std::vector<double> spacing = three(spacing_mm, "spacing_mm"), offset = three(offset_mm, "offset_mm");
  const Vector3 isocentre = isocentre_of(scan);
  VolumeGrid grid;
  grid.nx = n[0] > 0 ? n[0] : scan.columns;
  grid.ny = n[1] > 0 ? n[1] : scan.columns;
  grid.nz = n[2] > 0 ? n[2] : scan.rows;
  const std::int64_t extent[3] = {grid.nx, grid.ny, grid.nz};
  for (std::size_t k = 0; k < 3; ++k) {
    const double size = spacing[k] > 0.0 ? spacing[k] : step_at(scan, isocentre);
    grid.geometry.spacing_mm[k] = size;
    grid.geometry.origin_mm[k] = isocentre[k] + offset[k] - 0.5 * static_cast<double>(extent[k] - 1) * size;
  }
  return grid;
}

ProjectorRequest projector_request(const Acquisition& scan, const VolumeGrid& grid) {
  ProjectorRequest r;
  r.views = scan.views;
  r.beam = scan.beam;
  r.detector = scan.detector;
  r.columns = scan.columns;
  r.rows = scan.rows;
  r.nx = static_cast<int>(grid.nx);
  r.ny = static_cast<int>(grid.ny);
  r.nz = static_cast<int>(grid.nz);
  r.geometry = grid.geometry;
  return r;
}

void require_planned_views(const Payload& projections, const std::vector<double>& planned) {
  const std::span<const double> views = projections.numbers("acquisition.views");
  if (!std::equal(views.begin(), views.end(), planned.begin(), planned.end()))
    throw Failure(ErrorCode::bad_data,
                  "this item's acquisition.views differ from those that the session was planned with",
                  "prepare a session for each acquisition geometry");
}

double water_attenuation(double parameter, const Payload& projections) {
  if (parameter > 0.0) return parameter;
  const std::span<const double> given = projections.numbers("mu_water_per_mm");
  if (given.empty() || !(given[0] > 0.0))
    throw Failure(ErrorCode::invalid_argument,
                  "mu_water_per_mm = 0, and the projections have no attribute mu_water_per_mm either",
                  "set it (0.02059 at 60 keV), or use the unit 1/mm");
  return given[0];
}

}  // namespace isocenter::detail
