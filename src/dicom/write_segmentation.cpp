#include "write_segmentation.hpp"

#include <cmath>
#include <isocenter/error.hpp>
#include <set>

#include "context.hpp"
#include "object_builder.hpp"
#include "object_file.hpp"
#include "toolkit.hpp"
#include "uid.hpp"

namespace isocenter::detail::dicom {
namespace {

constexpr const char* segmentation_storage = "1.2.840.10008.5.1.4.1.1.66.4";
constexpr int whole = 255;  // MaximumFractionalValue

struct FrameOfSegment {
  int segment;  ///< index into segments
  int slice;
};

class SegmentationWriter {
 public:
  SegmentationWriter(const SegmentationToWrite& s, const SourceMetadata& source, const OutputDescription& d)
      : s_(s), source_(source), d_(d), plane_(static_cast<std::size_t>(s.nx) * static_cast<std::size_t>(s.ny)) {}

  WrittenObject write(const std::string& path) {
    if (fractional())
      find_frames_of_probabilities();
    else
      find_frames();
    if (frames_.empty())
      throw Failure(ErrorCode::bad_data,
                    "no voxel belongs to a segment, and a DICOM Segmentation needs at least one frame",
                    "look at what the operator before the sink found");
    DcmDataset dataset;
    std::vector<std::string> texts{s_.algorithm_name};
    for (const Segment& segment : s_.segments) texts.push_back(segment.name);
    add_common_modules(dataset, source_, d_, "SEG", segmentation_storage, new_uid(), frame_of_reference | image_history,
                       texts);
    const ItemWriter object(dataset);
    add_image(object);
    add_segments(object);
    add_dimensions(object);
    add_shared_groups(object);
    for (const FrameOfSegment& f : frames_) add_frame(object, f);
    add_instance_references(dataset, source_, used_slices());
    if (!fractional()) {
      write_object(path, dataset, transfer_syntax_uid(LosslessCompression::none), bits());
    } else {
      std::vector<std::vector<std::uint8_t>> codestreams;
      write_object(path, dataset, transfer_syntax_uid(s_.compression), fractions(codestreams));
    }
    OFString study, series;
    dataset.findAndGetOFString(DCM_StudyInstanceUID, study);
    dataset.findAndGetOFString(DCM_SeriesInstanceUID, series);
    return {study.c_str(), series.c_str(), uid_};
  }

 private:
  void find_frames() {
    std::array<std::vector<bool>, 256> present;
    for (auto& p : present) p.resize(static_cast<std::size_t>(s_.nz));
    for (int k = 0; k < s_.nz; ++k) {
      const std::uint8_t* labels = slice(k);
      std::array<bool, 256> here{};
      for (std::size_t i = 0; i < plane_; ++i) here[labels[i]] = true;
      for (std::size_t label = 0; label < here.size(); ++label)
        present[label][static_cast<std::size_t>(k)] = here[label];
    }
    for (int i = 0; i < static_cast<int>(s_.segments.size()); ++i) {
      const auto label = static_cast<std::size_t>(s_.segments[static_cast<std::size_t>(i)].label);
      for (int k = 0; k < s_.nz; ++k)
        if (present[label][static_cast<std::size_t>(k)]) frames_.push_back({i, k});
    }
  }

  bool fractional() const { return !s_.probabilities.empty(); }

  std::span<const float> probabilities(const FrameOfSegment& f) const {
    const auto volume = static_cast<std::size_t>(s_.segments[static_cast<std::size_t>(f.segment)].label);
    return s_.probabilities.subspan(
        (volume * static_cast<std::size_t>(s_.nz) + static_cast<std::size_t>(f.slice)) * plane_, plane_);
  }

  void find_frames_of_probabilities() {
    for (int i = 0; i < static_cast<int>(s_.segments.size()); ++i)
      for (int k = 0; k < s_.nz; ++k) {
        const FrameOfSegment f{i, k};
        bool any = false;
        for (const float p : probabilities(f)) {
          if (!(p >= 0 && p <= 1))
            throw Failure(ErrorCode::bad_data,
                          "a probability of segment '" + s_.segments[static_cast<std::size_t>(i)].name + "' in slice " +
                              std::to_string(k) + " is " + decimal_string(static_cast<double>(p)) +
                              ", and [0, 1] is allowed",
                          "normalise them before the sink");
          any = any || p * whole >= 0.5F;
        }
        if (any) frames_.push_back(f);
      }
  }

