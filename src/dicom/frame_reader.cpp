#include "frame_reader.hpp"

#include <dcmtk/dcmdata/dcdeftag.h>

#include "dataset_values.hpp"

namespace isocenter::detail::dicom {
namespace {

constexpr const char* nuclear_medicine_class = "1.2.840.10008.5.1.4.1.1.20";

/// Where an attribute stands: in a functional group's sequence, and in the image itself for classic objects.
struct Place {
  DcmTagKey group;
  DcmTagKey inner;  ///< a sequence inside the group; DCM_UndefinedTagKey when there is none
  DcmTagKey tag;
};

/// One frame's view of the data set: its own functional groups, then the shared ones, then the image.
class FrameView {
 public:
  FrameView(DcmItem& dataset, DcmItem* shared, DcmItem* own) : dataset_(dataset), shared_(shared), own_(own) {}

  bool is_enhanced() const { return shared_ != nullptr || own_ != nullptr; }

  /// The item that holds a functional group's attributes.
  DcmItem* group(const DcmTagKey& sequence) const {
    for (DcmItem* groups : {own_, shared_})
      if (groups != nullptr)
        if (DcmItem* item = sequence_item(*groups, sequence)) return item;
    return is_enhanced() ? nullptr : &dataset_;
  }

  std::string text(const Place& place) const {
    DcmItem* item = group(place.group);
    if (item != nullptr && item != &dataset_ && place.inner != DCM_UndefinedTagKey)
      item = sequence_item(*item, place.inner);
    if (item == nullptr) return {};
    return text_value(*item, {place.tag.getGroup(), place.tag.getElement(), ""});
  }

  DcmItem& dataset() const { return dataset_; }

 private:
  DcmItem& dataset_;
  DcmItem* shared_;
  DcmItem* own_;
};

class FrameReader {
 public:
  FrameReader(Image& image, std::vector<Finding>& findings) : image_(image), findings_(findings) {}

  Frame read(const FrameView& view, int number) {
    Frame frame;
    frame.number = number;
    read_plane(view.group(DCM_PlanePositionSequence), view.group(DCM_PlaneOrientationSequence), frame);
    read_measures(view, frame);
    read_rescale(view, frame);
    read_discriminators(view, frame);
    return frame;
  }

  /// The frames of a gamma camera's image by their index vectors (PS3.3 C.8.4.8). Reconstructed slices lie along the
  /// normal of the first, whose plane is the first detector's (C.8.4.11); a negative SpacingBetweenSlices (0018,0088)
  /// stacks them against the normal (C.8.4.15).
  void place_nuclear(DcmItem& dataset) {
    std::vector<Frame>& frames = image_.frames;
    for (std::size_t k = first_nuclear_discriminator; k < discriminator_count; ++k)
      if (const auto index = indices(dataset, discriminators[k]))
        for (std::size_t i = 0; i < frames.size(); ++i) frames[i].discriminator[k] = std::to_string((*index)[i]);
    const auto slice = indices(dataset, attribute::slice_vector);
    DcmItem* const detector = sequence_item(dataset, DCM_DetectorInformationSequence);
    const auto step = number(dataset, attribute::spacing_between_slices);
    if (!slice || detector == nullptr || !step || *step == 0) return;
    Frame first;
    read_plane(detector, detector, first);
    if (!first.position || !first.row_direction) return;
    const Vec3 normal = cross(*first.row_direction, *first.column_direction);
    for (std::size_t i = 0; i < frames.size(); ++i) {
      frames[i].position = *first.position + normal * (*step * ((*slice)[i] - 1));
      frames[i].row_direction = first.row_direction;
      frames[i].column_direction = first.column_direction;
      frames[i].spacing_between_slices_mm = std::fabs(*step);
    }
  }

 private:
  /// One of the vectors that number a gamma camera's frames from 1: a value for each.
  std::optional<std::vector<int>> indices(DcmItem& dataset, const Attribute& a) {
    const auto values =
        exactly(&dataset, a, image_.frames.size(), "a number for each of the frames of NumberOfFrames (0028,0008)");
    if (!values) return std::nullopt;
    std::vector<int> index;
    for (const double v : *values) {
      if (v != std::floor(v) || v < 1 || v > 65535) {
        bad_value(a, text_value(dataset, a), "whole numbers from 1");
        return std::nullopt;
      }
      index.push_back(static_cast<int>(v));
    }
    return index;
  }

  /// Numbers of an attribute that must be `count` of them when it is there at all.
  std::optional<std::vector<double>> exactly(DcmItem* item, const Attribute& a, std::size_t count, const char* rule) {
    if (item == nullptr) return std::nullopt;
    const std::string text = text_value(*item, a);
    if (text.empty()) return std::nullopt;
    auto values = numbers(*item, a);
    if (values && values->size() == count) return values;
    bad_value(a, text, rule);
    return std::nullopt;
  }

