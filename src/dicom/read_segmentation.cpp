#include "read_segmentation.hpp"

#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dcdeftag.h>

#include <algorithm>
#include <cmath>
#include <isocenter/error.hpp>

#include "dataset_values.hpp"
#include "single_object.hpp"
#include "stored_frame.hpp"

namespace isocenter::detail::dicom {
namespace {

constexpr Attribute segmentation_type{0x0062, 0x0001, "SegmentationType"};
constexpr Attribute segment_number{0x0062, 0x0004, "SegmentNumber"};
constexpr Attribute segment_label{0x0062, 0x0005, "SegmentLabel"};
constexpr Attribute referenced_segment_number{0x0062, 0x000B, "ReferencedSegmentNumber"};
constexpr Attribute recommended_colour{0x0062, 0x000D, "RecommendedDisplayCIELabValue"};
constexpr Attribute maximum_fractional_value{0x0062, 0x000E, "MaximumFractionalValue"};
constexpr int largest_label = 255;

[[noreturn]] void fail(const Image& image, const std::string& what, const std::string& fix,
                       ErrorCode code = ErrorCode::bad_data) {
  throw Failure(code, "'" + image.name + "': " + what, fix);
}

/// CIELab for D50 in DICOM's 16-bit encoding (PS3.3 C.10.7.1.1) to sRGB (IEC 61966-2-1, adapted to D65 by Bradford).
std::array<double, 3> to_srgb(const std::vector<double>& encoded) {
  const double l = encoded[0] * 100 / 65535, a = encoded[1] * 255 / 65535 - 128, b = encoded[2] * 255 / 65535 - 128;
  const double fy = (l + 16) / 116;
  const auto inverse = [](double t) { return t > 6.0 / 29 ? t * t * t : (t - 4.0 / 29) * 3 * 36 / 841; };
  const double x = 0.96422 * inverse(fy + a / 500), y = inverse(fy), z = 0.82521 * inverse(fy - b / 200);
  const double linear[3] = {3.1338561 * x - 1.6168667 * y - 0.4906146 * z,
                            -0.9787684 * x + 1.9161415 * y + 0.0334540 * z,
                            0.0719453 * x - 0.2289914 * y + 1.4052427 * z};
  std::array<double, 3> rgb{};
  for (std::size_t i = 0; i < 3; ++i) {
    const double v = std::clamp(linear[i], 0.0, 1.0);
    rgb[i] = v <= 0.0031308 ? 12.92 * v : 1.055 * std::pow(v, 1 / 2.4) - 0.055;
  }
  return rgb;
}

void read_segments(DcmItem& dataset, SegmentationObject& object) {
  for (unsigned long i = 0; DcmItem* const item = sequence_item(dataset, DCM_SegmentSequence, i); ++i) {
    const auto number = integer(*item, segment_number);
    if (!number || *number < 0 || *number > 65535)
      fail(object.image, text(segment_number) + " = '" + text_value(*item, segment_number) + "' is no number",
           "export the segmentation again");
    if (*number > largest_label)
      fail(object.image,
           text(segment_number) + " = " + std::to_string(*number) + " is above " + std::to_string(largest_label) +
               ", which a label can hold",
           "split the segmentation into objects of fewer segments", ErrorCode::unsupported);
    SegmentDescription s{*number, text_value(*item, segment_label), {1, 1, 1}};
    if (s.label.empty()) s.label = "segment " + std::to_string(s.number);
    if (const auto lab = numbers(*item, recommended_colour); lab && lab->size() == 3) s.srgb = to_srgb(*lab);
    object.segments.push_back(std::move(s));
  }
  if (object.segments.empty())
    fail(object.image, "SegmentSequence (0062,0002) is empty", "export the segmentation again");
}

/// The segment of each frame: its own functional group, or the shared one.
void read_frame_segments(DcmItem& dataset, SegmentationObject& object) {
  DcmItem* const shared = sequence_item(dataset, DCM_SharedFunctionalGroupsSequence);
  DcmSequenceOfItems* per_frame = nullptr;
  if (dataset.findAndGetSequence(DCM_PerFrameFunctionalGroupsSequence, per_frame).bad()) per_frame = nullptr;
  DcmObject* own = nullptr;
  for (std::size_t f = 0; f < object.image.frames.size(); ++f) {
    if (per_frame != nullptr) own = per_frame->nextInContainer(own);
    int number = 0;
    for (DcmItem* const groups : {static_cast<DcmItem*>(own), shared}) {
      DcmItem* const id = groups == nullptr ? nullptr : sequence_item(*groups, DCM_SegmentIdentificationSequence);
      if (id != nullptr && number == 0) number = integer(*id, referenced_segment_number).value_or(0);
    }
    const bool known = std::any_of(object.segments.begin(), object.segments.end(),
                                   [&](const SegmentDescription& s) { return s.number == number && number > 0; });
    if (!known && object.type != SegmentationObject::Type::label_map)
      fail(object.image,
           text(referenced_segment_number) + " of frame " + std::to_string(f + 1) + " = " + std::to_string(number) +
               " is no segment of the object",
           "export the segmentation again");
    object.segment_of_frame.push_back(number);
  }
}

void require_places(const SegmentationObject& object) {
  for (const Frame& f : object.image.frames)
    if (!f.position || !f.row_direction || !f.column_direction || !(f.row_spacing_mm > 0))
      fail(object.image,
           "frame " + std::to_string(f.number + 1) +
               " has no place in the patient: ImagePositionPatient (0020,0032), ImageOrientationPatient (0020,0037) "
               "and PixelSpacing (0028,0030) are needed",
           "use a segmentation of images with positions", ErrorCode::unsupported);
}

/// Where one frame's pixels fall in a grid: pixel (column, row) at first + column · x + row · y.
struct Placement {
  int first[3], x[3], y[3];
};

/// An index vector that has to be whole: 0, 1 or -1 along each axis for steps.
bool whole(Vec3 v, int (&to)[3], double tolerance) {
  const double values[] = {v.x, v.y, v.z};
  for (int i = 0; i < 3; ++i) {
    const double nearest = std::round(values[i]);
    if (std::fabs(values[i] - nearest) > tolerance || std::fabs(nearest) > 1e9) return false;
    to[i] = static_cast<int>(nearest);
  }
  return true;
}

Placement place(const SegmentationObject& object, const Frame& f, const VoxelGrid& grid) {
  constexpr double tolerance = 0.01;
  const PixelFormat& format = object.image.format;
  const Vec3 step_x = grid.index(grid.origin + *f.row_direction * f.column_spacing_mm);
  const Vec3 step_y = grid.index(grid.origin + *f.column_direction * f.row_spacing_mm);
  Placement p{};
  const double length = std::max(format.columns, format.rows);
  const bool fits = whole(grid.index(*f.position), p.first, tolerance) && whole(step_x, p.x, tolerance / length) &&
                    whole(step_y, p.y, tolerance / length);
  const int moves = std::abs(p.x[0]) + std::abs(p.x[1]) + std::abs(p.x[2]);
  const int drops = std::abs(p.y[0]) + std::abs(p.y[1]) + std::abs(p.y[2]);
  if (!fits || moves != 1 || drops != 1)
    fail(object.image, "frame " + std::to_string(f.number + 1) + " does not lie on the voxels of the reference",
         "give the volume that was segmented as reference, or leave the reference away and resample the labels");
  return p;
}

}  // namespace

SegmentationObject open_segmentation(const std::string& path) {
  SegmentationObject object;
  object.image = open_image(path);
  DcmFileFormat header;
  open_header(path, header);
  DcmItem& dataset = *header.getDataset();
  const std::string type = text_value(dataset, segmentation_type);
  if (type == "BINARY")
    object.type = SegmentationObject::Type::binary;
  else if (type == "FRACTIONAL")
    object.type = SegmentationObject::Type::fractional;
  else if (type == "LABELMAP")
    object.type = SegmentationObject::Type::label_map;
  else
    fail(object.image, text(segmentation_type) + " = '" + type + "' is not BINARY, FRACTIONAL or LABELMAP",
         "name a segmentation object");
  object.maximum_fractional_value = integer(dataset, maximum_fractional_value).value_or(255);
  if (object.type == SegmentationObject::Type::fractional && object.maximum_fractional_value < 1)
    fail(object.image, text(maximum_fractional_value) + " = " + std::to_string(object.maximum_fractional_value),
         "export the segmentation again");
  read_segments(dataset, object);
  read_frame_segments(dataset, object);
  return object;
}

VoxelGrid natural_grid(const SegmentationObject& object) {
  require_places(object);
  const Frame& first = object.image.frames.front();
  VoxelGrid grid;
  grid.axis[0] = *first.row_direction;
  grid.axis[1] = *first.column_direction;
  grid.axis[2] = cross(grid.axis[0], grid.axis[1]);
  std::vector<double> heights;
  std::size_t lowest = 0;
  for (std::size_t i = 0; i < object.image.frames.size(); ++i) {
    heights.push_back(dot(*object.image.frames[i].position, grid.axis[2]));
    if (heights[i] < heights[lowest]) lowest = i;
  }
  grid.origin = *object.image.frames[lowest].position;
  std::sort(heights.begin(), heights.end());
  const double extent_mm = heights.back() - heights.front();
  double step = 0;
  constexpr double same_plane = 1e-3;
  for (std::size_t i = 1; i < heights.size(); ++i)
    if (const double gap = heights[i] - heights[i - 1]; gap > same_plane && (step == 0 || gap < step)) step = gap;
  // The smallest gap tells the step up to its rounding; the whole extent tells it better.
  if (step > 0) step = extent_mm / std::round(extent_mm / step);
  if (step == 0)
    step = first.spacing_between_slices_mm > 0 ? first.spacing_between_slices_mm
                                               : std::fmax(first.slice_thickness_mm, same_plane);
  grid.spacing[0] = first.column_spacing_mm;
  grid.spacing[1] = first.row_spacing_mm;
  grid.spacing[2] = step;
  const double planes = std::round(extent_mm / step) + 1;
  if (planes > 65535)
    fail(object.image, "its planes have no even step", "give the volume that was segmented as reference",
         ErrorCode::unsupported);
  grid.extent[0] = object.image.format.columns;
  grid.extent[1] = object.image.format.rows;
  grid.extent[2] = static_cast<int>(planes);
  return grid;
}

void read_labels(const SegmentationObject& object, const VoxelGrid& grid, double threshold, SegmentOverlap overlap,
                 std::span<std::uint8_t> labels, const std::function<void(double)>& progress) {
  require_places(object);
  std::fill(labels.begin(), labels.end(), std::uint8_t{0});
  const PixelFormat& format = object.image.format;
  const bool label_map = object.type == SegmentationObject::Type::label_map;
  const double least = object.type == SegmentationObject::Type::fractional
                           ? std::fmax(1.0, threshold * object.maximum_fractional_value)
                           : 1;
  StoredFrameReader reader;
  for (std::size_t f = 0; f < object.image.frames.size(); ++f) {
    progress(static_cast<double>(f) / static_cast<double>(object.image.frames.size()));
    const Placement p = place(object, object.image.frames[f], grid);
    const StoredFrame stored = reader.read(object.image, static_cast<int>(f));
    const std::size_t bytes = static_cast<std::size_t>(stored.format.bits_allocated) / 8;
    const std::size_t low_byte = stored.big_endian ? bytes - 1 : 0;
    const std::uint8_t* pixel = stored.bytes.data();
    for (int y = 0; y < format.rows; ++y)
      for (int x = 0; x < format.columns; ++x, pixel += bytes) {
        unsigned value = pixel[low_byte];
        if (bytes == 2) value |= static_cast<unsigned>(pixel[1 - low_byte]) << 8U;
        if (value < least) continue;
        if (label_map && value > static_cast<unsigned>(largest_label))
          fail(object.image, "label " + std::to_string(value) + " is above " + std::to_string(largest_label),
               "split the segmentation into objects of fewer segments", ErrorCode::unsupported);
        const auto label =
            static_cast<std::uint8_t>(label_map ? value : static_cast<unsigned>(object.segment_of_frame[f]));
        const int i = p.first[0] + x * p.x[0] + y * p.y[0], j = p.first[1] + x * p.x[1] + y * p.y[1],
                  k = p.first[2] + x * p.x[2] + y * p.y[2];
        if (!grid.holds(i, j, k))
          fail(object.image, "frame " + std::to_string(f + 1) + " reaches beyond the reference",
               "give the volume that was segmented as reference");
        std::uint8_t& voxel = labels[grid.offset(i, j, k)];
        if (voxel != 0 && voxel != label && overlap == SegmentOverlap::refuse)
          fail(object.image,
               "segments " + std::to_string(voxel) + " and " + std::to_string(label) + " overlap in frame " +
                   std::to_string(f + 1),
               "set overlap = first or last");
        const bool keep = voxel != 0 && (overlap == SegmentOverlap::first ? voxel < label : voxel > label);
        if (!keep) voxel = label;
      }
  }
}

}  // namespace isocenter::detail::dicom
