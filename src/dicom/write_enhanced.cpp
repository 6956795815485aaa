// A volume as one multi-frame object: Enhanced CT or MR (PS3.3 A.38, A.36), of a DERIVED image, which needs nothing of
// the acquisition; Enhanced PET (A.56), which does; or Legacy Converted Enhanced CT, MR or PET (A.70, A.71, A.72),
// which keeps what its classic source said.
#include <isocenter/error.hpp>
#include <mutex>
#include <set>

#include "context.hpp"
#include "enhanced_pet.hpp"
#include "frame_groups.hpp"
#include "object_file.hpp"
#include "output_file.hpp"
#include "toolkit.hpp"
#include "uid.hpp"
#include "write_series.hpp"

namespace isocenter::detail::dicom {
namespace {

/// What differs between the objects that are written here.
struct Kind {
  DerivedModality modality;
  const char* term;  ///< Modality
  const char* sop_class;
  DcmTagKey frame_type;
  bool is_legacy;
  unsigned acquisition;      ///< what a legacy converted object keeps
  const char* source_class;  ///< that a legacy converted object comes from

  bool is_ct() const { return modality == DerivedModality::ct; }
  bool is_mr() const { return modality == DerivedModality::mr; }
  bool is_enhanced_pet() const { return modality == DerivedModality::pet && !is_legacy; }
};

const Kind kinds[] = {
    {DerivedModality::ct, "CT", "1.2.840.10008.5.1.4.1.1.2.1", DCM_CTImageFrameTypeSequence, false, 0, ""},
    {DerivedModality::mr, "MR", "1.2.840.10008.5.1.4.1.1.4.1", DCM_MRImageFrameTypeSequence, false, 0, ""},
    {DerivedModality::pet, "PT", "1.2.840.10008.5.1.4.1.1.130", DCM_PETFrameTypeSequence, false, 0, ""},
    {DerivedModality::ct, "CT", "1.2.840.10008.5.1.4.1.1.2.2", DCM_CTImageFrameTypeSequence, true, ct_acquisition,
     "1.2.840.10008.5.1.4.1.1.2"},
    {DerivedModality::mr, "MR", "1.2.840.10008.5.1.4.1.1.4.4", DCM_MRImageFrameTypeSequence, true, mr_acquisition,
     "1.2.840.10008.5.1.4.1.1.4"},
    {DerivedModality::pet, "PT", "1.2.840.10008.5.1.4.1.1.128.1", DCM_PETFrameTypeSequence, true, pet_acquisition,
     "1.2.840.10008.5.1.4.1.1.128"},
};

const Kind& kind_of(DerivedModality modality, bool is_legacy) {
  for (const Kind& k : kinds)
    if (k.modality == modality && k.is_legacy == is_legacy) return k;
  throw Failure(ErrorCode::internal, "no multi-frame object for this modality", "report this with the input");
}

/// Common CT/MR (C.8.16.2) and MR (C.8.13.3.1) image description, of the object and of each frame.
void describe_image(const ItemWriter& to, const Kind& kind) {
  to.text(DCM_PixelPresentation, "MONOCHROME");
  to.text(DCM_VolumetricProperties, "VOLUME");
  to.text(DCM_VolumeBasedCalculationTechnique, "NONE");
  if (!kind.is_mr()) return;
  to.text(DCM_ComplexImageComponent, "MAGNITUDE");
  to.text(DCM_AcquisitionContrast, "UNKNOWN");
}

void add_image(const ItemWriter& object, const VolumeToWrite& v, const Quantisation& q, const Kind& kind) {
  object.text(DCM_SOPInstanceUID, new_uid());
  object.text(DCM_InstanceNumber, "1");
  object.text(DCM_ImageType, "DERIVED\\PRIMARY\\VOLUME\\NONE");
  describe_image(object, kind);
  object.text(DCM_ContentQualification, "PRODUCT");
  if (!object.item().tagExistsWithValue(DCM_BurnedInAnnotation)) object.text(DCM_BurnedInAnnotation, "NO");
  if (!object.item().tagExistsWithValue(DCM_LossyImageCompression)) object.text(DCM_LossyImageCompression, "00");
  object.text(DCM_PresentationLUTShape, "IDENTITY");
  if (kind.is_mr() && !kind.is_legacy) object.text(DCM_ApplicableSafetyStandardAgency, "OTHER");
  object.u16(DCM_SamplesPerPixel, 1);
  object.text(DCM_PhotometricInterpretation, "MONOCHROME2");
  object.u16(DCM_Rows, v.ny);
  object.u16(DCM_Columns, v.nx);
  object.u16(DCM_BitsAllocated, 16);
  object.u16(DCM_BitsStored, 16);
  object.u16(DCM_HighBit, 15);
  object.u16(DCM_PixelRepresentation, q.is_signed ? 1 : 0);
}

/// What the classic source said of its acquisition and has no place in a functional group: PS3.3 C.7.6.16.2.25.1.
void keep_acquisition(const ItemWriter& shared, const VolumeToWrite& v, const Kind& kind, DcmItem& context) {
  const ItemWriter kept = shared.item(DCM_UnassignedSharedConvertedAttributesSequence);
  copy_context(context, kept.item(), kind.acquisition);
  if (kind.modality == DerivedModality::pet) add_pet_units(kept, v.unit);
}

EnhancedPet enhanced_pet_of(const VolumeToWrite& v, const SourceMetadata& source) {
  return {v.unit, source.study_uid, vec(v.geometry.axis(2)), source.normal, v.acquisition};
}

void add_shared_groups(const ItemWriter& object, const VolumeToWrite& v, const Quantisation& q, const Kind& kind,
                       const SourceMetadata& source, DcmItem& context) {
  const ItemWriter shared = object.item(DCM_SharedFunctionalGroupsSequence);
  add_plane_groups(shared, v.geometry);
  add_frame_anatomy(shared, context);
  const ItemWriter values = shared.item(DCM_PixelValueTransformationSequence);
  values.decimals(DCM_RescaleIntercept, {q.intercept});
  values.decimals(DCM_RescaleSlope, {q.slope});
  values.text(DCM_RescaleType, v.unit == "HU" ? "HU" : "US");
  const ItemWriter type = shared.item(kind.frame_type);
  type.text(DCM_FrameType, "DERIVED\\PRIMARY\\VOLUME\\NONE");
  describe_image(type, kind);
  if (kind.is_legacy) {
    keep_acquisition(shared, v, kind, context);
    return;
  }
  if (kind.is_enhanced_pet()) {
    add_pet_values(shared, q, v.unit);
    add_enhanced_pet(object, shared, context, enhanced_pet_of(v, source));
  }
  if (!kind.is_ct()) return;
  OFString event;  // the source's where it has one: C.7.6.16.2.20
  context.findAndGetOFString(DCM_IrradiationEventUID, event);
  shared.item(DCM_IrradiationEventIdentificationSequence)
      .text(DCM_IrradiationEventUID, event.empty() ? new_uid() : std::string(event.c_str()));
}

}  // namespace

void require_enhanced(const SourceMetadata& source, const VolumeToWrite& v) {
  if (source.modality != "PT") {
    if (v.acquisition.empty()) return;
    throw Failure(ErrorCode::invalid_argument,
                  "acquisition = '" + v.acquisition +
                      "' is for Enhanced PET, and Modality (0008,0060) of the source is " +
                      (source.modality.empty() ? "unknown" : source.modality),
                  "leave acquisition away");
  }
  DcmDataset context, trial;
  from_bytes(source.context, context);
  const ItemWriter object(trial), shared = object.item(DCM_SharedFunctionalGroupsSequence);
  add_pet_values(shared, {}, v.unit);
  add_enhanced_pet(object, shared, context, enhanced_pet_of(v, source));
}

void require_legacy_converted(const SourceMetadata& source, const Geometry& geometry, int slices) {
  const Kind& kind = kind_of(derived_modality(source, ""), true);
  if (source.empty() || source.sop_class_uid != kind.source_class)
    throw Failure(ErrorCode::unsupported,
                  source.empty()
                      ? std::string("a volume without a DICOM source cannot be written as legacy converted")
                      : "SOPClassUID (0008,0016) = " + source.sop_class_uid +
                            " of the source is no classic image, and legacy converted objects come from these",
                  "set form = classic or enhanced");
  for (int k = 0; k < slices; ++k) {
    const Vec3 position = vec(geometry.position_mm(0, 0, k));
    const double tolerance = 0.01 * geometry.spacing_mm[2];
    const std::vector<int> near = slices_near(source, position, vec(geometry.axis(2)), geometry.spacing_mm[2]);
    if (near.size() == 1 &&
        length(source.slices[static_cast<std::size_t>(near.front())].position - position) <= tolerance)
      continue;
    throw Failure(
        ErrorCode::unsupported,
        "slice " + std::to_string(k + 1) +
            " lies where no image of the source does, and each frame of a legacy converted object comes from one "
            "(ConversionSourceAttributesSequence (0020,9172))",
        "set form = classic or enhanced, or keep the source's grid");
  }
}

namespace {

/// ConversionSourceAttributesSequence (0020,9172), PS3.3 C.7.6.16.2.25.3, and a place for what was the frame's own.
void add_conversion_source(const ItemWriter& frame, const SourceMetadata& source, int slice) {
  frame.item(DCM_UnassignedPerFrameConvertedAttributesSequence);
  const ItemWriter from = frame.item(DCM_ConversionSourceAttributesSequence);
  from.text(DCM_ReferencedSOPClassUID, source.sop_class_uid);
  from.text(DCM_ReferencedSOPInstanceUID, source.slices[static_cast<std::size_t>(slice)].sop_instance_uid);
}

/// Enhanced PET has a time of each frame, also where there is one alone: PS3.3 C.7.6.16.2.2.
void add_time(const ItemWriter& frame) {
  DcmItem* content = nullptr;
  frame.item().findAndGetSequenceItem(DCM_FrameContentSequence, content);
  ItemWriter(*content).u32s(DCM_TemporalPositionIndex, {1});
}

void write_multi_frame(const std::string& folder, const VolumeToWrite& v, const Kind& kind,
                       const SourceMetadata& source, const OutputDescription& description, const Workers& workers,
                       const LoadProgress& progress) {
  use_dcmtk();
  const DcmtkLog log;
  const Quantisation q = choose_quantisation(v, kind.modality, workers);
  OutputFolder output(folder);
  DcmDataset context;
  from_bytes(source.context, context);
  DcmDataset dataset;
  add_common_modules(dataset, source, description, kind.term, kind.sop_class, new_uid(),
                     frame_of_reference | series_of_source | image_history, {});
  const ItemWriter object(dataset);
  object.empty_unless_there(DCM_PatientPosition);
  object.empty_unless_there(DCM_PositionReferenceIndicator);
  if (!dataset.tagExistsWithValue(DCM_FrameOfReferenceUID)) object.text(DCM_FrameOfReferenceUID, new_uid());
  add_image(object, v, q, kind);
  add_multi_frame(object, v.nz);
  add_stack_dimensions(object);
  add_shared_groups(object, v, q, kind, source, context);
  std::set<int> used;
  for (int k = 0; k < v.nz; ++k) {
    const Vec3 position = vec(v.geometry.position_mm(0, 0, k));
    const std::vector<int> near = slices_near(source, position, vec(v.geometry.axis(2)), v.geometry.spacing_mm[2]);
    const ItemWriter frame = object.item(DCM_PerFrameFunctionalGroupsSequence);
    add_frame_groups(frame, v.geometry, k, source, description, near);
    if (kind.is_legacy) add_conversion_source(frame, source, near.front());
    if (kind.is_enhanced_pet()) add_time(frame);
    used.insert(near.begin(), near.end());
  }
  const std::vector<int> slices(used.begin(), used.end());
  add_source_evidence(object, source, slices);
  add_instance_references(dataset, source, slices);

  const std::size_t plane = static_cast<std::size_t>(v.nx) * static_cast<std::size_t>(v.ny);
  const auto slice = [&](std::int64_t k) { return v.voxels.subspan(static_cast<std::size_t>(k) * plane, plane); };
  PixelElementToWrite pixels;
  pixels.native_bytes = 2 * plane * static_cast<std::size_t>(v.nz);
  pixels.produce = [&](const auto& sink) {
    for (std::int64_t k = 0; k < v.nz; ++k) {
      sink(quantised(slice(k), q));
      if (progress && !progress(k + 1, v.nz)) throw Error(ErrorCode::cancelled, "cancelled.");
    }
  };
  std::vector<std::vector<std::uint8_t>> codestreams;
  if (v.compression != LosslessCompression::none) {
    codestreams.resize(static_cast<std::size_t>(v.nz));
    std::atomic<std::int64_t> done{0};
    workers.for_each(v.nz, [&](std::int64_t k) {
      codestreams[static_cast<std::size_t>(k)] =
          compress_frame({v.ny, v.nx, 16, q.is_signed}, quantised(slice(k), q), v.compression);
      if (progress && !progress(++done, v.nz)) throw Error(ErrorCode::cancelled, "cancelled.");
    });
    pixels.codestreams = &codestreams;
  }
  write_object(output.temporary() + "/IM00001.dcm", dataset, transfer_syntax_uid(v.compression), pixels);
  output.commit();
}

}  // namespace

void write_enhanced(const std::string& folder, const VolumeToWrite& v, const SourceMetadata& source,
                    const OutputDescription& description, const Workers& workers, const LoadProgress& progress) {
  require_writable(source, v.unit);
  require_enhanced(source, v);
  write_multi_frame(folder, v, kind_of(derived_modality(source, v.unit), false), source, description, workers,
                    progress);
}

void write_legacy_converted(const std::string& folder, const VolumeToWrite& v, const SourceMetadata& source,
                            const OutputDescription& description, const Workers& workers,
                            const LoadProgress& progress) {
  require_writable(source, v.unit);
  require_legacy_converted(source, v.geometry, v.nz);
  write_multi_frame(folder, v, kind_of(derived_modality(source, v.unit), true), source, description, workers, progress);
}

}  // namespace isocenter::detail::dicom
