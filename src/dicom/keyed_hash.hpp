#pragma once
// SHA-256 (FIPS 180-4) and HMAC-SHA-256 (RFC 2104).
#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace isocenter::detail::dicom {

using Digest = std::array<std::uint8_t, 32>;

Digest sha256(std::string_view bytes);
Digest keyed_hash(std::string_view key, std::string_view message);

}  // namespace isocenter::detail::dicom
