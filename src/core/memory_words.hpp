#pragma once
// The words in which every room says that a device has not enough memory left.
#include <cmath>
#include <cstdio>
#include <isocenter/operator.hpp>
#include <string>

namespace isocenter::detail {

/// "12.5 MB", to five digits: the nearest, so many that `bytes` fit (up), or that are there (down).
enum class Rounded { nearest, up, down };
inline std::string megabytes(std::uint64_t bytes, Rounded to = Rounded::nearest) {
  double value = static_cast<double>(bytes) * 1e-6;
  if (to != Rounded::nearest && value > 0.0) {
    const double digit = std::pow(10.0, std::floor(std::log10(value)) - 4.0);
    value = to == Rounded::up ? std::ceil(value / digit) * digit : std::floor(value / digit) * digit;
  }
  char text[32];
  std::snprintf(text, sizeof text, "%.5g MB", value);
  return text;
}

/// "of the budget 12.5 MB are left on 'cpu'", or without a budget "12.5 MB are left on 'cuda:0'".
inline std::string left_text(const PlanContext& plan, std::uint64_t left, const std::string& device) {
  return (plan.memory_budget() > 0 ? "of the budget " : "") + megabytes(left, Rounded::down) + " are left on '" +
         device + "'";
}

/// The fix that gives so much more. What the nodes before have taken beyond the budget comes with
/// PlanContext::memory_budget; what those behind need is on top.
inline std::string more_memory(const PlanContext& plan, std::uint64_t missing) {
  if (plan.memory_budget() > 0)
    return "raise the budget to " + megabytes(plan.memory_budget() + missing + 1, Rounded::up) + " at least";
  return "use a device with " + megabytes(missing + missing / 9, Rounded::up) + " more at least";  // 9/10 are used
}

}  // namespace isocenter::detail
