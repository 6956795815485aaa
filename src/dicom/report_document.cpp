#include "report_document.hpp"

#include <set>

#include "keyed_hash.hpp"
#include "object_file.hpp"
#include "uid.hpp"

namespace isocenter::detail::dicom {
namespace {

constexpr const char* report_storage = "1.2.840.10008.5.1.4.1.1.88.34";
constexpr const char* explicit_little_endian = "1.2.840.10008.1.2.1";

/// PS3.16 CID 100 "Quantitative Diagnostic Imaging Procedures".
Code procedure_of(const std::string& modality) {
  if (modality == "CT") return {"25045-6", "LN", "CT unspecified body region"};
  if (modality == "MR") return {"25056-3", "LN", "MRI unspecified body region"};
  if (modality == "PT") return {"44136-0", "LN", "PET unspecified body region"};
  if (modality == "NM") return {"49118-3", "LN", "NM unspecified body region"};
  for (const char* radiography : {"CR", "DX", "RF", "XA"})
    if (modality == radiography) return {"43468-8", "LN", "XR unspecified body region"};
  return {"363679005", "SCT", "Imaging procedure"};
}

/// The same for every report of one device, and no other's as far as serial numbers tell them apart.
std::string device_uid(const Equipment& e) {
  return uid_of(sha256("device:" + e.manufacturer + "\n" + e.model_name + "\n" + e.device_serial_number));
}

/// Everything that the document refers to: PS3.3 C.17.2.3.
void add_evidence(const ItemWriter& object, const SourceMetadata& source, const WrittenObject* segmentation) {
  if (segmentation == nullptr && source.slices.empty()) return;
  const ItemWriter study = object.item(DCM_CurrentRequestedProcedureEvidenceSequence);
  study.text(DCM_StudyInstanceUID, segmentation != nullptr ? segmentation->study_uid : source.study_uid);
  const auto add = [](const ItemWriter& series, const std::string& sop_class, const std::string& instance) {
    const ItemWriter reference = series.item(DCM_ReferencedSOPSequence);
    reference.text(DCM_ReferencedSOPClassUID, sop_class);
    reference.text(DCM_ReferencedSOPInstanceUID, instance);
  };
  if (segmentation != nullptr) {
    const ItemWriter segments = study.item(DCM_ReferencedSeriesSequence);
    segments.text(DCM_SeriesInstanceUID, segmentation->series_uid);
    add(segments, segmentation_storage, segmentation->sop_instance_uid);
  }
  if (source.slices.empty()) return;
  const ItemWriter images = study.item(DCM_ReferencedSeriesSequence);
  images.text(DCM_SeriesInstanceUID, source.series_uid);
  std::set<std::string> seen;
  for (const SourceSlice& s : source.slices)
    if (seen.insert(s.sop_instance_uid).second) add(images, source.sop_class_uid, s.sop_instance_uid);
}

/// TID 1204 language, TID 1001 observation context of a device (TID 1004), TID 1500 row 4 procedure.
void add_context(const Content& root, const SourceMetadata& source, const OutputDescription& description) {
  root.code("HAS CONCEPT MOD", {"121049", "DCM", "Language of Content Item and Descendants"},
            {"en", "RFC5646", "English"});
  root.code("HAS OBS CONTEXT", {"121005", "DCM", "Observer Type"}, {"121007", "DCM", "Device"});
  root.uid("HAS OBS CONTEXT", {"121012", "DCM", "Device Observer UID"}, device_uid(description.equipment));
  root.text("HAS OBS CONTEXT", {"121013", "DCM", "Device Observer Name"}, description.equipment.model_name);
  root.text("HAS OBS CONTEXT", {"121014", "DCM", "Device Observer Manufacturer"}, description.equipment.manufacturer);
  root.text("HAS OBS CONTEXT", {"121015", "DCM", "Device Observer Model Name"}, description.equipment.model_name);
  root.text("HAS OBS CONTEXT", {"121016", "DCM", "Device Observer Serial Number"},
            description.equipment.device_serial_number);
  root.code("HAS CONCEPT MOD", {"121058", "DCM", "Procedure reported"}, procedure_of(source.modality));
}

}  // namespace

Content begin_report(DcmDataset& dataset, const SourceMetadata& source, const OutputDescription& description,
                     const std::vector<std::string>& texts, const WrittenObject* segmentation) {
  add_common_modules(dataset, source, description, "SR", report_storage, new_uid(), 0, texts);
  const ItemWriter object(dataset);
  if (segmentation != nullptr) object.text(DCM_StudyInstanceUID, segmentation->study_uid);
  object.text(DCM_SOPInstanceUID, new_uid());
  object.text(DCM_InstanceNumber, "1");
  object.empty_sequence(DCM_ReferencedPerformedProcedureStepSequence);
  object.empty_sequence(DCM_PerformedProcedureCodeSequence);
  object.text(DCM_CompletionFlag, "COMPLETE");
  object.text(DCM_VerificationFlag, "UNVERIFIED");
  object.item().findAndDeleteElement(DCM_Laterality);
  add_evidence(object, source, segmentation);
  object.text(DCM_ValueType, "CONTAINER");
  object.code(DCM_ConceptNameCodeSequence, {"126000", "DCM", "Imaging Measurement Report"});
  object.text(DCM_ContinuityOfContent, "SEPARATE");
  const Content root(object);
  root.is_template("1500");
  add_context(root, source, description);
  return root.container({"126010", "DCM", "Imaging Measurements"});
}

Content add_measurement_group(const Content& measurements, const char* template_id, const std::string& tracking,
                              const Segment& finding) {
  const Content group = measurements.container({"125007", "DCM", "Measurement Group"}, template_id);
  group.text("HAS OBS CONTEXT", {"112039", "DCM", "Tracking Identifier"}, tracking);
  group.uid("HAS OBS CONTEXT", {"112040", "DCM", "Tracking Unique Identifier"}, new_uid());
  group.code("CONTAINS", {"276214006", "SCT", "Finding category"}, finding.category);
  group.code("CONTAINS", {"121071", "DCM", "Finding"}, finding.type);
  return group;
}

void write_report_document(const std::string& path, DcmDataset& dataset) {
  PixelElementToWrite none;
  none.element = PixelElement::none;
  write_object(path, dataset, explicit_little_endian, none);
}

}  // namespace isocenter::detail::dicom
