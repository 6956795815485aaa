#include "media_type.hpp"

#include <algorithm>

#include "lower_case.hpp"

namespace isocenter::detail::dicom {
namespace {

std::string trimmed(const std::string& text) {
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string::npos) return "";
  return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

/// The value that starts at `at`, which moves behind it.
std::string value_at(const std::string& text, std::size_t& at) {
  std::string value;
  if (at >= text.size() || text[at] != '"') {
    const std::size_t end = std::min(text.find(';', at), text.size());
    value = trimmed(text.substr(at, end - at));
    at = end;
    return value;
  }
  for (++at; at < text.size() && text[at] != '"'; ++at) {
    if (text[at] == '\\' && at + 1 < text.size()) ++at;
    value += text[at];
  }
  at = std::min(text.find(';', at), text.size());
  return value;
}

}  // namespace

std::string MediaType::parameter(const std::string& name) const {
  const auto found = parameters.find(name);
  return found == parameters.end() ? "" : found->second;
}

MediaType parse_media_type(const std::string& text) {
  MediaType type;
  std::size_t at = std::min(text.find(';'), text.size());
  type.essence = lower(trimmed(text.substr(0, at)));
  while (at < text.size()) {
    const std::size_t start = at + 1, equals = text.find('=', start), next = text.find(';', start);
    if (equals == std::string::npos || equals > next) {
      at = std::min(next, text.size());
      continue;
    }
    const std::string name = lower(trimmed(text.substr(start, equals - start)));
    at = std::min(text.find_first_not_of(" \t", equals + 1), text.size());
    std::string value = value_at(text, at);
    if (!name.empty()) type.parameters.emplace(name, std::move(value));
  }
  return type;
}

std::string shown(const std::string& text, std::size_t most) {
  std::string safe;
  for (const char c : text.substr(0, most)) safe += c >= ' ' && c <= '~' ? c : '?';
  return text.size() > most ? safe + "..." : safe;
}

}  // namespace isocenter::detail::dicom
