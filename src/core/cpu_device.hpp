#pragma once
// The CPU as a device, and the memory that a context takes when its embedder gives no allocator.
#include <memory>

#include "core/context.hpp"

namespace isocenter::detail {

isocenter_allocator system_allocator();

/// The device "cpu" of a context: its memory is the context's allocator's, its threads the context's, its stream the
/// caller's thread. The context's allocator and threads stand already.
std::unique_ptr<Device> make_cpu_device(isocenter_context& context);

}  // namespace isocenter::detail
