#pragma once
// The order between two streams of one device, where the device's module offers it as the service "streams". Without it
// the host waits in between.
#include <cstdint>

namespace isocenter::detail {

struct StreamService {
  static constexpr const char* name = "streams";
  std::uint32_t struct_size;
  /// What is enqueued on `stream` from here on begins when all that `other` has so far is done. 0, or the device's
  /// error.
  int (*follow)(void* stream, void* other);
};

}  // namespace isocenter::detail
