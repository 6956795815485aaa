#pragma once
// What the structured reports share: content items, and the head of a Comprehensive 3D SR document (PS3.3 A.35.13) by
// TID 1500 of PS3.16. Includes DCMTK.
#include <string>
#include <vector>

#include "object_builder.hpp"
#include "write_segmentation.hpp"

namespace isocenter::detail::dicom {

inline constexpr const char* segmentation_storage = "1.2.840.10008.5.1.4.1.1.66.4";

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
  /// An IMAGE item that refers to an image, or to a frame of one where the number is above 0.
  void source_image(const Code& name, const std::string& sop_class, const std::string& instance, int frame) const {
    const ItemWriter reference = add("CONTAINS", "IMAGE", name).item_.item(DCM_ReferencedSOPSequence);
    reference.text(DCM_ReferencedSOPClassUID, sop_class);
    reference.text(DCM_ReferencedSOPInstanceUID, instance);
    if (frame > 0) reference.text(DCM_ReferencedFrameNumber, std::to_string(frame));
  }
  /// POLYGON of an SCOORD3D item in the patient: closed, so that the first point comes again (C.18.9.1).
  void polygon(const char* relationship, const Code& name, const std::string& frame_of_reference_uid,
               const std::vector<Vec3>& points) const {
    const Content c = add(relationship, "SCOORD3D", name);
    c.item_.text(DCM_ReferencedFrameOfReferenceUID, frame_of_reference_uid);
    c.item_.text(DCM_GraphicType, "POLYGON");
    std::vector<Float32> numbers;
    for (std::size_t i = 0; i <= points.size(); ++i) {
      const Vec3& p = points[i % points.size()];
      for (const double v : {p.x, p.y, p.z}) numbers.push_back(static_cast<Float32>(v));
    }
    c.item_.item().putAndInsertFloat32Array(DCM_GraphicData, numbers.data(),
                                            static_cast<unsigned long>(numbers.size()));
  }

 private:
  ItemWriter item_;
};

/// Makes `dataset` a document "Imaging Measurement Report" and gives its container of measurement groups. `texts` are
/// all texts that will be added. The document joins the study of `segmentation` where that is given, and names it and
/// all images of the source as its evidence (C.17.2.3).
Content begin_report(DcmDataset& dataset, const SourceMetadata& source, const OutputDescription& description,
                     const std::vector<std::string>& texts, const WrittenObject* segmentation);

/// A measurement group by a template of PS3.16, with its tracking, finding category and finding.
Content add_measurement_group(const Content& measurements, const char* template_id, const std::string& tracking,
                              const Segment& finding);

void write_report_document(const std::string& path, DcmDataset& dataset);

}  // namespace isocenter::detail::dicom
