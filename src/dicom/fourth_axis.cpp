// Stacks of one series as the time points of one volume.
#include <algorithm>
#include <cmath>
#include <isocenter/error.hpp>

#include "dataset_values.hpp"
#include "load.hpp"

namespace isocenter::detail::dicom {
namespace {

bool is_along(FourthAxis axis, std::size_t discriminator) {
  const auto is_one_of = [&](std::initializer_list<Attribute> all) {
    return discriminator < discriminator_count && std::any_of(all.begin(), all.end(), [&](const Attribute& a) {
             return a.group == discriminators[discriminator].group &&
                    a.element == discriminators[discriminator].element;
           });
  };
  switch (axis) {
    case FourthAxis::time:
      return discriminator == discriminator_count ||
             is_one_of({attribute::temporal_position_identifier, attribute::temporal_position_index,
                        attribute::trigger_time, attribute::acquisition_number, attribute::phase_vector,
                        attribute::time_slice_vector});
    case FourthAxis::echo:
      return is_one_of({attribute::echo_time, attribute::echo_numbers});
    case FourthAxis::b_value:
      return is_one_of({attribute::diffusion_b_value});
    case FourthAxis::cardiac_phase:
      return is_one_of({attribute::nominal_cardiac_phase, attribute::trigger_time, attribute::rr_interval_vector,
                        attribute::time_slot_vector});
    case FourthAxis::inversion_time:
      return is_one_of({attribute::inversion_time});
    case FourthAxis::any:
      return true;
    case FourthAxis::none:
      break;
  }
  return false;
}

bool same_grid(const Stack& a, const Stack& b) {
  constexpr double tolerance_mm = 1e-3;
  const StackGeometry &g = a.geometry, &h = b.geometry;
  return a.slices.size() == b.slices.size() && g.nx == h.nx && g.ny == h.ny && g.nz == h.nz &&
         largest_component(g.origin - h.origin) < tolerance_mm && largest_component(g.row - h.row) < 2e-4 &&
         largest_component(g.column - h.column) < 2e-4 && std::fabs(g.dz_mm - h.dz_mm) < tolerance_mm;
}

/// Where a's value stands in b's order: as numbers where both are, else as text.
bool before(const Stack* a, const Stack* b) {
  for (std::size_t i = 0; i < std::min(a->splits.size(), b->splits.size()); ++i) {
    const std::string &x = a->splits[i].value, &y = b->splits[i].value;
    const auto u = parse_number(x), v = parse_number(y);
    if (u && v && *u != *v) return *u < *v;
    if (x != y && !(u && v)) return x < y;
  }
  return false;
}

bool belongs(const Stack& stack, const Stack& first, FourthAxis axis) {
  if (!stack.has_geometry || stack.localiser || !same_grid(stack, first) || stack.splits.size() != first.splits.size())
    return false;
  for (std::size_t i = 0; i < stack.splits.size(); ++i) {
    const Split &s = stack.splits[i], &f = first.splits[i];
    if (s.discriminator != f.discriminator) return false;
    if (s.value != f.value && !is_along(axis, s.discriminator)) return false;
  }
  return true;
}

}  // namespace

std::vector<int> stacks_along(const Series& series, int number, FourthAxis axis) {
  const Stack& first = series.stacks[static_cast<std::size_t>(number) - 1];
  std::vector<int> members;
  for (std::size_t i = 0; i < series.stacks.size(); ++i)
    if (belongs(series.stacks[i], first, axis)) members.push_back(static_cast<int>(i) + 1);
  const auto stack_of = [&](int n) { return &series.stacks[static_cast<std::size_t>(n) - 1]; };
  std::stable_sort(members.begin(), members.end(), [&](int a, int b) { return before(stack_of(a), stack_of(b)); });
  return members;
}

void name_fourth_axis(const std::vector<const Stack*>& stacks, LoadPlan& plan) {
  const std::vector<Split>& first = stacks.front()->splits;
  for (std::size_t i = 0; i < first.size(); ++i) {
    const bool differs =
        std::any_of(stacks.begin(), stacks.end(), [&](const Stack* s) { return s->splits[i].value != first[i].value; });
    if (!differs) continue;
    if (plan.axis_name.empty())
      for (std::size_t t = 0; t < stacks.size(); ++t)
        plan.axis_values.push_back(parse_number(stacks[t]->splits[i].value).value_or(static_cast<double>(t)));
    const std::size_t d = first[i].discriminator;
    plan.axis_name +=
        (plan.axis_name.empty() ? "" : ", ") +
        (d == discriminator_count ? "repetition by " + text(attribute::instance_number) : text(discriminators[d]));
  }
}

}  // namespace isocenter::detail::dicom
