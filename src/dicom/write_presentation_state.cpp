#include "write_presentation_state.hpp"

#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dcvrsl.h>

#include <algorithm>
#include <cmath>
#include <isocenter/error.hpp>
#include <memory>

#include "context.hpp"
#include "object_builder.hpp"
#include "object_file.hpp"
#include "toolkit.hpp"
#include "uid.hpp"

namespace isocenter::detail::dicom {
namespace {

constexpr const char* presentation_storage = "1.2.840.10008.5.1.4.1.1.11.1";
constexpr const char* explicit_little_endian = "1.2.840.10008.1.2.1";
constexpr const char* layer = "ISOCENTER";

struct Place {
  double x, y, z;  ///< in voxels
};

Place place(const PresentationToWrite& p, const Annotation& a) {
  const Vec3 d = a.position - vec(p.geometry.position_mm(0, 0, 0));
  return {dot(d, vec(p.geometry.axis(0))) / p.geometry.spacing_mm[0],
          dot(d, vec(p.geometry.axis(1))) / p.geometry.spacing_mm[1],
          dot(d, vec(p.geometry.axis(2))) / p.geometry.spacing_mm[2]};
}

class PresentationWriter {
 public:
  PresentationWriter(const PresentationToWrite& p, const SourceMetadata& source, const OutputDescription& d)
      : p_(p), source_(source), d_(d) {}

  void write(const std::string& path) {
    DcmDataset dataset;
    std::vector<std::string> texts;
    for (const Annotation& a : p_.annotations) texts.push_back(a.text);
    add_common_modules(dataset, source_, d_, "PR", presentation_storage, new_uid(), 0, texts);
    const ItemWriter object(dataset);
    OFString date, time;
    dataset.findAndGetOFString(DCM_ContentDate, date);
    dataset.findAndGetOFString(DCM_ContentTime, time);
    object.text(DCM_SOPInstanceUID, new_uid());
    object.text(DCM_InstanceNumber, "1");
    object.text(DCM_ContentLabel, p_.label);
    object.text(DCM_ContentDescription, d_.series_description);
    object.text(DCM_PresentationCreationDate, date.c_str());
    object.text(DCM_PresentationCreationTime, time.c_str());
    object.empty_unless_there(DCM_ContentCreatorName);
    object.text(DCM_PresentationLUTShape, "IDENTITY");
    add_relationship(object);
    add_displayed_area(object);
    const ItemWriter window = object.item(DCM_SoftcopyVOILUTSequence);
    window.decimals(DCM_WindowCenter, {p_.window_centre});
    window.decimals(DCM_WindowWidth, {p_.window_width});
    add_annotations(object);
    PixelElementToWrite none;
    none.element = PixelElement::none;
    write_object(path, dataset, explicit_little_endian, none);
  }

 private:
  void add_image(const ItemWriter& to, const SourceSlice& s) const {
    const ItemWriter image = to.item(DCM_ReferencedImageSequence);
    image.text(DCM_ReferencedSOPClassUID, source_.sop_class_uid);
    image.text(DCM_ReferencedSOPInstanceUID, s.sop_instance_uid);
    if (s.frame_number > 0) image.text(DCM_ReferencedFrameNumber, std::to_string(s.frame_number));
  }

  void add_relationship(const ItemWriter& object) const {
    const ItemWriter series = object.item(DCM_ReferencedSeriesSequence);
    series.text(DCM_SeriesInstanceUID, source_.series_uid);
    std::string last;
    for (const SourceSlice& s : source_.slices) {
      if (s.sop_instance_uid == last) continue;  // frames of one object: all of them
      last = s.sop_instance_uid;
      add_image(series, {s.sop_instance_uid, 0, s.position});
    }
  }

