#include "segment_measurements.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "operator_support.hpp"

namespace isocenter::detail::dicom {
namespace {

constexpr std::size_t figures = 6;
constexpr const char* metrics[figures] = {"voxels", "volume", "mean", "standard_deviation", "minimum", "maximum"};

bool same_grid(const Geometry& a, const Geometry& b) {
  for (int i = 0; i < 3; ++i)
    if (std::fabs(a.spacing_mm[i] - b.spacing_mm[i]) > 1e-6 * a.spacing_mm[i] ||
        std::fabs(a.origin_mm[i] - b.origin_mm[i]) > 1e-2 * a.spacing_mm[i])
      return false;
  for (int i = 0; i < 9; ++i)
    if (std::fabs(a.direction[i] - b.direction[i]) > 1e-5) return false;
  return true;
}

}  // namespace

void SegmentMeasurementsOperator::plan(PlanContext& plan) {
  const PayloadRef segmentation = plan.input("segmentation"), volume = plan.input("volume");
  labels_ = dense_tensor(segmentation, "labels");
  voxels_ = dense_tensor(volume, "voxels");
  if (std::string_view(labels_.axes) != "zyx" || std::string_view(voxels_.axes) != "zyx" ||
      labels_.type() != DType::uint8 || voxels_.type() != DType::float32)
    throw Failure(ErrorCode::unsupported,
                  std::string("the axes are '") + labels_.axes + "' (segmentation) and '" + voxels_.axes +
                      "' (volume): one 3-D label map (zyx, uint8) and one 3-D volume (zyx, float32) are measured",
                  fix_for_slices(std::string_view(labels_.axes) != "zyx" ? labels_ : voxels_));
  for (const char axis : {'x', 'y', 'z'})
    if (labels_.extent(axis) != voxels_.extent(axis))
      throw Failure(ErrorCode::bad_data,
                    std::string("the segmentation has ") + std::to_string(labels_.extent(axis)) + " voxels along " +
                        axis + ", the volume " + std::to_string(voxels_.extent(axis)),
                    "give the volume that was segmented");
  if (!same_grid(segmentation.geometry(), volume.geometry()))
    throw Failure(ErrorCode::bad_data, "the segmentation and the volume lie at different places",
                  "give the volume that was segmented, or resample one onto the other's grid");
  extent(labels_, 'x', "Columns (0028,0011)", 65535);
  extent(labels_, 'y', "Rows (0028,0010)", 65535);
  extent(labels_, 'z', "the number of slices", 99999);
  const std::string names = segmentation.text("labels.names");
  count_ = static_cast<int>(std::count(names.begin(), names.end(), '\\'));
  if (count_ < 1 || count_ > 255)
    throw Failure(ErrorCode::bad_data,
                  "labels.names of the segmentation names " + std::to_string(count_) +
                      " labels beside the background, and 1 to 255 can be measured",
                  "set it to the labels' names, joined by backslashes, the background first");
  PayloadRef output = plan.output("output");
  output.like(segmentation, "labels");
  output.set_text("measurements.unit", volume.text("unit"));
  values_.resize(figures * static_cast<std::size_t>(count_));
  column_.resize(static_cast<std::size_t>(count_));
  output.set_numbers("measurements.values", values_);
  centroids_.resize(3 * static_cast<std::size_t>(count_));
  boxes_.resize(6 * static_cast<std::size_t>(count_));
  output.set_numbers("measurements.centroids_mm", centroids_);
  output.set_numbers("measurements.boxes_mm", boxes_);
  plan.metric("centroid", "mm", 3 * static_cast<std::uint32_t>(count_));
  plan.metric("box", "mm", 6 * static_cast<std::uint32_t>(count_));
  const std::string unit = volume.text("unit");
  for (const char* metric : metrics) {
    const std::string_view name = metric;
    plan.metric(metric,
                name == "voxels"   ? "1"
                : name == "volume" ? "mm3"
                                   : unit.c_str(),
                static_cast<std::uint32_t>(count_));
  }
  plan.declare_host_memory(sizeof(SegmentMeasurement) * static_cast<std::uint64_t>(count_) *
                           static_cast<std::uint64_t>(labels_.extent('z') + 1));
}

void SegmentMeasurementsOperator::run(const RunContext& run) {
  const PayloadRef segmentation = run.input("segmentation");
  PayloadRef output = run.output("output");
  const TensorView labels = planned_tensor(segmentation, "labels", labels_);
  const TensorView voxels = planned_tensor(run.input("volume"), "voxels", voxels_);
  const auto measured =
      measure_segments(labels.span<std::uint8_t>(), voxels.span<float>(), static_cast<int>(labels.extent('x')),
                       static_cast<int>(labels.extent('y')), static_cast<int>(labels.extent('z')),
                       segmentation.geometry(), count_, Workers(run.launcher()));
  for (std::size_t i = 0; i < measured.size(); ++i) {
    const SegmentMeasurement& m = measured[i];
    const double row[figures] = {static_cast<double>(m.voxels), m.volume_mm3, m.mean,
                                 m.standard_deviation,          m.minimum,    m.maximum};
    std::copy(std::begin(row), std::end(row), values_.begin() + static_cast<std::ptrdiff_t>(figures * i));
    std::copy(m.centroid_mm.begin(), m.centroid_mm.end(), centroids_.begin() + static_cast<std::ptrdiff_t>(3 * i));
    std::copy(m.box_mm.begin(), m.box_mm.end(), boxes_.begin() + static_cast<std::ptrdiff_t>(6 * i));
  }
  for (std::size_t f = 0; f < figures; ++f) {
    for (std::size_t i = 0; i < column_.size(); ++i) column_[i] = values_[figures * i + f];
    run.metric(metrics[f], column_);
  }
  run.metric("centroid", centroids_);
  run.metric("box", boxes_);
  const TensorView copy = output.tensor("labels");
  std::memcpy(copy.data, labels.data, labels.bytes());
  output.set_numbers("measurements.values", values_);
  output.set_numbers("measurements.centroids_mm", centroids_);
  output.set_numbers("measurements.boxes_mm", boxes_);
}

}  // namespace isocenter::detail::dicom
