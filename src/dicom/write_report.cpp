#include "write_report.hpp"

#include <isocenter/error.hpp>

#include "report_document.hpp"
#include "toolkit.hpp"
#include "write_parametric_map.hpp"

namespace isocenter::detail::dicom {
namespace {

/// What a value of the volume is: quantities of PS3.16 CID 7469.
Code quantity_of(const std::string& unit, const std::string& modality) {
  if (unit == "HU") return {"112031", "DCM", "Attenuation Coefficient"};
  if (unit == "GML" || unit == "g/ml" || unit == "SUV" || unit == "SUVbw") return {"126401", "DCM", "SUVbw"};
  if (modality == "MR") return {"110852", "DCM", "MR signal intensity"};
  return {"246205007", "SCT", "Quantity"};
}

class ReportWriter {
 public:
  ReportWriter(const ReportToWrite& r, const SourceMetadata& source, const OutputDescription& d)
      : r_(r), source_(source), d_(d) {
    unit_ = unit_code(r.unit);
    if (unit_.value.empty())
      throw Failure(ErrorCode::unsupported, "the unit '" + r.unit + "' of the measured volume has no UCUM code here",
                    "convert the volume to HU, Bq/ml, g/ml, 1/mm, mm, ms, s, %, 1 or a.u.");
  }

  void write(const std::string& path) {
    DcmDataset dataset;
    std::vector<std::string> texts;
    for (const Segment& s : r_.segments) texts.push_back(s.name);
    const WrittenObject segmentation{r_.study_uid, r_.segmentation_series_uid, r_.segmentation_uid};
    const Content measurements = begin_report(dataset, source_, d_, texts, &segmentation);
    int groups = 0;
    for (std::size_t i = 0; i < r_.segments.size(); ++i) {
      if (r_.measurements[i].voxels == 0) continue;
      add_group(measurements, i);
      ++groups;
    }
    if (groups == 0)
      throw Failure(ErrorCode::bad_data, "no voxel belongs to a segment, and the report would hold no measurement",
                    "look at what the operator before the sink found");
    write_report_document(path, dataset);
  }

 private:
  /// TID 1411 "Volumetric ROI Measurements and Qualitative Evaluations".
  void add_group(const Content& measurements, std::size_t i) const {
    const Segment& s = r_.segments[i];
    const SegmentMeasurement& m = r_.measurements[i];
    const Content group = add_measurement_group(measurements, "1411", s.name, s);
    group.image("CONTAINS", {"121191", "DCM", "Referenced Segment"}, segmentation_storage, r_.segmentation_uid,
                static_cast<int>(i) + 1);
    if (!source_.series_uid.empty())
      group.uid("CONTAINS", {"121232", "DCM", "Source series for segmentation"}, source_.series_uid);
    if (s.anatomy) group.code("HAS CONCEPT MOD", {"363698007", "SCT", "Finding Site"}, *s.anatomy);
    group.number({"118565006", "SCT", "Volume"}, m.volume_mm3, {"mm3", "UCUM", "cubic millimeter"});
    const auto value = [&](double v, const Code& derivation) {
      group.number(quantity_of(r_.unit, source_.modality), v, unit_)
          .code("HAS CONCEPT MOD", {"121401", "DCM", "Derivation"}, derivation);
    };
    value(m.mean, {"373098007", "SCT", "Mean"});
    value(m.standard_deviation, {"386136009", "SCT", "Standard Deviation"});
    value(m.minimum, {"255605001", "SCT", "Minimum"});
    value(m.maximum, {"56851009", "SCT", "Maximum"});
  }

  const ReportToWrite& r_;
  const SourceMetadata& source_;
  const OutputDescription& d_;
  Code unit_;
};

}  // namespace

void write_report(const std::string& path, const ReportToWrite& report, const SourceMetadata& source,
                  const OutputDescription& description) {
  use_dcmtk();
  const DcmtkLog log;
  ReportWriter(report, source, description).write(path);
}

}  // namespace isocenter::detail::dicom
