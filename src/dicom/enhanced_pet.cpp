#include "enhanced_pet.hpp"

#include <dcmtk/dcmdata/dcvrcs.h>
#include <dcmtk/dcmdata/dcvrdt.h>

#include <algorithm>
#include <cmath>
#include <isocenter/error.hpp>

#include "context.hpp"
#include "dataset_values.hpp"
#include "pet_units.hpp"
#include "write_series.hpp"

namespace isocenter::detail::dicom {
namespace {

std::string name_of(const DcmTagKey& tag) {
  DcmTag named(tag);
  return text(Attribute{tag.getGroup(), tag.getElement(), named.getTagName()});
}

std::string value_of(DcmItem& item, const DcmTagKey& tag) {
  return text_value(item, Attribute{tag.getGroup(), tag.getElement(), ""});
}

/// Attributes that may be stated because classic images have no place for them, or often leave them out.
struct Statement {
  DcmTagKey tag;
  enum Kind { term, code, positive, fraction, text, moment, series } kind;
  bool of_drug;  ///< in the item of RadiopharmaceuticalInformationSequence
  const char* example;
  const char* terms = "";  ///< enumerated values, separated by spaces
};

const Statement statements[] = {
    {DCM_TableMotion, Statement::term, false, "STATIC", "STATIC DYNAMIC"},
    {DCM_TimeOfFlightInformationUsed, Statement::term, false, "TRUE", "TRUE FALSE"},
    {DCM_ViewCodeSequence, Statement::code, false, "103340004^SCT^Short axis"},
    {DCM_SliceProgressionDirection, Statement::term, false, "APEX_TO_BASE", "APEX_TO_BASE BASE_TO_APEX"},
    {DCM_CountsSource, Statement::term, false, "EMISSION", "EMISSION TRANSMISSION"},
    {DCM_RandomsCorrectionMethod, Statement::term, false, "DLYD"},
    {DCM_AttenuationCorrectionSource, Statement::term, false, "CT"},
    {DCM_AttenuationCorrectionTemporalRelationship, Statement::term, false, "SEPARATE"},
    {DCM_ScatterCorrectionMethod, Statement::text, false, "single scatter simulation"},
    {DCM_DecayCorrectionDateTime, Statement::moment, false, "20260310114000"},
    {DCM_SensitivityCalibrated, Statement::term, false, "YES", "YES NO"},
    {DCM_RelatedSeriesSequence, Statement::series, false, "1.2.840.99.7 (the SeriesInstanceUID of the CT)"},
    {DCM_RadionuclideCodeSequence, Statement::code, true, "77004003^SCT^^18^Fluorine"},
    {DCM_RadiopharmaceuticalCodeSequence, Statement::code, true, "35321007^SCT^Fluorodeoxyglucose F^18^"},
    {DCM_AdministrationRouteCodeSequence, Statement::code, true, "47625008^SCT^Intravenous route"},
    {DCM_RadiopharmaceuticalStartDateTime, Statement::moment, true, "20260310100000"},
    {DCM_RadionuclideHalfLife, Statement::positive, true, "6586.2"},
    {DCM_RadionuclidePositronFraction, Statement::fraction, true, "0.967"},
};

const Statement* statement_of(const DcmTagKey& tag) {
  for (const Statement& s : statements)
    if (s.tag == tag) return &s;
  return nullptr;
}

[[noreturn]] void refuse(const DcmTagKey& tag, const char* section, const std::string& why = {}) {
  const Statement* const s = statement_of(tag);
  throw Failure(ErrorCode::unsupported,
                name_of(tag) + (why.empty() ? std::string(" is not in the PET source") : why) + ", and PS3.3 " +
                    section + " requires it of an Enhanced PET object",
                (s == nullptr ? std::string()
                              : std::string("state it in 'acquisition', for example ") + DcmTag(tag).getTagName() +
                                    " = " + s->example + ", or ") +
                    "set form = legacy_converted or classic");
}

[[noreturn]] void unreadable(const std::string& entry, const std::string& why) {
  throw Failure(ErrorCode::invalid_argument, "acquisition = '" + entry + "' " + why,
                "write for example TableMotion = STATIC; AdministrationRouteCodeSequence = "
                "47625008^SCT^Intravenous route");
}

/// "value^scheme^meaning"; a meaning may hold carets of its own (^18^Fluorine).
Code code_in(const std::string& value, const std::string& entry) {
  const std::size_t first = value.find('^'), second = first == std::string::npos ? first : value.find('^', first + 1);
  if (second == std::string::npos) unreadable(entry, "has no code of the form value^scheme^meaning");
  Code code{value.substr(0, first), value.substr(first + 1, second - first - 1), value.substr(second + 1)};
  if (code.value.empty() || code.value.size() > 16 || code.scheme.empty() || code.scheme.size() > 16 ||
      code.meaning.empty() || code.meaning.size() > 64)
    unreadable(entry, "has no code of the form value^scheme^meaning, with at most 16, 16 and 64 characters");
  return code;
}

void put(const ItemWriter& to, const Statement& s, const std::string& value, const std::string& entry,
         const std::string& study_uid) {
  switch (s.kind) {
    case Statement::code:
      return to.code(s.tag, code_in(value, entry));
    case Statement::positive:
    case Statement::fraction: {
      const auto number = parse_number(value);
      if (!number || !(*number > 0) || (s.kind == Statement::fraction && *number > 1))
        unreadable(entry,
                   s.kind == Statement::fraction ? "is no number above 0 and at most 1" : "is no number above 0");
      return to.decimals(s.tag, {*number});
    }
    case Statement::moment:
      if (DcmDateTime::checkStringValue(value.c_str(), "1").bad() || value.size() < 14)
        unreadable(entry, "is no date and time of the form YYYYMMDDHHMMSS");
      break;
    case Statement::series: {
      if (value.size() > 64 || value.find_first_not_of("0123456789.") != std::string::npos)
        unreadable(entry, "is no SeriesInstanceUID");
      const ItemWriter related = to.item(s.tag);
      related.text(DCM_StudyInstanceUID, study_uid);
      related.text(DCM_SeriesInstanceUID, value);
      related.code(DCM_PurposeOfReferenceCodeSequence, {"122403", "DCM", "For Attenuation Correction"});
      return;
    }
    case Statement::term:
      if (DcmCodeString::checkStringValue(value.c_str(), "1").bad() ||
          (*s.terms != 0 && (" " + std::string(s.terms) + " ").find(" " + value + " ") == std::string::npos))
        unreadable(entry, *s.terms == 0 ? std::string("is no code string (upper case, at most 16 characters)")
                                        : std::string("has none of the values ") + s.terms);
      break;
    case Statement::text:
      if (value.size() > 64 || value.find('\\') != std::string::npos)
        unreadable(entry, "is no text of at most 64 characters without a backslash");
  }
  to.text(s.tag, value);
}

bool was_corrected(DcmItem& known, const char* term) {
  const std::vector<std::string> applied = split_values(value_of(known, DCM_CorrectedImage));
  return std::find(applied.begin(), applied.end(), term) != applied.end();
}

/// Adds what was stated to what the source says.
void apply_statements(DcmItem& known, const EnhancedPet& pet) {
  const std::string_view all = pet.statements;
  for (std::size_t begin = 0; begin < all.size();) {
    const std::size_t end = std::min(all.find(';', begin), all.size());
    const std::string entry(trimmed(all.substr(begin, end - begin)));
    begin = end + 1;
    if (entry.empty()) continue;
    const std::size_t equals = entry.find('=');
    const std::string keyword(trimmed(std::string_view(entry).substr(0, equals)));
    const std::string value(equals == std::string::npos ? "" : trimmed(std::string_view(entry).substr(equals + 1)));
    const auto s = std::find_if(std::begin(statements), std::end(statements),
                                [&](const Statement& i) { return keyword == DcmTag(i.tag).getTagName(); });
    const bool ascii = std::all_of(value.begin(), value.end(), [](char c) { return c >= ' ' && c <= '~'; });
    if (!ascii) unreadable(entry, "holds characters beyond printable ASCII");
    if (s == std::end(statements) || value.empty()) {
      std::string keywords;
      for (const Statement& i : statements)
        keywords += (keywords.empty() ? "" : ", ") + std::string(DcmTag(i.tag).getTagName());
      unreadable(entry, "is not of the form Keyword = value with one of " + keywords);
    }
    DcmItem* item = &known;
    if (s->of_drug) {
      if (sequence_item(known, DCM_RadiopharmaceuticalInformationSequence, 1) != nullptr)
        unreadable(entry, "cannot be stated for several radiopharmaceuticals");
      item = sequence_item(known, DCM_RadiopharmaceuticalInformationSequence);
      if (item == nullptr) item = &ItemWriter(known).item(DCM_RadiopharmaceuticalInformationSequence).item();
    }
    // The view is that of the new slices, whatever the source's was.
    if (item->tagExistsWithValue(s->tag) && s->tag != DCM_ViewCodeSequence)
      unreadable(entry, "is stated, and the source or an earlier statement has " + name_of(s->tag));
    if (s->tag == DCM_SensitivityCalibrated && was_corrected(known, "DCAL"))
      unreadable(entry, "is stated, and the source's " + name_of(DCM_CorrectedImage) + " lists DCAL");
    item->findAndDeleteElement(s->tag);
    put(ItemWriter(*item), *s, value, entry, pet.study_uid);
  }
}

void copy(DcmItem& from, DcmItem& to, const DcmTagKey& tag) {
  DcmElement* element = nullptr;
  if (from.findAndGetElement(tag, element).good() && element != nullptr)
    to.insert(static_cast<DcmElement*>(element->clone()), OFTrue);
}

void copy_required(DcmItem& known, const ItemWriter& to, const DcmTagKey& tag, const char* section) {
  if (!known.tagExistsWithValue(tag)) refuse(tag, section);
  copy(known, to.item(), tag);
}

/// PS3.3 C.8.22.4, and what each frame shows of it.
void add_isotope(DcmItem& known, const ItemWriter& object, const ItemWriter& shared) {
  constexpr const char* section = "C.8.22.4";
  for (unsigned long i = 0;; ++i) {
    DcmItem* const drug = sequence_item(known, DCM_RadiopharmaceuticalInformationSequence, i);
    if (drug == nullptr && i == 0) refuse(DCM_RadiopharmaceuticalInformationSequence, section);
    if (drug == nullptr) return;
    const ItemWriter item = object.item(DCM_RadiopharmaceuticalInformationSequence);
    for (unsigned long k = 0; k < drug->card(); ++k)
      item.item().insert(static_cast<DcmElement*>(drug->getElement(k)->clone()), OFTrue);
    for (const DcmTagKey& tag :
         {DCM_RadionuclideCodeSequence, DCM_AdministrationRouteCodeSequence, DCM_RadiopharmaceuticalCodeSequence,
          DCM_RadionuclideHalfLife, DCM_RadionuclidePositronFraction, DCM_RadiopharmaceuticalStartDateTime})
      if (!drug->tagExistsWithValue(tag)) refuse(tag, section);
    item.empty_unless_there(DCM_RadionuclideTotalDose);
    item.u16(DCM_RadiopharmaceuticalAgentNumber, static_cast<int>(i) + 1);
    shared.item(DCM_RadiopharmaceuticalUsageSequence).u16(DCM_RadiopharmaceuticalAgentNumber, static_cast<int>(i) + 1);
  }
}

/// A date and a time as one value that compares as text; "" when one is missing.
std::string moment_of(DcmItem& item, const DcmTagKey& date, const DcmTagKey& time) {
  const std::string d = value_of(item, date), t = value_of(item, time);
  return d.size() == 8 && t.size() >= 6 ? d + t : std::string();
}

/// When the scan began: SeriesDate and SeriesTime, where the acquisition's show that they are not those of a later
/// processing; "" when unknown.
std::string scan_start(DcmItem& known) {
  const std::string series = moment_of(known, DCM_SeriesDate, DCM_SeriesTime);
  const std::string acquisition = moment_of(known, DCM_AcquisitionDate, DCM_AcquisitionTime);
  return !acquisition.empty() && series.substr(0, 14) <= acquisition.substr(0, 14) ? series : std::string();
}

/// A time without a date is that of the scan's day only where a day is many half lives: at 4 h a sixty-fourth is left
/// after one. Zr-89 (78.4 h) and I-124 (4.18 d) are imaged days after the injection.
bool injected_on_day_of_scan(DcmItem& drug) {
  const auto half_life_s = parse_number(value_of(drug, DCM_RadionuclideHalfLife));
  return half_life_s && *half_life_s > 0 && *half_life_s <= 4 * 3600;
}

/// The moments that classic images tell in parts.
void complete_moments(DcmItem& known) {
  const std::string start = scan_start(known);
  DcmItem* const drug = sequence_item(known, DCM_RadiopharmaceuticalInformationSequence);
  if (drug != nullptr && !drug->tagExistsWithValue(DCM_RadiopharmaceuticalStartDateTime)) {
    const std::string time = value_of(*drug, DCM_RadiopharmaceuticalStartTime);
    const bool same_day = injected_on_day_of_scan(*drug);
    if (same_day && time.size() >= 6 && !start.empty() && start.substr(0, 8) + time.substr(0, 6) <= start.substr(0, 14))
      ItemWriter(*drug).text(DCM_RadiopharmaceuticalStartDateTime, start.substr(0, 8) + time);
  }
  if (known.tagExistsWithValue(DCM_DecayCorrectionDateTime)) return;
  const std::string correction = value_of(known, DCM_DecayCorrection);
  const std::string injection = drug == nullptr ? "" : value_of(*drug, DCM_RadiopharmaceuticalStartDateTime);
  const std::string moment = correction == "ADMIN" ? injection : correction == "START" ? start : std::string();
  if (!moment.empty()) ItemWriter(known).text(DCM_DecayCorrectionDateTime, moment);
}

/// PS3.16 CID 26, for slices within 10 degrees of the patient's axes; no value for others.
Code view_of(Vec3 normal) {
  constexpr double cosine_of_10_deg = 0.984807753;
  if (std::fabs(normal.z) > cosine_of_10_deg) return {"62824007", "SCT", "Transverse"};
  if (std::fabs(normal.y) > cosine_of_10_deg) return {"81654009", "SCT", "Coronal"};
  if (std::fabs(normal.x) > cosine_of_10_deg) return {"30730003", "SCT", "Sagittal"};
  return {};
}

/// PS3.3 C.8.22.2.
void add_acquisition(DcmItem& known, const ItemWriter& object, const EnhancedPet& pet) {
  constexpr const char* section = "C.8.22.2";
  copy_required(known, object, DCM_TableMotion, section);
  copy_required(known, object, DCM_TimeOfFlightInformationUsed, section);
  const bool view_stated = pet.statements.find("ViewCodeSequence") != std::string::npos;
  const bool parallel = std::fabs(dot(pet.normal, pet.source_normal)) > 0.999;
  const Code view = view_of(pet.normal);
  if (known.tagExistsWithValue(DCM_ViewCodeSequence) && (view_stated || parallel))
    copy(known, object.item(), DCM_ViewCodeSequence);
  else if (!view.value.empty())
    object.code(DCM_ViewCodeSequence, view);
  else
    refuse(DCM_ViewCodeSequence, section, " does not follow from oblique slices");
  DcmItem* const item = sequence_item(object.item(), DCM_ViewCodeSequence);
  if (value_of(*item, DCM_CodeValue) == "103340004")  // short axis
    copy_required(known, object, DCM_SliceProgressionDirection, section);
}

struct Correction {
  const char* term;  ///< in CorrectedImage (0028,0051), PS3.3 C.8.9.1.1.4
  DcmTagKey flag;
  DcmTagKey needed[2];  ///< where it is YES
};
const Correction corrections[] = {
    {"DECY", DCM_DecayCorrected, {DCM_DecayCorrectionDateTime, DCM_UndefinedTagKey}},
    {"ATTN",
     DCM_AttenuationCorrected,
     {DCM_AttenuationCorrectionSource, DCM_AttenuationCorrectionTemporalRelationship}},
    {"SCAT", DCM_ScatterCorrected, {DCM_ScatterCorrectionMethod, DCM_UndefinedTagKey}},
    {"DTIM", DCM_DeadTimeCorrected, {DCM_UndefinedTagKey, DCM_UndefinedTagKey}},
    {"MOTN", DCM_GantryMotionCorrected, {DCM_UndefinedTagKey, DCM_UndefinedTagKey}},
    {"PMOT", DCM_PatientMotionCorrected, {DCM_UndefinedTagKey, DCM_UndefinedTagKey}},
    {"CLN", DCM_CountLossNormalizationCorrected, {DCM_UndefinedTagKey, DCM_UndefinedTagKey}},
    {"RAN", DCM_RandomsCorrected, {DCM_RandomsCorrectionMethod, DCM_UndefinedTagKey}},
    {"RADL", DCM_NonUniformRadialSamplingCorrected, {DCM_UndefinedTagKey, DCM_UndefinedTagKey}},
    {"DCAL", DCM_SensitivityCalibrated, {DCM_UndefinedTagKey, DCM_UndefinedTagKey}},
    {"NORM", DCM_DetectorNormalizationCorrection, {DCM_UndefinedTagKey, DCM_UndefinedTagKey}},
};

/// PS3.3 C.8.22.6.
void add_corrections(DcmItem& known, const ItemWriter& object, const EnhancedPet& pet) {
  constexpr const char* section = "C.8.22.6";
  copy_required(known, object, DCM_CountsSource, section);
  for (const Correction& c : corrections) {
    if (!known.tagExistsWithValue(c.flag)) {
      if (!known.tagExistsWithValue(DCM_CorrectedImage)) refuse(DCM_CorrectedImage, section);
      const bool yes = was_corrected(known, c.term);
      // Values in Bq/ml were calibrated somehow, whatever the list leaves out: not for us to say.
      if (!yes && c.flag == DCM_SensitivityCalibrated && pet_units(pet.unit) == "BQML")
        refuse(c.flag, section,
               " does not follow from values in BQML whose " + name_of(DCM_CorrectedImage) + " lacks DCAL");
      ItemWriter(known).text(c.flag, yes ? "YES" : "NO");
    }
    copy(known, object.item(), c.flag);
    if (value_of(known, c.flag) != "YES") continue;
    for (const DcmTagKey& tag : c.needed)
      if (tag != DCM_UndefinedTagKey) copy_required(known, object, tag, section);
  }
  // "Required if another Series was used to perform attenuation correction": C.8.22.1.
  const std::string by = value_of(known, DCM_AttenuationCorrectionSource);
  copy(known, object.item(), DCM_RelatedSeriesSequence);
  if (value_of(known, DCM_AttenuationCorrected) == "YES" && (by == "CT" || by == "MR") &&
      !known.tagExistsWithValue(DCM_RelatedSeriesSequence))
    refuse(DCM_RelatedSeriesSequence, "C.8.22.1");
}

/// The modules of synchronisation speak of the whole acquisition, which is not carried.
void refuse_gated(DcmItem& known) {
  const std::string series = value_of(known, DCM_SeriesType);
  const std::string cardiac = value_of(known, DCM_CardiacSynchronizationTechnique);
  const std::string breathing = value_of(known, DCM_RespiratoryMotionCompensationTechnique);
  const std::string why = series.rfind("GATED", 0) == 0 ? name_of(DCM_SeriesType) + " = " + series
                          : !cardiac.empty() && cardiac != "NONE"
                              ? name_of(DCM_CardiacSynchronizationTechnique) + " = " + cardiac
                          : !breathing.empty() && breathing != "NONE"
                              ? name_of(DCM_RespiratoryMotionCompensationTechnique) + " = " + breathing
                              : std::string();
  if (why.empty()) return;
  throw Failure(ErrorCode::unsupported,
                why +
                    " of the PET source: an Enhanced PET object would need its modules of synchronisation "
                    "(PS3.3 C.7.6.18), which are not written",
                "set form = legacy_converted or classic");
}

}  // namespace

void add_enhanced_pet(const ItemWriter& object, const ItemWriter& shared, DcmItem& context, const EnhancedPet& pet) {
  DcmDataset known;
  copy_context(context, known, pet_acquisition | enhanced_pet);
  refuse_gated(known);
  apply_statements(known, pet);
  complete_moments(known);
  add_isotope(known, object, shared);
  add_acquisition(known, object, pet);
  add_corrections(known, object, pet);
}

void add_pet_values(const ItemWriter& shared, const Quantisation& q, const std::string& unit) {
  const int low = q.is_signed ? -32768 : 0, high = q.is_signed ? 32767 : 65535;
  const ItemWriter window = shared.item(DCM_FrameVOILUTSequence);
  window.decimals(DCM_WindowCenter, {q.intercept + q.slope * 0.5 * (low + high)});
  window.decimals(DCM_WindowWidth, {q.slope * (high - low)});
  const ItemWriter real = shared.item(DCM_RealWorldValueMappingSequence);
  for (const auto& [tag, value] :
       {std::pair{DCM_RealWorldValueFirstValueMapped, low}, std::pair{DCM_RealWorldValueLastValueMapped, high}}) {
    if (q.is_signed)
      real.item().putAndInsertSint16(DcmTag(tag, EVR_SS), static_cast<Sint16>(value));
    else
      real.item().putAndInsertUint16(DcmTag(tag, EVR_US), static_cast<Uint16>(value));
  }
  real.item().putAndInsertFloat64(DCM_RealWorldValueIntercept, q.intercept);
  real.item().putAndInsertFloat64(DCM_RealWorldValueSlope, q.slope);
  const std::string term = pet_units(unit);
  for (const PetUnit& u : pet_unit_codes) {
    if (term != u.term) continue;
    real.text(DCM_LUTExplanation, u.meaning);
    real.text(DCM_LUTLabel, u.term);
    real.code(DCM_MeasurementUnitsCodeSequence, {u.code, "UCUM", u.meaning});
    return;
  }
  throw Failure(ErrorCode::unsupported,
                "the values' unit '" + unit +
                    "' has no code in PS3.16 CID 84, which PS3.3 A.56 requires of an Enhanced "
                    "PET object",
                "convert them to Bq/ml or g/ml, or set form = legacy_converted or classic");
}

}  // namespace isocenter::detail::dicom
