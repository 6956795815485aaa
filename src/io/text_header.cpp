#include <algorithm>
#include <charconv>
#include <isocenter/error.hpp>

#include "image_header.hpp"

namespace isocenter::detail::io {
namespace {

constexpr std::size_t longest_header = std::size_t{1} << 20;

/// The numbers of a text, separated by spaces; less than all of it when something else stands there.
template <class T>
bool parse_all(const std::string& text, std::vector<T>& numbers) {
  const char* at = text.data();
  const char* const end = at + text.size();
  while (true) {
    while (at != end && (*at == ' ' || *at == '\t')) ++at;
    if (at == end) return true;
    T value{};
    const auto [next, error] = std::from_chars(at, end, value);
    if (error != std::errc() || (next != end && *next != ' ' && *next != '\t')) return false;
    numbers.push_back(value);
    at = next;
  }
}

}  // namespace

std::string_view TextHeader::trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\r");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

std::string TextHeader::lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

std::string TextHeader::read_start(const std::filesystem::path& path) {
  const InputFile file(path);
  std::string text(static_cast<std::size_t>(std::min<std::uint64_t>(file.size(), longest_header)), '\0');
  text.resize(file.read(0, std::as_writable_bytes(std::span(text))));
  return text;
}

std::string TextHeader::get(const std::string& key) const {
  const auto found = fields_.find(key);
  return found == fields_.end() ? std::string() : found->second;
}

std::string TextHeader::get_any(std::initializer_list<const char*> keys) const {
  for (const char* key : keys)
    if (std::string text = get(key); !text.empty()) return text;
  return {};
}

std::string TextHeader::required(const char* key) const {
  std::string text = get(key);
  if (text.empty())
    fail(ErrorCode::bad_data, std::string("has no complete header: the field ") + key + " is missing",
         "get an undamaged copy of it");
  return text;
}

std::vector<std::int64_t> TextHeader::integers(const char* key, std::size_t count) const {
  std::vector<std::int64_t> numbers;
  const std::string text = required(key);
  if (!parse_all(text, numbers) || numbers.size() != count)
    fail_value(key, text, std::to_string(count) + " whole numbers are");
  return numbers;
}

std::vector<double> TextHeader::numbers(const char* key, const std::string& text, std::size_t count) const {
  std::vector<double> numbers;
  if (!parse_all(text, numbers) || numbers.size() != count)
    fail_value(key, text, std::to_string(count) + " numbers are");
  return numbers;
}

std::int64_t TextHeader::integer(const char* key, std::int64_t otherwise) const {
  return get(key).empty() ? otherwise : integers(key, 1)[0];
}

void TextHeader::fail(ErrorCode code, const std::string& what, const std::string& fix) const {
  throw Failure(code, "'" + path_.string() + "' " + what, fix);
}

void TextHeader::fail_value(const char* key, const std::string& text, const std::string& wanted) const {
  fail(ErrorCode::bad_data,
       std::string("has the header field ") + key + " = '" + text.substr(0, 80) + "', where " + wanted + " needed",
       "correct that line");
}

}  // namespace isocenter::detail::io
