#pragma once
// What a label map says about a volume, segment by segment. No DCMTK in here.
#include <array>
#include <cstdint>
#include <isocenter/payload.hpp>
#include <span>
#include <vector>

#include "workers.hpp"

namespace isocenter::detail::dicom {

/// Of the voxels with one label. A label without a voxel has zeros everywhere.
struct SegmentMeasurement {
  std::int64_t voxels = 0;
  double volume_mm3 = 0;
  double mean = 0;
  double standard_deviation = 0;  ///< of a sample: divided by voxels - 1; 0 for a single voxel
  double minimum = 0, maximum = 0;
  std::array<double, 3> centroid_mm{};  ///< mean of the voxels' centres, patient frame
  std::array<double, 6> box_mm{};       ///< two opposite outer corners of the box along the voxel axes: lowest, highest
};

/// For labels 1 ... count, over slices of nx · ny voxels. In double, slice by slice and then over slices in their order
/// (Chan, Golub and LeVeque, "Updating formulae and a pairwise algorithm for computing sample variances", 1979,
/// equation 2.1), so that the result does not depend on the number of threads. Voxels that are not finite are a
/// Failure(bad_data) with their place.
std::vector<SegmentMeasurement> measure_segments(std::span<const std::uint8_t> labels, std::span<const float> values,
                                                 int nx, int ny, int nz, const Geometry& geometry, int count,
                                                 const Workers& workers);

}  // namespace isocenter::detail::dicom
