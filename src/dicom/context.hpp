#pragma once
// Which attributes of a source image go on into what is derived from it. Includes DCMTK.
#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dcdatset.h>

#include <string>

namespace isocenter::detail::dicom {

/// Parts of a context, by module of PS3.3.
enum ContextPart : unsigned {
  patient_and_study = 1U,  ///< C.7.1.1, C.7.1.3, C.7.2.1, C.7.2.2, C.7.2.3: who and which study, with the character set
  frame_of_reference = 2U,  ///< C.7.4.1
  source_equipment = 4U,    ///< C.7.5.1: what took the images; goes into ContributingEquipmentSequence
  series_of_source = 8U,    ///< C.7.3.1: body part, patient position
  ct_acquisition = 16U,     ///< C.8.2.1, and C.7.6.4 contrast agent
  mr_acquisition = 32U,     ///< C.8.3.1
  image_history = 64U,      ///< lossy compression, burned-in annotation: what no derivation may lose
  display = 128U,           ///< window of the source
  pet_acquisition = 256U,   ///< C.8.9.1, C.8.9.2, C.8.9.4: series, isotope and image of PET
  enhanced_pet = 512U,      ///< C.8.22: what Enhanced PET says beyond the classic one
};

/// The attributes of a context that belong to `parts`, copied into `to`. Private ones never.
void copy_context(DcmItem& from, DcmItem& to, unsigned parts);

/// A context as bytes (explicit little endian) and back. Throws Failure(bad_data) for bytes that are none.
std::string to_bytes(DcmDataset& context);
void from_bytes(const std::string& bytes, DcmDataset& context);

}  // namespace isocenter::detail::dicom
