#pragma once
// The threads that a CPU executor's own kernels share with oneDNN: one pool for both, so that they do not compete for
// the cores.
#include "core/launch.hpp"

namespace isocenter::infer {

/// A launcher over oneDNN's threading runtime. `threads` is how many run at once.
isocenter::detail::Launcher cpu_launcher(int threads);
/// Makes the calling thread's next parallel regions, oneDNN's too, use that many threads.
void use_threads(int threads);
/// How many threads this process may use.
int default_threads();

}  // namespace isocenter::infer
