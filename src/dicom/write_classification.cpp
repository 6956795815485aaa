#include "write_classification.hpp"

#include <isocenter/error.hpp>

#include "report_document.hpp"
#include "toolkit.hpp"

namespace isocenter::detail::dicom {
namespace {

void add_finding(const Content& measurements, const ClassificationToWrite& c, const ClassOfImage& found,
                 const SourceMetadata& source) {
  const Segment& s = c.classes[static_cast<std::size_t>(found.category)];
  const Content group =
      add_measurement_group(measurements, "1501", s.name + ", image " + std::to_string(found.image + 1), s);
  // TID 4019 "Algorithm Identification".
  group.text("HAS CONCEPT MOD", {"111001", "DCM", "Algorithm Name"}, c.algorithm_name);
  group.text("HAS CONCEPT MOD", {"111003", "DCM", "Algorithm Version"}, c.algorithm_version);
  group.text("HAS CONCEPT MOD", {"111002", "DCM", "Algorithm Parameters"}, c.algorithm_parameters);
  if (s.anatomy) group.code("HAS CONCEPT MOD", {"363698007", "SCT", "Finding Site"}, *s.anatomy);
  group.number({"111012", "DCM", "Certainty of Finding"}, 100 * found.probability, {"%", "UCUM", "Percent"});
  for (const int i : c.slices[static_cast<std::size_t>(found.image)]) {
    const SourceSlice& slice = source.slices[static_cast<std::size_t>(i)];
    group.source_image({"121112", "DCM", "Source of Measurement"}, source.sop_class_uid, slice.sop_instance_uid,
                       slice.frame_number);
  }
}

}  // namespace

void write_classification(const std::string& path, const ClassificationToWrite& c, const SourceMetadata& source,
                          const OutputDescription& description) {
  use_dcmtk();
  const DcmtkLog log;
  if (source.empty())
    throw Failure(ErrorCode::unsupported, "the images come from no DICOM series, which a report could be of",
                  "read them with dicom_series_source or dicom_frames_source");
  std::vector<std::string> texts{c.algorithm_name, c.algorithm_version, c.algorithm_parameters};
  for (const Segment& s : c.classes) texts.push_back(s.name);
  DcmDataset dataset;
  const Content measurements = begin_report(dataset, source, description, texts, nullptr);
  for (const ClassOfImage& found : c.findings) add_finding(measurements, c, found, source);
  write_report_document(path, dataset);
}

}  // namespace isocenter::detail::dicom
