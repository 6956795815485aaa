#pragma once
#include <cstdint>
#include <string_view>

namespace isocenter::detail {

/// FNV-1a, of which a double holds every bit.
inline double digest_of(std::string_view bytes) {
  std::uint64_t digest = 14695981039346656037U;
  for (const char c : bytes) digest = (digest ^ static_cast<unsigned char>(c)) * 1099511628211U;
  return static_cast<double>(digest >> 12);
}

}  // namespace isocenter::detail
