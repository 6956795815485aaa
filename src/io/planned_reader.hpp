#pragma once
// What the two sources of volumes share.
#include <isocenter/operator.hpp>
#include <memory>

#include "voxel_reader.hpp"

namespace isocenter::detail::io {

inline void describe_grid(PayloadRef output, const char* name, DType type, const ImageInfo& info) {
  const auto& n = info.size;
  output.set_tensor(
      name, info.has_time ? tensor(type, "tzyx", {n[3], n[2], n[1], n[0]}) : tensor(type, "zyx", {n[2], n[1], n[0]}));
  output.set_geometry(info.geometry);
}

/// Reads the header, describes the output, and says in the report what was read.
inline std::unique_ptr<VoxelReader> plan_reader(PlanContext& plan, const std::string& path, const char* name,
                                                DType type) {
  const ImageInfo info = read_image_info(path);
  if (!info.has_orientation)
    plan.warn("'" + path + "' does not say how it lies in the patient; its axes are taken for the patient's",
              "write the orientation into the file (NIfTI: sform or qform, NRRD: space directions)");
  if (!info.remark.empty()) plan.warn("'" + path + "': " + info.remark, info.remedy);
  describe_grid(plan.output("output"), name, type, info);
  plan.fact("file", path);
  plan.fact("stored_type", to_string(info.type));
  plan.items(1);
  auto reader = std::make_unique<VoxelReader>(info);
  plan.declare_host_memory(std::uint64_t{2} << 20);
  return reader;
}

inline ReadProgress progress_of(const RunContext& run) {
  return [&run](double part) {
    run.check_cancelled();
    run.progress(part);
  };
}

}  // namespace isocenter::detail::io
