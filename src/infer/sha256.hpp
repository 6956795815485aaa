#pragma once
// The SHA-256 of a model file, for provenance (FIPS 180-4, section 6.2).
#include <cstddef>
#include <span>
#include <string>

namespace isocenter::infer {

/// 64 hexadecimal digits.
std::string sha256(std::span<const std::byte> bytes);

}  // namespace isocenter::infer
