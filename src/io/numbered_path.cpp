#include "numbered_path.hpp"

#include <algorithm>
#include <cctype>
#include <isocenter/error.hpp>

namespace isocenter::detail::io {
namespace {

constexpr std::size_t widest = 9;

[[noreturn]] void fail(const std::string& pattern) {
  throw Failure(ErrorCode::invalid_argument, "path = '" + pattern + "' has a percent sign that stands for no number",
                "write one %d or %04d where the number goes, and %% for a percent sign");
}

}  // namespace

NumberedPath::NumberedPath(const std::string& pattern) {
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    std::string& part = has_number_ ? after_ : before_;
    if (pattern[i] != '%') {
      part += pattern[i];
      continue;
    }
    if (pattern.compare(i, 2, "%%") == 0) {
      part += pattern[++i];
      continue;
    }
    const std::size_t digits = i + 1, end = pattern.find_first_not_of("0123456789", digits);
    if (has_number_ || end == std::string::npos || pattern[end] != 'd' || end - digits > 2) fail(pattern);
    has_number_ = true;
    if (end > digits) width_ = static_cast<std::size_t>(std::stoi(pattern.substr(digits, end - digits)));
    if (width_ > widest) fail(pattern);
    i = end;
  }
}

std::filesystem::path NumberedPath::at(std::int64_t number) const {
  if (!has_number_) return before_;
  std::string digits = std::to_string(number);
  if (digits.size() < width_) digits.insert(0, width_ - digits.size(), '0');
  return before_ + digits + after_;
}

std::filesystem::path NumberedPath::at_only(std::int64_t number, const char* what) const {
  if (!has_number_ && number > 0)
    throw Failure(ErrorCode::invalid_argument,
                  std::string("a second ") + what + " came and path = '" + before_ + "' has no place for its number",
                  "write %04d where the number goes");
  return at(number);
}

void require_ending(const std::string& path, std::string_view ending) {
  const bool fits =
      path.size() > ending.size() && std::equal(ending.rbegin(), ending.rend(), path.rbegin(), [](char a, char b) {
        return a == static_cast<char>(std::tolower(static_cast<unsigned char>(b)));
      });
  if (!fits)
    throw Failure(ErrorCode::unsupported, "path = '" + path + "' does not end in " + std::string(ending),
                  "write this operator's files with that ending");
}

}  // namespace isocenter::detail::io
