#include "object_builder.hpp"

#include <dcmtk/dcmdata/dcvrul.h>

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <isocenter/error.hpp>
#include <memory>
#include <string_view>

#include "character_set.hpp"
#include "context.hpp"
#include "uid.hpp"

namespace isocenter::detail::dicom {
namespace {

void check(const OFCondition& status, const DcmTagKey& tag) {
  if (status.good()) return;
  DcmTag named(tag);
  throw Failure(ErrorCode::internal,
                std::string("DCMTK does not take a value for ") + named.getTagName() + ": " + status.text(),
                "report this with the input");
}

bool ascii(const std::string& s) {
  return std::all_of(s.begin(), s.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

/// Pieces of at most `limit` characters, cut between UTF-8 sequences.
std::vector<std::string> pieces(const std::string& text, std::size_t limit) {
  std::vector<std::string> all(1);
  std::size_t characters = 0;
  for (const char c : text) {
    const bool begins = (static_cast<unsigned char>(c) & 0xC0U) != 0x80U;
    if (begins && characters == limit) {
      all.emplace_back();
      characters = 0;
    }
    characters += begins;
    all.back() += c;
  }
  return all;
}

void add_source_equipment(DcmItem& context, const ItemWriter& object) {
  OFString manufacturer;
  if (context.findAndGetOFString(DCM_Manufacturer, manufacturer).bad() || manufacturer.empty()) return;
  const ItemWriter item = object.item(DCM_ContributingEquipmentSequence);
  item.code(DCM_PurposeOfReferenceCodeSequence, {"109101", "DCM", "Acquisition Equipment"});
  copy_context(context, item.item(), source_equipment);
}

void add_own_equipment(const ItemWriter& object, const OutputDescription& d, const DateTime& when) {
  const std::vector<std::string> parts = pieces(d.provenance, 1024);  // ST
  for (const std::string& part : parts) {
    const ItemWriter item = object.item(DCM_ContributingEquipmentSequence);
    item.code(DCM_PurposeOfReferenceCodeSequence, {"109102", "DCM", "Processing Equipment"});
    item.text(DCM_Manufacturer, "Isocenter");
    item.text(DCM_ManufacturerModelName, "Isocenter SDK");
    item.text(DCM_SoftwareVersions, d.equipment.software_version);
    item.text(DCM_ContributionDateTime, when.date + when.time);
    if (!part.empty()) item.text(DCM_ContributionDescription, part);
  }
}

/// Laterality (0020,0060) is type 2C: absent for a body part that is not one of a pair, at least empty otherwise
/// (PS3.3 C.7.3.1). The names are those of PS3.16 annex L.
void settle_laterality(DcmItem& dataset) {
  constexpr std::string_view unpaired[] = {"ABDOMEN",
                                           "ABDOMENPELVIS",
                                           "AORTA",
                                           "BACK",
                                           "BLADDER",
                                           "BRAIN",
                                           "CEREBELLUM",
                                           "CERVIX",
                                           "CHEST",
                                           "CHESTABDOMEN",
                                           "CHESTABDPELVIS",
                                           "COCCYX",
                                           "COLON",
                                           "CSPINE",
                                           "CTSPINE",
                                           "DUODENUM",
                                           "ESOPHAGUS",
                                           "FACE",
                                           "GALLBLADDER",
                                           "HEAD",
                                           "HEADNECK",
                                           "HEART",
                                           "ILEUM",
                                           "JAW",
                                           "JEJUNUM",
                                           "LARYNX",
                                           "LIVER",
                                           "LSPINE",
                                           "LSSPINE",
                                           "MEDIASTINUM",
                                           "MOUTH",
                                           "NECK",
                                           "NECKCHEST",
                                           "NECKCHESTABDOMEN",
                                           "NECKCHESTABDPELV",
                                           "NOSE",
                                           "PANCREAS",
                                           "PELVIS",
                                           "PENIS",
                                           "PHARYNX",
                                           "PROSTATE",
                                           "RECTUM",
                                           "SKULL",
                                           "SPINE",
                                           "SPLEEN",
                                           "SSPINE",
                                           "STERNUM",
                                           "STOMACH",
                                           "THYMUS",
                                           "THYROID",
                                           "TLSPINE",
                                           "TONGUE",
                                           "TRACHEA",
                                           "TSPINE",
                                           "UTERUS",
                                           "VAGINA",
                                           "WHOLEBODY"};
  if (dataset.tagExistsWithValue(DCM_Laterality)) return;
  OFString part;
  dataset.findAndGetOFString(DCM_BodyPartExamined, part);
  dataset.findAndDeleteElement(DCM_Laterality);
  const std::string_view name(part.c_str(), part.length());
  if (std::find(std::begin(unpaired), std::end(unpaired), name) == std::end(unpaired))
    check(dataset.insertEmptyElement(DCM_Laterality), DCM_Laterality);
}

}  // namespace

void ItemWriter::text(const DcmTagKey& tag, const std::string& value) const {
  check(item_.putAndInsertString(tag, value.c_str()), tag);
}

void ItemWriter::u16(const DcmTagKey& tag, int value) const {
  check(item_.putAndInsertUint16(tag, static_cast<Uint16>(value)), tag);
}

void ItemWriter::u16s(const DcmTagKey& tag, const std::vector<int>& values) const {
  std::vector<Uint16> words(values.begin(), values.end());
  check(item_.putAndInsertUint16Array(tag, words.data(), static_cast<unsigned long>(words.size())), tag);
}

void ItemWriter::u32s(const DcmTagKey& tag, const std::vector<unsigned>& values) const {
  const std::vector<Uint32> words(values.begin(), values.end());
  auto element = std::make_unique<DcmUnsignedLong>(tag);
  check(element->putUint32Array(words.data(), static_cast<unsigned long>(words.size())), tag);
  check(item_.insert(element.get(), OFTrue), tag);
  static_cast<void>(element.release());  // the item owns it now
}

void ItemWriter::decimals(const DcmTagKey& tag, const std::vector<double>& values) const {
  std::string all;
  for (const double v : values) all += (all.empty() ? "" : "\\") + decimal_string(v);
  text(tag, all);
}

void ItemWriter::code(const DcmTagKey& sequence, const Code& code) const {
  const ItemWriter entry = item(sequence);
  entry.text(DCM_CodeValue, code.value);
  entry.text(DCM_CodingSchemeDesignator, code.scheme);
  entry.text(DCM_CodeMeaning, code.meaning);
}

ItemWriter ItemWriter::item(const DcmTagKey& sequence) const {
  DcmItem* made = nullptr;
  check(item_.findOrCreateSequenceItem(sequence, made, -2), sequence);  // -2: append
  return ItemWriter(*made);
}

void ItemWriter::empty_unless_there(const DcmTagKey& tag) const {
  if (!item_.tagExists(tag)) check(item_.insertEmptyElement(tag), tag);
}

void ItemWriter::empty_sequence(const DcmTagKey& tag) const { check(item_.insertEmptyElement(tag), tag); }

std::string decimal_string(double value) {
  char text[64];
  for (int digits = 16; digits > 0; --digits) {
    if (std::snprintf(text, sizeof text, "%.*g", digits, value) <= 16) break;
  }
  return text[0] == '-' && text[1] == '0' && text[2] == '\0' ? "0" : text;
}

DateTime now(const std::string& zone) {
  std::time_t t = std::time(nullptr);
  std::tm parts{};
  int hours = 0, minutes = 0;
  char sign = '+';
  if (std::sscanf(zone.c_str(), "%c%2d%2d", &sign, &hours, &minutes) == 3) {
    t += (sign == '-' ? -1 : 1) * (hours * 60 + minutes) * 60;
    gmtime_r(&t, &parts);
  } else {
    localtime_r(&t, &parts);
  }
  char date[16], time[16];
  std::strftime(date, sizeof date, "%Y%m%d", &parts);
  std::strftime(time, sizeof time, "%H%M%S", &parts);
  return {date, time};
}

void add_common_modules(DcmDataset& dataset, const SourceMetadata& source, const OutputDescription& d,
                        const std::string& modality, const std::string& sop_class_uid, const std::string& series_uid,
                        unsigned context_parts, const std::vector<std::string>& texts) {
  DcmDataset context;
  from_bytes(source.context, context);
  const bool plain = ascii(d.provenance) && ascii(d.series_description) && ascii(d.derivation_description) &&
                     ascii(d.equipment.manufacturer) && ascii(d.equipment.model_name) &&
                     std::all_of(texts.begin(), texts.end(), ascii);
  if (!plain) {
    if (!to_utf8(context))
      throw Failure(ErrorCode::unsupported,
                    "text that is not ASCII cannot stand beside the source's text, which cannot be turned from its "
                    "SpecificCharacterSet (0008,0005) to UTF-8",
                    "use ASCII text in descriptions and labels");
    context.putAndInsertString(DCM_SpecificCharacterSet, "ISO_IR 192");
  }
  copy_context(context, dataset, patient_and_study | context_parts);

  const ItemWriter object(dataset);
  for (const DcmTagKey& tag : {DCM_PatientName, DCM_PatientID, DCM_PatientBirthDate, DCM_PatientSex, DCM_StudyDate,
                               DCM_StudyTime, DCM_ReferringPhysicianName, DCM_StudyID, DCM_AccessionNumber})
    object.empty_unless_there(tag);
  if (!dataset.tagExistsWithValue(DCM_StudyInstanceUID)) object.text(DCM_StudyInstanceUID, new_uid());

  OFString zone;
  dataset.findAndGetOFString(DCM_TimezoneOffsetFromUTC, zone);
  const DateTime when = now(zone.c_str());
  object.text(DCM_Modality, modality);
  object.text(DCM_SeriesInstanceUID, series_uid);
  object.text(DCM_SeriesNumber, std::to_string(d.series_number));
  object.text(DCM_SeriesDate, when.date);
  object.text(DCM_SeriesTime, when.time);
  if (!d.series_description.empty()) object.text(DCM_SeriesDescription, d.series_description);

  if (modality != "SEG") settle_laterality(dataset);

  object.text(DCM_Manufacturer, d.equipment.manufacturer);
  object.text(DCM_ManufacturerModelName, d.equipment.model_name);
  object.text(DCM_DeviceSerialNumber, d.equipment.device_serial_number);
  object.text(DCM_SoftwareVersions, d.equipment.software_version);
  add_source_equipment(context, object);
  add_own_equipment(object, d, when);

  object.text(DCM_SOPClassUID, sop_class_uid);
  object.text(DCM_InstanceCreationDate, when.date);
  object.text(DCM_InstanceCreationTime, when.time);
  object.text(DCM_ContentDate, when.date);
  object.text(DCM_ContentTime, when.time);
}

void add_derivation(const ItemWriter& to, const OutputDescription& d) {
  if (!d.derivation_description.empty()) to.text(DCM_DerivationDescription, d.derivation_description);
  if (!d.derivation.value.empty()) to.code(DCM_DerivationCodeSequence, d.derivation);
}

void add_source_images(const ItemWriter& to, const SourceMetadata& source, const std::vector<int>& slices) {
  for (const int i : slices) {
    const SourceSlice& s = source.slices[static_cast<std::size_t>(i)];
    const ItemWriter image = to.item(DCM_SourceImageSequence);
    image.text(DCM_ReferencedSOPClassUID, source.sop_class_uid);
    image.text(DCM_ReferencedSOPInstanceUID, s.sop_instance_uid);
    if (s.frame_number > 0) image.text(DCM_ReferencedFrameNumber, std::to_string(s.frame_number));
    image.code(DCM_PurposeOfReferenceCodeSequence, {"121322", "DCM", "Source image for image processing operation"});
  }
}

void add_instance_references(DcmDataset& dataset, const SourceMetadata& source, const std::vector<int>& slices) {
  if (slices.empty()) return;
  const ItemWriter series = ItemWriter(dataset).item(DCM_ReferencedSeriesSequence);
  series.text(DCM_SeriesInstanceUID, source.series_uid);
  std::string last;
  for (const int i : slices) {
    const SourceSlice& s = source.slices[static_cast<std::size_t>(i)];
    if (s.sop_instance_uid == last) continue;  // frames of one object
    last = s.sop_instance_uid;
    const ItemWriter instance = series.item(DCM_ReferencedInstanceSequence);
    instance.text(DCM_ReferencedSOPClassUID, source.sop_class_uid);
    instance.text(DCM_ReferencedSOPInstanceUID, s.sop_instance_uid);
  }
}

std::vector<int> all_slices(const SourceMetadata& source) {
  std::vector<int> all(source.slices.size());
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<int>(i);
  return all;
}

std::vector<int> slices_near(const SourceMetadata& source, Vec3 position, Vec3 normal, double spacing_mm) {
  if (source.slices.empty()) return {};
  if (std::fabs(dot(normal, source.normal)) < 0.999) return all_slices(source);
  const double reach = std::fmax(spacing_mm, source.spacing_mm);
  std::vector<int> near;
  for (std::size_t i = 0; i < source.slices.size(); ++i) {
    const double distance = std::fabs(dot(source.slices[i].position - position, source.normal));
    if (distance < 0.01 * source.spacing_mm) return {static_cast<int>(i)};
    if (distance < reach) near.push_back(static_cast<int>(i));
  }
  return near;
}

}  // namespace isocenter::detail::dicom
