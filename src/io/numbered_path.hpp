#pragma once
// Paths with a place for a number.
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace isocenter::detail::io {

/// "orbit_%04d.png": one %d, with or without a width, stands for a number; "%%" for a percent sign.
/// Throws invalid_argument for anything else after a percent sign.
class NumberedPath {
 public:
  NumberedPath() = default;
  explicit NumberedPath(const std::string& pattern);
  bool has_number() const { return has_number_; }
  std::filesystem::path at(std::int64_t number) const;
  /// at(number) with a number; the path itself without one, where only number 0 is allowed: the message says that
  /// `what` ("frame", "item") came more than once.
  std::filesystem::path at_only(std::int64_t number, const char* what) const;

 private:
  std::string before_, after_;
  bool has_number_ = false;
  std::size_t width_ = 0;
};

/// Throws unsupported unless the path ends in `ending`, in any case.
void require_ending(const std::string& path, std::string_view ending);

}  // namespace isocenter::detail::io
