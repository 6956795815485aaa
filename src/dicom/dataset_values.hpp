#pragma once
// Reading values out of a DCMTK data set, strictly: a text that is no number is no number. Includes DCMTK: only for the
// few sources that read headers.
#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dcelem.h>
#include <dcmtk/dcmdata/dcitem.h>
#include <dcmtk/dcmdata/dcsequen.h>

#include <charconv>
#include <cmath>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "attribute.hpp"

namespace isocenter::detail::dicom {

inline DcmTagKey key(const Attribute& a) { return {a.group, a.element}; }

inline std::string_view trimmed(std::string_view s) {
  const auto is_padding = [](char c) { return c == ' ' || c == '\0'; };
  while (!s.empty() && is_padding(s.front())) s.remove_prefix(1);
  while (!s.empty() && is_padding(s.back())) s.remove_suffix(1);
  return s;
}

/// All values of an attribute as text, joined by backslashes, without padding; "" when it is absent or empty.
inline std::string text_value(DcmItem& item, const Attribute& a) {
  OFString value;
  DcmElement* element = nullptr;
  if (item.findAndGetElement(key(a), element).bad() || element == nullptr) return {};
  if (element->ident() ==
      EVR_UN) {  // a text whose representation was lost on the way (PS3.5 section 6.2.2) is text still
    Uint8* bytes = nullptr;
    if (element->getUint8Array(bytes).bad() || bytes == nullptr) return {};
    return std::string(trimmed({reinterpret_cast<const char*>(bytes), element->getLength()}));
  }
  if (element->getOFStringArray(value).bad()) return {};
  return std::string(trimmed({value.c_str(), value.length()}));
}

/// The values of a multi-valued text.
inline std::vector<std::string> split_values(std::string_view text) {
  std::vector<std::string> values;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find('\\', begin), text.size());
    values.emplace_back(trimmed(text.substr(begin, end - begin)));
    begin = end + 1;
  }
  return values;
}

inline std::optional<double> parse_number(std::string_view text) {
  text = trimmed(text);
  if (!text.empty() && text.front() == '+') text.remove_prefix(1);
  double value = 0;
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (status != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) return std::nullopt;
  return value;
}

/// All values as numbers; nothing when the attribute is absent, empty, or one value is no number.
inline std::optional<std::vector<double>> numbers(DcmItem& item, const Attribute& a) {
  const std::string text = text_value(item, a);
  if (text.empty()) return std::nullopt;
  std::vector<double> values;
  for (const std::string& v : split_values(text)) {
    const auto number = parse_number(v);
    if (!number) return std::nullopt;
    values.push_back(*number);
  }
  return values;
}

inline std::optional<double> number(DcmItem& item, const Attribute& a) {
  const auto all = numbers(item, a);
  if (!all) return std::nullopt;
  return all->front();
}

inline std::optional<int> integer(DcmItem& item, const Attribute& a) {
  const auto value = number(item, a);
  if (!value || *value != std::floor(*value) || std::fabs(*value) > 2147483647.0) return std::nullopt;
  return static_cast<int>(*value);
}

/// Item `index` of a sequence; null when there is none.
inline DcmItem* sequence_item(DcmItem& item, const DcmTagKey& sequence, unsigned long index = 0) {
  DcmItem* found = nullptr;
  if (item.findAndGetSequenceItem(sequence, found, static_cast<signed long>(index)).bad()) return nullptr;
  return found;
}

}  // namespace isocenter::detail::dicom
