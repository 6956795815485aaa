#include "deidentify.hpp"

#include <dcmtk/dcmdata/dcdeftag.h>
#include <dcmtk/dcmdata/dcelem.h>
#include <dcmtk/dcmdata/dcsequen.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <isocenter/error.hpp>
#include <string_view>

#include "blank_pixels.hpp"
#include "deidentification_table.hpp"
#include "keyed_hash.hpp"
#include "object_builder.hpp"
#include "uid.hpp"

namespace isocenter::detail::dicom {
namespace {

enum class Done { kept, removed, emptied, replaced, mapped, shifted, cleaned };
constexpr const char* done_names[] = {"kept",    "removed", "emptied", "replaced by a dummy", "mapped by the key",
                                      "shifted", "cleaned"};

bool has(const char* options, char letter) { return std::string_view(options).find(letter) != std::string_view::npos; }

std::string text_of(DcmElement& element) {
  OFString text;
  return element.getOFStringArray(text).good() ? std::string(text.c_str(), text.length()) : std::string();
}

/// A value that says nothing, of the attribute's representation; "" for those that are no text.
const char* dummy_text(DcmEVR vr) {
  switch (vr) {
    case EVR_PN:
      return "Anonymous";
    case EVR_DA:
      return "19000101";
    case EVR_DT:
      return "19000101000000";
    case EVR_TM:
      return "000000";
    case EVR_AS:
      return "000Y";
    case EVR_DS:
    case EVR_IS:
      return "0";
    case EVR_UR:
      return "urn:anonymous";
    case EVR_AE:
    case EVR_CS:
    case EVR_LO:
    case EVR_LT:
    case EVR_SH:
    case EVR_ST:
    case EVR_UC:
    case EVR_UT:
      return "ANONYMOUS";
    default:
      return "";
  }
}

class Deidentifier {
 public:
  Deidentifier(const DeidentificationOptions& o, DeidentificationRecord& record) : o_(o), record_(record) {}

  void whole(DcmDataset& dataset) {
    OFString id, name;
    dataset.findAndGetOFString(DCM_PatientID, id);
    dataset.findAndGetOFStringArray(DCM_PatientName, name);
    const std::string patient = id.empty() ? name.c_str() : id.c_str();
    const Digest digest = keyed_hash(o_.key, "patient:" + patient);
    char text[24];
    std::snprintf(text, sizeof text, "%02X%02X%02X%02X%02X%02X", digest[0], digest[1], digest[2], digest[3], digest[4],
                  digest[5]);
    pseudonym_ = text;
    // One to ten years back: no date falls into the future, none stays.
    days_ = -365 - static_cast<int>((static_cast<unsigned>(digest[6]) << 8U | digest[7]) % 3285);
    item(dataset);
    const ItemWriter object(dataset);
    object.text(DCM_PatientName, pseudonym_);
    object.text(DCM_PatientID, pseudonym_);
    state(object);
  }

 private:
  /// All elements of an item, those in its sequences too.
  void item(DcmItem& to, bool dummies = false) {
    std::vector<DcmTagKey> tags;
    for (unsigned long i = 0; i < to.card(); ++i) tags.push_back(to.getElement(i)->getTag());
    for (const DcmTagKey& tag : tags) {
      DcmElement* e = nullptr;
      if (to.findAndGetElement(tag, e).bad()) continue;
      if (tag.getGroup() % 2 != 0) {
        ++record_.private_attributes;
        remove(to, tag);
      } else if (is_removed_group(tag)) {
        note(tag, Done::removed);
        remove(to, tag);
      } else {
        element(to, *e, dummies);
      }
    }
  }

  static void remove(DcmItem& from, const DcmTagKey& tag) { from.findAndDeleteElement(tag); }

  /// Curves (50xx), overlay data and comments (60xx) with the planes they belong to, and padding.
  static bool is_removed_group(const DcmTagKey& tag) {
    return (tag.getGroup() & 0xFF00U) == 0x5000 || (tag.getGroup() & 0xFF00U) == 0x6000 ||
           tag == DCM_DataSetTrailingPadding;
  }

