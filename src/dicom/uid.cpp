#include "uid.hpp"

#include <cstdint>
#include <random>

namespace isocenter::detail::dicom {
namespace {

std::string uid_of_uuid(unsigned __int128 number) {
  std::string digits;
  for (; number != 0; number /= 10)
    digits.insert(digits.begin(), static_cast<char>('0' + static_cast<int>(number % 10)));
  return "2.25." + digits;
}

}  // namespace

std::string new_uid() {
  std::random_device entropy;
  const auto word = [&] { return static_cast<std::uint64_t>(entropy()) << 32U | entropy(); };
  const std::uint64_t high = (word() & ~0xF000ULL) | 0x4000ULL;         // version 4
  const std::uint64_t low = (word() & ~(3ULL << 62U)) | (1ULL << 63U);  // variant of RFC 4122
  return uid_of_uuid(static_cast<unsigned __int128>(high) << 64U | low);
}

std::string uid_of(const std::array<std::uint8_t, 32>& digest) {
  unsigned __int128 number = 0;
  for (std::size_t i = 0; i < 16; ++i) {
    const unsigned byte = i == 6 ? (digest[i] & 0x0FU) | 0x80U : i == 8 ? (digest[i] & 0x3FU) | 0x80U : digest[i];
    number = number << 8U | byte;
  }
  return uid_of_uuid(number);
}

}  // namespace isocenter::detail::dicom
