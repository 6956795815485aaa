#include "core/parameters.hpp"

#include <array>
#include <charconv>
#include <cmath>
#include <cstring>
#include <isocenter/error.hpp>
#include <limits>

namespace isocenter::detail {
namespace {

std::string number_text(double v) {
  std::array<char, 40> text{};
  return {text.data(), std::to_chars(text.data(), text.data() + text.size(), v).ptr};
}

std::string_view trimmed(std::string_view s) {
  while (!s.empty() && (s.front() == ' ' || s.front() == '\t')) s.remove_prefix(1);
  while (!s.empty() && (s.back() == ' ' || s.back() == '\t')) s.remove_suffix(1);
  return s;
}

template <class T>
bool read(std::string_view text, T& value) {
  text = trimmed(text);
  if (!text.empty() && text.front() == '+') text.remove_prefix(1);
  const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
  return result.ec == std::errc() && result.ptr == text.data() + text.size() && !text.empty();
}

}  // namespace

static std::string range_text(const isocenter_parameter& p) {
  const std::string unit = *p.unit != '\0' ? std::string(" ") + p.unit : "";
  return "[" + number_text(p.minimum) + ", " + number_text(p.maximum) + "]" + unit;
}

std::string allowed_text(const isocenter_parameter& p) {
  const std::string range = range_text(p);
  switch (p.type) {
    case ISOCENTER_PARAMETER_NUMBER:
      return "a number in " + range;
    case ISOCENTER_PARAMETER_INTEGER:
      return "a whole number in " + range;
    case ISOCENTER_PARAMETER_NUMBERS:
      return "numbers separated by commas, each in " + range;
    case ISOCENTER_PARAMETER_BOOL:
      return "true or false";
    case ISOCENTER_PARAMETER_CHOICE: {
      std::string all;
      for (std::uint32_t i = 0; i < p.choice_count; ++i) all += (i == 0 ? "" : ", ") + std::string(p.choices[i]);
      return "one of " + all;
    }
    default:
      return (p.flags & ISOCENTER_PARAMETER_PATH) != 0 ? "a path" : "text";
  }
}

isocenter_parameter_values::Value parse_parameter(const isocenter_parameter& p, const std::string& text,
                                                  const std::string& where) {
  const auto refuse = [&](const std::string& why) {
    throw Failure(ErrorCode::invalid_argument, where + ": " + p.name + " = '" + text + "' " + why,
                  "give " + allowed_text(p));
  };
  const auto in_range = [&](double v) {
    if (!std::isfinite(v) || v < p.minimum || v > p.maximum) refuse("is outside " + range_text(p));
    return v;
  };
  isocenter_parameter_values::Value value;
  value.text = text;
  switch (p.type) {
    case ISOCENTER_PARAMETER_NUMBER:
      if (!read(text, value.number)) refuse("is no number");
      in_range(value.number);
      break;
    case ISOCENTER_PARAMETER_INTEGER:
      if (!read(text, value.integer)) refuse("is no whole number");
      in_range(static_cast<double>(value.integer));
      break;
    case ISOCENTER_PARAMETER_NUMBERS: {
      std::string_view rest = trimmed(text);
      if (!rest.empty() && rest.front() == '[' && rest.back() == ']') rest = trimmed(rest.substr(1, rest.size() - 2));
      while (!rest.empty()) {
        const std::size_t comma = rest.find(',');
        double v = 0;
        if (!read(rest.substr(0, comma), v)) refuse("holds something that is no number");
        value.numbers.push_back(in_range(v));
        rest = comma == std::string_view::npos ? std::string_view() : rest.substr(comma + 1);
      }
      break;
    }
    case ISOCENTER_PARAMETER_BOOL:
      if (text != "true" && text != "false") refuse("is neither true nor false");
      value.integer = text == "true" ? 1 : 0;
      break;
    case ISOCENTER_PARAMETER_CHOICE: {
      bool known = false;
      for (std::uint32_t i = 0; i < p.choice_count; ++i) known = known || text == p.choices[i];
      if (!known) refuse("is not known");
      break;
    }
    default:
      break;
  }
  return value;
}

const isocenter_parameter* find_parameter(const isocenter_operator_type& type, const std::string& name) {
  for (std::uint32_t i = 0; i < type.parameter_count; ++i)
    if (name == type.parameters[i].name) return &type.parameters[i];
  return nullptr;
}

}  // namespace isocenter::detail

namespace {
const isocenter_parameter_values::Value* lookup(const isocenter_parameter_values* values, const char* name) {
  const auto at = values->values.find(std::string_view(name));
  return at == values->values.end() ? nullptr : &at->second;
}
}  // namespace

extern "C" {
double isocenter_value_number(const isocenter_parameter_values* values, const char* name) {
  const auto* v = lookup(values, name);
  return v != nullptr ? v->number : std::numeric_limits<double>::quiet_NaN();
}
int64_t isocenter_value_integer(const isocenter_parameter_values* values, const char* name) {
  const auto* v = lookup(values, name);
  return v != nullptr ? v->integer : std::numeric_limits<std::int64_t>::min();
}
const char* isocenter_value_text(const isocenter_parameter_values* values, const char* name) {
  const auto* v = lookup(values, name);
  return v != nullptr ? v->text.c_str() : nullptr;
}
const double* isocenter_value_numbers(const isocenter_parameter_values* values, const char* name, size_t* count) {
  const auto* v = lookup(values, name);
  *count = v != nullptr ? v->numbers.size() : 0;
  return v != nullptr ? v->numbers.data() : nullptr;
}
}
