#pragma once
// The process' memory, from Linux' /proc (proc(5): clear_refs, status).
#include <malloc.h>

#include <fstream>
#include <string>

namespace isocenter::testing {

/// A line of /proc/self/status in MB; 0 where the system does not tell. VmRSS: what is resident, everything in the
/// process included; VmHWM: the most of it since forget_peak_memory.
inline double memory_mb(const std::string& name) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.rfind(name + ":", 0) == 0) return std::stod(line.substr(name.size() + 1)) * 1024e-6;
  return 0;
}

/// What is free goes back to the system, and from here on the peak is counted anew.
inline void forget_peak_memory() {
  malloc_trim(0);
  std::ofstream("/proc/self/clear_refs") << 5;
}

}  // namespace isocenter::testing
