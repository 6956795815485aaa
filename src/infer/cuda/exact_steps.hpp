#pragma once
// The steps for what runs in no float32 kernel: every element type, more axes, weights and indices that a run brings.
#include "infer/cuda/index_notes.hpp"

namespace isocenter::infer {

/// The node reads or writes where indices say that only a run brings.
bool has_live_indices(const Node& node);

/// Adds the steps of a node. False: there are none for it (sampling, recurrence or suppression in another type than
/// float32).
bool add_exact_steps(StepBuilder& builder, int node_index, const Node& node, IndexNotes& notes);

/// Adds the steps of a node that sorts or selects along few long axes: with as many threads as there are elements.
/// False where another step fits better.
bool add_parallel_steps(StepBuilder& builder, int node_index, const Node& node);

/// A step that writes `count` words of 4 or 8 bytes.
void add_fill_step(StepBuilder& builder, std::int64_t word, Slot to, std::int64_t count);
void add_fill_step(StepBuilder& builder, std::int32_t word, Slot to, std::int64_t count);
/// A step that copies `count` elements of `bytes` each.
void add_move_step(StepBuilder& builder, Slot from, Slot to, std::int64_t count, std::int64_t bytes);

/// The steps of a `Loops` node by its indices; see add_exact_steps.
bool add_indexing_steps(StepBuilder& builder, int node_index, const Node& node, const Loops& loops, IndexNotes& notes);

}  // namespace isocenter::infer
