#pragma once
// A network over a volume: turning its axes to the network's, resampling to its spacing, windows, blending, reading
// back. The part that segment_volume and network_inference share; it runs on every device that has the kernels.
#include <array>
#include <isocenter/operator.hpp>
#include <memory>

#include "core/launch.hpp"
#include "core/volume_input.hpp"
#include "infer/executor.hpp"
#include "infer/model_card.hpp"
#include "infer/network_plan.hpp"
#include "infer/onnx_model.hpp"
#include "infer/orientation.hpp"
#include "infer/sliding_window.hpp"
#include "infer/stream_items.hpp"

namespace isocenter::infer {

/// How a volume comes to the network's window: cut into windows; as a whole, its shape kept or not.
enum class ImageFit { windows, letterbox, stretch };

struct VolumeNetworkOptions {
  std::string model;
  std::vector<double> window;  ///< x, y, z; empty: the model's
  double overlap = 0.25;
  std::string intensity;  ///< empty: the model's
  NetworkPrecision precision = NetworkPrecision::float32;
  std::string engine;             ///< empty: ours
  std::int64_t batch = 1;         ///< windows of a frame that the network takes at once, at most
  std::int64_t stream_batch = 1;  ///< or items of the stream, each of one window
  std::int64_t kept_bytes = 0;    ///< NetworkOptions::kept_bytes

  // Of a network whose outputs are not scores on its input's grid: see run_batch. It may have three channels.
  bool gives_tables = false;
  ImageFit fit = ImageFit::windows;
  int planes = 1;      ///< 3: red, green and blue of each slice, one after the other; a network of one channel takes 1
  bool bytes = false;  ///< values are 0 to 255: without an intensity scale they go to 0 to 1
  double pad = 0;      ///< letterbox: the volume's value beyond its border
  bool antialias = true;                ///< widens the weights where the grid shrinks
  std::vector<double> mean, deviation;  ///< of each channel, or one for all; empty: the model's, else 0 and 1
};

class VolumeNetwork {
 public:
  /// Reads and plans the model for a volume; states facts and warnings, and asks for memory that lives with the
  /// session.
  void plan(PlanContext& plan, const isocenter::detail::GridShape& shape, const VolumeNetworkOptions& options);
  /// What a run needs on the node's device, 256-byte aligned.
  std::int64_t scratch_bytes() const { return scratch_bytes_; }
  int channels() const { return channels_; }
  const ModelCard& card() const { return card_; }
  /// Of a network that takes one window at once.
  Executor& executor() { return *executor_; }
  /// Executor::check_numbers.
  void check_numbers();
  const isocenter::detail::Launcher& launcher(const RunContext& run);

  // With gives_tables.
  /// With stream_batch: memory for items, whose outputs are these of network_for(batch()) and of network_for(1).
  void plan_items(PlanContext& plan, const std::vector<Port>& whole, const std::vector<Port>& one);
  std::int64_t windows() const { return windows_; }
  std::int64_t batch() const { return batch_; }
  bool flat() const { return flat_; }
  int planes() const { return planes_; }
  const std::array<int, 3>& window() const { return window_; }
  /// The network that runs `count` windows at once.
  const Executor& network_for(std::int64_t count) const { return count == batch_ ? *executor_ : *rest_; }
  /// Brings a frame to the network's grid; run_batch reads it.
  void begin_frame(const RunContext& run, std::byte* scratch, const float* in);
  /// Runs the next windows from `first` on and says how many; what they gave lies at the outputs of network_for(count).
  std::int64_t run_batch(const RunContext& run, std::byte* scratch, std::int64_t first);
  /// A box of a window, its corners from 0 to window(), on the volume's grid.
  void to_volume(std::int64_t window, std::array<double, 3>& low, std::array<double, 3>& high) const;

  /// With stream_batch, while RunContext::part is -1: keeps an item of one frame. run_labels and run_scores then give
  /// the one of their part, and read no input; with gives_tables item_outputs has what plan_items asked for.
  void take_item(const RunContext& run, std::byte* scratch, const float* in);
  const std::byte* item_outputs(const RunContext& run, std::byte* scratch);
  /// One frame to labels, uint8 zyx. `frame` of `frames` is for the progress that is told.
  void run_labels(const RunContext& run, std::byte* scratch, const float* in, std::uint8_t* out, float threshold,
                  int frame, int frames);
  /// One frame to scores czyx, or with `undo_intensity` to an image on the input's scale.
  void run_scores(const RunContext& run, std::byte* scratch, const float* in, float* out, bool undo_intensity,
                  int frame, int frames);

 private:
  using Extents = std::array<int, 3>;  // x, y, z

