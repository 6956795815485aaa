#pragma once
// What every written object says about who made it and how. No DCMTK in here.
#include <string>

#include "code.hpp"

namespace isocenter::detail::dicom {

/// Who writes: General Equipment (PS3.3 C.7.5.1), and the version that ContributingEquipmentSequence names.
struct Equipment {
  std::string manufacturer = "Isocenter";
  std::string model_name = "Isocenter SDK";
  std::string device_serial_number = "1";
  std::string software_version;  ///< of the Isocenter library
};

/// What is the same for all objects of one output.
struct OutputDescription {
  Equipment equipment;
  std::string provenance;  ///< any length: goes into ContributingEquipmentSequence in pieces of 1024 characters
  std::string series_description;
  int series_number = 0;
  std::string derivation_description;
  Code derivation{};  ///< from CID 7203 of PS3.16; no code when the value is ""
};

}  // namespace isocenter::detail::dicom
