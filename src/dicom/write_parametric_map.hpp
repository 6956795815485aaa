#pragma once
// Real values as a Parametric Map: PS3.3 A.75, 32-bit floats exactly as they are, one frame for each slice.
#include <isocenter/payload.hpp>
#include <span>
#include <string>

#include "output_description.hpp"
#include "source_metadata.hpp"

namespace isocenter::detail::dicom {

struct MapToWrite {
  std::span<const float> voxels;  ///< nx · ny · nz, x fastest
  int nx = 0, ny = 0, nz = 0;
  Geometry geometry;
  Code unit;                ///< UCUM: MeasurementUnitsCodeSequence
  Code quantity;            ///< what is measured: QuantityDefinitionSequence; no value for none
  std::string label;        ///< LUTLabel, SH
  std::string explanation;  ///< LUTExplanation, LO
};

/// The UCUM code of a payload's unit; no value when the unit is in no list.
Code unit_code(const std::string& unit);

/// Writes one file. Throws Failure: bad_data with the voxel when a value is not finite, io_error as write_object.
void write_parametric_map(const std::string& path, const MapToWrite& map, const SourceMetadata& source,
                          const OutputDescription& description);

}  // namespace isocenter::detail::dicom
