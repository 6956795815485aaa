#pragma once
// How a graph lies in memory: a layout for every value, reorders where two nodes differ, buffers that are shared when
// their lifetimes allow it, and one arena that holds them all. The same for every device.
#include "infer/graph.hpp"

namespace isocenter::infer {

/// plain: last axis fastest. channels_last: (n, spatial..., c), the channel fastest.
enum class Layout : std::uint8_t { plain, channels_last };

struct Placement {
  Layout layout = Layout::plain;
  Shape strides;            ///< in elements, by the value's axes
  int buffer = -1;          ///< -1: a constant, or a value that nobody makes any more
  std::int64_t offset = 0;  ///< elements from the buffer's start: not 0 for a part of a concatenation
  /// The value's type, or for a float32 one that is kept otherwise bfloat16 or float16, or int8 or uint8 with a scale.
  ElementType storage = ElementType::f32;
  Quantised held;  ///< what the integers stand for
};

struct Buffer {
  std::int64_t bytes = 0;
  int first_step = 0, last_step = 0;  ///< inclusive; inputs start at -1, outputs end at the number of steps
  std::int64_t offset = -1;           ///< in the arena, once plan_memory ran
};

struct Schedule {
  Graph graph;                        ///< with the reorders among its nodes; node i is step i
  std::vector<Placement> placements;  ///< by value
  std::vector<Buffer> buffers;
  std::int64_t arena_bytes = 0;
  int reorders = 0;

  const Placement& placement(ValueId id) const { return placements[static_cast<std::size_t>(id)]; }
};

/// A float32 value is kept in 16 bits.
inline bool is_narrow(ElementType storage) { return storage == ElementType::bf16 || storage == ElementType::f16; }

/// True when a float32 kernel of ours or a library's runs the node; the rest goes through the reference, in plain
/// layout.
bool has_kernel(const Graph& graph, const Node& node);

Shape strides_of(const Shape& shape, Layout layout);
/// The value lies in this layout, as its own type and on its own: what a kernel reads that knows nothing else.
bool is_plain_form(const Schedule& schedule, ValueId id, Layout layout);

struct ScheduleOptions {
  /// Inputs of convolutions and matrix products, and what leads there through kernels, are kept in 16 bits; the
  /// graph's inputs and outputs never are.
  bool narrow = false;
  bool parts = true;  ///< what a concatenation reads is made in its place
  /// The convolutions (by graph, node and `narrow`) that the engine lets write to a part of a wider array.
  bool (*writes_parts)(const Graph&, const Node&, bool) = nullptr;
  ElementType narrow_type = ElementType::bf16;  ///< or f16
  bool normalises_in_place = true;              ///< false: a library that does not say that it may is asked
};
/// Chooses layouts, adds reorders, assigns buffers. Nodes whose input dies with them run in place; what a concatenation
/// reads is made in its place where the node that makes it can.
Schedule make_schedule(Graph graph, const ScheduleOptions& options = {});

/// A transposed convolution whose taps do not overlap and leave nothing out: its kernel is its stride.
bool is_upsampling(const Graph& graph, const Node& node);

/// Scratch for one step, released after it. Gives the buffer's index.
int add_scratch(Schedule& schedule, int step, std::int64_t bytes);

/// Places every buffer: largest first, at the lowest offset where nothing that lives at the same time lies. Sets
/// arena_bytes.
void plan_memory(Schedule& schedule);

}  // namespace isocenter::infer