  void bad_value(const Attribute& a, const std::string& value, const std::string& rule) {
    if (!image_.unusable.empty()) return;  // one finding a file is enough
    image_.unusable = text(a) + " = '" + value + "' is not " + rule;
    findings_.push_back({FindingCode::bad_value, Severity::error, image_.unusable,
                         "correct the value, or take the file out of the folder", "", text(a), value, "", 0});
  }

  /// A kilometre bounds every patient; what lies beyond is a broken value.
  static constexpr double farthest_mm = 1e6;

  void set_position(const std::vector<double>& p, Frame& frame) {
    const Vec3 v{p[0], p[1], p[2]};
    if (largest_component(v) > farthest_mm)
      bad_value(attribute::image_position_patient, "beyond 1 km", "a point near the patient");
    else
      frame.position = v;
  }

  /// The items that hold the position and the orientation; null where there is none.
  void read_plane(DcmItem* position, DcmItem* orientation, Frame& frame) {
    if (const auto p = exactly(position, attribute::image_position_patient, 3, "three numbers, a point in mm"))
      set_position(*p, frame);
    const auto o = exactly(orientation, attribute::image_orientation_patient, 6, "six numbers, two directions");
    if (!o) return;
    const Vec3 row{(*o)[0], (*o)[1], (*o)[2]}, column{(*o)[3], (*o)[4], (*o)[5]};
    constexpr double tolerance = 1e-3;  // six or more digits are usual; four still pass
    if (std::fabs(length(row) - 1) > tolerance || std::fabs(length(column) - 1) > tolerance ||
        std::fabs(dot(row, column)) > tolerance) {
      bad_value(attribute::image_orientation_patient, text_value(*orientation, attribute::image_orientation_patient),
                "two directions of length 1 at a right angle");
      return;
    }
    frame.row_direction = normalised(row);
    frame.column_direction = normalised(column - *frame.row_direction * dot(column, *frame.row_direction));
  }

  void read_measures(const FrameView& view, Frame& frame) {
    DcmItem* const measures = view.group(DCM_PixelMeasuresSequence);
    if (const auto s = exactly(measures, attribute::pixel_spacing, 2, "two numbers")) {
      if ((*s)[0] > 1e-6 && (*s)[1] > 1e-6 && (*s)[0] < farthest_mm && (*s)[1] < farthest_mm) {
        frame.row_spacing_mm = (*s)[0];
        frame.column_spacing_mm = (*s)[1];
      } else {
        bad_value(attribute::pixel_spacing, text_value(*measures, attribute::pixel_spacing), "two positive distances");
      }
    }
    if (measures == nullptr) return;
    frame.slice_thickness_mm = std::fmax(0.0, number(*measures, attribute::slice_thickness).value_or(0));
    frame.spacing_between_slices_mm = std::fmax(0.0, number(*measures, attribute::spacing_between_slices).value_or(0));
  }

  /// A parametric map's values are what its RealWorldValueMappingSequence (0040,9096) says (PS3.3 C.8.23.3).
  void read_real_world_values(const FrameView& view, Frame& frame) {
    DcmItem* const item = view.group(DCM_RealWorldValueMappingSequence);
    if (item == nullptr || item == &view.dataset()) return;
    const auto slope = number(*item, attribute::real_world_value_slope);
    const auto intercept = number(*item, attribute::real_world_value_intercept);
    if (!slope || !intercept) return;
    DcmItem* const unit = sequence_item(*item, DCM_MeasurementUnitsCodeSequence);
    frame.rescale = Rescale{*slope, *intercept, unit == nullptr ? "" : text_value(*unit, attribute::code_value)};
  }

  void read_rescale(const FrameView& view, Frame& frame) {
    if (image_.sop_class_uid == "1.2.840.10008.5.1.4.1.1.30") return read_real_world_values(view, frame);
    DcmItem* const item = view.group(DCM_PixelValueTransformationSequence);
    if (item == nullptr) return;
    const std::string slope_text = text_value(*item, attribute::rescale_slope);
    const std::string intercept_text = text_value(*item, attribute::rescale_intercept);
    if (slope_text.empty() && intercept_text.empty()) return;
    const auto slope = parse_number(slope_text), intercept = parse_number(intercept_text);
    if (!slope || *slope == 0) return bad_value(attribute::rescale_slope, slope_text, "a number other than 0");
    if (!intercept) return bad_value(attribute::rescale_intercept, intercept_text, "a number");
    frame.rescale = Rescale{*slope, *intercept, text_value(*item, attribute::rescale_type)};
  }

