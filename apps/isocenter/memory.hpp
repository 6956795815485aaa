#pragma once
// Amounts of memory: what people write, and what this machine has.
#include <cstdint>
#include <string>

namespace isocenter::command {

/// "4GiB", "512 MiB", "1.5GB" (powers of 1000) or plain bytes; throws Exit with `option` for anything else.
std::uint64_t parse_bytes(const std::string& option, const std::string& text);

/// What this process may still take: the machine's available memory or, when it is less, what its control group
/// (a container's limit) leaves; 0 when neither can be read.
std::uint64_t available_memory();

}  // namespace isocenter::command
