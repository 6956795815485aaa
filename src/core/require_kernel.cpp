// Apart from planning.cpp, because it alone knows what a device's table of kernels holds.
#include "core/launch.hpp"
#include "core/session.hpp"

extern "C" isocenter_status isocenter_plan_require_kernel(const isocenter_plan* plan, const char* kernel,
                                                          uint64_t args_bytes, isocenter_error* error) {
  using isocenter::ErrorCode;
  using isocenter::Failure;
  const auto& node = *plan->node;
  if (node.device->is_cpu()) return ISOCENTER_OK;
  return isocenter::detail::guarded(error, [&]() -> isocenter_status {
    const auto* found =
        static_cast<const isocenter::detail::DeviceKernel*>(node.device->type.find(node.device->type.user, kernel));
    if (found == nullptr)
      throw Failure(ErrorCode::unsupported,
                    node.where() + ": device '" + node.device->name + "' has no kernel '" + kernel + "'",
                    "run this node on \"cpu\", or install the device module that belongs to this library");
    if (found->args_bytes != args_bytes)
      throw Failure(ErrorCode::unsupported,
                    node.where() + ": kernel '" + kernel + "' of device '" + node.device->name +
                        "' was built from another version of its source",
                    "install the device module that belongs to this library");
    return ISOCENTER_OK;
  });
}
