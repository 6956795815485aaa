// A volume as one Enhanced CT or Enhanced MR object: PS3.3 A.38 and A.36, of a DERIVED image, which needs nothing of
// the acquisition.
#include <isocenter/error.hpp>
#include <mutex>
#include <set>

#include "context.hpp"
#include "frame_groups.hpp"
#include "object_file.hpp"
#include "output_file.hpp"
#include "toolkit.hpp"
#include "uid.hpp"
#include "write_series.hpp"

namespace isocenter::detail::dicom {
namespace {

constexpr const char* enhanced_ct_storage = "1.2.840.10008.5.1.4.1.1.2.1";
constexpr const char* enhanced_mr_storage = "1.2.840.10008.5.1.4.1.1.4.1";

/// Common CT/MR (C.8.16.2) and MR (C.8.13.3.1) image description, of the object and of each frame.
void describe_image(const ItemWriter& to, bool ct) {
  to.text(DCM_PixelPresentation, "MONOCHROME");
  to.text(DCM_VolumetricProperties, "VOLUME");
  to.text(DCM_VolumeBasedCalculationTechnique, "NONE");
  if (ct) return;
  to.text(DCM_ComplexImageComponent, "MAGNITUDE");
  to.text(DCM_AcquisitionContrast, "UNKNOWN");
}

void add_image(const ItemWriter& object, const VolumeToWrite& v, const Quantisation& q, bool ct) {
  object.text(DCM_SOPInstanceUID, new_uid());
  object.text(DCM_InstanceNumber, "1");
  object.text(DCM_ImageType, "DERIVED\\PRIMARY\\VOLUME\\NONE");
  describe_image(object, ct);
  object.text(DCM_ContentQualification, "PRODUCT");
  if (!object.item().tagExistsWithValue(DCM_BurnedInAnnotation)) object.text(DCM_BurnedInAnnotation, "NO");
  if (!object.item().tagExistsWithValue(DCM_LossyImageCompression)) object.text(DCM_LossyImageCompression, "00");
  object.text(DCM_PresentationLUTShape, "IDENTITY");
  if (!ct) object.text(DCM_ApplicableSafetyStandardAgency, "OTHER");
  object.u16(DCM_SamplesPerPixel, 1);
  object.text(DCM_PhotometricInterpretation, "MONOCHROME2");
  object.u16(DCM_Rows, v.ny);
  object.u16(DCM_Columns, v.nx);
  object.u16(DCM_BitsAllocated, 16);
  object.u16(DCM_BitsStored, 16);
  object.u16(DCM_HighBit, 15);
  object.u16(DCM_PixelRepresentation, q.is_signed ? 1 : 0);
}

void add_shared_groups(const ItemWriter& object, const VolumeToWrite& v, const Quantisation& q, bool ct,
                       DcmItem& context) {
  const ItemWriter shared = object.item(DCM_SharedFunctionalGroupsSequence);
  add_plane_groups(shared, v.geometry);
  add_frame_anatomy(shared, context);
  const ItemWriter values = shared.item(DCM_PixelValueTransformationSequence);
  values.decimals(DCM_RescaleIntercept, {q.intercept});
  values.decimals(DCM_RescaleSlope, {q.slope});
  values.text(DCM_RescaleType, v.unit == "HU" ? "HU" : "US");
  const ItemWriter type = shared.item(ct ? DCM_CTImageFrameTypeSequence : DCM_MRImageFrameTypeSequence);
  type.text(DCM_FrameType, "DERIVED\\PRIMARY\\VOLUME\\NONE");
  describe_image(type, ct);
  if (!ct) return;
  OFString event;  // the source's where it has one: C.7.6.16.2.20
  context.findAndGetOFString(DCM_IrradiationEventUID, event);
  shared.item(DCM_IrradiationEventIdentificationSequence)
      .text(DCM_IrradiationEventUID, event.empty() ? new_uid() : std::string(event.c_str()));
}

}  // namespace

void require_enhanced(const SourceMetadata& source) {
  if (source.modality != "PT") return;
  throw Failure(ErrorCode::unsupported,
                "a PET volume cannot be written as Enhanced PET: a classic source lacks the injection's attributes "
                "that PS3.3 A.56 requires",
                "set form = classic");
}

void write_enhanced(const std::string& folder, const VolumeToWrite& v, const SourceMetadata& source,
                    const OutputDescription& description, const Workers& workers, const LoadProgress& progress) {
  use_dcmtk();
  const DcmtkLog log;
  require_writable(source, v.unit);
  require_enhanced(source);
  const DerivedModality modality = derived_modality(source, v.unit);
  const bool ct = modality == DerivedModality::ct;
  const Quantisation q = choose_quantisation(v, modality, workers);
  OutputFolder output(folder);
  DcmDataset context;
  from_bytes(source.context, context);
  DcmDataset dataset;
  add_common_modules(dataset, source, description, ct ? "CT" : "MR", ct ? enhanced_ct_storage : enhanced_mr_storage,
                     new_uid(), frame_of_reference | series_of_source | image_history, {});
  const ItemWriter object(dataset);
  object.empty_unless_there(DCM_PatientPosition);
  object.empty_unless_there(DCM_PositionReferenceIndicator);
  if (!dataset.tagExistsWithValue(DCM_FrameOfReferenceUID)) object.text(DCM_FrameOfReferenceUID, new_uid());
  add_image(object, v, q, ct);
  add_multi_frame(object, v.nz);
  add_stack_dimensions(object);
  add_shared_groups(object, v, q, ct, context);
  std::set<int> used;
  for (int k = 0; k < v.nz; ++k) {
    const Vec3 position = vec(v.geometry.position_mm(0, 0, k));
    const std::vector<int> near = slices_near(source, position, vec(v.geometry.axis(2)), v.geometry.spacing_mm[2]);
    add_frame_groups(object.item(DCM_PerFrameFunctionalGroupsSequence), v.geometry, k, source, description, near);
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

}  // namespace isocenter::detail::dicom