  /// The whole of every image, its voxels as tall and wide as they are: PS3.3 C.10.4.
  void add_displayed_area(const ItemWriter& object) const {
    const ItemWriter area = object.item(DCM_DisplayedAreaSelectionSequence);
    const auto corner = [&](const DcmTagKey& tag, int column, int row) {
      auto element = std::make_unique<DcmSignedLong>(tag);
      const Sint32 values[] = {column, row};
      element->putSint32Array(values, 2);
      area.item().insert(element.release(), OFTrue);
    };
    corner(DCM_DisplayedAreaTopLeftHandCorner, 1, 1);
    corner(DCM_DisplayedAreaBottomRightHandCorner, p_.columns, p_.rows);
    area.text(DCM_PresentationSizeMode, "SCALE TO FIT");
    area.decimals(DCM_PresentationPixelSpacing, {p_.geometry.spacing_mm[1], p_.geometry.spacing_mm[0]});
  }

  void add_annotations(const ItemWriter& object) const {
    if (p_.annotations.empty()) return;
    const ItemWriter graphic_layer = object.item(DCM_GraphicLayerSequence);
    graphic_layer.text(DCM_GraphicLayer, layer);
    graphic_layer.text(DCM_GraphicLayerOrder, "1");
    for (const Annotation& a : p_.annotations) {
      const Place at = place(p_, a);
      const auto k = std::min(static_cast<std::size_t>(std::fmax(0, std::round(at.z))), source_.slices.size() - 1);
      const ItemWriter item = object.item(DCM_GraphicAnnotationSequence);
      add_image(item, source_.slices[k]);
      item.text(DCM_GraphicLayer, layer);
      const ItemWriter text = item.item(DCM_TextObjectSequence);
      text.text(DCM_UnformattedTextValue, a.text);
      text.text(DCM_AnchorPointAnnotationUnits, "PIXEL");
      // PS3.3 C.10.5.1.2 counts from the upper left corner of the upper left pixel.
      const Float32 anchor[] = {static_cast<Float32>(at.x + 0.5), static_cast<Float32>(at.y + 0.5)};
      text.item().putAndInsertFloat32Array(DCM_AnchorPoint, anchor, 2);
      text.text(DCM_AnchorPointVisibility, "Y");
    }
  }

  const PresentationToWrite& p_;
  const SourceMetadata& source_;
  const OutputDescription& d_;
};

}  // namespace

void require_shows(const PresentationToWrite& p, int slices, const SourceMetadata& source) {
  if (source.slices.empty())
    throw Failure(ErrorCode::bad_data, "the volume comes from no DICOM images that a presentation state could show",
                  "connect a volume of dicom_series_source");
  if (source.slices.size() != static_cast<std::size_t>(slices))
    throw Failure(ErrorCode::bad_data,
                  "the volume has " + std::to_string(slices) + " slices and its source " +
                      std::to_string(source.slices.size()) + " images",
                  "connect the volume as dicom_series_source gives it, not resampled or cropped");
  for (std::size_t k = 0; k < source.slices.size(); ++k)
    if (length(source.slices[k].position - vec(p.geometry.position_mm(0, 0, static_cast<double>(k)))) >
        0.01 * p.geometry.spacing_mm[2])
      throw Failure(ErrorCode::bad_data,
                    "slice " + std::to_string(k) + " of the volume does not lie where its source image does",
                    "connect the volume as dicom_series_source gives it, not resampled or cropped");
  for (const Annotation& a : p.annotations) {
    const Place at = place(p, a);
    if (at.x < -0.5 || at.y < -0.5 || at.z < -0.5 || at.x > p.columns - 0.5 || at.y > p.rows - 0.5 ||
        at.z > slices - 0.5)
      throw Failure(ErrorCode::bad_data, "the annotation '" + a.text + "' lies outside the source images",
                    "give its place in the patient in mm (LPS)");
  }
}

void write_presentation_state(const std::string& path, const PresentationToWrite& presentation,
                              const SourceMetadata& source, const OutputDescription& description) {
  use_dcmtk();
  const DcmtkLog log;
  PresentationWriter(presentation, source, description).write(path);
}

}  // namespace isocenter::detail::dicom
