#pragma once
// Indices that only a run brings and that lie outside of their axes: kernels note the first of each node
// (kernels/infer/live_indices.hpp), and whoever ran the network refuses the run by what the notes say.
#include <string>
#include <vector>

#include "infer/step.hpp"

namespace isocenter::infer {

class IndexNotes {
 public:
  /// The nodes of the graph that gather or scatter by such indices; a word for each lies in the arena for all of a run.
  explicit IndexNotes(StepBuilder& builder);

  /// The word of a node of the graph. `what` names it in messages; the indices are positions along axes of these
  /// extents by turns.
  Slot add(const std::string& what, Shape extents);

  /// Where the words lie in the arena, once that is planned, and the memory here that they are copied to.
  std::int64_t offset(const Schedule& schedule) const;
  std::vector<std::int64_t>& words() { return words_; }
  /// Throws bad_data for the first node that noted an index.
  void check(const std::string& source) const;

 private:
  struct Row {
    std::string what;
    Shape extents;
  };
  int buffer_ = -1;
  std::vector<Row> rows_;
  std::vector<std::int64_t> words_;
};

}  // namespace isocenter::infer
