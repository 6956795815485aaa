#pragma once
// An operator's one description: its parameters and ports. The builder, the file loader, the messages, `isocenter
// describe` and the reference pages all come from it.
#include <charconv>
#include <isocenter/payload.hpp>
#include <string>
#include <tuple>
#include <type_traits>
#include <vector>

namespace isocenter::inline v1 {

enum class Unit { none, mm, per_mm, hu, deg, s, hz, px, percent, kev };
constexpr const char* to_string(Unit u) {
  constexpr const char* names[] = {"", "mm", "1/mm", "HU", "deg", "s", "Hz", "px", "%", "keV"};
  return names[static_cast<int>(u)];
}

enum Flags : std::uint32_t { optional = 0, required = ISOCENTER_PARAMETER_REQUIRED, path = ISOCENTER_PARAMETER_PATH };

/// One parameter: which member, its name in files, unit, range (or choices) and one line of help.
template <class P, class T>
struct Param {
  T P::*member;
  const char* name;
  Unit unit;
  double low, high;
  const char* const* choices;
  std::uint32_t choice_count;
  std::uint32_t flags;
  const char* help;
};

/// A number, an integer, or a list of numbers, each in [low, high].
template <class P, class T>
constexpr Param<P, T> param(T P::*member, const char* name, Unit unit, double low, double high, const char* help) {
  return {member, name, unit, low, high, nullptr, 0, 0, help};
}
/// A bool or a text.
template <class P, class T>
constexpr Param<P, T> param(T P::*member, const char* name, const char* help, std::uint32_t flags = 0) {
  return {member, name, Unit::none, 0, 0, nullptr, 0, flags, help};
}
/// An enumeration whose value i is called choices[i] in files.
template <class P, class T, std::size_t N>
constexpr Param<P, T> choice(T P::*member, const char* name, const char* const (&choices)[N], const char* help) {
  return {member, name, Unit::none, 0, 0, choices, static_cast<std::uint32_t>(N), 0, help};
}

/// A typed end of an operator. Payload types: Volume, Projections, ..., or AnyOf<...>.
template <class T>
struct In {
  using type = T;
  static constexpr bool is_output = false;
  const char* name;
  const char* help;
  std::uint32_t flags = 0;     ///< ISOCENTER_PORT_OPTIONAL
  const char* node = nullptr;  ///< set by Pipeline::add
};
template <class T>
struct Out {
  using type = T;
  static constexpr bool is_output = true;
  const char* name;
  const char* help;
  std::uint32_t flags = 0;
  const char* node = nullptr;
};
inline constexpr std::uint32_t optional_port = ISOCENTER_PORT_OPTIONAL;

}  // namespace isocenter::inline v1

namespace isocenter::detail {

inline std::string to_parameter_text(bool v) { return v ? "true" : "false"; }
inline std::string to_parameter_text(const std::string& v) { return v; }
template <class T>
requires std::is_arithmetic_v<T> std::string to_parameter_text(T v) {
  char text[40];
  const auto end = std::to_chars(text, text + sizeof text, v).ptr;
  return std::string(text, end);
}
inline std::string to_parameter_text(const std::vector<double>& v) {
  std::string text;
  for (const double x : v) text += (text.empty() ? "" : ", ") + to_parameter_text(x);
  return text;
}
template <class P, class T>
std::string parameter_text(const Param<P, T>& p, const P& params) {
  if constexpr (std::is_enum_v<T>)
    return p.choices[static_cast<std::size_t>(params.*(p.member))];
  else
    return to_parameter_text(params.*(p.member));
}

template <class T>
constexpr int parameter_type() {
  if constexpr (std::is_enum_v<T>) return ISOCENTER_PARAMETER_CHOICE;
  if constexpr (std::is_same_v<T, bool>) return ISOCENTER_PARAMETER_BOOL;
  if constexpr (std::is_same_v<T, std::string>) return ISOCENTER_PARAMETER_TEXT;
  if constexpr (std::is_same_v<T, std::vector<double>>) return ISOCENTER_PARAMETER_NUMBERS;
  if constexpr (std::is_floating_point_v<T>) return ISOCENTER_PARAMETER_NUMBER;
  if constexpr (std::is_integral_v<T> && !std::is_same_v<T, bool>) return ISOCENTER_PARAMETER_INTEGER;
}

template <class P, class T>
void read_parameter(const Param<P, T>& p, const isocenter_parameter_values* values, P& params) {
  if constexpr (std::is_enum_v<T>) {
    const char* text = isocenter_value_text(values, p.name);
    for (std::uint32_t i = 0; i < p.choice_count; ++i)
      if (std::strcmp(p.choices[i], text) == 0) params.*(p.member) = static_cast<T>(i);
  } else if constexpr (std::is_same_v<T, bool>) {
    params.*(p.member) = isocenter_value_integer(values, p.name) != 0;
  } else if constexpr (std::is_same_v<T, std::string>) {
    params.*(p.member) = isocenter_value_text(values, p.name);
  } else if constexpr (std::is_same_v<T, std::vector<double>>) {
    std::size_t n = 0;
    const double* v = isocenter_value_numbers(values, p.name, &n);
    (params.*(p.member)).assign(v, v + n);
  } else if constexpr (std::is_floating_point_v<T>) {
    params.*(p.member) = static_cast<T>(isocenter_value_number(values, p.name));
  } else {
    params.*(p.member) = static_cast<T>(isocenter_value_integer(values, p.name));
  }
}

}  // namespace isocenter::detail
