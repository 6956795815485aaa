#include "write_parametric_map.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <isocenter/error.hpp>
#include <set>

#include "context.hpp"
#include "frame_groups.hpp"
#include "object_file.hpp"
#include "toolkit.hpp"
#include "uid.hpp"

namespace isocenter::detail::dicom {
namespace {

constexpr const char* parametric_map_storage = "1.2.840.10008.5.1.4.1.1.30";
constexpr const char* explicit_little_endian = "1.2.840.10008.1.2.1";
constexpr const char* image_type = "DERIVED\\PRIMARY\\VOLUME\\QUANTITY";

static_assert(std::endian::native == std::endian::little, "floats are written as they lie in memory");

struct Range {
  double low = 0, high = 0;
};

Range range_of(const MapToWrite& m) {
  Range r{static_cast<double>(m.voxels[0]), static_cast<double>(m.voxels[0])};
  for (std::size_t i = 0; i < m.voxels.size(); ++i) {
    const auto v = static_cast<double>(m.voxels[i]);
    if (!std::isfinite(v)) {
      const auto nx = static_cast<std::size_t>(m.nx), ny = static_cast<std::size_t>(m.ny);
      throw Failure(ErrorCode::bad_data,
                    "voxel (" + std::to_string(i % nx) + ", " + std::to_string(i / nx % ny) + ", " +
                        std::to_string(i / nx / ny) + ") is " + (std::isnan(v) ? "not a number" : "infinite") +
                        " and cannot be stored",
                    "look for the operator before the sink that made it");
    }
    r.low = std::min(r.low, v);
    r.high = std::max(r.high, v);
  }
  return r;
}

void put_double(const ItemWriter& to, const DcmTagKey& tag, double value) { to.item().putAndInsertFloat64(tag, value); }

void add_image(const ItemWriter& object, const MapToWrite& m, const OutputDescription& d) {
  object.text(DCM_SOPInstanceUID, new_uid());
  object.text(DCM_InstanceNumber, "1");
  object.text(DCM_ImageType, image_type);
  object.text(DCM_ContentLabel, "PARAMETRIC_MAP");
  object.text(DCM_ContentDescription, d.series_description);
  object.empty_unless_there(DCM_ContentCreatorName);
  object.text(DCM_ContentQualification, "PRODUCT");
  object.text(DCM_PresentationLUTShape, "IDENTITY");
  if (!object.item().tagExistsWithValue(DCM_BurnedInAnnotation)) object.text(DCM_BurnedInAnnotation, "NO");
  if (!object.item().tagExistsWithValue(DCM_RecognizableVisualFeatures))
    object.text(DCM_RecognizableVisualFeatures, "NO");
  if (!object.item().tagExistsWithValue(DCM_LossyImageCompression)) object.text(DCM_LossyImageCompression, "00");
  object.u16(DCM_SamplesPerPixel, 1);
  object.text(DCM_PhotometricInterpretation, "MONOCHROME2");
  object.u16(DCM_Rows, m.ny);
  object.u16(DCM_Columns, m.nx);
  object.u16(DCM_BitsAllocated, 32);
}

void add_shared_groups(const ItemWriter& object, const MapToWrite& m, const Range& range, DcmItem& context) {
  const ItemWriter shared = object.item(DCM_SharedFunctionalGroupsSequence);
  add_plane_groups(shared, m.geometry);
  add_frame_anatomy(shared, context);
  const ItemWriter same = shared.item(DCM_PixelValueTransformationSequence);  // identity: C.7.6.16.2.9b
  same.text(DCM_RescaleIntercept, "0");
  same.text(DCM_RescaleSlope, "1");
  same.text(DCM_RescaleType, "US");
  const ItemWriter window = shared.item(DCM_FrameVOILUTSequence);
  window.decimals(DCM_WindowCenter, {0.5 * (range.low + range.high)});
  window.decimals(DCM_WindowWidth, {std::max(range.high - range.low, 1e-6)});
  window.text(DCM_VOILUTFunction, "LINEAR_EXACT");
  shared.item(DCM_ParametricMapFrameTypeSequence).text(DCM_FrameType, image_type);
  const ItemWriter real = shared.item(DCM_RealWorldValueMappingSequence);
  put_double(real, DCM_DoubleFloatRealWorldValueFirstValueMapped, range.low);
  put_double(real, DCM_DoubleFloatRealWorldValueLastValueMapped, range.high);
  put_double(real, DCM_RealWorldValueIntercept, 0);
  put_double(real, DCM_RealWorldValueSlope, 1);
  real.text(DCM_LUTExplanation, m.explanation);
  real.text(DCM_LUTLabel, m.label);
  real.code(DCM_MeasurementUnitsCodeSequence, m.unit);
  if (m.quantity.value.empty()) return;
  const ItemWriter quantity = real.item(DCM_QuantityDefinitionSequence);  // PS3.16 TID 1420 shape: name and value
  quantity.text(DCM_ValueType, "CODE");
  quantity.code(DCM_ConceptNameCodeSequence, {"246205007", "SCT", "Quantity"});
  quantity.code(DCM_ConceptCodeSequence, m.quantity);
}

}  // namespace

Code unit_code(const std::string& unit) {
  static const struct {
    const char* unit;
    Code code;
  } known[] = {
      {"HU", {"[hnsf'U]", "UCUM", "Hounsfield unit"}},
      {"1/mm", {"/mm", "UCUM", "/mm"}},
      {"1/cm", {"/cm", "UCUM", "/cm"}},
      {"mm", {"mm", "UCUM", "mm"}},
      {"ms", {"ms", "UCUM", "ms"}},
      {"s", {"s", "UCUM", "s"}},
      {"1", {"1", "UCUM", "no units"}},
      {"%", {"%", "UCUM", "Percent"}},
      {"a.u.", {"[arb'U]", "UCUM", "arbitrary unit"}},
      {"BQML", {"Bq/ml", "UCUM", "Becquerels/milliliter"}},
      {"Bq/ml", {"Bq/ml", "UCUM", "Becquerels/milliliter"}},
      {"GML", {"g/ml", "UCUM", "g/ml"}},
      {"g/ml", {"g/ml", "UCUM", "g/ml"}},
      {"SUV", {"g/ml{SUVbw}", "UCUM", "Standardized Uptake Value body weight"}},
      {"SUVbw", {"g/ml{SUVbw}", "UCUM", "Standardized Uptake Value body weight"}},
      {"Gy", {"Gy", "UCUM", "Gy"}},
  };
  for (const auto& k : known)
    if (unit == k.unit) return k.code;
  return {};
}

void write_parametric_map(const std::string& path, const MapToWrite& m, const SourceMetadata& source,
                          const OutputDescription& description) {
  use_dcmtk();
  const DcmtkLog log;
  const Range range = range_of(m);
  DcmDataset context;
  from_bytes(source.context, context);
  DcmDataset dataset;
  add_common_modules(dataset, source, description, source.modality.empty() ? "OT" : source.modality,
                     parametric_map_storage, new_uid(), frame_of_reference | series_of_source | image_history,
                     {m.label, m.explanation, m.unit.meaning, m.quantity.meaning});
  const ItemWriter object(dataset);
  object.empty_unless_there(DCM_PositionReferenceIndicator);
  if (!dataset.tagExistsWithValue(DCM_FrameOfReferenceUID)) object.text(DCM_FrameOfReferenceUID, new_uid());
  add_image(object, m, description);
  add_multi_frame(object, m.nz);
  add_stack_dimensions(object);
  add_shared_groups(object, m, range, context);
  std::set<int> used;
  for (int k = 0; k < m.nz; ++k) {
    const Vec3 position = vec(m.geometry.position_mm(0, 0, k));
    const std::vector<int> near = slices_near(source, position, vec(m.geometry.axis(2)), m.geometry.spacing_mm[2]);
    add_frame_groups(object.item(DCM_PerFrameFunctionalGroupsSequence), m.geometry, k, source, description, near);
    used.insert(near.begin(), near.end());
  }
  add_instance_references(dataset, source, {used.begin(), used.end()});
  PixelElementToWrite pixels;
  pixels.element = PixelElement::floats;
  pixels.native_bytes = m.voxels.size_bytes();
  pixels.produce = [&](const auto& sink) {
    sink({reinterpret_cast<const std::uint8_t*>(m.voxels.data()), m.voxels.size_bytes()});
  };
  write_object(path, dataset, explicit_little_endian, pixels);
}

}  // namespace isocenter::detail::dicom
