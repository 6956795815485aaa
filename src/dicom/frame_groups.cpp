#include "frame_groups.hpp"

#include <string_view>

#include "uid.hpp"

namespace isocenter::detail::dicom {
namespace {

struct BodyPart {
  std::string_view term;
  Code code;
};

/// PS3.16 table L-1, the body parts of tomography.
const BodyPart body_parts[] = {
    {"ABDOMEN", {"818981001", "SCT", "Abdomen"}},
    {"ABDOMENPELVIS", {"818982008", "SCT", "Abdomen and Pelvis"}},
    {"AORTA", {"15825003", "SCT", "Aorta"}},
    {"BLADDER", {"89837001", "SCT", "Bladder"}},
    {"BRAIN", {"12738006", "SCT", "Brain"}},
    {"BREAST", {"76752008", "SCT", "Breast"}},
    {"CHEST", {"816094009", "SCT", "Chest"}},
    {"CHESTABDOMEN", {"416550000", "SCT", "Chest and Abdomen"}},
    {"CHESTABDPELVIS", {"416775004", "SCT", "Chest, Abdomen and Pelvis"}},
    {"HEAD", {"69536005", "SCT", "Head"}},
    {"HEADNECK", {"774007", "SCT", "Head and Neck"}},
    {"HEART", {"80891009", "SCT", "Heart"}},
    {"KIDNEY", {"64033007", "SCT", "Kidney"}},
    {"KNEE", {"72696002", "SCT", "Knee"}},
    {"LIVER", {"10200004", "SCT", "Liver"}},
    {"LUNG", {"39607008", "SCT", "Lung"}},
    {"NECK", {"45048000", "SCT", "Neck"}},
    {"PELVIS", {"816092008", "SCT", "Pelvis"}},
    {"PROSTATE", {"41216001", "SCT", "Prostate"}},
    {"SHOULDER", {"16982005", "SCT", "Shoulder"}},
    {"SPINE", {"421060004", "SCT", "Spine"}},
};

}  // namespace

void add_stack_dimensions(const ItemWriter& object) {
  const std::string organisation = new_uid();
  object.item(DCM_DimensionOrganizationSequence).text(DCM_DimensionOrganizationUID, organisation);
  for (const auto& [pointer, label] :
       {std::pair{DCM_StackID, "Stack ID"}, std::pair{DCM_InStackPositionNumber, "In-Stack Position Number"}}) {
    const ItemWriter item = object.item(DCM_DimensionIndexSequence);
    item.item().putAndInsertTagKey(DCM_DimensionIndexPointer, pointer);
    item.item().putAndInsertTagKey(DCM_FunctionalGroupPointer, DCM_FrameContentSequence);
    item.text(DCM_DimensionOrganizationUID, organisation);
    item.text(DCM_DimensionDescriptionLabel, label);
  }
}

void add_plane_groups(const ItemWriter& shared, const Geometry& g) {
  const ItemWriter measures = shared.item(DCM_PixelMeasuresSequence);
  measures.decimals(DCM_SliceThickness, {g.spacing_mm[2]});
  measures.decimals(DCM_SpacingBetweenSlices, {g.spacing_mm[2]});
  measures.decimals(DCM_PixelSpacing, {g.spacing_mm[1], g.spacing_mm[0]});
  shared.item(DCM_PlaneOrientationSequence).directions(DCM_ImageOrientationPatient, vec(g.axis(0)), vec(g.axis(1)));
}

void add_frame_anatomy(const ItemWriter& shared, DcmItem& context) {
  OFString part, laterality;
  context.findAndGetOFString(DCM_BodyPartExamined, part);
  context.findAndGetOFString(DCM_Laterality, laterality);
  Code code{"38266002", "SCT", "Entire body"};
  for (const BodyPart& b : body_parts)
    if (b.term == std::string_view(part.c_str(), part.length())) code = b.code;
  const ItemWriter anatomy = shared.item(DCM_FrameAnatomySequence);
  anatomy.code(DCM_AnatomicRegionSequence, code);
  anatomy.text(DCM_FrameLaterality, laterality == "L" || laterality == "R" ? laterality.c_str() : "U");
}

void add_frame_groups(const ItemWriter& frame, const Geometry& g, int slice, const SourceMetadata& source,
                      const OutputDescription& d, const std::vector<int>& near) {
  const ItemWriter content = frame.item(DCM_FrameContentSequence);
  content.text(DCM_StackID, "1");
  content.u32s(DCM_InStackPositionNumber, {static_cast<unsigned>(slice) + 1});
  content.u32s(DCM_DimensionIndexValues, {1, static_cast<unsigned>(slice) + 1});
  frame.item(DCM_PlanePositionSequence).point(DCM_ImagePositionPatient, vec(g.position_mm(0, 0, slice)));
  if (near.empty()) {
    frame.empty_sequence(DCM_DerivationImageSequence);
    return;
  }
  const ItemWriter derivation = frame.item(DCM_DerivationImageSequence);
  if (!d.derivation_description.empty()) derivation.text(DCM_DerivationDescription, d.derivation_description);
  derivation.code(DCM_DerivationCodeSequence,
                  d.derivation.value.empty() ? Code{"113086", "DCM", "Spatial filtering"} : d.derivation);
  add_source_images(derivation, source, near);
}

void add_source_evidence(const ItemWriter& object, const SourceMetadata& source, const std::vector<int>& slices) {
  if (slices.empty()) return;
  const ItemWriter study = object.item(DCM_SourceImageEvidenceSequence);
  study.text(DCM_StudyInstanceUID, source.study_uid);
  const ItemWriter series = study.item(DCM_ReferencedSeriesSequence);
  series.text(DCM_SeriesInstanceUID, source.series_uid);
  std::string last;
  for (const int i : slices) {
    const SourceSlice& s = source.slices[static_cast<std::size_t>(i)];
    if (s.sop_instance_uid == last) continue;  // frames of one object
    last = s.sop_instance_uid;
    const ItemWriter image = series.item(DCM_ReferencedSOPSequence);
    image.text(DCM_ReferencedSOPClassUID, source.sop_class_uid);
    image.text(DCM_ReferencedSOPInstanceUID, s.sop_instance_uid);
  }
}

void add_multi_frame(const ItemWriter& object, int frames) {
  object.text(DCM_NumberOfFrames, std::to_string(frames));
  object.empty_sequence(DCM_AcquisitionContextSequence);
  object.item().findAndDeleteElement(DCM_Laterality);  // FrameLaterality says it: PS3.3 C.7.3.1
}

}  // namespace isocenter::detail::dicom
