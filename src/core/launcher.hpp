#pragma once
// From the run context that an operator gets to the launcher that kernels take.
#include <isocenter/operator.hpp>

#include "core/launch.hpp"

namespace isocenter::detail {

inline Launcher to_launcher(const isocenter_launcher& l) {
  Launcher launcher;
  launcher.parallel_for = l.parallel_for;
  launcher.pool = l.pool;
  launcher.find = l.find;
  launcher.device = l.device;
  launcher.stream = l.stream;
  launcher.reference_only = l.reference_only != 0;
  launcher.concurrency = l.concurrency;
  return launcher;
}
inline Launcher launcher_of(const RunContext& run) { return to_launcher(run.launcher()); }
inline Launcher launcher_of(const PlanContext& plan) { return to_launcher(plan.launcher()); }

/// The same threads for arrays in host memory, on a device too.
inline Launcher host_launcher(Launcher launcher) {
  launcher.find = nullptr;
  launcher.device = launcher.stream = nullptr;
  return launcher;
}

}  // namespace isocenter::detail
