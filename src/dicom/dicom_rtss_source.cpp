#include "dicom_rtss_source.hpp"

#include <algorithm>

namespace isocenter::detail::dicom {
namespace {

constexpr std::size_t most_labels = 255;

}  // namespace

void DicomRtssSourceOperator::choose_structures() {
  auto& all = set_.structures;
  if (!params.structure.empty()) {
    std::string known;
    for (const Structure3D& s : all) known += (known.empty() ? "" : ", ") + s.name;
    all.erase(std::remove_if(all.begin(), all.end(), [&](const Structure3D& s) { return s.name != params.structure; }),
              all.end());
    if (all.empty())
      throw Failure(ErrorCode::invalid_argument,
                    "structure = " + params.structure + " is no ROIName (3006,0026) in '" + params.path + "'",
                    "choose one of " + known);
  }
  if (all.size() > most_labels)
    throw Failure(ErrorCode::unsupported,
                  "'" + params.path + "' has " + std::to_string(all.size()) + " structures, labels can tell " +
                      std::to_string(most_labels) + " apart",
                  "take one with the parameter structure");
}

void DicomRtssSourceOperator::plan(PlanContext& plan) {
  set_ = open_structure_set(params.path);
  choose_structures();
  const PayloadRef input = plan.input("reference");
  const Volume reference{input};
  if (reference.nt() > 1)
    throw Failure(ErrorCode::unsupported, "the reference has " + std::to_string(reference.nt()) + " time points",
                  "give a volume of one");
  const std::string frame = input.text("dicom.FrameOfReferenceUID");
  if (!frame.empty() && !set_.frame_of_reference_uid.empty() && frame != set_.frame_of_reference_uid)
    throw Failure(ErrorCode::bad_data,
                  "'" + params.path + "' refers to FrameOfReferenceUID (0020,0052) = " + set_.frame_of_reference_uid +
                      ", the reference has " + frame,
                  "give the volume on which the structures were drawn");
  grid_ = grid_of(reference);
  PayloadRef output = plan.output("output");
  output.like(Segmentation::describe(grid_.extent[0], grid_.extent[1], grid_.extent[2], reference.geometry()),
              "labels");
  std::string names = "background";
  std::vector<double> colours{0, 0, 0};
  for (const Structure3D& s : set_.structures) {
    names += "\\" + s.name;
    colours.insert(colours.end(), s.srgb.begin(), s.srgb.end());
    if (s.contours.empty())
      plan.warn("structure '" + s.name + "' has no closed contour" +
                    (s.other_contours > 0 ? ", but " + std::to_string(s.other_contours) + " points or open lines" : ""),
                "nothing; its label stays empty");
  }
  output.set_text("labels.names", names);
  output.set_numbers("labels.colours", colours);
  output.inherit_attributes(input);
  plan.fact("structures", names);
  plan.declare_host_memory(static_cast<std::uint64_t>(grid_.extent[0]) * static_cast<std::uint64_t>(grid_.extent[1]));
}

void DicomRtssSourceOperator::run(const RunContext& run) {
  const std::span<std::uint8_t> labels = run.output("output").tensor("labels").span<std::uint8_t>();
  std::fill(labels.begin(), labels.end(), std::uint8_t{0});
  for (std::size_t i = 0; i < set_.structures.size(); ++i) {
    run.check_cancelled();
    run.progress(static_cast<double>(i) / static_cast<double>(set_.structures.size()));
    const auto label = static_cast<std::uint8_t>(i + 1);
    const auto claim = [&](std::uint8_t old) {
      if (old == 0 || params.overlap == DicomSegOverlap::last) return label;
      if (params.overlap == DicomSegOverlap::first) return old;
      throw Failure(ErrorCode::bad_data,
                    "structures '" + set_.structures[old - 1U].name + "' and '" + set_.structures[i].name + "' overlap",
                    "set overlap = first or last, or take one with the parameter structure");
    };
    fill_structure(set_.structures[i], grid_, claim, labels);
  }
}

}  // namespace isocenter::detail::dicom
