#include "infer/cuda/index_notes.hpp"

#include <algorithm>

#include "infer/cuda/exact_steps.hpp"
#include "infer/live_indices.hpp"

namespace isocenter::infer {

namespace kernels = isocenter::detail;

IndexNotes::IndexNotes(StepBuilder& builder) {
  const Graph& graph = builder.schedule.graph;
  const auto count = std::count_if(graph.nodes.begin(), graph.nodes.end(), [&](const Node& node) {
    return has_live_indices(node) && !has_kernel(graph, node);
  });
  if (count == 0) return;
  buffer_ = add_scratch(builder.schedule, -1, count * std::int64_t{sizeof(std::int64_t)});
  builder.schedule.buffers.back().last_step = static_cast<int>(graph.nodes.size());
  add_fill_step(builder, kernels::no_bad_index, {buffer_, 0}, count);
  words_.resize(static_cast<std::size_t>(count), kernels::no_bad_index);
}

Slot IndexNotes::add(const std::string& what, Shape extents) {
  rows_.push_back({what, std::move(extents)});
  return {buffer_, static_cast<std::int64_t>((rows_.size() - 1) * sizeof(std::int64_t))};
}

std::int64_t IndexNotes::offset(const Schedule& schedule) const {
  return buffer_ < 0 ? 0 : schedule.buffers[static_cast<std::size_t>(buffer_)].offset;
}

void IndexNotes::check(const std::string& source) const {
  for (std::size_t i = 0; i < rows_.size(); ++i) {
    if (words_[i] == kernels::no_bad_index) continue;
    const std::int64_t place = words_[i] >> 32;
    const auto index = static_cast<std::int32_t>(static_cast<std::uint32_t>(words_[i]));
    // A word holds no more of them: bad_index_note.
    const char* const farther = index == INT32_MAX ? " or above" : index == INT32_MIN ? " or below" : "";
    const char* const later = place == INT32_MAX - 1 ? " or a later one" : "";
    const std::int64_t extent = rows_[i].extents[static_cast<std::size_t>(place) % rows_[i].extents.size()];
    throw Failure(ErrorCode::bad_data,
                  source + ": " + rows_[i].what + " gathers or scatters at position " + std::to_string(index) +
                      farther + " of " + std::to_string(extent) + " (element " + std::to_string(place) + later +
                      " of its indices)",
                  "check the input's values, or the model that computes the position");
  }
}

}  // namespace isocenter::infer
