#include "write_structure_set.hpp"

#include <cmath>
#include <isocenter/error.hpp>
#include <set>

#include "context.hpp"
#include "object_builder.hpp"
#include "object_file.hpp"
#include "outlines.hpp"
#include "toolkit.hpp"
#include "uid.hpp"

namespace isocenter::detail::dicom {
namespace {

constexpr const char* structure_set_storage = "1.2.840.10008.5.1.4.1.1.481.3";
constexpr const char* implicit_little_endian = "1.2.840.10008.1.2";
constexpr const char* study_management_class = "1.2.840.10008.3.1.2.3.1";  // retired, and what PS3.3 C.8.8.5 names

class StructureSetWriter {
 public:
  StructureSetWriter(const StructureSetToWrite& s, const SourceMetadata& source, const OutputDescription& d)
      : s_(s), source_(source), d_(d) {}

  void write(const std::string& path) {
    DcmDataset dataset;
    std::vector<std::string> texts{s_.structure_set_label};
    for (const Segment& segment : s_.segments) texts.push_back(segment.name);
    add_common_modules(dataset, source_, d_, "RTSTRUCT", structure_set_storage, new_uid(), frame_of_reference, texts);
    const ItemWriter object(dataset);
    OFString frame;
    dataset.findAndGetOFString(DCM_FrameOfReferenceUID, frame);
    frame_of_reference_uid_ = frame.empty() ? new_uid() : frame.c_str();
    object.text(DCM_FrameOfReferenceUID, frame_of_reference_uid_);
    object.empty_unless_there(DCM_PositionReferenceIndicator);
    object.text(DCM_SOPInstanceUID, new_uid());
    object.text(DCM_InstanceNumber, "1");
    object.empty_unless_there(DCM_OperatorsName);
    add_structures(object, dataset);
    int contours = 0;
    for (std::size_t i = 0; i < s_.segments.size(); ++i) contours += add_contours(object, i);
    if (contours == 0)
      throw Failure(ErrorCode::bad_data, "no voxel belongs to a segment, and the structure set would hold no contour",
                    "look at what the operator before the sink found");
    object.text(DCM_ApprovalStatus, "UNAPPROVED");
    PixelElementToWrite none;
    none.element = PixelElement::none;
    write_object(path, dataset, implicit_little_endian, none);
  }

 private:
  void add_structures(const ItemWriter& object, DcmDataset& dataset) const {
    OFString date, time;
    dataset.findAndGetOFString(DCM_ContentDate, date);
    dataset.findAndGetOFString(DCM_ContentTime, time);
    object.text(DCM_StructureSetLabel, s_.structure_set_label);
    object.text(DCM_StructureSetDate, date.c_str());
    object.text(DCM_StructureSetTime, time.c_str());
    const ItemWriter frame = object.item(DCM_ReferencedFrameOfReferenceSequence);
    frame.text(DCM_FrameOfReferenceUID, frame_of_reference_uid_);
    if (!source_.slices.empty()) {
      OFString study;
      dataset.findAndGetOFString(DCM_StudyInstanceUID, study);
      const ItemWriter referenced = frame.item(DCM_RTReferencedStudySequence);
      referenced.text(DCM_ReferencedSOPClassUID, study_management_class);
      referenced.text(DCM_ReferencedSOPInstanceUID, study.c_str());
      const ItemWriter series = referenced.item(DCM_RTReferencedSeriesSequence);
      series.text(DCM_SeriesInstanceUID, source_.series_uid);
      std::set<std::string> seen;
      for (const SourceSlice& slice : source_.slices)
        if (seen.insert(slice.sop_instance_uid).second) add_image(series.item(DCM_ContourImageSequence), slice, false);
    }
    for (std::size_t i = 0; i < s_.segments.size(); ++i) {
      const Segment& segment = s_.segments[i];
      const std::string number = std::to_string(i + 1);
      const ItemWriter region = object.item(DCM_StructureSetROISequence);
      region.text(DCM_ROINumber, number);
      region.text(DCM_ReferencedFrameOfReferenceUID, frame_of_reference_uid_);
      region.text(DCM_ROIName, segment.name);
      region.text(DCM_ROIGenerationAlgorithm, "AUTOMATIC");
      const ItemWriter observation = object.item(DCM_RTROIObservationsSequence);
      observation.text(DCM_ObservationNumber, number);
      observation.text(DCM_ReferencedROINumber, number);
      observation.code(DCM_RTROIIdentificationCodeSequence, segment.type);
      observation.empty_unless_there(DCM_RTROIInterpretedType);
      observation.empty_unless_there(DCM_ROIInterpreter);
    }
  }

