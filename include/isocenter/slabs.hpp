#pragma once
// Volumes that come in slabs along z, because the whole does not fit where it is made: each item of the stream is one
// slab, dense, all of one process equally high. The description's geometry is that of the whole volume, an item's own
// that of its slab. The attribute "volume.slabs" holds { nz of the whole, first slice of slab 0, of slab 1, ... }; item
// n is slab n % slabs. Slabs may overlap; what lies in two of them is equal to rounding.
//
// An operator that takes them says so (static constexpr bool takes_slabs = true, or ISOCENTER_OPERATOR_TAKES_SLABS);
// before all others, and before a program that pulls, the session puts the volume together in host memory. Where the
// processes of a communicator have slabs of one volume each, it is put together on rank 0, and what is behind runs
// there alone.
#include <isocenter/payload.hpp>
#include <vector>

namespace isocenter::inline v1 {

/// The slabs of one volume that this process has.
struct Slabs {
  std::int64_t whole = 0;           ///< slices of the volume
  std::vector<std::int64_t> first;  ///< of each slab
};

inline constexpr const char* slabs_attribute = "volume.slabs";

inline void set_slabs(Payload& description, const Slabs& slabs) {
  std::vector<double> numbers = {static_cast<double>(slabs.whole)};
  for (const std::int64_t first : slabs.first) numbers.push_back(static_cast<double>(first));
  description.set_numbers(slabs_attribute, numbers);
}

/// None: the volume comes whole.
inline Slabs slabs_of(const Payload& description) {
  Slabs slabs;
  const std::span<const double> numbers = description.numbers(slabs_attribute);
  if (numbers.empty()) return slabs;
  slabs.whole = static_cast<std::int64_t>(numbers[0]);
  for (const double first : numbers.subspan(1)) slabs.first.push_back(static_cast<std::int64_t>(first));
  return slabs;
}

/// Where a slab of a volume lies.
inline Geometry slab_geometry(Geometry whole, std::int64_t first) {
  const auto z = whole.axis(2);
  for (std::size_t k = 0; k < 3; ++k) whole.origin_mm[k] += static_cast<double>(first) * whole.spacing_mm[2] * z[k];
  return whole;
}

}  // namespace isocenter::inline v1
