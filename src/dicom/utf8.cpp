#include "utf8.hpp"

namespace isocenter::detail::dicom {
namespace {

/// Length of the UTF-8 sequence at the front of `s`, or 0 when it is none.
std::size_t utf8_length(std::string_view s) {
  const auto lead = static_cast<unsigned char>(s.front());
  const std::size_t n = lead < 0x80                   ? 1
                        : lead >= 0xC2 && lead < 0xE0 ? 2
                        : lead >= 0xE0 && lead < 0xF0 ? 3
                        : lead >= 0xF0 && lead < 0xF5 ? 4
                                                      : 0;
  if (n == 0 || n > s.size()) return 0;
  for (std::size_t i = 1; i < n; ++i)
    if ((static_cast<unsigned char>(s[i]) & 0xC0U) != 0x80U) return 0;
  return n;
}

}  // namespace

std::string valid_utf8(std::string_view s) {
  std::string text;
  while (!s.empty()) {
    const std::size_t n = utf8_length(s);
    if (n == 0)
      text += '?';
    else
      text += s.substr(0, n);
    s.remove_prefix(n == 0 ? 1 : n);
  }
  return text;
}

}  // namespace isocenter::detail::dicom