  void add_image(const ItemWriter& object) const {
    object.empty_unless_there(DCM_PositionReferenceIndicator);
    if (!object.item().tagExistsWithValue(DCM_FrameOfReferenceUID)) object.text(DCM_FrameOfReferenceUID, new_uid());
    object.text(DCM_SOPInstanceUID, uid_);
    object.text(DCM_InstanceNumber, "1");
    object.text(DCM_ImageType, "DERIVED\\PRIMARY");
    object.text(DCM_ContentLabel, s_.content_label);
    object.text(DCM_ContentDescription, d_.series_description);
    object.empty_unless_there(DCM_ContentCreatorName);
    object.text(DCM_SegmentationType, fractional() ? "FRACTIONAL" : "BINARY");
    if (fractional()) {
      object.text(DCM_SegmentationFractionalType, "PROBABILITY");
      object.u16(DCM_MaximumFractionalValue, whole);
    }
    object.text(DCM_SegmentsOverlap, fractional() ? "UNDEFINED" : "NO");
    object.u16(DCM_SamplesPerPixel, 1);
    object.text(DCM_PhotometricInterpretation, "MONOCHROME2");
    object.u16(DCM_Rows, s_.ny);
    object.u16(DCM_Columns, s_.nx);
    object.u16(DCM_BitsAllocated, fractional() ? 8 : 1);
    object.u16(DCM_BitsStored, fractional() ? 8 : 1);
    object.u16(DCM_HighBit, fractional() ? 7 : 0);
    object.u16(DCM_PixelRepresentation, 0);
    object.text(DCM_NumberOfFrames, std::to_string(frames_.size()));
    if (!object.item().tagExistsWithValue(DCM_LossyImageCompression)) object.text(DCM_LossyImageCompression, "00");
  }

  void add_segments(const ItemWriter& object) const {
    for (std::size_t i = 0; i < s_.segments.size(); ++i) {
      const Segment& segment = s_.segments[i];
      const ItemWriter item = object.item(DCM_SegmentSequence);
      item.u16(DCM_SegmentNumber, static_cast<int>(i) + 1);
      item.text(DCM_SegmentLabel, segment.name);
      item.text(DCM_SegmentAlgorithmType, "AUTOMATIC");
      item.text(DCM_SegmentAlgorithmName, s_.algorithm_name);
      item.code(DCM_SegmentedPropertyCategoryCodeSequence, segment.category);
      item.code(DCM_SegmentedPropertyTypeCodeSequence, segment.type);
      if (segment.anatomy) item.code(DCM_AnatomicRegionSequence, *segment.anatomy);
      const std::array<int, 3> lab = encoded_cielab(segment.colour);
      item.u16s(DCM_RecommendedDisplayCIELabValue, {lab[0], lab[1], lab[2]});
    }
  }

  /// Segment first, then position: PS3.3 C.7.6.17.
  void add_dimensions(const ItemWriter& object) const {
    const std::string organisation = new_uid();
    object.item(DCM_DimensionOrganizationSequence).text(DCM_DimensionOrganizationUID, organisation);
    const auto add = [&](const DcmTagKey& pointer, const DcmTagKey& group, const char* label) {
      const ItemWriter item = object.item(DCM_DimensionIndexSequence);
      item.item().putAndInsertTagKey(DCM_DimensionIndexPointer, pointer);
      item.item().putAndInsertTagKey(DCM_FunctionalGroupPointer, group);
      item.text(DCM_DimensionOrganizationUID, organisation);
      item.text(DCM_DimensionDescriptionLabel, label);
    };
    add(DCM_ReferencedSegmentNumber, DCM_SegmentIdentificationSequence, "Segment Number");
    add(DCM_ImagePositionPatient, DCM_PlanePositionSequence, "Image Position Patient");
  }

  void add_shared_groups(const ItemWriter& object) const {
    const Geometry& g = s_.geometry;
    const ItemWriter groups = object.item(DCM_SharedFunctionalGroupsSequence);
    const ItemWriter measures = groups.item(DCM_PixelMeasuresSequence);
    measures.decimals(DCM_SliceThickness, {g.spacing_mm[2]});
    measures.decimals(DCM_SpacingBetweenSlices, {g.spacing_mm[2]});
    measures.decimals(DCM_PixelSpacing, {g.spacing_mm[1], g.spacing_mm[0]});
    groups.item(DCM_PlaneOrientationSequence).directions(DCM_ImageOrientationPatient, vec(g.axis(0)), vec(g.axis(1)));
  }

  void add_frame(const ItemWriter& object, const FrameOfSegment& f) {
    const Vec3 position = vec(s_.geometry.position_mm(0, 0, f.slice));
    const ItemWriter groups = object.item(DCM_PerFrameFunctionalGroupsSequence);
    const std::vector<int> near = slices_near(source_, position, vec(s_.geometry.axis(2)), s_.geometry.spacing_mm[2]);
    if (near.empty()) {
      groups.empty_sequence(DCM_DerivationImageSequence);
    } else {
      const ItemWriter derivation = groups.item(DCM_DerivationImageSequence);
      if (!d_.derivation_description.empty()) derivation.text(DCM_DerivationDescription, d_.derivation_description);
      derivation.code(DCM_DerivationCodeSequence, {"113076", "DCM", "Segmentation"});
      add_source_images(derivation, source_, near);
    }
    groups.item(DCM_FrameContentSequence)
        .u32s(DCM_DimensionIndexValues, {static_cast<unsigned>(f.segment) + 1, static_cast<unsigned>(f.slice) + 1});
    groups.item(DCM_PlanePositionSequence).point(DCM_ImagePositionPatient, position);
    groups.item(DCM_SegmentIdentificationSequence).u16(DCM_ReferencedSegmentNumber, f.segment + 1);
    for (const int i : near) used_.insert(i);
  }