  void element(DcmItem& to, DcmElement& e, bool dummies) {
    const DcmTagKey tag = e.getTag();
    const ProfileRow* row = profile_row(static_cast<std::uint32_t>(tag.getGroup()) << 16U | tag.getElement());
    if (row == nullptr) {
      if (e.ident() == EVR_SQ)
        items_of(e, dummies);
      else if (dummies)
        dummy_leaf(to, e);
      return;
    }
    if (retained(to, e, *row)) return;
    switch (row->basic) {
      case ProfileAction::x:
        note(tag, Done::removed);
        remove(to, tag);
        break;
      case ProfileAction::z:
      case ProfileAction::xz:
        note(tag, Done::emptied);
        to.insertEmptyElement(tag, OFTrue);
        break;
      case ProfileAction::u:
        uid(to, e);
        break;
      case ProfileAction::xzu:
        note(tag, Done::cleaned);
        items_of(e, true);
        break;
      case ProfileAction::d:
      case ProfileAction::zd:
      case ProfileAction::xd:
      case ProfileAction::xzd:
        note(tag, Done::replaced);
        dummy(to, e);
        break;
    }
  }

  /// What an option does instead of the basic profile; false for none.
  bool retained(DcmItem& to, DcmElement& e, const ProfileRow& row) {
    const DcmTagKey tag = e.getTag();
    const bool keep = (has(row.options, 'u') && o_.retain_uids) || (has(row.options, 'v') && o_.retain_device) ||
                      (has(row.options, 'i') && o_.retain_institution) ||
                      (has(row.options, 'p') && o_.retain_patient_characteristics) ||
                      (has(row.options, 't') && o_.dates == DateRetention::keep);
    if (keep) {
      note(tag, Done::kept);
      if (e.ident() == EVR_SQ) items_of(e, false);
      return true;
    }
    if (has(row.options, 't') && o_.dates == DateRetention::shifted) return shift(to, e);
    const bool clean = (has(row.options, 'c') && o_.clean_descriptors) || (has(row.options, 'V') && o_.retain_device) ||
                       (has(row.options, 'P') && o_.retain_patient_characteristics);
    if (!clean || dummy_text(e.ident())[0] == '\0') return false;
    note(tag, Done::cleaned);
    const std::string text = cleaned_text(text_of(e));
    const bool needs_value = row.basic != ProfileAction::x && row.basic != ProfileAction::z;
    if (text.empty() && needs_value)
      put(to, tag, dummy_text(e.ident()));
    else if (text.empty())
      to.insertEmptyElement(tag, OFTrue);
    else
      put(to, tag, text);
    return true;
  }

  /// Times stay, dates move; a date that is none is removed or made a dummy as the basic profile does.
  bool shift(DcmItem& to, DcmElement& e) {
    const DcmTagKey tag = e.getTag();
    if (e.ident() == EVR_TM) {
      note(tag, Done::kept);
      return true;
    }
    if (e.ident() != EVR_DA && e.ident() != EVR_DT) return false;
    std::string all;
    const std::string text = text_of(e);
    for (std::size_t begin = 0; begin <= text.size();) {
      const std::size_t end = std::min(text.find('\\', begin), text.size());
      const std::string date = text.substr(begin, end - begin);
      const std::string moved = date.empty() ? date : shifted_date(date, days_);
      if (!date.empty() && moved.empty()) return false;
      all += (begin == 0 ? "" : "\\") + moved;
      begin = end + 1;
    }
    note(tag, Done::shifted);
    put(to, tag, all);
    return true;
  }

  void uid(DcmItem& to, DcmElement& e) {
    const std::string text = text_of(e);
    note(e.getTag(), Done::mapped);
    std::string all;
    for (std::size_t begin = 0; begin <= text.size();) {
      const std::size_t end = std::min(text.find('\\', begin), text.size());
      all += (begin == 0 ? "" : "\\") + mapped_uid(text.substr(begin, end - begin), o_.key);
      begin = end + 1;
    }
    put(to, e.getTag(), all);
  }

  void items_of(DcmElement& e, bool dummies) {
    auto& sequence = static_cast<DcmSequenceOfItems&>(e);
    for (unsigned long i = 0; i < sequence.card(); ++i) item(*sequence.getItem(i), dummies);
  }

  void dummy(DcmItem& to, DcmElement& e) {
    if (e.ident() == EVR_SQ)
      items_of(e, true);
    else
      dummy_leaf(to, e);
  }

