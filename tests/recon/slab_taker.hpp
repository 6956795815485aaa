#pragma once
// A node that takes slabs, and remembers where they lay.
#include <isocenter/slabs.hpp>
#include <mutex>

#include "device_test.hpp"

namespace isocenter::testing {

struct SlabTaker {
  static constexpr const char* name = "slab_taker";
  static constexpr const char* module = "test";
  static constexpr const char* summary = "Takes slabs.";
  static constexpr bool host_only = true, takes_slabs = true;
  struct Params {
    static constexpr auto describe() { return std::tuple{}; }
  };
  struct Ports {
    In<Volume> input{"input", "Slabs."};
    static constexpr auto describe() { return std::tuple{&Ports::input}; }
  };
};

struct Taken {
  Slabs slabs;
  std::vector<double> z_mm;
  std::vector<std::int64_t> height;
  std::vector<float> voxels;  ///< the volume that the slabs make
};
inline Taken taken;

class SlabTakerOperator : public OperatorBase<SlabTaker> {
 public:
  static void join(const Context& in) {
    static std::once_flag once;
    if (in.get() == context().get())
      std::call_once(once, [&] { register_operator<SlabTakerOperator>(in.get()); });
    else
      register_operator<SlabTakerOperator>(in.get());
  }
  void plan(PlanContext& plan) override {
    taken = {};
    taken.slabs = slabs_of(plan.input("input"));
  }
  void run(const RunContext& run) override {
    const PayloadRef input = run.input("input");
    const TensorView t = input.tensor("voxels");
    const auto slice = static_cast<std::size_t>(t.extent('y') * t.extent('x'));
    const std::size_t first =
        taken.slabs.whole == 0 ? 0 : slice * static_cast<std::size_t>(taken.slabs.first[taken.height.size()]);
    taken.z_mm.push_back(input.geometry().origin_mm[2]);
    taken.height.push_back(t.extent('z'));
    const auto values = t.span<const float>();
    taken.voxels.resize(std::max(taken.voxels.size(), first + values.size()));
    std::copy(values.begin(), values.end(), taken.voxels.begin() + static_cast<std::ptrdiff_t>(first));
  }
};

/// The number of megabytes that a refusal's fix asks for, in bytes.
inline std::uint64_t budget_asked_for(const std::string& message) {
  const auto at = message.find("raise the budget to ");
  return at == std::string::npos ? 0 : static_cast<std::uint64_t>(std::stod(message.substr(at + 20)) * 1e6);
}

}  // namespace isocenter::testing
