#pragma once
// A volume as a derived classic series: CT Image Storage or MR Image Storage, one file a slice.
#include <isocenter/payload.hpp>
#include <span>
#include <string>

#include "output_description.hpp"
#include "source_metadata.hpp"
#include "workers.hpp"

namespace isocenter::detail::dicom {

struct VolumeToWrite {
  std::span<const float> voxels;  ///< nx · ny · nz, x fastest
  int nx = 0, ny = 0, nz = 0;
  Geometry geometry;
  std::string unit;
  /// Difference of two neighbouring stored values; 0: 1 for HU, as fine as 16 bits allow for anything else.
  double rescale_slope = 0;
};

/// How real values become stored ones: stored = round((value - intercept) / slope), 16 bits.
struct Quantisation {
  double slope = 1;
  double intercept = 0;
  bool is_signed = false;
};
/// Slope and intercept are exactly what their decimal strings say. Throws Failure(bad_data) for a voxel that is no
/// number (its index), or when the range does not fit 16 bits with the slope that was asked for.
Quantisation choose_quantisation(const VolumeToWrite& volume, const Workers& workers);

/// Whether a volume of this source and unit can be written at all: throws Failure(unsupported) when it is neither CT
/// nor MR.
void require_writable(const SourceMetadata& source, const std::string& unit);

/// Writes nz files into `folder`, which must be new or empty, and appears whole or not at all.
/// `progress(done, total)` returns false to stop.
void write_series(const std::string& folder, const VolumeToWrite& volume, const SourceMetadata& source,
                  const OutputDescription& description, const Workers& workers, const LoadProgress& progress = {});

}  // namespace isocenter::detail::dicom