  std::vector<int> used_slices() const { return {used_.begin(), used_.end()}; }

  const std::uint8_t* slice(int k) const { return s_.labels.data() + static_cast<std::size_t>(k) * plane_; }

  /// One bit a voxel, the first voxel in the lowest bit, frames following each other without a gap: PS3.5 section 8.1.1
  /// and annex D.
  PixelElementToWrite bits() const {
    PixelElementToWrite p;
    p.native_bytes = (plane_ * frames_.size() + 7) / 8;
    p.element = PixelElement::bytes;
    p.produce = [this](const std::function<void(std::span<const std::uint8_t>)>& sink) {
      std::vector<std::uint8_t> bytes;
      unsigned gathered = 0;
      int bits = 0;
      for (const FrameOfSegment& f : frames_) {
        const auto label = static_cast<std::uint8_t>(s_.segments[static_cast<std::size_t>(f.segment)].label);
        const std::uint8_t* labels = slice(f.slice);
        bytes.clear();
        for (std::size_t i = 0; i < plane_; ++i) {
          gathered |= static_cast<unsigned>(labels[i] == label) << bits;
          if (++bits < 8) continue;
          bytes.push_back(static_cast<std::uint8_t>(gathered));
          gathered = 0;
          bits = 0;
        }
        sink(bytes);
      }
      const auto last = static_cast<std::uint8_t>(gathered);
      if (bits > 0) sink({&last, 1});
    };
    return p;
  }

  std::vector<std::uint8_t> stored_fractions(const FrameOfSegment& f) const {
    std::vector<std::uint8_t> bytes;
    bytes.reserve(plane_);
    for (const float p : probabilities(f)) bytes.push_back(static_cast<std::uint8_t>(std::lround(p * whole)));
    return bytes;
  }

  PixelElementToWrite fractions(std::vector<std::vector<std::uint8_t>>& codestreams) const {
    PixelElementToWrite p;
    p.native_bytes = plane_ * frames_.size();
    p.element = PixelElement::bytes;
    p.produce = [this](const auto& sink) {
      for (const FrameOfSegment& f : frames_) sink(stored_fractions(f));
    };
    if (s_.compression == LosslessCompression::none) return p;
    for (const FrameOfSegment& f : frames_)
      codestreams.push_back(compress_frame({s_.ny, s_.nx, 8, false}, stored_fractions(f), s_.compression));
    p.codestreams = &codestreams;
    return p;
  }

  const SegmentationToWrite& s_;
  std::string uid_ = new_uid();
  const SourceMetadata& source_;
  const OutputDescription& d_;
  std::size_t plane_;
  std::vector<FrameOfSegment> frames_;
  std::set<int> used_;
};

}  // namespace

std::array<int, 3> encoded_cielab(const std::array<double, 3>& srgb) {
  std::array<double, 3> linear{};
  for (std::size_t i = 0; i < 3; ++i) {
    const double c = std::fmin(1, std::fmax(0, srgb[i]));
    linear[i] = c <= 0.04045 ? c / 12.92 : std::pow((c + 0.055) / 1.055, 2.4);
  }
  // sRGB primaries adapted from D65 to D50 by the Bradford transform, relative to the D50 white (0.9642, 1, 0.8249) of
  // ICC.1:2010.
  const double x = (0.4360747 * linear[0] + 0.3850649 * linear[1] + 0.1430804 * linear[2]) / 0.96422;
  const double y = 0.2225045 * linear[0] + 0.7168786 * linear[1] + 0.0606169 * linear[2];
  const double z = (0.0139322 * linear[0] + 0.0971045 * linear[1] + 0.7141733 * linear[2]) / 0.82521;
  const auto f = [](double t) { return t > 216.0 / 24389 ? std::cbrt(t) : (24389.0 / 27 * t + 16) / 116; };
  const double lightness = 116 * f(y) - 16, a = 500 * (f(x) - f(y)), b = 200 * (f(y) - f(z));
  const auto encoded = [](double v) { return static_cast<int>(std::lround(std::fmin(65535, std::fmax(0, v)))); };
  return {encoded(lightness * 65535 / 100), encoded((a + 128) * 65535 / 255), encoded((b + 128) * 65535 / 255)};
}

WrittenObject write_segmentation(const std::string& path, const SegmentationToWrite& segmentation,
                                 const SourceMetadata& source, const OutputDescription& description) {
  use_dcmtk();
  const DcmtkLog log;
  return SegmentationWriter(segmentation, source, description).write(path);
}

}  // namespace isocenter::detail::dicom