  void read_discriminators(const FrameView& view, Frame& frame) {
    // In the order of `discriminators`.
    static const Place places[first_nuclear_discriminator] = {
        {DCM_CTReconstructionSequence, DCM_UndefinedTagKey, DCM_ConvolutionKernel},
        {DCM_UndefinedTagKey, DCM_UndefinedTagKey, DCM_ImageType},
        {DCM_FrameContentSequence, DCM_UndefinedTagKey, DCM_StackID},
        {DCM_MREchoSequence, DCM_UndefinedTagKey, DCM_EffectiveEchoTime},
        {DCM_UndefinedTagKey, DCM_UndefinedTagKey, DCM_EchoNumbers},
        {DCM_MRModifierSequence, DCM_UndefinedTagKey, DCM_InversionTimes},
        {DCM_MRDiffusionSequence, DCM_UndefinedTagKey, DCM_DiffusionBValue},
        {DCM_MRDiffusionSequence, DCM_DiffusionGradientDirectionSequence, DCM_DiffusionGradientOrientation},
        {DCM_UndefinedTagKey, DCM_UndefinedTagKey, DCM_TemporalPositionIdentifier},
        {DCM_FrameContentSequence, DCM_UndefinedTagKey, DCM_TemporalPositionIndex},
        {DCM_CardiacSynchronizationSequence, DCM_UndefinedTagKey, DCM_NominalPercentageOfCardiacPhase},
        {DCM_RespiratorySynchronizationSequence, DCM_UndefinedTagKey, DCM_NominalPercentageOfRespiratoryPhase},
        {DCM_CardiacSynchronizationSequence, DCM_UndefinedTagKey, DCM_NominalCardiacTriggerDelayTime},
        {DCM_FrameContentSequence, DCM_UndefinedTagKey, DCM_FrameAcquisitionNumber},
    };
    for (std::size_t i = 0; i < first_nuclear_discriminator; ++i)
      frame.discriminator[i] =
          view.is_enhanced() ? view.text(places[i]) : text_value(view.dataset(), discriminators[i]);
    if (!view.is_enhanced()) return;
    // Magnitude, phase and the like of enhanced objects: FrameType (0008,9007) of the modality's own frame type group.
    for (const DcmTagKey& sequence :
         {DCM_MRImageFrameTypeSequence, DCM_CTImageFrameTypeSequence, DCM_PETFrameTypeSequence})
      if (const std::string type = view.text({sequence, DCM_UndefinedTagKey, DCM_FrameType}); !type.empty())
        frame.discriminator[1] = type;
  }

  Image& image_;
  std::vector<Finding>& findings_;
};

}  // namespace

namespace {

/// The frames of an RT Dose lie at GridFrameOffsetVector (3004,000c) along the normal of the first (PS3.3 C.8.8.3.2):
/// offsets from ImagePositionPatient when the first is 0, else positions along the normal. Values are DoseGridScaling
/// (3004,000e) · stored.
void place_dose(DcmItem& dataset, Image& image) {
  const auto scaling = number(dataset, attribute::dose_grid_scaling);
  if (scaling && *scaling > 0) {
    const std::string unit = text_value(dataset, attribute::dose_units);
    for (Frame& f : image.frames)
      f.rescale = Rescale{*scaling, 0, unit == "GY" ? "Gy" : unit == "RELATIVE" ? "1" : unit};
  }
  const auto offsets = numbers(dataset, attribute::grid_frame_offset_vector);
  const auto position = numbers(dataset, attribute::image_position_patient);
  if (!offsets || offsets->size() != image.frames.size() || !position || position->size() != 3) return;
  const Frame& first = image.frames.front();
  if (!first.row_direction || !first.column_direction) return;
  const Vec3 origin{(*position)[0], (*position)[1], (*position)[2]};
  const Vec3 normal = cross(*first.row_direction, *first.column_direction);
  for (std::size_t i = 0; i < image.frames.size(); ++i)
    image.frames[i].position = origin + normal * ((*offsets)[i] - offsets->front());
}

}  // namespace

void read_frames(DcmItem& dataset, int count, Image& image, std::vector<Finding>& findings) {
  DcmItem* const shared = sequence_item(dataset, DCM_SharedFunctionalGroupsSequence);
  DcmSequenceOfItems* per_frame = nullptr;
  if (dataset.findAndGetSequence(DCM_PerFrameFunctionalGroupsSequence, per_frame).bad()) per_frame = nullptr;
  FrameReader reader(image, findings);
  image.frames.reserve(static_cast<std::size_t>(count));
  DcmObject* own = nullptr;
  for (int i = 0; i < count; ++i) {
    if (per_frame != nullptr) own = per_frame->nextInContainer(own);
    const bool ended = per_frame != nullptr && own == nullptr;
    if (ended) {
      image.unusable = "PerFrameFunctionalGroupsSequence (5200,9230) has " + std::to_string(i) +
                       " items, NumberOfFrames (0028,0008) = " + std::to_string(count);
      findings.push_back({FindingCode::bad_value, Severity::error, image.unusable,
                          "export the object again from where it came", "", text(attribute::number_of_frames),
                          std::to_string(count), "", 0});
      return;
    }
    image.frames.push_back(reader.read(FrameView(dataset, shared, static_cast<DcmItem*>(own)), i));
    // The image's one position cannot be that of several frames.
    if (count > 1 && shared == nullptr && own == nullptr) image.frames.back().position.reset();
  }
  if (image.modality == "RTDOSE") place_dose(dataset, image);
  if (image.sop_class_uid == nuclear_medicine_class) reader.place_nuclear(dataset);
}

}  // namespace isocenter::detail::dicom
