// Attention that reads its factors where they were made, and writes its result where it is read: transposes, slices and
// reshapes around it are ways to count, not to move.
#include <algorithm>
#include <optional>

#include "infer/passes.hpp"
#include "infer/schedule.hpp"

namespace isocenter::infer {
namespace {

std::size_t at(ValueId id) { return static_cast<std::size_t>(id); }

FourAxes dense(const Shape& shape) {
  FourAxes view;
  const Shape strides = dense_strides(shape);
  std::copy_n(shape.begin(), 4, view.extents.begin());
  std::copy_n(strides.begin(), 4, view.strides.begin());
  return view;
}

/// One axis of a view as steps along one axis of a dense value; axis -1: it has one element.
struct AlongAxis {
  int axis = -1;
  std::int64_t step = 0;
};

/// A view of a dense value, axis by axis: where it starts, and how far it reaches.
struct Taken {
  std::array<AlongAxis, 4> axes;
  Shape first, last;  ///< positions, inclusive
};

/// Nothing where an axis of the view crosses from one axis of the value to the next.
std::optional<Taken> take(const FourAxes& view, const Shape& shape) {
  const Shape strides = dense_strides(shape);
  Taken taken;
  for (std::size_t k = 0; k < shape.size(); ++k) taken.first.push_back(view.offset / strides[k] % shape[k]);
  taken.last = taken.first;
  for (std::size_t i = 0; i < 4; ++i) {
    if (view.extents[i] == 1 || view.strides[i] == 0) continue;
    std::size_t k = 0;
    while (k < shape.size() && (shape[k] == 1 || strides[k] > view.strides[i])) ++k;
    if (k == shape.size() || view.strides[i] % strides[k] != 0) return std::nullopt;
    taken.axes[i] = {static_cast<int>(k), view.strides[i] / strides[k]};
    taken.last[k] += (view.extents[i] - 1) * taken.axes[i].step;
    if (taken.last[k] >= shape[k]) return std::nullopt;
  }
  return taken;
}

/// The step of a table between two positions, which has no fill and rises or falls evenly.
std::optional<std::int64_t> step_of(const std::vector<std::int32_t>& table, std::int64_t first, std::int64_t last) {
  if (table.empty()) return 1;
  const auto entry = [&](std::int64_t i) { return std::int64_t{table[static_cast<std::size_t>(i)]}; };
  const std::int64_t step = first < last ? entry(first + 1) - entry(first) : 0;
  for (std::int64_t i = first; i <= last; ++i)
    if (entry(i) < 0 || entry(i) != entry(first) + (i - first) * step) return std::nullopt;
  return step;
}

/// The view of what a copy gives as one of what it reads.
std::optional<FourAxes> before(const Copy& copy, const Shape& in, const Shape& out, const FourAxes& view) {
  const auto taken = take(view, out);
  if (!taken) return std::nullopt;
  const Shape strides = dense_strides(in);
  FourAxes from{0, view.extents, {}};
  Shape steps(out.size());
  for (std::size_t k = 0; k < out.size(); ++k) {
    const auto step = step_of(copy.tables[k], taken->first[k], taken->last[k]);
    if (!step) return std::nullopt;
    if (copy.axes[k] < 0) continue;
    const std::int64_t stride = strides[static_cast<std::size_t>(copy.axes[k])];
    const auto first = static_cast<std::size_t>(taken->first[k]);
    from.offset += stride * (copy.tables[k].empty() ? taken->first[k] : copy.tables[k][first]);
    steps[k] = stride * *step;
  }
  for (std::size_t i = 0; i < 4; ++i)
    if (const AlongAxis& along = taken->axes[i]; along.axis >= 0)
      from.strides[i] = along.step * steps[static_cast<std::size_t>(along.axis)];
  return from;
}

/// The view of what a copy reads as one of what it gives, where it brings the axes into another order and does no more.
std::optional<FourAxes> behind(const Copy& copy, const Shape& in, const Shape& out, const FourAxes& view) {
  const auto taken = take(view, in);
  if (!taken || in.size() != out.size()) return std::nullopt;
  const Shape strides = dense_strides(out);
  Shape steps(in.size(), 0);
  for (std::size_t k = 0; k < out.size(); ++k) {
    if (copy.axes[k] < 0 || !copy.tables[k].empty() || out[k] != in[static_cast<std::size_t>(copy.axes[k])])
      return std::nullopt;
    std::int64_t& step = steps[static_cast<std::size_t>(copy.axes[k])];
    if (step != 0) return std::nullopt;
    step = strides[k];
  }
  FourAxes to{0, view.extents, {}};
  for (std::size_t k = 0; k < in.size(); ++k) to.offset += taken->first[k] * steps[k];
  for (std::size_t i = 0; i < 4; ++i)
    if (const AlongAxis& along = taken->axes[i]; along.axis >= 0)
      to.strides[i] = along.step * steps[static_cast<std::size_t>(along.axis)];
  return to;
}

/// Goes back over what only moves elements. `factor`: what a factor of a number on the way is multiplied into.
ValueId read_through(const Graph& graph, const std::vector<int>& makers, ValueId id, FourAxes& view, float* factor) {
  while (makers[at(id)] >= 0) {
    const Node& maker = graph.nodes[static_cast<std::size_t>(makers[at(id)])];
    const ValueId from = maker.inputs.empty() ? no_value : maker.inputs[0];
    if (from == no_value || graph.value(from).constant || graph.value(from).type != ElementType::f32) return id;
    if (const auto* copy = std::get_if<Copy>(&maker.operation)) {
      const auto earlier = before(*copy, graph.value(from).shape, graph.value(id).shape, view);
      if (!earlier) return id;
      view = *earlier;
    } else if (const auto* map = std::get_if<Map>(&maker.operation)) {
      const bool scales = factor != nullptr && map->function == Function::mul && map->then.none() &&
                          graph.value(from).shape == graph.value(id).shape && graph.value(maker.inputs[1]).constant &&
                          graph.value(maker.inputs[1]).constant->count() == 1;
      if (!scales) return id;
      *factor *= static_cast<float>(graph.value(maker.inputs[1]).constant->real(0));
    } else if (!std::holds_alternative<Alias>(maker.operation)) {
      return id;
    }
    id = from;
  }
  return id;
}

}  // namespace

void read_attention_in_place(Graph& graph) {
  std::vector<int> makers(graph.values.size(), -1), readers(graph.values.size(), -1), reads(graph.values.size());
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    makers[at(graph.nodes[i].output)] = static_cast<int>(i);
    for (const ValueId id : graph.nodes[i].inputs) {
      readers[at(id)] = static_cast<int>(i);
      ++reads[at(id)];
    }
  }
  for (const ValueId id : graph.outputs) ++reads[at(id)];
  for (Node& node : graph.nodes) {
    auto* attention = std::get_if<Attention>(&node.operation);
    if (attention == nullptr || !has_kernel(graph, node)) continue;
    const FourAxes made = dense(graph.value(node.output).shape);
    for (std::size_t i = 0; i < 3; ++i) {
      FourAxes view = dense(graph.value(node.inputs[i]).shape);
      node.inputs[i] = read_through(graph, makers, node.inputs[i], view, i < 2 ? &attention->scale : nullptr);
      attention->views.push_back(view);
    }
    attention->views.push_back(made);
    while (reads[at(node.output)] == 1 && readers[at(node.output)] >= 0) {
      Node& reader = graph.nodes[static_cast<std::size_t>(readers[at(node.output)])];
      if (const auto* copy = std::get_if<Copy>(&reader.operation)) {
        const auto later =
            behind(*copy, graph.value(node.output).shape, graph.value(reader.output).shape, attention->views[3]);
        if (!later) break;
        attention->views[3] = *later;
      } else if (!std::holds_alternative<Alias>(reader.operation)) {
        break;
      }
      node.output = reader.output;
      makers[at(node.output)] = static_cast<int>(&node - graph.nodes.data());  // what another attention may read
      reader.output = no_value;
    }
  }
  std::erase_if(graph.nodes, [](const Node& n) { return n.output == no_value; });
  remove_dead_nodes(graph);
}

}  // namespace isocenter::infer
