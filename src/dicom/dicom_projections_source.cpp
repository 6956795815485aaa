#include "dicom_projections_source.hpp"

#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dcfilefo.h>

#include <algorithm>
#include <atomic>

#include "frame_decoder.hpp"
#include "single_object.hpp"
#include "source_metadata.hpp"
#include "workers.hpp"

namespace isocenter::detail::dicom {
namespace {

std::string unit_of(const Image& image) {
  const auto& rescale = image.frames.front().rescale;
  const std::string unit = image.modality_lut != nullptr ? image.modality_lut_type
                           : rescale                     ? rescale->type
                                                         : std::string();
  return unit.empty() || unit == "US" ? "a.u." : unit;  // US: unspecified
}

}  // namespace

/// Angles, index vectors, times and views of the frames that were chosen.
void DicomProjectionsSourceOperator::describe_frames(PlanContext& plan, Payload& output) {
  DcmFileFormat header;
  open_header(params.path, header);
  DcmItem& dataset = *header.getDataset();
  std::vector<std::string> problems;
  const std::vector<FrameNumbers> numbers = read_frame_numbers(image_, dataset, problems);
  for (const std::string& p : problems) plan.warn("'" + image_.name + "': " + p, "export the object again");
  for (const FrameNumbers& n : numbers) output.set_numbers(n.name.c_str(), frames_.of(n.values));
  std::string missing;
  const std::vector<View> views = xray_views(image_, dataset, numbers, missing);
  plan.fact("views", views.empty() ? "none: " + missing : "around the isocentre");
  if (!views.empty()) {
    set_views(output, std::span(views).subspan(static_cast<std::size_t>(frames_.first),
                                               static_cast<std::size_t>(frames_.count)));
    set_view_blocks(output, frames_.count / frames_.in_item);
  }
  const FrameSpacing spacing = spacing_of(image_, dataset, frames_.first);
  plan.fact("spacing", spacing.from.empty() ? "unknown" : spacing.from);
  if (spacing.from.empty()) return;
  Geometry g = output.geometry();
  g.spacing_mm[0] = spacing.column_mm;
  g.spacing_mm[1] = spacing.row_mm;
  output.set_geometry(g);
}

void DicomProjectionsSourceOperator::plan(PlanContext& plan) {
  image_ = open_image(params.path);
  if (!image_.no_volume.empty())
    throw Failure(ErrorCode::unsupported, "'" + params.path + "': " + image_.no_volume,
                  "use dicom_frames_source for pictures, dicom_seg_source for labels");
  frames_ = choose_frames(params, image_);
  Projections described = Projections::describe(frames_.in_item, image_.format.rows, image_.format.columns);
  described.set_text("unit", unit_of(image_));
  describe_frames(plan, described);
  PayloadRef output = plan.output("output");
  output.like(described, "views");
  write_metadata(metadata_of(image_, params.path, frames_.first), output);
  plan.items(frames_.count / frames_.in_item);
  plan.declare_host_memory(FrameDecoder::working_bytes(image_) *
                           static_cast<std::uint64_t>(Workers(plan.launcher()).concurrency()));
  plan.fact("SOPClassUID", image_.sop_class_uid);
  plan.fact("Modality", image_.modality);
  plan.fact("frames", std::to_string(image_.frames.size()));
}

void DicomProjectionsSourceOperator::run(const RunContext& run) {
  if (run.sequence() >= frames_.count / frames_.in_item) throw EndOfStream{};
  const auto first = static_cast<std::size_t>(frames_.first + static_cast<int>(run.sequence()) * frames_.in_item);
  const TensorView views = run.output("output").tensor("views");
  const std::span<float> all = views.span<float>();
  const std::size_t each = all.size() / static_cast<std::size_t>(frames_.in_item);
  std::atomic<int> done{0};
  // A stretch of frames for each thread: a deflated object is inflated once for each.
  const int threads = std::min(frames_.in_item, Workers(run.launcher()).concurrency());
  Workers(run.launcher()).for_each(threads, [&](std::int64_t t) {
    FrameDecoder decoder;
    for (auto i = t * frames_.in_item / threads; i < (t + 1) * frames_.in_item / threads; ++i) {
      run.check_cancelled();
      const auto number = static_cast<std::size_t>(i);
      const Frame& frame = image_.frames[first + number];
      decoder.decode(image_, frame, frame.rescale.value_or(Rescale{}), all.subspan(number * each, each));
      run.progress(static_cast<double>(++done) / frames_.in_item);
    }
  });
}

}  // namespace isocenter::detail::dicom