  void add_image(const ItemWriter& to, const SourceSlice& slice, bool with_frame) const {
    to.text(DCM_ReferencedSOPClassUID, source_.sop_class_uid);
    to.text(DCM_ReferencedSOPInstanceUID, slice.sop_instance_uid);
    if (with_frame && slice.frame_number > 0) to.text(DCM_ReferencedFrameNumber, std::to_string(slice.frame_number));
  }

  /// The contours of one region; how many there are.
  int add_contours(const ItemWriter& object, std::size_t index) const {
    const Segment& segment = s_.segments[index];
    const auto label = static_cast<std::uint8_t>(segment.label);
    const ItemWriter region = object.item(DCM_ROIContourSequence);
    region.text(DCM_ReferencedROINumber, std::to_string(index + 1));
    std::string colour;
    for (const double c : segment.colour)
      colour += (colour.empty() ? "" : "\\") + std::to_string(std::lround(255 * std::fmin(1, std::fmax(0, c))));
    region.text(DCM_ROIDisplayColor, colour);
    int count = 0;
    for (int k = 0; k < s_.nz; ++k) {
      const std::uint8_t* plane = s_.labels.data() + static_cast<std::size_t>(k) * static_cast<std::size_t>(s_.nx) *
                                                         static_cast<std::size_t>(s_.ny);
      const auto inside = [&](int x, int y) {
        return plane[static_cast<std::size_t>(y) * static_cast<std::size_t>(s_.nx) + static_cast<std::size_t>(x)] ==
               label;
      };
      for (const auto& polygon : outlines(s_.nx, s_.ny, inside)) {
        add_contour(region.item(DCM_ContourSequence), polygon, k);
        ++count;
      }
    }
    return count;
  }

  void add_contour(const ItemWriter& to, const std::vector<Corner>& polygon, int k) const {
    const std::vector<int> near = slices_near(source_, vec(s_.geometry.position_mm(0, 0, k)), vec(s_.geometry.axis(2)),
                                              s_.geometry.spacing_mm[2]);
    if (near.size() == 1)
      add_image(to.item(DCM_ContourImageSequence), source_.slices[static_cast<std::size_t>(near[0])], true);
    to.text(DCM_ContourGeometricType, "CLOSED_PLANAR");
    to.text(DCM_NumberOfContourPoints, std::to_string(polygon.size()));
    std::vector<double> points;
    points.reserve(3 * polygon.size());
    for (const Corner& c : polygon)
      for (const double v : s_.geometry.position_mm(c.x - 0.5, c.y - 0.5, k))
        points.push_back(std::round(v * 1e5) / 1e5);
    to.decimals(DCM_ContourData, points);
  }

  const StructureSetToWrite& s_;
  const SourceMetadata& source_;
  const OutputDescription& d_;
  std::string frame_of_reference_uid_;
};

}  // namespace

void write_structure_set(const std::string& path, const StructureSetToWrite& structures, const SourceMetadata& source,
                         const OutputDescription& description) {
  use_dcmtk();
  const DcmtkLog log;
  StructureSetWriter(structures, source, description).write(path);
}

}  // namespace isocenter::detail::dicom
