// Non-maximum suppression. Its output's extent depends on the data: where those are known when the network is planned
// it is exact, else the plan has room for the most that there can be.
#include <cmath>

#include "infer/lower.hpp"

namespace isocenter::infer {
namespace {

double optional_real(NodeLowering& n, std::size_t i, const char* what, double otherwise) {
  if (!n.has_input(i)) return otherwise;
  const Array& a = n.constant(i, what);
  if (a.count() != 1) n.contradiction("has " + std::string(what) + " of shape " + to_text(a.shape()));
  return a.real(0);
}

/// The rows before the first that is -1.
Array selected_rows(const Array& rows) {
  std::vector<std::int64_t> selected;
  for (std::int64_t i = 0; i < rows.count() && rows.integer(i) >= 0; ++i) selected.push_back(rows.integer(i));
  const auto count = static_cast<std::int64_t>(selected.size()) / 3;
  return Array::of(selected).reshaped({count, 3});
}

void non_max_suppression(NodeLowering& n) {
  const ValueId boxes = n.input(0), scores = n.input(1);
  const Shape b = n.shape(boxes), s = n.shape(scores);
  if (b.size() != 3 || s.size() != 3 || b[2] != 4 || s[0] != b[0] || s[2] != b[1])
    n.contradiction("has boxes of shape " + to_text(b) + " and scores of " + to_text(s));
  const double most = optional_real(n, 2, "the count of boxes", 0);
  Suppression op;
  op.most = most > 0 ? static_cast<std::int64_t>(std::min(most, static_cast<double>(s[2]))) : 0;
  op.overlap = optional_real(n, 3, "the overlap", 0);
  op.lowest = optional_real(n, 4, "the score", -INFINITY);
  op.centred = n.integer("center_point_box", 0) != 0;
  const ValueId order = n.emit(Loops{TopPositions{2, true}}, {scores}, ElementType::i64, s);
  const ValueId rows =
      n.emit(Loops{op}, {boxes, scores, order}, ElementType::i64, {element_count({s[0], s[1], op.most}), 3});
  if (n.is_constant(rows)) return n.output(0, n.add_constant(selected_rows(n.known(rows, "what is selected"))));
  n.mark_filled_up(rows);
  n.output(0, rows);
}

constexpr OperatorRow rows[] = {{"NonMaxSuppression", non_max_suppression}};

}  // namespace

std::span<const OperatorRow> detection_operators() { return rows; }

}  // namespace isocenter::infer
