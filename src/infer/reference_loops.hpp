#pragma once
// The reference's operations that index, sample or recur. They allocate nothing.
#include <array>

#include "infer/reference.hpp"

namespace isocenter::infer {

/// An index that a run, or a constant, brings and that lies outside of its axis: the data's fault, which
/// evaluate_reference says by the node's name.
struct BadIndex {
  std::int64_t index, extent;
};

void run_loops(const MaxPositions& what, std::span<const ConstView> in, View out);
void run_loops(const GatherIndexed& what, std::span<const ConstView> in, View out);
void run_loops(const GatherPositions& what, std::span<const ConstView> in, View out);
void run_loops(const ScatterElements& what, std::span<const ConstView> in, View out);
void run_loops(const ScatterPositions& what, std::span<const ConstView> in, View out);
void run_loops(const CumulativeSum& what, std::span<const ConstView> in, View out);
void run_loops(const TopPositions& what, std::span<const ConstView> in, View out);
void run_loops(const Suppression& what, std::span<const ConstView> in, View out);
void run_loops(const ReverseSequence& what, std::span<const ConstView> in, View out);
void run_loops(const GridSample& what, std::span<const ConstView> in, View out);
void run_loops(const RegionAlign& what, std::span<const ConstView> in, View out);
void run_loops(const DeformedConvolution& what, std::span<const ConstView> in, View out);
void run_loops(const ColumnsToImage& what, std::span<const ConstView> in, View out);
void run_loops(const Recurrence& what, std::span<const ConstView> in, View out);

/// An array seen as (outer, extent, inner) around one axis.
struct AroundAxis {
  AroundAxis(const Shape& shape, int axis) : extent(shape[static_cast<std::size_t>(axis)]) {
    for (std::size_t k = 0; k < shape.size(); ++k) {
      if (k < static_cast<std::size_t>(axis)) outer *= shape[k];
      if (k > static_cast<std::size_t>(axis)) inner *= shape[k];
    }
  }
  std::int64_t at(std::int64_t o, std::int64_t i, std::int64_t j) const { return (o * extent + i) * inner + j; }
  std::int64_t outer = 1, extent, inner = 1;
};

}  // namespace isocenter::infer
