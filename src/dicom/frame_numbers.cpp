#include "frame_numbers.hpp"

#include <dcmtk/dcmdata/dcdeftag.h>

#include <cmath>
#include <numbers>

#include "dataset_values.hpp"

namespace isocenter::detail::dicom {
namespace {

constexpr Attribute nuclear_vectors[] = {
    attribute::energy_window_vector, attribute::detector_vector,     attribute::phase_vector,
    attribute::rotation_vector,      attribute::rr_interval_vector,  attribute::time_slot_vector,
    attribute::slice_vector,         attribute::angular_view_vector, attribute::time_slice_vector};

constexpr Attribute positioner_motion{0x0018, 0x1500, "PositionerMotion"};

std::string name_of(const Attribute& a) { return "dicom." + std::string(a.keyword); }

const FrameNumbers* find(const std::vector<FrameNumbers>& all, const std::string& name) {
  for (const FrameNumbers& n : all)
    if (n.name == name) return &n;
  return nullptr;
}

/// All values of an attribute, which have to be as many as the frames; nothing when it is not there or they are not.
std::optional<std::vector<double>> one_a_frame(const Image& image, DcmItem& item, const Attribute& a,
                                               std::vector<std::string>& problems) {
  const std::string value = text_value(item, a);
  if (value.empty()) return std::nullopt;
  auto values = numbers(item, a);
  if (values && values->size() == image.frames.size()) return values;
  problems.push_back(text(a) + " has " + std::to_string(split_values(value).size()) + " values, " +
                     text(attribute::number_of_frames) + " = " + std::to_string(image.frames.size()) +
                     " asks for a number for each frame; it was left out");
  return std::nullopt;
}

/// The item of a functional group: the frame's own, else the shared one. Of a classic object the data set.
DcmItem* group_item(DcmItem& dataset, int frame, const DcmTagKey& sequence) {
  DcmItem* const shared = sequence_item(dataset, DCM_SharedFunctionalGroupsSequence);
  DcmItem* const own = sequence_item(dataset, DCM_PerFrameFunctionalGroupsSequence, static_cast<unsigned long>(frame));
  for (DcmItem* const groups : {own, shared})
    if (groups != nullptr)
      if (DcmItem* const item = sequence_item(*groups, sequence)) return item;
  return shared == nullptr && own == nullptr ? &dataset : nullptr;
}

/// ImagerPixelSpacing: between rows, between columns.
std::optional<std::vector<double>> imager_spacing(DcmItem& dataset, int frame) {
  DcmItem* const item = group_item(dataset, frame, DCM_FramePixelDataPropertiesSequence);
  auto spacing = item == nullptr ? std::nullopt : numbers(*item, attribute::imager_pixel_spacing);
  if (!spacing || spacing->size() != 2 || !((*spacing)[0] > 0) || !((*spacing)[1] > 0)) return std::nullopt;
  return spacing;
}

std::optional<double> group_number(DcmItem& dataset, int frame, const DcmTagKey& sequence, const Attribute& a) {
  DcmItem* const item = group_item(dataset, frame, sequence);
  return item == nullptr ? std::nullopt : number(*item, a);
}

/// Increments of the classic object: one for all steps, or the offset of each frame. Empty when those of several frames
/// cannot be used, or are missing without a positioner that is said to stand still (PS3.3 C.8.7.5.1.1).
std::vector<double> classic_angles(const Image& image, DcmItem& dataset, double first, const Attribute& increment,
                                   std::vector<std::string>& problems) {
  std::vector<double> angles(image.frames.size(), first);
  if (text_value(dataset, increment).empty()) {
    const std::string motion = text_value(dataset, positioner_motion);
    if (angles.size() <= 1 || motion == "STATIC") return angles;
    problems.push_back(text(increment) + " is missing and " + text(positioner_motion) + " = '" + motion +
                       "' is not STATIC; the angles were left out");
    return {};
  }
  if (const auto step = numbers(dataset, increment); step && step->size() == 1) {
    for (std::size_t i = 0; i < angles.size(); ++i) angles[i] += static_cast<double>(i) * step->front();
    return angles;
  }
  const auto offsets = one_a_frame(image, dataset, increment, problems);
  if (!offsets) return {};
  for (std::size_t i = 0; i < angles.size(); ++i) angles[i] += (*offsets)[i];
  return angles;
}

/// Empty when a frame has none.
std::vector<double> positioner_angles(const Image& image, DcmItem& dataset, const Attribute& angle,
                                      const Attribute& increment, std::vector<std::string>& problems) {
  if (const auto first = number(dataset, angle)) return classic_angles(image, dataset, *first, increment, problems);
  std::vector<double> angles;
  for (const Frame& f : image.frames) {
    const auto own = group_number(dataset, f.number, DCM_PositionerPositionSequence, angle);
    if (!own) return {};
    angles.push_back(*own);
  }
  return angles;
}

/// Angles of a gamma camera's views; empty when the object does not have them.
std::vector<double> detector_angles(DcmItem& dataset, const std::vector<FrameNumbers>& known) {
  const FrameNumbers* const view = find(known, name_of(attribute::angular_view_vector));
  if (view == nullptr) return {};
  const FrameNumbers* const rotation = find(known, name_of(attribute::rotation_vector));
  const FrameNumbers* const detector = find(known, name_of(attribute::detector_vector));
  constexpr Attribute start_angle{0x0054, 0x0200, "StartAngle"}, angular_step{0x0018, 0x1144, "AngularStep"},
      rotation_direction{0x0018, 0x1140, "RotationDirection"};
  const auto item_of = [&](const DcmTagKey& sequence, const FrameNumbers* index, std::size_t i) {
    const double n = index == nullptr ? 1 : index->values[i];
    return n >= 1 && n <= 65535 ? sequence_item(dataset, sequence, static_cast<unsigned long>(n) - 1) : nullptr;
  };
  std::vector<double> angles;
  for (std::size_t i = 0; i < view->values.size(); ++i) {
    DcmItem* const turn = item_of(DCM_RotationInformationSequence, rotation, i);
    DcmItem* const head = item_of(DCM_DetectorInformationSequence, detector, i);
    if (turn == nullptr) return {};
    auto start = head == nullptr ? std::nullopt : number(*head, start_angle);
    if (!start) start = number(*turn, start_angle);
    const auto step = number(*turn, angular_step);
    const std::string direction = text_value(*turn, rotation_direction);
    if (!start || !step || (direction != "CC" && direction != "CW")) return {};
    angles.push_back(*start + (direction == "CC" ? 1 : -1) * *step * (view->values[i] - 1));
  }
  return angles;
}

std::vector<double> frame_times_s(const Image& image, DcmItem& dataset, std::vector<std::string>& problems) {
  std::vector<double> times(image.frames.size());
  if (const auto increments = one_a_frame(image, dataset, attribute::frame_time_vector, problems)) {
    for (std::size_t i = 1; i < times.size(); ++i) times[i] = times[i - 1] + (*increments)[i] / 1000;
    return times;
  }
  const auto ms = number(dataset, attribute::frame_time);
  if (!ms || *ms <= 0) return {};
  for (std::size_t i = 0; i < times.size(); ++i) times[i] = static_cast<double>(i) * *ms / 1000;
  return times;
}

/// Where the ray through the isocentre meets a frame's picture, counted in its pixels from the centre of the first.
struct Foot {
  double row = 0, column = 0;
};

/// By PositionOfIsocenterProjection (PS3.3 C.8.19.5), which counts detector elements from the centre of the first, and
/// FieldOfViewOrigin (C.8.11.4.1.1), which counts them from the detector's corner to the picture's.
std::optional<Foot> stated_foot(DcmItem& dataset, DcmItem& field, const Attribute& origin,
                                const std::vector<double>& imager_mm) {
  constexpr Attribute projection{0x0018, 0x9430, "PositionOfIsocenterProjection"};
  constexpr Attribute element{0x0018, 0x7022, "DetectorElementSpacing"};
  const auto at = numbers(dataset, projection), each = numbers(dataset, element), corner = numbers(field, origin);
  for (const auto& pair : {at, each, corner})
    if (!pair || pair->size() != 2) return std::nullopt;
  const auto pixels = [&](std::size_t i) { return ((*at)[i] + 0.5 - (*corner)[i]) * (*each)[i] / imager_mm[i] - 0.5; };
  if (!((*each)[0] > 0) || !((*each)[1] > 0)) return std::nullopt;
  return Foot{pixels(0), pixels(1)};
}

/// The foot of the central ray; nothing, and why, where it is not known to be one, or to stand at a right angle.
/// Without a statement it is the middle of the picture, unless FieldOfViewOrigin may place that beside the detector's.
std::optional<Foot> central_ray(const Image& image, DcmItem& dataset, int frame, DcmItem* field,
                                const std::vector<double>& imager_mm, std::string& why) {
  constexpr Attribute origin{0x0018, 0x7030, "FieldOfViewOrigin"};
  constexpr Attribute size{0x0018, 0x9461, "FieldOfViewDimensionsInFloat"};
  constexpr Attribute detector{0x0018, 0x9429, "PhysicalDetectorSize"};
  constexpr Attribute tilts[] = {{0x0018, 0x1530, "DetectorPrimaryAngle"}, {0x0018, 0x1531, "DetectorSecondaryAngle"}};
  for (DcmItem* const item : {&dataset, group_item(dataset, frame, DCM_PositionerPositionSequence)})
    for (const Attribute& tilt : tilts)
      if (const std::string value = item == nullptr ? "" : text_value(*item, tilt);
          !value.empty() && parse_number(value) != 0.0) {
        why = text(tilt) + " = " + value + " says that the beam meets the detector aslant";
        return std::nullopt;
      }
  const Foot middle{0.5 * (image.format.rows - 1), 0.5 * (image.format.columns - 1)};
  const std::string at = field == nullptr ? "" : text_value(*field, origin);
  if (at.empty()) return middle;
  if (const auto foot = stated_foot(dataset, *field, origin, imager_mm)) return foot;
  const auto offset = numbers(*field, origin), shown = numbers(*field, size), whole = numbers(dataset, detector);
  constexpr double tolerance_mm = 0.5;
  const bool centred = offset && *offset == std::vector<double>{0, 0} && shown && whole && shown->size() == 2 &&
                       whole->size() == 2 && std::fabs((*shown)[0] - (*whole)[0]) <= tolerance_mm &&
                       std::fabs((*shown)[1] - (*whole)[1]) <= tolerance_mm;
  if (centred) return middle;
  why = text(origin) + " = " + at + " may place the picture beside the detector's centre (" + text(size) +
        " does not show that it is all of " + text(detector) +
        ", and PositionOfIsocenterProjection (0018,9430) with DetectorElementSpacing (0018,7022) are not both there)";
  return std::nullopt;
}

/// Of an angle that no frame, or only the first, has.
std::string without_angle(DcmItem& dataset, const Attribute& angle, const Attribute& increment) {
  if (!number(dataset, angle)) return text(angle) + " is missing";
  return text(angle) + " is that of the first frame, and " + text(increment) + " cannot be used for the others";
}

}  // namespace

std::vector<FrameNumbers> read_frame_numbers(const Image& image, DcmItem& dataset, std::vector<std::string>& problems) {
  std::vector<FrameNumbers> all;
  const auto add = [&](const std::string& name, std::vector<double> values) {
    if (!values.empty()) all.push_back({name, std::move(values)});
  };
  for (const Attribute& a : nuclear_vectors)
    if (auto values = one_a_frame(image, dataset, a, problems)) add(name_of(a), std::move(*values));
  add("dicom.detector_angle_deg", detector_angles(dataset, all));
  add(name_of(attribute::positioner_primary_angle),
      positioner_angles(image, dataset, attribute::positioner_primary_angle, attribute::positioner_primary_increment,
                        problems));
  add(name_of(attribute::positioner_secondary_angle),
      positioner_angles(image, dataset, attribute::positioner_secondary_angle,
                        attribute::positioner_secondary_increment, problems));
  add("dicom.frame_times_s", frame_times_s(image, dataset, problems));
  return all;
}

FrameSpacing spacing_of(const Image& image, DcmItem& dataset, int frame) {
  const Frame& f = image.frames[static_cast<std::size_t>(frame)];
  if (f.row_spacing_mm > 0 && f.column_spacing_mm > 0)
    return {f.row_spacing_mm, f.column_spacing_mm, text(attribute::pixel_spacing)};
  const auto imager = imager_spacing(dataset, frame);
  if (!imager) return {};
  return {(*imager)[0], (*imager)[1], text(attribute::imager_pixel_spacing)};
}

std::vector<View> xray_views(const Image& image, DcmItem& dataset, const std::vector<FrameNumbers>& numbers_of,
                             std::string& missing) {
  const FrameNumbers* const primary = find(numbers_of, name_of(attribute::positioner_primary_angle));
  const FrameNumbers* const secondary = find(numbers_of, name_of(attribute::positioner_secondary_angle));
  const FrameNumbers* const times = find(numbers_of, "dicom.frame_times_s");
  constexpr Attribute positioner_type{0x0018, 0x1508, "PositionerType"};
  constexpr Attribute rotation{0x0018, 0x7032, "FieldOfViewRotation"};
  constexpr Attribute flip{0x0018, 0x7034, "FieldOfViewHorizontalFlip"};
  constexpr Attribute to_isocentre{0x0018, 0x9402, "DistanceSourceToIsocenter"};
  const auto lacks = [&](const std::string& what) {
    missing = what;
    return std::vector<View>();
  };
  const std::string type = text_value(dataset, positioner_type);
  if (image.modality == "MG" || (!type.empty() && type != "CARM"))
    return lacks(text(positioner_type) + (type.empty() ? " of a mammogram" : " = " + type) +
                 " counts angles otherwise");
  if (primary == nullptr)
    return lacks(without_angle(dataset, attribute::positioner_primary_angle, attribute::positioner_primary_increment));
  if (secondary == nullptr)
    return lacks(
        without_angle(dataset, attribute::positioner_secondary_angle, attribute::positioner_secondary_increment));
  std::vector<View> views;
  for (const Frame& f : image.frames) {
    const auto i = static_cast<std::size_t>(f.number);
    const auto sid = group_number(dataset, f.number, DCM_XRayGeometrySequence, attribute::distance_source_to_detector);
    auto sod = group_number(dataset, f.number, DCM_XRayGeometrySequence, to_isocentre);
    if (!sod) sod = number(dataset, attribute::distance_source_to_patient);
    if (!sid || !(*sid > 0)) return lacks(text(attribute::distance_source_to_detector) + " is missing");
    if (!sod || !(*sod > 0) || *sod > *sid)
      return lacks(text(attribute::distance_source_to_patient) + " is missing, or beyond the detector");
    const auto imager = imager_spacing(dataset, f.number);
    if (!imager) return lacks(text(attribute::imager_pixel_spacing) + " is missing");
    DcmItem* const field = group_item(dataset, f.number, DCM_FieldOfViewSequence);
    if (field != nullptr && (number(*field, rotation).value_or(0) != 0 || text_value(*field, flip) == "YES"))
      return lacks(text(rotation) + " or " + text(flip) + " says that the picture was turned");
    std::string why;
    const auto foot = central_ray(image, dataset, f.number, field, *imager, why);
    if (!foot) return lacks(why);
    const double alpha = primary->values[i] * std::numbers::pi / 180,
                 beta = secondary->values[i] * std::numbers::pi / 180;
    // Longitude and latitude of the detector: 0 in front of the chest, 90 at the left side, 90 at the head.
    const Vec3 out{std::cos(beta) * std::sin(alpha), -std::cos(beta) * std::cos(alpha), std::sin(beta)};
    const Vec3 right{std::cos(alpha), std::sin(alpha), 0};
    const Vec3 down{std::sin(beta) * std::sin(alpha), -std::sin(beta) * std::cos(alpha), -std::cos(beta)};
    const Vec3 u = right * (*imager)[1], v = down * (*imager)[0];
    const Vec3 origin = out * (*sid - *sod) - u * foot->column - v * foot->row;
    const Vec3 source = out * -*sod;
    View view;
    view.source_mm = {source.x, source.y, source.z};
    view.detector_origin_mm = {origin.x, origin.y, origin.z};
    view.u_step_mm = {u.x, u.y, u.z};
    view.v_step_mm = {v.x, v.y, v.z};
    view.time_s = times == nullptr ? 0 : times->values[i];
    views.push_back(view);
  }
  return views;
}

}  // namespace isocenter::detail::dicom
