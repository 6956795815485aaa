#pragma once
// What PS3.3 A.56 asks of an Enhanced PET object beyond what all multi-frame objects have. Includes DCMTK.
#include <string>

#include "object_builder.hpp"
#include "write_series.hpp"

namespace isocenter::detail::dicom {

struct EnhancedPet {
  std::string unit;        ///< of the payload
  std::string study_uid;   ///< of the source
  Vec3 normal;             ///< of the slices that are written
  Vec3 source_normal;      ///< of the source's
  std::string statements;  ///< "Keyword = value; ...": attributes of the acquisition that the source does not have
};

/// The modules Enhanced PET Isotope (C.8.22.4), Acquisition (C.8.22.2) and Corrections (C.8.22.6), and the group of
/// radiopharmaceutical usage (C.8.22.5.9), of a derived image: from an Enhanced PET source as they are; from a classic
/// one by these rules.
/// - Corrections are those that CorrectedImage (0028,0051) lists; without DCAL among them SensitivityCalibrated
///   (0018,9767) of values in Bq/ml has to be stated.
/// - Without RadiopharmaceuticalStartDateTime (0018,1078) the injection is RadiopharmaceuticalStartTime (0018,1072) on
///   the day of the series, when that is before the scan and RadionuclideHalfLife (0018,1075) is at most 4 h; with a
///   longer one, which may be imaged days later, the moment has to be stated.
/// - The moment of decay correction is the injection for DecayCorrection (0054,1102) = ADMIN, and for START the
///   series' date and time, when the acquisition's are there and not before them.
/// - ViewCodeSequence (0054,0220) follows from the slices' orientation (within 10 degrees of the patient's axes), but
///   for a view that was stated, or that the source has and whose slices are parallel.
/// Throws Failure: unsupported with keyword and tag of what neither source nor statements have, invalid_argument for a
/// statement that cannot be read or contradicts the source.
void add_enhanced_pet(const ItemWriter& object, const ItemWriter& shared, DcmItem& context, const EnhancedPet& pet);

/// Frame VOI LUT and real world value mapping, which A.56 demands: all stored values, in the unit of CID 84.
void add_pet_values(const ItemWriter& shared, const Quantisation& quantisation, const std::string& unit);

}  // namespace isocenter::detail::dicom
