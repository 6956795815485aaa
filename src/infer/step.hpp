#pragma once
// What an executor runs: steps over one arena. A step is made once, bound to addresses, and then run any number of
// times without allocating.
#include <cstring>
#include <isocenter/error.hpp>
#include <map>
#include <memory>
#include <vector>

#include "core/launch.hpp"
#include "infer/schedule.hpp"

namespace isocenter::infer {

/// A place in the arena (by buffer) or, with buffer -1, in the constants.
struct Slot {
  int buffer = -1;
  std::int64_t offset = 0;  ///< bytes from the buffer's, or the constants', start
};

/// Where arena and constants lie on the device that runs.
struct Addresses {
  const Schedule* schedule;
  std::byte* arena;
  const std::byte* constants;

  template <class T = float>
  T* at(Slot slot) const {
    if (slot.buffer < 0) return reinterpret_cast<T*>(const_cast<std::byte*>(constants) + slot.offset);
    return reinterpret_cast<T*>(arena + schedule->buffers[static_cast<std::size_t>(slot.buffer)].offset + slot.offset);
  }
};

/// Everything that does not change between runs: weights, tables. One block, uploaded whole.
class ConstantPool {
 public:
  ConstantPool() = default;
  /// `filled`: the block is there from an earlier plan of the same; places are given out, and nothing is written.
  explicit ConstantPool(bool filled) : filled_(filled) {}
  bool filled() const { return filled_; }
  /// A place for that many bytes, with zeros in it where the pool is not filled.
  Slot reserve(std::size_t bytes) {
    const std::size_t at = (size_ + 255) / 256 * 256;
    size_ = at + bytes;
    if (!filled_) block_.resize(size_);
    return {-1, static_cast<std::int64_t>(at)};
  }
  Slot add(const void* data, std::size_t bytes) {
    const Slot slot = reserve(bytes);
    if (!filled_ && bytes > 0) std::memcpy(block_.data() + slot.offset, data, bytes);
    return slot;
  }
  template <class T>
  Slot add(const std::vector<T>& values) {
    return add(values.data(), values.size() * sizeof(T));
  }
  Slot add_value(ValueId id, const Array& array) {
    const auto it = values_.find(id);
    return it != values_.end() ? it->second : values_[id] = add(array.data(), static_cast<std::size_t>(array.bytes()));
  }
  std::size_t size() const { return size_; }
  const std::vector<std::byte>& block() const { return block_; }

 private:
  bool filled_ = false;
  std::size_t size_ = 0;
  std::vector<std::byte> block_;
  std::map<ValueId, Slot> values_;
};

class Step {
 public:
  virtual ~Step() = default;
  virtual void bind(const Addresses& addresses) = 0;
  virtual void run(const isocenter::detail::Launcher& launcher) = 0;
};
using Steps = std::vector<std::unique_ptr<Step>>;

/// What makers of steps work on.
struct StepBuilder {
  Schedule& schedule;
  ConstantPool& constants;
  Steps& steps;
  int threads = 1;  ///< that will run the steps, on the CPU

  Slot slot(ValueId id) {
    // A constant that is an output has a buffer too, which is written at the end: steps read the constant itself.
    if (const Value& value = schedule.graph.value(id); value.constant) return constants.add_value(id, *value.constant);
    const Placement& p = schedule.placement(id);
    return {p.buffer, p.offset * bytes_of(p.storage)};
  }
};

/// Adds the steps of a node that kernels of ours run, on the CPU or on a device; convolutions and matrix products by
/// their definition in float32, for where a library has none. False: only the reference runs it.
bool add_kernel_steps(StepBuilder& builder, int node_index);

/// Adds one elementwise step between values that are there.
void add_map_step(StepBuilder& builder, const Map& map, std::vector<ValueId> inputs, ValueId output);

/// Adds a softmax of dense float32; the input may be the output.
void add_softmax(StepBuilder& builder, const Node& node, const Softmax& softmax);

/// A value like another, of its own type, in scratch memory for one step.
ValueId add_scratch_value(StepBuilder& builder, int step, ValueId like, Layout layout);

/// The value itself where it lies like that, as its own type and on its own; else a copy of it for one step.
ValueId in_plain_form(StepBuilder& builder, int step, ValueId id, Layout layout);

/// A constant that was not in the graph.
ValueId add_constant_value(StepBuilder& builder, Array array);

/// Adds a step that copies one value to another of the same shape, whatever their layouts and storage.
void add_copy_step(StepBuilder& builder, ValueId from, ValueId to);

}  // namespace isocenter::infer
