#include <isocenter/error.hpp>

#include "core/launch.hpp"

namespace isocenter::detail {

void throw_kernel_missing(const char* name) {
  throw Failure(ErrorCode::unsupported, std::string("the device has no kernel '") + name + "'",
                "run this node on \"cpu\", or install the device module that belongs to this library");
}

void throw_launch_failed(const char* name, int device_error) {
  throw Failure(ErrorCode::device_lost,
                std::string("launching kernel '") + name + "' failed with device error " + std::to_string(device_error),
                "look at the driver's log; the session has to be prepared again");
}

}  // namespace isocenter::detail
