#pragma once
// The first bytes of a file as numbers.
#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <isocenter/error.hpp>

#include "io/data_stream.hpp"

namespace isocenter::detail::itk_io {

/// A value of `bytes` in the given byte order.
template <class T>
T number_at(std::span<const std::byte> bytes, std::size_t offset, bool is_big_endian) {
  std::array<std::byte, sizeof(T)> value;
  std::memcpy(value.data(), bytes.subspan(offset, sizeof(T)).data(), sizeof(T));
  if (is_big_endian != (std::endian::native == std::endian::big)) std::reverse(value.begin(), value.end());
  return std::bit_cast<T>(value);
}

[[noreturn]] inline void fail(ErrorCode code, const std::filesystem::path& path, const std::string& what,
                              const std::string& fix) {
  throw Failure(code, "'" + path.string() + "' " + what, fix);
}

}  // namespace isocenter::detail::itk_io
