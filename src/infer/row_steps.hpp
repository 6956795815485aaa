#pragma once
#include <array>

#include "infer/map_rows.hpp"
#include "infer/step.hpp"

namespace isocenter::infer {

/// A map along rows and where its operands lie.
struct RowMap {
  isocenter::detail::MapRows map;
  std::array<Slot, 3> in;
  Slot out;
  bool tabulated = false;  ///< set by add_row_map, as is the place of the table
  Slot table{};
};
void add_row_map(StepBuilder& builder, RowMap map);

/// Adds the step of a layer norm, a softmax or a map whose rows lie together (kernels/infer/rows.hpp, map_rows.hpp).
/// For the CPU alone; false: the node is something else, or lies otherwise.
bool add_row_steps(StepBuilder& builder, int node_index);

}  // namespace isocenter::infer
