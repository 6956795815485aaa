#include "write_series.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <isocenter/error.hpp>
#include <limits>

#include "context.hpp"
#include "object_builder.hpp"
#include "object_file.hpp"
#include "output_file.hpp"
#include "toolkit.hpp"
#include "uid.hpp"

namespace isocenter::detail::dicom {
namespace {

constexpr const char* ct_image_storage = "1.2.840.10008.5.1.4.1.1.2";
constexpr const char* mr_image_storage = "1.2.840.10008.5.1.4.1.1.4";
constexpr const char* pet_image_storage = "1.2.840.10008.5.1.4.1.1.128";

struct Range {
  float low = std::numeric_limits<float>::infinity();
  float high = -std::numeric_limits<float>::infinity();
};

Range find_range(const VolumeToWrite& v, const Workers& workers) {
  const std::size_t plane = static_cast<std::size_t>(v.nx) * static_cast<std::size_t>(v.ny);
  std::vector<Range> ranges(static_cast<std::size_t>(v.nz));
  workers.for_each(v.nz, [&](std::int64_t k) {
    Range& r = ranges[static_cast<std::size_t>(k)];
    const float* p = v.voxels.data() + static_cast<std::size_t>(k) * plane;
    for (std::size_t i = 0; i < plane; ++i) {
      if (!std::isfinite(p[i]))
        throw Failure(ErrorCode::bad_data,
                      "voxel (" + std::to_string(i % static_cast<std::size_t>(v.nx)) + ", " +
                          std::to_string(i / static_cast<std::size_t>(v.nx)) + ", " + std::to_string(k) + ") is " +
                          (std::isnan(p[i]) ? "not a number" : "infinite") + " and cannot be stored",
                      "look for the operator before the sink that made it");
      r.low = std::min(r.low, p[i]);
      r.high = std::max(r.high, p[i]);
    }
  });
  Range all;
  for (const Range& r : ranges) all = {std::min(all.low, r.low), std::max(all.high, r.high)};
  return all;
}

/// What a reader will see: the value of the decimal string.
double as_written(double v) { return std::atof(decimal_string(v).c_str()); }

void add_pet(const ItemWriter& object, const VolumeToWrite& v) {
  object.item().findAndDeleteElement(DCM_PatientPosition);  // PS3.3 C.8.4.6 says it with codes
  add_pet_units(object, v.unit);
  const auto at_least = [&](const DcmTagKey& tag, const std::string& value) {
    if (!object.item().tagExistsWithValue(tag)) object.text(tag, value);
  };
  at_least(DCM_CountsSource, "EMISSION");
  at_least(DCM_DecayCorrection, "NONE");
  OFString kind;
  object.item().findAndGetOFString(DCM_SeriesType, kind);
  object.text(DCM_SeriesType, kind == "WHOLE BODY" ? "WHOLE BODY\\IMAGE" : "STATIC\\IMAGE");
  object.u16(DCM_NumberOfSlices, v.nz);
  at_least(DCM_FrameReferenceTime, "0");
  for (const DcmTagKey& tag : {DCM_CorrectedImage, DCM_CollimatorType, DCM_AcquisitionDate, DCM_AcquisitionTime,
                               DCM_ActualFrameDuration, DCM_RadiopharmaceuticalInformationSequence,
                               DCM_PatientOrientationCodeSequence, DCM_PatientGantryRelationshipCodeSequence})
    object.empty_unless_there(tag);
  object.text(DCM_ImageType, "DERIVED\\PRIMARY");  // C.8.9.4.1.1 knows no other second value
}

/// What all slices share.
DcmDataset shared_dataset(const VolumeToWrite& v, const SourceMetadata& source, const OutputDescription& d,
                          const Quantisation& q, const std::string& series_uid) {
  const DerivedModality modality = derived_modality(source, v.unit);
  const bool ct = modality == DerivedModality::ct, pet = modality == DerivedModality::pet;
  DcmDataset dataset;
  add_common_modules(dataset, source, d,
                     pet  ? "PT"
                     : ct ? "CT"
                          : "MR",
                     pet  ? pet_image_storage
                     : ct ? ct_image_storage
                          : mr_image_storage,
                     series_uid,
                     frame_of_reference | series_of_source | image_history | display |
                         (pet  ? pet_acquisition
                          : ct ? ct_acquisition
                               : mr_acquisition),
                     {});
  const ItemWriter object(dataset);
  object.empty_unless_there(DCM_PatientPosition);
  object.empty_unless_there(DCM_PositionReferenceIndicator);
  if (!pet) object.empty_unless_there(DCM_AcquisitionNumber);
  if (!dataset.tagExistsWithValue(DCM_FrameOfReferenceUID)) object.text(DCM_FrameOfReferenceUID, new_uid());
  if (pet) {
    add_pet(object, v);
  } else if (ct) {
    object.text(DCM_ImageType, "DERIVED\\SECONDARY\\AXIAL");
    object.empty_unless_there(DCM_KVP);
  } else {
    object.text(DCM_ImageType, "DERIVED\\SECONDARY\\OTHER");
    if (!dataset.tagExistsWithValue(DCM_ScanningSequence)) object.text(DCM_ScanningSequence, "RM");
    if (!dataset.tagExistsWithValue(DCM_SequenceVariant)) object.text(DCM_SequenceVariant, "NONE");
    for (const DcmTagKey& tag :
         {DCM_ScanOptions, DCM_MRAcquisitionType, DCM_RepetitionTime, DCM_EchoTime, DCM_EchoTrainLength})
      object.empty_unless_there(tag);
  }
  add_derivation(object, d);
  const Geometry& g = v.geometry;
  object.directions(DCM_ImageOrientationPatient, vec(g.axis(0)), vec(g.axis(1)));
  object.decimals(DCM_PixelSpacing, {g.spacing_mm[1], g.spacing_mm[0]});
  object.decimals(DCM_SliceThickness, {g.spacing_mm[2]});
  if (!pet) object.decimals(DCM_SpacingBetweenSlices, {g.spacing_mm[2]});
  object.u16(DCM_SamplesPerPixel, 1);
  object.text(DCM_PhotometricInterpretation, "MONOCHROME2");
  object.u16(DCM_Rows, v.ny);
  object.u16(DCM_Columns, v.nx);
  object.u16(DCM_BitsAllocated, 16);
  object.u16(DCM_BitsStored, 16);
  object.u16(DCM_HighBit, 15);
  object.u16(DCM_PixelRepresentation, q.is_signed ? 1 : 0);
  object.decimals(DCM_RescaleIntercept, {q.intercept});
  object.decimals(DCM_RescaleSlope, {q.slope});
  if (!pet) object.text(DCM_RescaleType, v.unit == "HU" ? "HU" : "US");
  return dataset;
}

}  // namespace

std::string pet_units(const std::string& unit) {
  for (const char* term : {"CNTS", "NONE", "CM2", "CM2ML", "PCNT", "CPS", "BQML", "MGMINML", "UMOLMINML", "MLMING",
                           "MLG", "1CM", "UMOLML", "PROPCNTS", "PROPCPS", "MLMINML", "MLML", "GML", "STDDEV"})
    if (unit == term) return term;
  if (unit == "Bq/ml") return "BQML";
  if (unit == "g/ml" || unit == "SUV" || unit == "SUVbw") return "GML";
  return {};
}

void add_pet_units(const ItemWriter& object, const std::string& unit) {
  const std::string units = pet_units(unit);
  object.text(DCM_Units, units);
  if (units == "GML")
    object.text(DCM_SUVType, "BW");
  else
    object.item().findAndDeleteElement(DCM_SUVType);
}

std::vector<std::uint8_t> quantised(std::span<const float> plane, const Quantisation& q) {
  std::vector<std::uint8_t> bytes(2 * plane.size());
  for (std::size_t i = 0; i < plane.size(); ++i) {
    const double stored = std::nearbyint((static_cast<double>(plane[i]) - q.intercept) / q.slope);
    const double low = q.is_signed ? -32768 : 0, high = q.is_signed ? 32767 : 65535;
    const auto word = static_cast<unsigned>(static_cast<int>(std::clamp(stored, low, high))) & 0xFFFFU;
    bytes[2 * i] = static_cast<std::uint8_t>(word & 0xFFU);
    bytes[2 * i + 1] = static_cast<std::uint8_t>(word >> 8U);
  }
  return bytes;
}

DerivedModality derived_modality(const SourceMetadata& source, const std::string& unit) {
  if (source.empty()) return unit == "HU" ? DerivedModality::ct : DerivedModality::mr;
  return source.modality == "CT"   ? DerivedModality::ct
         : source.modality == "PT" ? DerivedModality::pet
                                   : DerivedModality::mr;
}

void require_writable(const SourceMetadata& source, const std::string& unit) {
  if (source.empty() && unit != "HU")
    throw Failure(ErrorCode::unsupported,
                  "a volume in '" + unit + "' that comes from no DICOM series cannot be written as CT",
                  "convert it to HU first, or write it as NIfTI or MetaImage");
  if (!source.empty() && source.modality != "CT" && source.modality != "MR" && source.modality != "PT")
    throw Failure(
        ErrorCode::unsupported,
        "Modality (0008,0060) = " + source.modality + " of the source: only CT, MR and PT series can be derived",
        "write the volume with dicom_parametric_map_sink, or as NIfTI or MetaImage");
  if (!source.empty() && source.modality == "PT" && pet_units(unit).empty())
    throw Failure(ErrorCode::unsupported, "a PET series has no Units (0054,1001) for '" + unit + "'",
                  "give values in Bq/ml (BQML), g/ml (GML), CNTS, NONE or another term of PS3.3 C.8.9.1.1.3");
}

Quantisation choose_quantisation(const VolumeToWrite& v, DerivedModality modality, const Workers& workers) {
  const Range range = find_range(v, workers);
  const double low = range.low, high = range.high;
  Quantisation q;
  if (modality == DerivedModality::pet && v.rescale_slope == 0) {
    q.is_signed = low < 0;
    const double finest = q.is_signed ? std::max(-low / 32768, high / 32767) : high / 65535;
    q.slope = finest > 0 ? as_written(finest * (1 + 1e-9)) : 1;
    return q;
  }
  if (v.unit == "HU" || v.rescale_slope > 0) {
    q.slope = as_written(v.rescale_slope > 0 ? v.rescale_slope : 1);
    if (low / q.slope >= -32768 && high / q.slope <= 32767) {
      q.is_signed = true;
      return q;
    }
  }
  const double finest = (high - low) / 65535;
  if (v.rescale_slope > 0) {
    q.intercept = modality == DerivedModality::pet ? 0 : as_written(low);
    if (q.intercept == as_written(low) && finest <= q.slope * (1 - 1e-9)) return q;
    throw Failure(ErrorCode::bad_data,
                  "values from " + decimal_string(low) + " to " + decimal_string(high) +
                      " do not fit 16 bits with rescale_slope = " + decimal_string(v.rescale_slope),
                  "set rescale_slope to 0 (automatic) or to at least " + decimal_string(finest * 1.001));
  }
  // A little coarser than the finest slope, so that its rounding to a decimal string loses no value at the ends.
  q.slope = finest > 0 ? as_written(finest * (1 + 1e-9)) : 1;
  q.intercept = as_written(low);
  return q;
}

void write_series(const std::string& folder, const VolumeToWrite& v, const SourceMetadata& source,
                  const OutputDescription& description, const Workers& workers, const LoadProgress& progress) {
  use_dcmtk();
  const DcmtkLog log;
  require_writable(source, v.unit);
  const Quantisation q = choose_quantisation(v, derived_modality(source, v.unit), workers);
  OutputFolder output(folder);
  const DcmDataset shared = shared_dataset(v, source, description, q, new_uid());
  const std::size_t plane = static_cast<std::size_t>(v.nx) * static_cast<std::size_t>(v.ny);
  const Vec3 normal = vec(v.geometry.axis(2));
  const DerivedModality modality = derived_modality(source, v.unit);
  std::atomic<std::int64_t> done{0};
  std::mutex copying;  // DCMTK's lists have a cursor that copying moves
  workers.for_each(v.nz, [&](std::int64_t k) {
    const DcmtkLog log_of_thread;
    DcmDataset dataset = [&] {
      const std::lock_guard lock(copying);
      return shared;
    }();
    const ItemWriter object(dataset);
    const Vec3 position = vec(v.geometry.position_mm(0, 0, static_cast<double>(k)));
    object.text(DCM_SOPInstanceUID, new_uid());
    object.text(DCM_InstanceNumber, std::to_string(k + 1));
    if (modality == DerivedModality::pet) object.u16(DCM_ImageIndex, static_cast<int>(k) + 1);
    object.point(DCM_ImagePositionPatient, position);
    object.decimals(DCM_SliceLocation, {dot(position, normal)});
    const std::vector<int> near = slices_near(source, position, normal, v.geometry.spacing_mm[2]);
    add_source_images(object, source, near);
    add_instance_references(dataset, source, near);
    const std::vector<std::uint8_t> bytes = quantised(v.voxels.subspan(static_cast<std::size_t>(k) * plane, plane), q);
    PixelElementToWrite pixels;
    pixels.native_bytes = bytes.size();
    pixels.produce = [&](const auto& sink) { sink(bytes); };
    std::vector<std::vector<std::uint8_t>> codestreams;
    if (v.compression != LosslessCompression::none) {
      codestreams.push_back(compress_frame({v.ny, v.nx, 16, q.is_signed}, bytes, v.compression));
      pixels.codestreams = &codestreams;
    }
    char name[32];
    std::snprintf(name, sizeof name, "/IM%05d.dcm", static_cast<int>(k) + 1);
    write_object(output.temporary() + name, dataset, transfer_syntax_uid(v.compression), pixels);
    if (progress && !progress(++done, v.nz)) throw Error(ErrorCode::cancelled, "cancelled.");
  });
  output.commit();
}

}  // namespace isocenter::detail::dicom
