#pragma once
// Items of a stream that wait for one another and go through the network at once.
#include <exception>
#include <isocenter/operator.hpp>
#include <vector>

#include "infer/executor.hpp"

namespace isocenter::infer {

/// Of an operator that gathers items and spreads what they give: while RunContext::part is -1 an item comes and leaves
/// its input here, then each part takes its outputs. What the stream's end leaves runs one by one; where the network
/// fails on a batch each item runs alone, and only what fails alone fails.
class StreamItems {
 public:
  /// Asks for memory that lives with the session, on the node's device. `input_bytes` of an item; `whole` and `one` are
  /// the outputs that are read, of the network for `count` items and of the one for a single one.
  void plan(PlanContext& plan, std::int64_t count, std::int64_t input_bytes, std::vector<Port> whole,
            std::vector<Port> one);
  /// What that memory comes to.
  static std::int64_t bytes(std::int64_t count, std::int64_t input_bytes, const std::vector<Port>& whole);
  bool used() const { return count_ > 0; }

  /// Where the next item's input goes.
  std::byte* take();
  /// Its number in the batch.
  std::int64_t taken() const { return taken_ - 1; }
  /// What `one` gave for the item of run.part(), port after port. The networks are bound to `arena`.
  const std::byte* give(const RunContext& run, std::byte* arena, Executor& whole, Executor& one, void* stream);

 private:
  void run_all(const RunContext& run, std::byte* arena, Executor& whole, Executor& one, void* stream);
  void run_items(const RunContext& run, std::byte* arena, Executor& network, const std::vector<Port>& ports,
                 std::int64_t first, std::int64_t count, void* stream);

  std::int64_t count_ = 0, input_bytes_ = 0, output_bytes_ = 0;
  std::vector<Port> whole_, one_;
  std::byte *inputs_ = nullptr, *outputs_ = nullptr;
  std::int64_t taken_ = 0;
  bool given_ = false;                      ///< one was asked for: what comes next is another batch
  bool ran_ = false;                        ///< each has its outputs, or its error
  std::vector<std::exception_ptr> errors_;  ///< of those that the network failed on
};

}  // namespace isocenter::infer