  void plan_orientation(PlanContext& plan, const isocenter::detail::GridShape& shape);
  void plan_grid(const VolumeNetworkOptions& options);
  void fit_grid();
  std::vector<float> channel_scales(const VolumeNetworkOptions& options) const;
  void choose_window(const VolumeNetworkOptions& options);
  void plan_batches(const VolumeNetworkOptions& options, int frames);
  void plan_executor(PlanContext& plan, const VolumeNetworkOptions& options, const std::string& hash);
  std::unique_ptr<Executor> plan_windows(PlanContext& plan, std::int64_t count, const NetworkOptions& options) const;
  void plan_tables(PlanContext& plan, const VolumeNetworkOptions& options);
  void plan_blending(PlanContext& plan, std::size_t k);
  void plan_scratch();
  void require_memory(const PlanContext& plan) const;
  void state_facts(PlanContext& plan, const std::string& hash) const;
  std::int64_t arena_bytes() const;
  std::int64_t item_bytes() const;
  std::int64_t item_input_bytes() const { return inputs_ * window_voxels() * static_cast<std::int64_t>(sizeof(float)); }
  /// The parameter that batch_ is from.
  std::string batch_name() const { return windows_ < batch_ ? "stream_batch" : "batch"; }
  bool resamples() const { return resampled_[0] || resampled_[1] || resampled_[2]; }

  /// Runs all windows; read(first, count) is called for slices of the volume as soon as they are final.
  template <class Read>
  void run_frame(const RunContext& run, std::byte* scratch, const float* in, int frame, int frames, Read read);
  template <class Read>
  class Blending;
  void bind(std::byte* scratch);
  isocenter::detail::ExtractWindowKernel extraction(const isocenter::detail::Launcher& l, std::byte* scratch,
                                                    const float* in) const;
  void extract_channels(const isocenter::detail::Launcher& l, std::int64_t window, float* to) const;
  void place(std::int64_t window, int (&start)[3]) const;
  std::int64_t window_voxels() const { return static_cast<std::int64_t>(window_[0]) * window_[1] * window_[2]; }
  const float* reorient(const isocenter::detail::Launcher& l, std::byte* scratch, const float* in) const;
  const float* resample(const isocenter::detail::Launcher& l, std::byte* scratch, const float* in) const;
  void measure(const isocenter::detail::Launcher& l, std::byte* scratch, const float* in) const;
  isocenter::detail::RingReader reader(std::byte* scratch) const;
  float* at(std::byte* scratch, std::int64_t offset) const { return reinterpret_cast<float*>(scratch + offset); }
  float* measured_factors(std::byte* scratch) const;
  const float* factors(std::byte* scratch) const;

  isocenter::detail::GridShape shape_;  ///< of the volume, its axes in the network's order
  Orientation orientation_;
  isocenter::detail::VoxelSteps steps_{};  ///< from the network's axes to the volume's memory
  OnnxModel model_;
  ModelCard card_;
  Intensity intensity_;
  bool flat_ = false;  ///< the network works slice by slice
  int channels_ = 0;
  bool gives_tables_ = false;
  ImageFit fit_ = ImageFit::windows;
  int inputs_ = 1, planes_ = 1;  ///< channels that the network takes; of the volume, its slices taking turns
  Extents placed_{};             ///< letterbox: voxels of the window before the volume
  isocenter::detail::ExtractWindowKernel extract_{};  ///< of the frame that begin_frame took
  Extents window_{}, network_{}, ring_{};             ///< the network's window, its grid, the ring of blended scores
  std::array<double, 3> ratio_{1, 1, 1};              ///< the network's voxels for one of the volume's
  std::array<bool, 3> resampled_{};
  std::array<std::vector<int>, 3> starts_;
  std::vector<std::int32_t> last_slice_;  ///< for each slice of the volume the last of the network's that it reads

  std::int64_t windows_ = 0, batch_ = 1;       ///< of a frame; of them, or of the stream's items, at once
  std::int64_t rest_windows_ = 0;              ///< that are left over by batches
  std::unique_ptr<Executor> executor_, rest_;  ///< for batch_ windows; for those that are left, where any are
  std::byte* bound_ = nullptr;
  bool on_cpu_ = true;
  isocenter::detail::Launcher launcher_;

  // On the device, for the session's life.
  std::array<const float*, 3> weights_{};
  std::array<isocenter::detail::RingTaps, 3> readings_{};
  std::array<int, 3> taps_{};
  std::array<const std::int32_t*, 3> tap_indices_{};
  std::array<const float*, 3> tap_weights_{};
  /// a, b of the intensity scale; 1 and 0 for the moments; what pads; a and b for each channel
  const float* constants_ = nullptr;

  // Of a batch of the stream's items.
  StreamItems items_;
  float* item_factors_ = nullptr;  ///< on the device, for the session's life
  std::int64_t item_ = 0;          ///< the one that is taken or given

  // In the scratch memory, bytes.
  std::int64_t scratch_bytes_ = 0, oriented_at_ = 0, ring_at_ = 0, moments_at_ = 0, factors_at_ = 0;
  std::array<std::int64_t, 3> resampled_at_{};  ///< after the passes along z, y and x
};

}  // namespace isocenter::infer
