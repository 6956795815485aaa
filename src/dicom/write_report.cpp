#include "write_report.hpp"

#include <isocenter/error.hpp>
#include <set>

#include "context.hpp"
#include "object_builder.hpp"
#include "object_file.hpp"
#include "toolkit.hpp"
#include "uid.hpp"
#include "write_parametric_map.hpp"

namespace isocenter::detail::dicom {
namespace {

constexpr const char* report_storage = "1.2.840.10008.5.1.4.1.1.88.34";
constexpr const char* segmentation_storage = "1.2.840.10008.5.1.4.1.1.66.4";
constexpr const char* explicit_little_endian = "1.2.840.10008.1.2.1";

/// A content item of PS3.3 C.17.3 and what is put below it.
class Content {
 public:
  explicit Content(const ItemWriter& item) : item_(item) {}

  Content add(const char* relationship, const char* type, const Code& name) const {
    const ItemWriter child = item_.item(DCM_ContentSequence);
    child.text(DCM_RelationshipType, relationship);
    child.text(DCM_ValueType, type);
    child.code(DCM_ConceptNameCodeSequence, name);
    return Content(child);
  }
  Content code(const char* relationship, const Code& name, const Code& value) const {
    const Content c = add(relationship, "CODE", name);
    c.item_.code(DCM_ConceptCodeSequence, value);
    return c;
  }
  void text(const char* relationship, const Code& name, const std::string& value) const {
    add(relationship, "TEXT", name).item_.text(DCM_TextValue, value);
  }
  void uid(const char* relationship, const Code& name, const std::string& value) const {
    add(relationship, "UIDREF", name).item_.text(DCM_UID, value);
  }
  Content container(const Code& name, const char* template_id = nullptr) const {
    const Content c = add("CONTAINS", "CONTAINER", name);
    c.item_.text(DCM_ContinuityOfContent, "SEPARATE");
    if (template_id != nullptr) c.is_template(template_id);
    return c;
  }
  void is_template(const char* id) const {
    const ItemWriter t = item_.item(DCM_ContentTemplateSequence);
    t.text(DCM_MappingResource, "DCMR");
    t.text(DCM_TemplateIdentifier, id);
  }
  Content number(const Code& name, double value, const Code& unit) const {
    const Content c = add("CONTAINS", "NUM", name);
    const ItemWriter measured = c.item_.item(DCM_MeasuredValueSequence);
    measured.code(DCM_MeasurementUnitsCodeSequence, unit);
    measured.decimals(DCM_NumericValue, {value});
    return c;
  }
  /// An IMAGE item that refers to a segment, or to a whole image.
  void image(const char* relationship, const Code& name, const std::string& sop_class, const std::string& instance,
             int segment = 0) const {
    const ItemWriter reference = add(relationship, "IMAGE", name).item_.item(DCM_ReferencedSOPSequence);
    reference.text(DCM_ReferencedSOPClassUID, sop_class);
    reference.text(DCM_ReferencedSOPInstanceUID, instance);
    if (segment > 0) reference.u16(DCM_ReferencedSegmentNumber, segment);
  }
  const ItemWriter& item() const { return item_; }

 private:
  ItemWriter item_;
};

/// What a value of the volume is: quantities of PS3.16 CID 7469.
Code quantity_of(const std::string& unit, const std::string& modality) {
  if (unit == "HU") return {"112031", "DCM", "Attenuation Coefficient"};
  if (unit == "GML" || unit == "g/ml" || unit == "SUV" || unit == "SUVbw") return {"126401", "DCM", "SUVbw"};
  if (modality == "MR") return {"110852", "DCM", "MR signal intensity"};
  return {"246205007", "SCT", "Quantity"};
}

Code procedure_of(const std::string& modality) {
  if (modality == "CT") return {"77477000", "SCT", "Computed tomography"};
  if (modality == "MR") return {"113091000", "SCT", "Magnetic resonance imaging"};
  if (modality == "PT") return {"82918005", "SCT", "Positron emission tomography"};
  return {"363679005", "SCT", "Imaging procedure"};
}

class ReportWriter {
 public:
  ReportWriter(const ReportToWrite& r, const SourceMetadata& source, const OutputDescription& d)
      : r_(r), source_(source), d_(d) {
    unit_ = unit_code(r.unit);
    if (unit_.value.empty())
      throw Failure(ErrorCode::unsupported, "the unit '" + r.unit + "' of the measured volume has no UCUM code here",
                    "convert the volume to HU, Bq/ml, g/ml, 1/mm, mm, ms, s, %, 1 or a.u.");
  }

  void write(const std::string& path) {
    DcmDataset dataset;
    std::vector<std::string> texts;
    for (const Segment& s : r_.segments) texts.push_back(s.name);
    add_common_modules(dataset, source_, d_, "SR", report_storage, new_uid(), 0, texts);
    const ItemWriter object(dataset);
    object.text(DCM_StudyInstanceUID, r_.study_uid);
    object.text(DCM_SOPInstanceUID, new_uid());
    object.text(DCM_InstanceNumber, "1");
    object.empty_sequence(DCM_ReferencedPerformedProcedureStepSequence);
    object.empty_sequence(DCM_PerformedProcedureCodeSequence);
    object.text(DCM_CompletionFlag, "COMPLETE");
    object.text(DCM_VerificationFlag, "UNVERIFIED");
    object.item().findAndDeleteElement(DCM_Laterality);
    add_evidence(object);
    object.text(DCM_ValueType, "CONTAINER");
    object.code(DCM_ConceptNameCodeSequence, {"126000", "DCM", "Imaging Measurement Report"});
    object.text(DCM_ContinuityOfContent, "SEPARATE");
    const Content root(object);
    root.is_template("1500");
    add_context(root);
    const Content measurements = root.container({"126010", "DCM", "Imaging Measurements"});
    int groups = 0;
    for (std::size_t i = 0; i < r_.segments.size(); ++i) {
      if (r_.measurements[i].voxels == 0) continue;
      add_group(measurements, i);
      ++groups;
    }
    if (groups == 0)
      throw Failure(ErrorCode::bad_data, "no voxel belongs to a segment, and the report would hold no measurement",
                    "look at what the operator before the sink found");
    PixelElementToWrite none;
    none.element = PixelElement::none;
    write_object(path, dataset, explicit_little_endian, none);
  }

