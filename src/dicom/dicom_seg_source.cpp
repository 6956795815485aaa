#include "dicom_seg_source.hpp"

#include "source_metadata.hpp"
#include "stored_frame.hpp"

namespace isocenter::detail::dicom {

void DicomSegSourceOperator::plan(PlanContext& plan) {
  object_ = open_segmentation(params.path);
  PayloadRef output = plan.output("output");
  const bool placed = plan.has_input("reference");
  if (placed) {
    const Volume reference{plan.input("reference")};
    if (reference.nt() > 1)
      throw Failure(ErrorCode::unsupported, "the reference has " + std::to_string(reference.nt()) + " time points",
                    "give a volume of one");
    grid_ = grid_of(reference);
  } else {
    grid_ = natural_grid(object_);
    plan.items(1);
  }
  output.like(Segmentation::describe(grid_.extent[0], grid_.extent[1], grid_.extent[2], geometry_of(grid_)), "labels");
  int highest = 0;
  for (const SegmentDescription& s : object_.segments) highest = std::max(highest, s.number);
  std::vector<std::string> names(static_cast<std::size_t>(highest) + 1, "unused");
  std::vector<double> colours(3 * names.size(), 0.0);
  names[0] = "background";
  for (const SegmentDescription& s : object_.segments) {
    const auto n = static_cast<std::size_t>(s.number);
    names[n] = s.label;
    std::copy(s.srgb.begin(), s.srgb.end(), colours.begin() + static_cast<std::ptrdiff_t>(3 * n));
  }
  std::string joined;
  for (const std::string& n : names) joined += (joined.empty() ? "" : "\\") + n;
  output.set_text("labels.names", joined);
  output.set_numbers("labels.colours", colours);
  if (placed) {
    output.inherit_attributes(plan.input("reference"));
  } else {
    SourceMetadata source;
    source.context = read_context(params.path);
    source.study_uid = object_.image.study_uid;
    source.series_uid = object_.image.series_uid;
    source.sop_class_uid = object_.image.sop_class_uid;
    source.frame_of_reference_uid = object_.image.frame_of_reference_uid;
    source.modality = object_.image.modality;
    write_metadata(source, output);
  }
  plan.declare_host_memory(StoredFrameReader::working_bytes(object_.image));
  plan.fact("segments", joined);
  plan.fact("frames", std::to_string(object_.image.frames.size()));
}

void DicomSegSourceOperator::run(const RunContext& run) {
  if (!run.has_input("reference") && run.sequence() > 0) throw EndOfStream{};
  read_labels(object_, grid_, params.threshold, static_cast<SegmentOverlap>(params.overlap),
              run.output("output").tensor("labels").span<std::uint8_t>(), [&](double done) {
                run.check_cancelled();
                run.progress(done);
              });
}

}  // namespace isocenter::detail::dicom
