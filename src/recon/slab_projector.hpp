#pragma once
// A projector of a volume that lies dense in memory (zyx) and is worked on slab after slab along z, some views at a
// time, so that only a slab of it is ever held in the projector's order. The projections are those of the whole to
// rounding: they are linear, and what lies outside a slab counts as 0.
#include "recon/projector.hpp"

namespace isocenter::detail {

class SlabProjector {
 public:
  /// `views` at most are worked on at once. Slabs are equally high but for the last one.
  SlabProjector(const Projector& whole, int slabs, int views);

  int slabs() const { return slabs_; }
  int height() const { return height_; }
  int views() const { return views_; }
  std::int64_t first_slice(int slab) const { return static_cast<std::int64_t>(slab) * height_; }
  int height_of(int slab) const { return slab + 1 < slabs_ ? height_ : last_height_; }

  /// A slab of 2^31 voxels or more.
  bool is_too_large() const { return detail::is_too_large(most_.plan()); }

  void upload(PlanContext& plan) { use_places(plan.upload(std::span(std::as_const(host_places_)), "places of views")); }
  /// The same for host memory, without a plan: 0, 1, 2, ... for views() views.
  void use_places(const std::int32_t* places) { places_ = places; }
  /// What upload takes.
  std::uint64_t table_bytes() const { return host_places_.size() * sizeof(std::int32_t); }
  static void require_kernels(const PlanContext& plan);
  std::uint64_t work_bytes(const Launcher& launcher) const;
  /// What the volumes that are projected are multiplied with and added to on their way.
  void take_through(ValueMap map) { map_ = map; }
  /// Before all others: `work` is their memory, `lines` the table of `whole`. Where `run` is given and is cancelled,
  /// forward and back end after the group of views that they are at, and what they give is of no use.
  void use(const JosephLine* lines, void* work, const RunContext* run = nullptr);
  /// From here on whether they may end so.
  void may_stop(bool may) { may_stop_ = may; }

  /// out = A volume for the views order[0 .. count). Without a volume that of ones.
  void forward(const Launcher& launcher, const float* volume, const std::int32_t* order, int count, float* out) const;
  /// The slab's slices, dense, of A' in; with `goes_on` added to what they hold.
  void back(const Launcher& launcher, const float* in, const std::int32_t* order, int count, int slab, float* slices,
            bool goes_on) const;
  /// Ones at every ray of up to views() views, until the next forward.
  const float* ones(const Launcher& launcher, int count) const;

  // The steps of these. The slab that is held is one's own (slices, dense; without them ones), or that of the last
  // back.
  void hold(const Launcher& launcher, int slab, const float* slices) const;
  void forward_held(const Launcher& launcher, int slab, const std::int32_t* order, int count, float* out) const;
  void back_held(const Launcher& launcher, int slab, const std::int32_t* order, int count, const float* in,
                 bool goes_on) const;
  void give(const Launcher& launcher, int slab, float* slices) const {
    take(slab).give_volume(launcher, volume_, slices);
  }
  /// Room for the projections of views() views, in work's memory.
  float* added() const { return added_; }
  std::int64_t view_floats(std::int64_t views) const { return most_.view_floats(views); }

 private:
  const Projector& take(int slab) const { return slab + 1 < slabs_ ? most_ : last_; }
  void shift_lines(const Launcher& launcher, const std::int32_t* order, int count, int slab) const;
  bool stops() const { return may_stop_ && run_ != nullptr && run_->cancelled(); }

  const ProjectorPlan* whole_;
  ValueMap map_;
  int slabs_ = 1, height_ = 1, last_height_ = 1, views_ = 1;
  Projector most_, last_;
  std::vector<std::int32_t> host_places_;  ///< 0, 1, 2, ...: the shifted lines lie in the order of the views
  const std::int32_t* places_ = nullptr;
  const JosephLine* whole_lines_ = nullptr;
  float *volume_ = nullptr, *added_ = nullptr;
  JosephLine* lines_ = nullptr;
  void* scratch_ = nullptr;
  const RunContext* run_ = nullptr;
  bool may_stop_ = true;
};

}  // namespace isocenter::detail
