#pragma once
// A volume as a derived series: classic CT, MR or PET images, one file a slice, or one enhanced object of them.
#include <isocenter/payload.hpp>
#include <span>
#include <string>

#include "frame_encoder.hpp"
#include "object_builder.hpp"
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
  LosslessCompression compression = LosslessCompression::none;
  std::string acquisition;  ///< Enhanced PET: "Keyword = value; ...", see EnhancedPet::statements
};

enum class DerivedModality { ct, mr, pet };
/// What the volume becomes: what its source is, CT for HU without a source.
DerivedModality derived_modality(const SourceMetadata& source, const std::string& unit);

/// How real values become stored ones: stored = round((value - intercept) / slope), 16 bits.
struct Quantisation {
  double slope = 1;
  double intercept = 0;
  bool is_signed = false;
};
/// Slope and intercept are exactly what their decimal strings say. Throws Failure(bad_data) for a voxel that is no
/// number (its index), or when the range does not fit 16 bits with the slope that was asked for. The intercept of PET
/// is 0 (PS3.3 C.8.9.4).
Quantisation choose_quantisation(const VolumeToWrite& volume, DerivedModality modality, const Workers& workers);

/// Stored values of one plane, 16 bits, little endian.
std::vector<std::uint8_t> quantised(std::span<const float> plane, const Quantisation& quantisation);

/// Whether a volume of this source and unit can be written at all: throws Failure(unsupported) when it is neither CT
/// nor MR nor PET, or when PET's unit has no term in PS3.3 C.8.9.1.1.3.
void require_writable(const SourceMetadata& source, const std::string& unit);

/// Writes nz files into `folder`, which must be new or empty, and appears whole or not at all.
/// `progress(done, total)` returns false to stop.
void write_series(const std::string& folder, const VolumeToWrite& volume, const SourceMetadata& source,
                  const OutputDescription& description, const Workers& workers, const LoadProgress& progress = {});

/// The same as one Enhanced CT, MR or PET object (PS3.3 A.38, A.36, A.56), `folder`/IM00001.dcm. Throws Failure as
/// require_enhanced.
void write_enhanced(const std::string& folder, const VolumeToWrite& volume, const SourceMetadata& source,
                    const OutputDescription& description, const Workers& workers, const LoadProgress& progress = {});

/// The same as one Legacy Converted Enhanced CT, MR or PET object (PS3.3 A.70, A.71, A.72): each frame names the
/// classic image that it comes from, and the source's acquisition attributes are kept. Throws Failure(unsupported) as
/// require_legacy_converted.
void write_legacy_converted(const std::string& folder, const VolumeToWrite& volume, const SourceMetadata& source,
                            const OutputDescription& description, const Workers& workers,
                            const LoadProgress& progress = {});

/// Throws Failure(unsupported) when the source is no classic CT, MR or PET series, or a slice lies elsewhere than all
/// of its images.
void require_legacy_converted(const SourceMetadata& source, const Geometry& geometry, int slices);

/// Units (0054,1001) of PS3.3 C.8.9.1.1.3 for a payload's unit; "" for none. SUV is in g/ml by body weight.
std::string pet_units(const std::string& unit);

/// Units (0054,1001) and SUVType (0054,1006) of a PET payload's unit.
void add_pet_units(const ItemWriter& object, const std::string& unit);

/// Throws Failure when PET lacks what PS3.3 A.56 asks for (enhanced_pet.hpp).
void require_enhanced(const SourceMetadata& source, const VolumeToWrite& volume);

}  // namespace isocenter::detail::dicom
