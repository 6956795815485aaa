#pragma once
// The words in which every room says that a device has not enough memory left.
#include <cstdio>
#include <isocenter/operator.hpp>
#include <string>

namespace isocenter::detail {

/// "12.5 MB".
inline std::string megabytes(std::uint64_t bytes) {
  char text[32];
  std::snprintf(text, sizeof text, "%.5g MB", static_cast<double>(bytes) * 1e-6);
  return text;
}

/// "of the budget 12.5 MB are left on 'cpu'", or without a budget "12.5 MB are left on 'cuda:0'".
inline std::string left_text(const PlanContext& plan, std::uint64_t left, const std::string& device) {
  return (plan.memory_budget() > 0 ? "of the budget " : "") + megabytes(left) + " are left on '" + device + "'";
}

/// The fix that gives so much more.
inline std::string more_memory(const PlanContext& plan, std::uint64_t missing) {
  if (plan.memory_budget() > 0) return "raise the budget to " + megabytes(plan.memory_budget() + missing) + " at least";
  return "use a device with " + megabytes(missing + missing / 9) + " more at least";  // nine tenths of it are used
}

}  // namespace isocenter::detail
