#include "dicom_frames_source.hpp"

#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dcdeftag.h>

#include <atomic>
#include <cstdio>

#include "dataset_values.hpp"
#include "single_object.hpp"
#include "source_metadata.hpp"
#include "workers.hpp"

namespace isocenter::detail::dicom {
namespace {

std::string number_text(double v) {
  char digits[32];
  std::snprintf(digits, sizeof digits, "%.9g", v);
  return digits;
}

double time_step_s(DcmItem& dataset) {
  if (const auto ms = number(dataset, attribute::frame_time); ms && *ms > 0) return *ms / 1000;
  for (const Attribute& rate : {attribute::cine_rate, attribute::recommended_display_frame_rate})
    if (const auto hz = number(dataset, rate); hz && *hz > 0) return 1 / *hz;
  return 0;
}

/// SequenceOfUltrasoundRegions (0018,6011) as JSON: one object a region with its attributes' keywords.
std::string ultrasound_regions(DcmItem& dataset) {
  static constexpr Attribute wanted[] = {{0x0018, 0x6012, "RegionSpatialFormat"},
                                         {0x0018, 0x6014, "RegionDataType"},
                                         {0x0018, 0x6016, "RegionFlags"},
                                         {0x0018, 0x6018, "RegionLocationMinX0"},
                                         {0x0018, 0x601A, "RegionLocationMinY0"},
                                         {0x0018, 0x601C, "RegionLocationMaxX1"},
                                         {0x0018, 0x601E, "RegionLocationMaxY1"},
                                         {0x0018, 0x6020, "ReferencePixelX0"},
                                         {0x0018, 0x6022, "ReferencePixelY0"},
                                         {0x0018, 0x6024, "PhysicalUnitsXDirection"},
                                         {0x0018, 0x6026, "PhysicalUnitsYDirection"},
                                         {0x0018, 0x6028, "ReferencePixelPhysicalValueX"},
                                         {0x0018, 0x602A, "ReferencePixelPhysicalValueY"},
                                         {0x0018, 0x602C, "PhysicalDeltaX"},
                                         {0x0018, 0x602E, "PhysicalDeltaY"}};
  std::string json;
  for (unsigned long i = 0; DcmItem* const region = sequence_item(dataset, DCM_SequenceOfUltrasoundRegions, i); ++i) {
    std::string object;
    for (const Attribute& a : wanted)
      if (const auto value = number(*region, a))
        object += (object.empty() ? "" : ", ") + ('"' + std::string(a.keyword) + "\": ") + number_text(*value);
    json += (json.empty() ? "{" : ", {") + object + "}";
  }
  return json.empty() ? json : "[" + json + "]";
}

}  // namespace

void DicomFramesSourceOperator::choose_window(PlanContext& plan) {
  bool unstated = false;
  display_ = read_grey_display(params.path, image_, unstated);
  if (params.window_width > 0) {
    display_.function = GreyDisplay::Function::linear;
    display_.centre = params.window_centre;
    display_.width = params.window_width;
    unstated = false;
  }
  if (unstated && image_.format.values != PixelFormat::Values::integers)
    throw Failure(ErrorCode::bad_data,
                  "'" + image_.name + "' holds floating point values and neither " + text(attribute::window_center) +
                      " nor " + text(attribute::voi_lut_sequence),
                  "set window_centre and window_width");
  if (unstated && image_.format.bits_stored > 8)
    plan.warn("'" + image_.name + "' has neither " + text(attribute::window_center) + " nor " +
                  text(attribute::voi_lut_sequence) + "; all " + std::to_string(image_.format.bits_stored) +
                  " stored bits are shown",
              "set window_centre and window_width");
  plan.fact("window", display_.width > 0 ? number_text(display_.centre) + ", " + number_text(display_.width) : "table");
}

/// What cannot be decoded in a video, and what its container contradicts, before anything is decoded.
void DicomFramesSourceOperator::probe(PlanContext& plan) {
  try {
    const VideoStreamFacts facts = probe_video(image_);
    plan.fact("video", name_of(facts.codec));
    const bool as_announced = facts.pictures.value_or(image_.pixels.frames) == image_.pixels.frames;
    const bool enough =
        facts.pictures.value_or(image_.pixels.frames) >= static_cast<std::uint64_t>(frames_.first + frames_.count);
    if (as_announced || (params.frames > 0 && enough)) return;
    throw Failure(ErrorCode::bad_data,
                  "'" + image_.name + "': " + text(attribute::number_of_frames) + " = " +
                      std::to_string(image_.pixels.frames) + ", the video's container holds " +
                      std::to_string(*facts.pictures),
                  "set frames to as many as you need, at most " +
                      std::to_string(std::min(*facts.pictures, image_.pixels.frames)));
  } catch (const StreamError& e) {
    throw Failure(ErrorCode::unsupported, "the video in '" + image_.name + "' cannot be decoded: " + e.what(),
                  "take the stream out of PixelData (7fe0,0010) with a video tool, and give its pictures");
  }
}

void DicomFramesSourceOperator::plan(PlanContext& plan) {
  image_ = open_image(params.path);
  if (const std::string why = why_no_picture(image_); !why.empty())
    throw Failure(ErrorCode::unsupported, "'" + params.path + "': " + why,
                  "convert the file to RGB or MONOCHROME2 first");
  frames_ = choose_frames(params, image_);
  is_video_ = image_.pixels.kind == PixelData::Kind::video;
  if (is_video_) probe(plan);
  if (image_.format.samples_per_pixel == 1 && image_.format.photometric != "PALETTE COLOR") choose_window(plan);
  DcmFileFormat header;
  open_header(params.path, header);
  DcmItem& dataset = *header.getDataset();
  Frames described = Frames::describe(frames_.in_item, image_.format.rows, image_.format.columns, time_step_s(dataset));
  if (const FrameSpacing spacing = spacing_of(image_, dataset, frames_.first); !spacing.from.empty()) {
    Geometry g = described.geometry();
    g.spacing_mm[0] = spacing.column_mm;
    g.spacing_mm[1] = spacing.row_mm;
    described.set_geometry(g);
    plan.fact("spacing", spacing.from);
  }
  std::vector<std::string> problems;
  for (const FrameNumbers& n : read_frame_numbers(image_, dataset, problems))
    described.set_numbers(n.name.c_str(), frames_.of(n.values));
  for (const std::string& p : problems) plan.warn("'" + image_.name + "': " + p, "export the object again");
  PayloadRef output = plan.output("output");
  output.like(described, "pixels");
  write_metadata(metadata_of(image_, params.path, frames_.first), output);
  plan.items(frames_.count / frames_.in_item);
  plan.declare_host_memory(PictureReader::working_bytes(image_) *
                           static_cast<std::uint64_t>(is_video_ ? 1 : Workers(plan.launcher()).concurrency()));
  plan.fact("SOPClassUID", image_.sop_class_uid);
  plan.fact("Modality", image_.modality);
  plan.fact("frames", std::to_string(image_.frames.size()));
  if (const std::string regions = ultrasound_regions(dataset); !regions.empty())
    plan.fact("ultrasound.regions", regions);
}

void DicomFramesSourceOperator::run(const RunContext& run) {
  const std::int64_t items = frames_.count / frames_.in_item;
  if (run.sequence() >= items) throw EndOfStream{};
  const int first = frames_.first + static_cast<int>(run.sequence()) * frames_.in_item;
  const TensorView pixels = run.output("output").tensor("pixels");
  const std::span<std::uint8_t> all = pixels.span<std::uint8_t>();
  const std::size_t each = all.size() / static_cast<std::size_t>(frames_.in_item);
  std::atomic<int> done{0};
  const auto read = [&](PictureReader& reader, std::int64_t i) {
    run.check_cancelled();
    reader.read(image_, first + static_cast<int>(i), display_, all.subspan(static_cast<std::size_t>(i) * each, each));
    run.progress(static_cast<double>(++done) / frames_.in_item);
  };
  if (is_video_) {
    for (int i = 0; i < frames_.in_item; ++i) read(video_, i);
    const bool to_the_end = params.frames == 0 && run.sequence() + 1 == items;
    if (to_the_end) video_.require_end(image_);
    return;
  }
  // A stretch of frames for each thread: a deflated object is inflated once for each.
  const int threads = std::min(frames_.in_item, Workers(run.launcher()).concurrency());
  Workers(run.launcher()).for_each(threads, [&](std::int64_t t) {
    PictureReader reader;
    for (auto i = t * frames_.in_item / threads; i < (t + 1) * frames_.in_item / threads; ++i) read(reader, i);
  });
}

}  // namespace isocenter::detail::dicom