  /// Texts, dates and bytes; codes (CS, and what a code sequence holds) and numbers in a structure are its skeleton and
  /// stay, where no row of the table names them.
  void dummy_leaf(DcmItem& to, DcmElement& e) {
    const DcmTagKey tag = e.getTag();
    const bool named = profile_row(static_cast<std::uint32_t>(tag.getGroup()) << 16U | tag.getElement()) != nullptr;
    const bool of_a_code = tag == DCM_CodeValue || tag == DCM_CodingSchemeDesignator || tag == DCM_CodeMeaning ||
                           tag == DCM_LongCodeValue || tag == DCM_URNCodeValue || tag == DCM_CodingSchemeVersion;
    if (e.ident() == EVR_UI) {
      uid(to, e);
      return;
    }
    const bool skeleton = e.ident() == EVR_CS || e.ident() == EVR_DS || e.ident() == EVR_IS || of_a_code;
    if (!named && skeleton) return;
    const char* text = dummy_text(e.ident());
    if (text[0] != '\0') {
      put(to, tag, text);
      return;
    }
    if (!named && e.ident() != EVR_UN && e.ident() != EVR_OB) return;
    const std::uint32_t length = e.getLength();
    if (e.ident() == EVR_OB || e.ident() == EVR_UN) {
      const std::vector<Uint8> zeros(std::max<std::uint32_t>(2, length == 0xFFFFFFFFU ? 2 : length), 0);
      to.putAndInsertUint8Array(tag, zeros.data(), static_cast<unsigned long>(zeros.size()));
    } else {
      to.insertEmptyElement(tag, OFTrue);
    }
  }

  static void put(DcmItem& to, const DcmTagKey& tag, const std::string& value) { ItemWriter(to).text(tag, value); }

  /// Attributes that say what was done: PS3.3 C.12.1.1 and PS3.16 CID 7050.
  void state(const ItemWriter& object) const {
    object.text(DCM_PatientIdentityRemoved, "YES");
    object.text(DCM_DeidentificationMethod, std::string("Isocenter, ") + profile_edition);
    object.item().findAndDeleteElement(DCM_DeidentificationMethodCodeSequence);
    const auto method = [&](const char* code, const char* meaning) {
      object.code(DCM_DeidentificationMethodCodeSequence, {code, "DCM", meaning});
    };
    method("113100", "Basic Application Confidentiality Profile");
    if (o_.clean_ultrasound || !o_.blank.empty()) method("113101", "Clean Pixel Data Option");
    if (o_.clean_descriptors) method("113105", "Clean Descriptors Option");
    if (o_.dates == DateRetention::keep) method("113106", "Retain Longitudinal Temporal Information Full Dates Option");
    if (o_.dates == DateRetention::shifted)
      method("113107", "Retain Longitudinal Temporal Information Modified Dates Option");
    if (o_.retain_patient_characteristics) method("113108", "Retain Patient Characteristics Option");
    if (o_.retain_device) method("113109", "Retain Device Identity Option");
    if (o_.retain_uids) method("113110", "Retain UIDs Option");
    if (o_.retain_institution) method("113112", "Retain Institution Identity Option");
    object.text(DCM_LongitudinalTemporalInformationModified, o_.dates == DateRetention::keep      ? "UNMODIFIED"
                                                             : o_.dates == DateRetention::shifted ? "MODIFIED"
                                                                                                  : "REMOVED");
  }

  void note(const DcmTagKey& tag, Done done) {
    DcmTag named(tag);
    char number[16];
    std::snprintf(number, sizeof number, " (%04x,%04x)", tag.getGroup(), tag.getElement());
    ++record_.attributes[named.getTagName() + std::string(number)][done_names[static_cast<int>(done)]];
  }

