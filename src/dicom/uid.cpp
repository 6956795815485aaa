#include "uid.hpp"

#include <cstdint>
#include <random>

namespace isocenter::detail::dicom {

std::string new_uid() {
  std::random_device entropy;
  const auto word = [&] { return static_cast<std::uint64_t>(entropy()) << 32U | entropy(); };
  const std::uint64_t high = (word() & ~0xF000ULL) | 0x4000ULL;         // version 4
  const std::uint64_t low = (word() & ~(3ULL << 62U)) | (1ULL << 63U);  // variant of RFC 4122
  unsigned __int128 number = static_cast<unsigned __int128>(high) << 64U | low;
  std::string digits;
  for (; number != 0; number /= 10)
    digits.insert(digits.begin(), static_cast<char>('0' + static_cast<int>(number % 10)));
  return "2.25." + digits;
}

}  // namespace isocenter::detail::dicom
