#pragma once
// One inference, as operators run it.
#include <isocenter/operator.hpp>

#include "infer/executor.hpp"

namespace isocenter::infer {

/// Runs the network on its arena. Where a device notes what is wrong with the data, waits for the notes and throws
/// bad_data by them: for networks that gather or scatter by indices of the data.
inline void run_network(const RunContext& run, Executor& network, const std::byte* arena, void* stream) {
  network.run(stream);
  const Executor::Notes notes = network.notes();
  if (notes.words.empty()) return;
  run.copy(notes.words.data(), arena + notes.offset, notes.words.size_bytes());
  run.wait();
  network.check_notes();
}

}  // namespace isocenter::infer
