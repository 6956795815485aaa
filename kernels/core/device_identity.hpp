#pragma once
// Which piece of hardware a device is, where its module offers that as the service "identity": processes that each call
// it by a name of their own know so that it is one.
#include <cstdint>

namespace isocenter::detail {

struct DeviceIdentity {
  static constexpr const char* name = "identity";
  std::uint32_t struct_size;
  unsigned char id[16];  ///< no other device in the world has the same
};

}  // namespace isocenter::detail
