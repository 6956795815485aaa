#pragma once
// From a phantom's solids to voxels, labels and projections.
#include <cstdint>
#include <span>

#include "core/launch.hpp"
#include "phantom/phantom.hpp"

namespace isocenter::detail {

/// What a grid of voxels is: nx × ny × nz, x fastest, placed by `geometry`.
struct Grid {
  std::int64_t nx = 1, ny = 1, nz = 1;
  Geometry geometry;
};

/// voxels = scale * value + offset and labels of a phantom. With samples = 1 a voxel is the value at its centre; with
/// more it is the mean over the voxel: exact along x, over samples × samples lines in y and z. A label is always that
/// at the centre. Either pointer may be null. Cost: about nx + 10 pieces for each line.
void rasterise(const Launcher& threads, const Solids& solids, const Grid& grid, int samples, double scale,
               double offset, float* voxels, std::uint8_t* labels);

/// Exact line integrals, scale * ∫ value dl, from the source to the centre of every detector element (parallel beam:
/// over the whole line), in double inside. `rows` × `columns` floats, row after row.
void project(const Launcher& threads, const Solids& solids, const View& view, Beam beam, int rows, int columns,
             double scale, float* out, DetectorShape detector = DetectorShape::flat);

/// Replaces line integrals p by -ln(max(n, 1) / photons), n from a Poisson distribution of mean photons · exp(-p). The
/// draw for element i uses (seed, first_index + i) and nothing else.
void add_photon_noise(const Launcher& threads, std::span<float> line_integrals, double photons, std::uint64_t seed,
                      std::uint64_t first_index);

}  // namespace isocenter::detail