  const DeidentificationOptions& o_;
  DeidentificationRecord& record_;
  std::string pseudonym_;
  int days_ = 0;
};

/// Images that often show names: PS3.15 E.3.1.
void warn_of_burned_in_text(DcmDataset& dataset, bool blanked, DeidentificationRecord& record) {
  OFString burned, modality, uid;
  dataset.findAndGetOFString(DCM_BurnedInAnnotation, burned);
  dataset.findAndGetOFString(DCM_Modality, modality);
  const bool pixels = dataset.tagExists(DCM_PixelData);
  if (!pixels || blanked || burned == "NO") return;
  const bool risky = modality == "US" || modality == "SC" || modality == "OT" || modality == "XA" || modality == "RF" ||
                     modality == "ES" || modality == "XC";
  if (burned == "YES")
    record.warnings.emplace_back("BurnedInAnnotation (0028,0301) is YES: the pixels still show text");
  else if (risky)
    record.warnings.emplace_back("BurnedInAnnotation (0028,0301) is absent and Modality (0008,0060) is " +
                                 std::string(modality.c_str()) + ": the pixels may show the patient's name");
}

}  // namespace

void DeidentificationRecord::add(const DeidentificationRecord& other) {
  for (const auto& [attribute, actions] : other.attributes)
    for (const auto& [action, count] : actions) attributes[attribute][action] += count;
  private_attributes += other.private_attributes;
  warnings.insert(warnings.end(), other.warnings.begin(), other.warnings.end());
}

std::string mapped_uid(const std::string& uid, const std::string& key) {
  if (uid.empty() || uid.rfind("1.2.840.10008.", 0) == 0) return uid;
  return uid_of(keyed_hash(key, "uid:" + uid));
}

std::string shifted_date(const std::string& date, int days) {
  int y = 0, m = 0, d = 0, used = 0;
  if (std::sscanf(date.c_str(), "%4d%2d%2d%n", &y, &m, &d, &used) != 3 || used != 8) return {};
  using namespace std::chrono;
  const year_month_day day{year(y), month(static_cast<unsigned>(m)), std::chrono::day(static_cast<unsigned>(d))};
  if (!day.ok()) return {};
  const year_month_day moved{sys_days(day) + std::chrono::days(days)};
  char text[32];
  std::snprintf(text, sizeof text, "%04d%02u%02u", static_cast<int>(moved.year()) % 10000,
                static_cast<unsigned>(moved.month()), static_cast<unsigned>(moved.day()));
  return text + date.substr(8);
}

std::string cleaned_text(const std::string& text) {
  constexpr std::string_view harmless[] = {
      "2D",       "3D",      "4D",     "ABDOMEN",    "ADC",        "ANGIO",      "ANKLE",     "AORTA",     "ARTERIAL",
      "AXIAL",    "BODY",    "BOLD",   "BONE",       "BRAIN",      "BREAST",     "CARDIAC",   "CHEST",     "CONTRAST",
      "COR",      "CORONAL", "CT",     "CTA",        "DELAYED",    "DIFFUSION",  "DOSE",      "DWI",       "ELBOW",
      "EPI",      "FAT",     "FDG",    "FLAIR",      "FOOT",       "FUNCTIONAL", "GATED",     "HAND",      "HEAD",
      "HEART",    "HIP",     "KIDNEY", "KNEE",       "LEFT",       "LIVER",      "LOCALIZER", "LOCALISER", "LUNG",
      "MIP",      "MPR",     "MPRAGE", "MR",         "MRA",        "MRI",        "NECK",      "PELVIS",    "PERFUSION",
      "PET",      "PHASE",   "PORTAL", "POST",       "PRE",        "PROSTATE",   "RECON",     "RIGHT",     "SAG",
      "SAGITTAL", "SCAN",    "SCOUT",  "SERIES",     "SHOULDER",   "SOFT",       "SPINE",     "STANDARD",  "STIR",
      "STUDY",    "SUV",     "SWI",    "T1",         "T1W",        "T2",         "T2W",       "THIN",      "THORAX",
      "TISSUE",   "TOF",     "TRA",    "TRANSVERSE", "ULTRASOUND", "US",         "VENOUS",    "VESSEL",    "WHOLE",
      "WITH",     "WITHOUT", "WRIST"};
  std::string kept;
  for (std::size_t begin = 0; begin < text.size();) {
    const auto separates = [](char c) { return !std::isalnum(static_cast<unsigned char>(c)) && (c & 0x80) == 0; };
    std::size_t end = begin;
    while (end < text.size() && !separates(text[end])) ++end;
    std::string word = text.substr(begin, end - begin);
    std::string upper = word;
    for (char& c : upper) c = static_cast<char>(c >= 'a' && c <= 'z' ? c - 32 : c);
    if (std::find(std::begin(harmless), std::end(harmless), upper) != std::end(harmless))
      kept += (kept.empty() ? "" : " ") + word;
    begin = end + 1;
  }
  return kept;
}

std::string deidentify(DcmDataset& dataset, const DeidentificationOptions& options, DeidentificationRecord& record) {
  if (dataset.tagExists(DCM_EncapsulatedDocument))
    throw Failure(ErrorCode::unsupported,
                  "EncapsulatedDocument (0042,0011) holds a document whose contents cannot be looked into",
                  "leave the object out, or clean the document by hand");
  const bool blanked = blank_pixels(dataset, options.clean_ultrasound, options.blank);
  warn_of_burned_in_text(dataset, blanked, record);
  Deidentifier(options, record).whole(dataset);
  if (blanked) ItemWriter(dataset).text(DCM_BurnedInAnnotation, "NO");
  OFString uid;
  dataset.findAndGetOFString(DCM_SOPInstanceUID, uid);
  return uid.c_str();
}

}  // namespace isocenter::detail::dicom
