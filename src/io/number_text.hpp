#pragma once
// Numbers as text that reads back to the same number.
#include <charconv>
#include <string>

namespace isocenter::detail::io {

/// The shortest decimal text that gives `value` again.
inline std::string number_text(double value) {
  char text[32];
  return {text, std::to_chars(text, text + sizeof text, value).ptr};
}

}  // namespace isocenter::detail::io
