#pragma once
// A helix whose views come in blocks: they wait in a ring until a step (helical_steps.hpp) can be made, whose filtered
// views wait in another one until slices are summed.
#include "recon/helical_engine.hpp"
#include "recon/helical_steps.hpp"

namespace isocenter::detail {

class HelicalStream {
 public:
  /// Views begin .. behind - 1 of the scan, in host memory or on the device.
  struct Block {
    const float* readings;
    int begin, behind;
  };

  /// Of `height` slices from `first_slice` on. `directions` at once; slices in groups of `slices` and more as far as
  /// the scan goes. False when the ring has more readings than kernels count.
  bool size(const HelicalEngine& engine, std::int64_t first_slice, std::int64_t height, int directions, int slices);
  int filtered_views(const HelicalEngine& engine) const { return engine.schedule.directions() * steps_.turns_held(); }
  std::uint64_t ring_bytes(const HelicalEngine& engine) const {
    return static_cast<std::uint64_t>(views_.held) * engine.view_bytes();
  }
  void allocate(PlanContext& plan, const HelicalEngine& engine);
  /// "filtered views of 4 half turns, and 61 of 300 views"
  std::string text() const;

  /// Makes of a block's views and those before it what can be made; with view 0 a scan begins, with its last view the
  /// volume is ready. Throws Failure for a reading that cannot be filtered.
  void add(const RunContext& run, const HelicalEngine& engine, const Block& block, float* volume);

 private:
  void bring(const RunContext& run, const HelicalEngine& engine, const Block& block, const HelicalStep& step);
  void check_brought(const Launcher& launcher, const HelicalEngine& engine);
  std::int64_t take(const RunContext& run, const Launcher& launcher, const HelicalEngine& engine,
                    const HelicalStep& step, float* volume) const;
  [[noreturn]] void refuse_reading_of(const RunContext& run, const HelicalEngine& engine, const Block& block,
                                      const HelicalStep& step) const;
  void refuse_noted(const RunContext& run, const HelicalEngine& engine, const Block& block) const;

  HelicalSteps steps_;
  HelicalViews views_{};
  std::int64_t first_slice_ = 0, height_ = 0;
  int directions_ = 1;
  float* ring_ = nullptr;
  char* kept_ = nullptr;          ///< filtered views, a ring of half turns for each direction
  std::int64_t* note_ = nullptr;  ///< on a device: of a reading, and of a filtered view (bad_reading.hpp)
  std::size_t next_step_ = 0;
  int next_view_ = 0;     ///< those before it have come to the ring
  int checked_view_ = 0;  ///< and those before this one were looked at
};

}  // namespace isocenter::detail
