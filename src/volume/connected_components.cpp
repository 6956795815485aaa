#include <algorithm>
#include <isocenter/volume/connected_components.hpp>

#include "core/builtin.hpp"
#include "core/launcher.hpp"
#include "volume/label_colours.hpp"
#include "volume/part_input.hpp"

namespace isocenter::detail {

class ConnectedComponentsOperator : public OperatorBase<ConnectedComponents> {
 public:
  void plan(PlanContext& plan) override {
    const PayloadRef in = plan.input("input");
    shape_ = part_shape(in);
    if (shape_.has_time)
      throw Failure(ErrorCode::unsupported, "input 'input' has a time axis, and parts are numbered in one frame",
                    "give one time point at a time");
    smallest_ = smallest_part(shape_, params.min_volume_mm3);
    numbered_.reserve(static_cast<std::size_t>(params.most) + 1);
    volumes_.resize(static_cast<std::size_t>(params.most));
    plan.scratch(static_cast<std::uint64_t>(shape_.frame_voxels()) * 4);
    plan.metric("parts", "1", 1);
    plan.metric("volume", "mm3", static_cast<std::uint32_t>(params.most));
    PayloadRef out = plan.output("output");
    std::string names = "background";
    for (int i = 1; i <= params.most; ++i) names += "\\part " + std::to_string(i);
    out.set_text("labels.names", names);
    out.set_numbers("labels.colours", label_colours(static_cast<int>(params.most) + 1));
    out.like(in, "labels");
  }

  void run(const RunContext& run) override {
    const Launcher launcher = launcher_of(run);
    const PartGrid grid =
        part_grid(shape_, run.input("input").tensor("labels").as<const std::uint8_t>(), params.by_label);
    auto* out = run.output("output").tensor("labels").as<std::uint8_t>();
    auto* parent = run.scratch<std::int32_t>();
    find_parts(launcher, grid, parent, neighbours_of(params.connectivity), false);
    launch(launcher, CountPartsKernel{grid, parent}, grid.nx, grid.ny, grid.nz);
    const std::int64_t parts = choose(grid, parent);
    number(parent);
    parallel_for(launcher, grid.voxels(), 1 << 16, [&](std::int64_t begin, std::int64_t end) {
      for (auto i = static_cast<int>(begin); i < end; ++i)
        out[i] = static_cast<std::uint8_t>(grid.belongs(i) ? -1 - parent[marked_root(parent, i)] : 0);
    });
    if (parts > params.most)
      run.warn("there are " + std::to_string(parts) + " parts, and the largest " + std::to_string(params.most) +
                   " are numbered",
               "raise min_volume_mm3 so that noise is left out, or most");
    run.metric("parts", static_cast<double>(parts));
    run.metric("volume", volumes_);
  }

 private:
  struct Part {
    unsigned long long rank;
    int root;
  };

  /// The `most` largest parts, largest first; the others' entries become 0 voxels. Gives the number of all.
  std::int64_t choose(const PartGrid& grid, std::int32_t* parent) {
    numbered_.clear();
    std::int64_t parts = 0;
    for (int i = 0; i < grid.voxels(); ++i) {
      if (!grid.belongs(i) || parent[i] >= 0) continue;
      const int size = -1 - parent[i];
      const Part part{part_rank(parent, i), i};
      parent[i] = -1;
      if (size < smallest_) continue;
      ++parts;
      const auto full = static_cast<std::int64_t>(numbered_.size()) == params.most;
      if (full && numbered_.back().rank > part.rank) continue;
      const auto place = std::upper_bound(numbered_.begin(), numbered_.end(), part,
                                          [](const Part& a, const Part& b) { return a.rank > b.rank; });
      numbered_.insert(place, part);
      if (full) numbered_.pop_back();
    }
    return parts;
  }

  void number(std::int32_t* parent) {
    if (params.order == ComponentOrder::scan)
      std::sort(numbered_.begin(), numbered_.end(), [](const Part& a, const Part& b) { return a.root < b.root; });
    const double* s = shape_.geometry.spacing_mm;
    std::fill(volumes_.begin(), volumes_.end(), 0.0);
    for (std::size_t k = 0; k < numbered_.size(); ++k) {
      parent[numbered_[k].root] = -2 - static_cast<int>(k);
      volumes_[k] = static_cast<double>(numbered_[k].rank >> 32) * s[0] * s[1] * s[2];
    }
  }

  GridShape shape_;
  int smallest_ = 1;
  std::vector<Part> numbered_;  ///< one place more than are kept, so that run does not allocate
  std::vector<double> volumes_;
};

}  // namespace isocenter::detail

ISOCENTER_BUILTIN_OPERATOR(connected_components, ConnectedComponentsOperator)
