#pragma once
// A MONAI bundle planned for one volume: its transforms, windows and the way back, step by step as MONAI does them.
#include <isocenter/operator.hpp>
#include <memory>

#include "core/launch.hpp"
#include "core/volume_input.hpp"
#include "infer/bundle_foreground.hpp"
#include "infer/bundle_grid.hpp"
#include "infer/bundle_recipe.hpp"
#include "infer/executor.hpp"
#include "infer/onnx_model.hpp"
#include "infer/orientation.hpp"
#include "infer/sliding_window.hpp"
#include "infer/stream_items.hpp"
#include "volume/intensity.hpp"

namespace isocenter::infer {

class BundleNetwork {
 public:
  /// Plans everything for frames of this shape; states facts and asks for memory that lives with the session.
  /// `stream_batch` items of the stream go through the network at once where that is above 1.
  void plan(PlanContext& plan, const isocenter::detail::GridShape& shape, BundleRecipe recipe, int stream_batch);
  std::int64_t scratch_bytes() const { return scratch_bytes_; }
  int channels() const { return channels_; }
  const BundleRecipe& recipe() const { return recipe_; }

  /// With stream_batch, while RunContext::part is -1: keeps an item of one frame. run() then gives the one of its part,
  /// and reads no input.
  void take_item(const RunContext& run, std::byte* scratch, const float* in);
  /// One frame to labels, uint8 zyx. `frame` of `frames` is for the progress that is told.
  void run(const RunContext& run, std::byte* scratch, const float* in, std::uint8_t* out, int frame, int frames);

 private:
  using Extents = std::array<int, 3>;  // x, y, z of the network's grid: MONAI's k, j, i

  /// A change of the volume, from the buffer before it (or in place) to its own.
  struct Pass {
    bool scales = false, crops = false;
    isocenter::detail::IntensityScaling scaling;
    isocenter::detail::ValueScale* scale = nullptr;
    int margin = 0;  ///< of the foreground that is looked for
    int axis = 0;    ///< else: the axis that is resampled
    int taps_to = 0;
    const std::int32_t* index = nullptr;
    const float* weight = nullptr;
    Extents size{};  ///< before it
    std::int64_t at = 0;
  };

  void plan_orientation(PlanContext& plan);
  void plan_steps(PlanContext& plan);
  void plan_scaling(PlanContext& plan, const BundleStep& step);
  void plan_change(PlanContext& plan, const BundleStep& step);
  void plan_foreground(PlanContext& plan, const BundleStep& step);
  void plan_windows(PlanContext& plan);
  void plan_executor(PlanContext& plan, const std::string& digest);
  void check_outputs() const;
  void plan_items(PlanContext& plan);
  void plan_way_back(PlanContext& plan);
  std::int64_t reserve(std::int64_t bytes);
  float* at(std::byte* scratch, std::int64_t offset) const { return reinterpret_cast<float*>(scratch + offset); }

  const isocenter::detail::Launcher& launcher(const RunContext& run);
  const float* prepare(const RunContext& run, const isocenter::detail::Launcher& l, std::byte* scratch,
                       const float* in);
  /// What CenterSpatialCropd leaves of what is left of the prepared volume.
  ForegroundBox centre_of(ForegroundBox left) const;
  /// Voxels along an axis after the paddings, and those before the volume among them.
  std::array<int, 2> padded_extent(int size, std::size_t axis) const;
  /// The extents, padding, windows and tables for what is left of the prepared volume. Allocates nothing for less than
  /// there was before.
  void lay_out(const ForegroundBox& left);
  isocenter::detail::ExtractWindowKernel extraction(const float* volume) const;
  template <class Score>
  void blend(const isocenter::detail::Launcher& l, std::byte* scratch, const Score& score) const;
  void run_windows(const RunContext& run, std::byte* scratch, const float* in, int frame, int frames);
  void bind(std::byte* scratch);
  void read_labels(const isocenter::detail::Launcher& l, std::byte* scratch, std::uint8_t* out) const;
  void fill_holes(const isocenter::detail::Launcher& l, std::byte* scratch, std::uint8_t* out) const;

  BundleRecipe recipe_;
  isocenter::detail::GridShape original_, shape_;  ///< as it came; its axes in the network's order
  isocenter::detail::VoxelSteps steps_{};
  OnnxModel model_;
  int channels_ = 0;
  bool on_cpu_ = true;
  int batch_ = 1;                              ///< items of the stream that go through the network at once
  std::unique_ptr<Executor> executor_, rest_;  ///< for batch_ windows; with items of the stream, for one
  StreamItems items_;
  std::vector<ForegroundBox> item_boxes_;  ///< what is left of each
  std::byte* bound_ = nullptr;
  isocenter::detail::Launcher launcher_;

  std::vector<Pass> passes_;
  Extents size_{};  ///< of the prepared volume
  std::vector<BundleStep> paddings_;
  Extents centre_{};  ///< of CenterSpatialCropd; 0: all
  Extents window_{};
  bool crops_ = false;  ///< by the foreground; then what follows is laid out anew for each volume, and is never larger
                        ///< than as planned
  ForegroundBox left_{};  ///< that it was laid out for
  Extents padded_{};      ///< what DivisiblePadd and, where the window is larger, the inferer make of it
  Extents before_{};      ///< voxels of padding before it
  std::array<AxisChange, 3> changes_{};
  std::array<std::vector<int>, 3> starts_;
  std::array<AxisPairs, 3> back_;           ///< from the volume's voxels to those of the prepared one
  std::array<AxisPairs, 3> reading_table_;  ///< from the volume's voxels to the scores
  std::array<std::vector<std::int32_t>, 3> padding_table_;
  std::vector<SliceBounds> bounds_of_slice_;  ///< while the foreground is looked for

  // On the device, for the session's life; where volumes are cropped, the tables above.
  const float* importance_ = nullptr;
  const float* constants_ = nullptr;  ///< 1, 0, the latter also as an index
  std::array<const std::int32_t*, 3> padding_{};
  std::array<isocenter::detail::RingTaps, 3> readings_{};
  unsigned long long* limits_ = nullptr;

  // In the scratch memory, bytes.
  std::int64_t scratch_bytes_ = 0, oriented_at_ = 0, padded_at_ = 0, work_at_ = 0, arena_at_ = 0, scores_at_ = 0,
               parents_at_ = 0;
};

}  // namespace isocenter::infer
