#include "write_detections.hpp"

#include <cmath>
#include <isocenter/error.hpp>

#include "report_document.hpp"
#include "toolkit.hpp"

namespace isocenter::detail::dicom {
namespace {

constexpr std::size_t numbers_a_box = 14;

/// The rectangle across the slices at a part of the box's third edge.
std::vector<Vec3> rectangle(const DetectedBox& box, double part) {
  const Vec3 first = box.corner + box.edges[2] * part;
  return {first, first + box.edges[0], first + box.edges[0] + box.edges[1], first + box.edges[1]};
}

void add_box(const Content& measurements, const DetectionsToWrite& d, std::size_t i, const SourceMetadata& source) {
  const DetectedBox& box = d.boxes[i];
  const Segment& finding = d.classes[static_cast<std::size_t>(box.label) - 1];
  const Content group = add_measurement_group(measurements, d.planar ? "1410" : "1411",
                                              finding.name + " " + std::to_string(i + 1), finding);
  const std::string& frame = source.frame_of_reference_uid;
  if (d.planar) {
    group.polygon("CONTAINS", {"111030", "DCM", "Image Region"}, frame, rectangle(box, 0.5));
  } else {
    for (const double part : {0.0, 1.0})
      group.polygon("CONTAINS", {"121231", "DCM", "Volume Surface"}, frame, rectangle(box, part));
    group.uid("CONTAINS", {"121232", "DCM", "Source series for segmentation"}, source.series_uid);
  }
  if (finding.anatomy) group.code("HAS CONCEPT MOD", {"363698007", "SCT", "Finding Site"}, *finding.anatomy);
  group.number({"111012", "DCM", "Certainty of Finding"}, 100 * box.score, {"%", "UCUM", "Percent"});
}

}  // namespace

std::vector<DetectedBox> boxes_of(std::span<const double> numbers, int labels) {
  if (numbers.size() % numbers_a_box != 0)
    throw Failure(
        ErrorCode::bad_data,
        "the attribute detections.boxes has " + std::to_string(numbers.size()) + " numbers, no multiple of 14",
        "put the node detections before this one");
  std::vector<DetectedBox> boxes;
  for (std::size_t at = 0; at < numbers.size(); at += numbers_a_box) {
    const double* const v = numbers.data() + at;
    const auto vector = [v](std::size_t i) { return Vec3{v[i], v[i + 1], v[i + 2]}; };
    if (!(v[0] >= 1 && v[0] <= labels && v[0] == std::floor(v[0])))
      throw Failure(ErrorCode::bad_data,
                    "box " + std::to_string(at / numbers_a_box + 1) + " of detections.boxes has the label " +
                        std::to_string(v[0]) + ", and there are " + std::to_string(labels),
                    "put the node detections before this one");
    boxes.push_back({static_cast<int>(v[0]), v[1], vector(2), {vector(5), vector(8), vector(11)}});
  }
  return boxes;
}

void write_detections(const std::string& path, const DetectionsToWrite& d, const SourceMetadata& source,
                      const OutputDescription& description) {
  use_dcmtk();
  const DcmtkLog log;
  if (source.frame_of_reference_uid.empty() || source.series_uid.empty())
    throw Failure(ErrorCode::unsupported,
                  source.frame_of_reference_uid.empty()
                      ? "the boxes' volume has no FrameOfReferenceUID (0020,0052), in which a report could place them"
                      : "the boxes' volume has no SeriesInstanceUID (0020,000E), which a report has to name",
                  "read the volume with dicom_series_source");
  for (std::size_t i = 0; i < d.boxes.size(); ++i)
    if (!(d.boxes[i].score >= 0 && d.boxes[i].score <= 1))
      throw Failure(ErrorCode::bad_data,
                    "box " + std::to_string(i + 1) + " has the score " + std::to_string(d.boxes[i].score) +
                        ", and a certainty of finding lies between 0 and 1",
                    "end the network with a softmax or a sigmoid");
  std::vector<std::string> texts;
  for (const Segment& s : d.classes) texts.push_back(s.name);
  DcmDataset dataset;
  const Content measurements = begin_report(dataset, source, description, texts, nullptr);
  for (std::size_t i = 0; i < d.boxes.size(); ++i) add_box(measurements, d, i, source);
  write_report_document(path, dataset);
}

}  // namespace isocenter::detail::dicom