 private:
  /// Everything that the document refers to: PS3.3 C.17.2.3.
  void add_evidence(const ItemWriter& object) const {
    const ItemWriter study = object.item(DCM_CurrentRequestedProcedureEvidenceSequence);
    study.text(DCM_StudyInstanceUID, r_.study_uid);
    const auto add = [](const ItemWriter& series, const std::string& sop_class, const std::string& instance) {
      const ItemWriter reference = series.item(DCM_ReferencedSOPSequence);
      reference.text(DCM_ReferencedSOPClassUID, sop_class);
      reference.text(DCM_ReferencedSOPInstanceUID, instance);
    };
    const ItemWriter segments = study.item(DCM_ReferencedSeriesSequence);
    segments.text(DCM_SeriesInstanceUID, r_.segmentation_series_uid);
    add(segments, segmentation_storage, r_.segmentation_uid);
    if (source_.slices.empty()) return;
    const ItemWriter images = study.item(DCM_ReferencedSeriesSequence);
    images.text(DCM_SeriesInstanceUID, source_.series_uid);
    std::set<std::string> seen;
    for (const SourceSlice& s : source_.slices)
      if (seen.insert(s.sop_instance_uid).second) add(images, source_.sop_class_uid, s.sop_instance_uid);
  }

  /// TID 1204 language, TID 1001 observation context of a device (TID 1004), TID 1500 row 4 procedure.
  void add_context(const Content& root) const {
    root.code("HAS CONCEPT MOD", {"121049", "DCM", "Language of Content Item and Descendants"},
              {"en", "RFC5646", "English"});
    root.code("HAS OBS CONTEXT", {"121005", "DCM", "Observer Type"}, {"121007", "DCM", "Device"});
    root.uid("HAS OBS CONTEXT", {"121012", "DCM", "Device Observer UID"}, implementation_class_uid);
    root.text("HAS OBS CONTEXT", {"121013", "DCM", "Device Observer Name"}, d_.equipment.model_name);
    root.text("HAS OBS CONTEXT", {"121014", "DCM", "Device Observer Manufacturer"}, d_.equipment.manufacturer);
    root.text("HAS OBS CONTEXT", {"121015", "DCM", "Device Observer Model Name"}, d_.equipment.model_name);
    root.text("HAS OBS CONTEXT", {"121016", "DCM", "Device Observer Serial Number"}, d_.equipment.device_serial_number);
    root.code("HAS CONCEPT MOD", {"121058", "DCM", "Procedure reported"}, procedure_of(source_.modality));
  }

  /// TID 1411 "Volumetric ROI Measurements and Qualitative Evaluations".
  void add_group(const Content& measurements, std::size_t i) const {
    const Segment& s = r_.segments[i];
    const SegmentMeasurement& m = r_.measurements[i];
    const Content group = measurements.container({"125007", "DCM", "Measurement Group"}, "1411");
    group.text("HAS OBS CONTEXT", {"112039", "DCM", "Tracking Identifier"}, s.name);
    group.uid("HAS OBS CONTEXT", {"112040", "DCM", "Tracking Unique Identifier"}, new_uid());
    group.code("CONTAINS", {"276214006", "SCT", "Finding category"}, s.category);
    group.code("CONTAINS", {"121071", "DCM", "Finding"}, s.type);
    group.image("CONTAINS", {"121191", "DCM", "Referenced Segment"}, segmentation_storage, r_.segmentation_uid,
                static_cast<int>(i) + 1);
    if (!source_.series_uid.empty())
      group.uid("CONTAINS", {"121232", "DCM", "Source series for segmentation"}, source_.series_uid);
    if (s.anatomy) group.code("HAS CONCEPT MOD", {"363698007", "SCT", "Finding Site"}, *s.anatomy);
    group.number({"118565006", "SCT", "Volume"}, m.volume_mm3, {"mm3", "UCUM", "cubic millimeter"});
    const auto value = [&](double v, const Code& derivation) {
      group.number(quantity_of(r_.unit, source_.modality), v, unit_)
          .code("HAS CONCEPT MOD", {"121401", "DCM", "Derivation"}, derivation);
    };
    value(m.mean, {"373098007", "SCT", "Mean"});
    value(m.standard_deviation, {"386136009", "SCT", "Standard Deviation"});
    value(m.minimum, {"255605001", "SCT", "Minimum"});
    value(m.maximum, {"56851009", "SCT", "Maximum"});
  }

  const ReportToWrite& r_;
  const SourceMetadata& source_;
  const OutputDescription& d_;
  Code unit_;
};

}  // namespace

void write_report(const std::string& path, const ReportToWrite& report, const SourceMetadata& source,
                  const OutputDescription& description) {
  use_dcmtk();
  const DcmtkLog log;
  ReportWriter(report, source, description).write(path);
}

}  // namespace isocenter::detail::dicom
