#pragma once
// Units of PET values: terms of classic images (PS3.3 C.8.9.1.1.3) and UCUM codes of enhanced ones (PS3.16 CID 84).
#include <string_view>

namespace isocenter::detail::dicom {

struct PetUnit {
  const char* term;     ///< Units (0054,1001)
  const char* code;     ///< UCUM
  const char* meaning;  ///< CodeMeaning
};

inline constexpr PetUnit pet_unit_codes[] = {
    {"BQML", "Bq/ml", "Becquerels/milliliter"},
    {"GML", "g/ml{SUVbw}", "Standardized Uptake Value body weight"},
    {"CNTS", "{counts}", "Counts"},
    {"CPS", "{counts}/s", "Counts per second"},
    {"PROPCNTS", "{propcounts}", "Proportional to counts"},
    {"PROPCPS", "{propcounts}/s", "Proportional to counts per second"},
    {"PCNT", "%", "Percent"},
    {"CM2", "cm2", "Centimeter**2"},
    {"CM2ML", "cm2/ml", "Centimeter**2/milliliter"},
    {"MGMINML", "mg/min/ml", "Milligrams/minute/milliliter"},
    {"UMOLMINML", "umol/min/ml", "Micromole/minute/milliliter"},
    {"UMOLML", "umol/ml", "Micromole/milliliter"},
    {"MLMING", "ml/min/g", "Milliliter/minute/gram"},
    {"MLG", "ml/g", "Milliliter/gram"},
    {"1CM", "/cm", "/Centimeter"},
};

/// The term of a code; "" when CID 84 and C.8.9.1.1.3 do not share it.
constexpr std::string_view pet_term(std::string_view code) {
  for (const PetUnit& u : pet_unit_codes)
    if (code == u.code) return u.term;
  return {};
}

}  // namespace isocenter::detail::dicom
