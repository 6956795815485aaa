#pragma once
// Numbers and lines of geometry files.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <isocenter/error.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace isocenter::detail {

/// Where in which file something was found.
struct TextPlace {
  const std::string* file;
  std::size_t line;
};

[[noreturn]] inline void refuse_text(const TextPlace& at, const std::string& what, const std::string& fix) {
  throw Failure(ErrorCode::bad_data, "'" + *at.file + "' line " + std::to_string(at.line) + " " + what, fix);
}

/// A piece of the file for a message.
inline std::string quoted(std::string_view text) {
  std::string piece(text.substr(0, 40));
  for (char& c : piece)
    if (static_cast<unsigned char>(c) < 32) c = ' ';
  return "'" + piece + (text.size() > 40 ? "...'" : "'");
}

/// Splits at spaces, tabs, line ends, commas and semicolons.
inline std::vector<std::string_view> words_of(std::string_view text) {
  constexpr std::string_view between = " \t\r\n,;";
  std::vector<std::string_view> words;
  for (std::size_t begin = text.find_first_not_of(between); begin != std::string_view::npos;) {
    const std::size_t end = std::min(text.find_first_of(between, begin), text.size());
    words.push_back(text.substr(begin, end - begin));
    begin = text.find_first_not_of(between, end);
  }
  return words;
}

inline double number_of(std::string_view word, const TextPlace& at) {
  double value = 0;
  const std::string_view digits = word.starts_with('+') ? word.substr(1) : word;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc() || end != digits.data() + digits.size() || !std::isfinite(value))
    refuse_text(at, "has " + quoted(word) + " where a number is needed", "correct that line");
  return value;
}

inline std::vector<double> numbers_of(std::string_view text, const TextPlace& at) {
  std::vector<double> numbers;
  for (const std::string_view word : words_of(text)) numbers.push_back(number_of(word, at));
  return numbers;
}

/// The shortest text that reads back to the same number; a zero has no sign.
inline std::string exact_text(double value) {
  char text[32];
  return {text, std::to_chars(text, text + sizeof text, value + 0.0).ptr};
}

}  // namespace isocenter::detail
