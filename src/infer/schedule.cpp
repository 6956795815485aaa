#include "infer/schedule.hpp"

#include <algorithm>
#include <map>
#include <numeric>
#include <tuple>

namespace isocenter::infer {
namespace {

constexpr std::int64_t alignment = 256;  // a cache line's multiple, and what CUDA's vector loads ask for

bool is_spatial(const Shape& shape) { return shape.size() >= 3 && shape.size() <= 5; }

/// The bytes are the same in both layouts.
bool layouts_agree(const Shape& shape) {
  std::int64_t pixels = 1;
  for (std::size_t k = 2; k < shape.size(); ++k) pixels *= shape[k];
  return !is_spatial(shape) || shape[1] == 1 || pixels == 1;
}

ElementType storage_of(const Quantised& q) { return q.is_signed ? ElementType::i8 : ElementType::u8; }

template <class... Operations>
bool is_any(const Node& node) {
  return (std::holds_alternative<Operations>(node.operation) || ...);
}

/// Input i is what a convolution or product adds to its result.
bool has_residual(const Node& node, std::size_t i) {
  const auto* conv = std::get_if<Convolution>(&node.operation);
  const auto* product = std::get_if<MatrixProduct>(&node.operation);
  return i + 1 == node.inputs.size() &&
         ((conv != nullptr && conv->residual) || (product != nullptr && product->residual));
}

/// Which values are kept in 16 bits.
class StoragePass {
 public:
  explicit StoragePass(const Graph& graph) : graph_(graph), narrow_(graph.values.size()) {}

  std::vector<bool> run() {
    std::vector<bool> possible(narrow_.size());
    for (const Node& node : graph_.nodes) possible[at(node.output)] = is_alias(node) || gives_narrow(node);
    for (const Node& node : graph_.nodes)
      for (std::size_t i = 0; i < node.inputs.size(); ++i)
        if (!is_alias(node) && !takes_narrow(node, i)) possible[at(node.inputs[i])] = false;
    for (const auto* ends : {&graph_.inputs, &graph_.outputs})
      for (const ValueId id : *ends) possible[at(id)] = false;
    // From the end: a value gains from it when a convolution or product reads it, or a node that keeps its own so.
    for (std::size_t i = graph_.nodes.size(); i-- > 0;) {
      const Node& node = graph_.nodes[i];
      const bool gains = multiplies(node) || narrow_[at(node.output)];
      for (const ValueId id : node.inputs)
        if (gains && possible[at(id)] && graph_.value(id).type == ElementType::f32 && !graph_.value(id).constant)
          narrow_[at(id)] = true;
    }
    while (agree()) continue;
    return narrow_;
  }

 private:
  static std::size_t at(ValueId id) { return static_cast<std::size_t>(id); }
  static bool is_alias(const Node& node) { return is_any<Alias>(node); }
  bool multiplies(const Node& node) const {
    return is_any<Convolution, MatrixProduct, Attention>(node) && has_kernel(graph_, node);
  }
  bool gives_narrow(const Node& node) const {
    return is_any<Convolution, MatrixProduct, Attention, Pool, Normalisation, Map, Copy, Concat, Resample>(node) &&
           has_kernel(graph_, node);
  }
  bool takes_narrow(const Node& node, std::size_t i) const {
    if (!has_kernel(graph_, node)) return false;
    if (is_any<Normalisation>(node)) return i == 0;
    if (is_any<MatrixProduct>(node)) return i < 2 || has_residual(node, i);
    if (is_any<Convolution>(node)) return i == 0 || has_residual(node, i);
    return is_any<Attention, Pool, Map, Copy, Concat, Resample, Reduction>(node);
  }
  /// Nodes whose two sides have one form; true when something had to be widened.
  bool agree() {
    bool changed = false;
    for (const Node& node : graph_.nodes)
      if (is_any<Alias, Pool, Resample>(node) && narrow_[at(node.inputs[0])] != narrow_[at(node.output)]) {
        narrow_[at(node.inputs[0])] = narrow_[at(node.output)] = false;
        changed = true;
      }
    return changed;
  }

  const Graph& graph_;
  std::vector<bool> narrow_;
};

class LayoutPass {
 public:
  LayoutPass(Graph graph, bool narrow, ElementType narrow_type)
      : from_(std::move(graph)), narrow_(narrow), narrow_type_(narrow_type) {
    schedule_.graph = from_;
    schedule_.graph.nodes.clear();
    layouts_.assign(from_.values.size(), Layout::plain);
    for (const Value& v : from_.values) {
      storage_.push_back(v.grid.none() ? v.type : storage_of(v.grid));
      held_.push_back(v.grid);
    }
    if (narrow) {
      const std::vector<bool> chosen = StoragePass(from_).run();
      for (std::size_t i = 0; i < chosen.size(); ++i)
        if (chosen[i] && held_[i].none()) storage_[i] = narrow_type_;
    }
  }

  Schedule run() {
    for (const auto& node : from_.nodes) place(node);
    for (auto& id : schedule_.graph.outputs)
      id = in_form(id, Layout::plain, schedule_.graph.value(id).type, {}, nullptr);
    for (std::size_t i = 0; i < schedule_.graph.values.size(); ++i)
      schedule_.placements.push_back(
          {layouts_[i], strides_of(schedule_.graph.values[i].shape, layouts_[i]), -1, 0, storage_[i], held_[i]});
    return std::move(schedule_);
  }

 private:
  Layout layout(ValueId id) const { return layouts_[static_cast<std::size_t>(id)]; }
  ElementType storage(ValueId id) const { return storage_[static_cast<std::size_t>(id)]; }
  const Quantised& held(ValueId id) const { return held_[static_cast<std::size_t>(id)]; }

  /// The value itself when it lies that way, else a reordered copy, made once.
  ValueId in_form(ValueId id, Layout wanted, ElementType stored, const Quantised& grid, const Node* reader) {
    const Value value = schedule_.graph.value(id);
    if ((layout(id) == wanted || layouts_agree(value.shape)) && storage(id) == stored && held(id) == grid) return id;
    const auto key = std::tuple{id, wanted, stored, grid.scale, grid.zero};
    if (const auto it = reordered_.find(key); it != reordered_.end()) return it->second;
    const ValueId copy = schedule_.graph.add_value({value.name, value.type, value.shape, std::nullopt});
    layouts_.push_back(wanted);
    storage_.push_back(stored);
    held_.push_back(grid);
    Copy same;
    same.axes.resize(value.shape.size());
    std::iota(same.axes.begin(), same.axes.end(), 0);
    same.tables.resize(value.shape.size());
    schedule_.graph.nodes.push_back(
        {reader == nullptr ? "output '" + value.name + "'" : reader->name, "reorder", same, {id}, copy});
    ++schedule_.reorders;
    return reordered_[key] = copy;
  }

  /// What the node wants its data inputs in, and gives its output in.
  Layout choose(const Node& node) const {
    const Shape& out = from_.value(node.output).shape;
    if (!has_kernel(from_, node) || !is_spatial(out)) return Layout::plain;
    if (is_any<Convolution, Pool, Normalisation, Resample>(node)) return Layout::channels_last;
    if (is_any<Concat>(node) && !from_.value(node.output).grid.none()) return Layout::channels_last;
    if (!is_any<Map, Copy, Concat, Softmax, Reduction>(node)) return Layout::plain;
    // A map of integers takes a constant row along the last axis.
    if (is_any<Map>(node) && !from_.value(node.output).grid.none() && node.inputs.size() == 2 &&
        (from_.value(node.inputs[0]).constant || from_.value(node.inputs[1]).constant))
      return Layout::plain;
    for (const ValueId id : node.inputs)
      if (layout(id) == Layout::channels_last && schedule_.graph.value(id).shape.size() == out.size())
        return Layout::channels_last;
    return Layout::plain;
  }

  /// A change of form alone.
  bool is_same(const Copy& copy, const Node& node) const {
    for (std::size_t k = 0; k < copy.axes.size(); ++k)
      if (copy.axes[k] != static_cast<int>(k) || !copy.tables[k].empty()) return false;
    return schedule_.graph.value(node.inputs[0]).shape == schedule_.graph.value(node.output).shape;
  }

  /// The integers that the node reads input i as; none: real values.
  Quantised read_as(const Node& node, std::size_t i) const {
    if (i != 0 && !is_any<Map, Concat>(node)) return {};
    if (is_any<Convolution>(node)) return std::get<Convolution>(node.operation).in;
    if (is_any<MatrixProduct>(node)) return std::get<MatrixProduct>(node.operation).in;
    if (const auto* copy = std::get_if<Copy>(&node.operation); copy != nullptr && !is_same(*copy, node)) return {};
    const bool integers = is_any<Copy>(node) || !from_.value(node.output).grid.none();
    return integers && is_any<Map, Copy, Concat, Pool, Alias>(node) ? held(node.inputs[i]) : Quantised{};
  }

  void place(Node node) {
    const Layout wanted = choose(node);
    const bool kernel = has_kernel(from_, node);  // asked before its inputs become values of the schedule's graph
    // Strided kernels read any layout; the others want theirs, and those of integers, which go along rows of channels.
    const bool strided = kernel && is_any<Map, Copy, Concat, Softmax, Reduction>(node) &&
                         (is_any<Copy>(node) || from_.value(node.output).grid.none());
    for (std::size_t i = 0; i < node.inputs.size() && strided; ++i)
      if (ValueId& id = node.inputs[i]; !held(id).none() && read_as(node, i).none())
        id = in_form(id, layout(id), schedule_.graph.value(id).type, {}, &node);
    for (std::size_t i = 0; i < node.inputs.size() && !strided; ++i) {
      if (schedule_.graph.value(node.inputs[i]).constant && !(i == 0 && wanted == Layout::channels_last)) continue;
      const bool parameter = is_any<Convolution, Normalisation>(node) && i > 0 && !has_residual(node, i);
      const bool factor = i == 0 || (i == 1 && is_any<MatrixProduct>(node)) || is_any<Attention>(node);
      const bool multiplied = narrow_ && factor && is_any<Convolution, MatrixProduct, Attention>(node) && kernel;
      const Quantised in = read_as(node, i);
      const ElementType real = held(node.inputs[i]).none() ? storage(node.inputs[i]) : ElementType::f32;
      const ElementType wide = multiplied ? narrow_type_ : real;
      node.inputs[i] =
          in_form(node.inputs[i], parameter ? Layout::plain : wanted, in.none() ? wide : storage_of(in), in, &node);
    }
    layouts_[static_cast<std::size_t>(node.output)] = wanted;
    schedule_.graph.nodes.push_back(std::move(node));
  }

  Graph from_;
  bool narrow_;
  ElementType narrow_type_;
  Schedule schedule_;
  std::vector<Layout> layouts_;
  std::vector<ElementType> storage_;
  std::vector<Quantised> held_;
  std::map<std::tuple<ValueId, Layout, ElementType, float, int>, ValueId> reordered_;
};

class BufferPass {
 public:
  BufferPass(Schedule& schedule, const ScheduleOptions& options)
      : s_(schedule),
        options_(options),
        last_use_(schedule.graph.values.size(), -1),
        whole_(schedule.graph.values.size(), no_value) {}

  void run() {
    if (options_.parts) find_parts();
    const auto steps = static_cast<int>(s_.graph.nodes.size());
    for (int i = 0; i < steps; ++i)
      for (const ValueId id : s_.graph.nodes[static_cast<std::size_t>(i)].inputs)
        last_use_[static_cast<std::size_t>(id)] = i;
    for (const ValueId id : s_.graph.outputs) last_use_[static_cast<std::size_t>(id)] = steps;
    for (std::size_t id = 0; id < whole_.size(); ++id)  // a part lives in the whole, from the first one that is made
      if (whole_[id] != no_value) {
        auto& last = last_use_[static_cast<std::size_t>(whole_[id])];
        last = std::max(last, last_use_[id]);
      }
    for (const ValueId id : s_.graph.inputs) give_buffer(id, -1);
    for (int i = 0; i < steps; ++i) {
      const Node& node = s_.graph.nodes[static_cast<std::size_t>(i)];
      const ValueId shared = shares(node, i);
      if (shared == no_value)
        give_buffer(node.output, i);
      else
        join(node.output, shared);
    }
    for (const ValueId id : s_.graph.outputs)  // a constant output still needs a place to be read from
      if (s_.placement(id).buffer < 0) give_buffer(id, -1);
  }

 private:
  /// Values that are made right in the concatenation that reads them: what has to be copied there otherwise. From the
  /// last concatenation back, since one may be a part of a later one.
  void find_parts() {
    std::vector<std::pair<int, int>> concat_reads(s_.graph.values.size());  // how often; other readers that cannot
    std::vector<const Node*> maker(s_.graph.values.size());
    for (const Node& node : s_.graph.nodes) {
      maker[at(node.output)] = &node;
      for (const ValueId id : node.inputs) {
        concat_reads[at(id)].first += is_any<Concat>(node) ? 1 : 0;
        const bool dense = is_any<Map, Concat>(node) && !s_.placement(node.output).held.none();
        concat_reads[at(id)].second +=
            has_kernel(s_.graph, node) && is_any<Map, Concat, Copy, Pool, Reduction>(node) && !dense ? 0 : 1;
      }
    }
    for (const auto* ends : {&s_.graph.inputs, &s_.graph.outputs})
      for (const ValueId id : *ends) ++concat_reads[at(id)].second;
    for (auto node = s_.graph.nodes.rbegin(); node != s_.graph.nodes.rend(); ++node) {
      const auto* concat = std::get_if<Concat>(&node->operation);
      const Placement whole = s_.placement(node->output);
      if (concat == nullptr || concat->axis != 1 || whole.layout != Layout::channels_last ||
          !has_kernel(s_.graph, *node))
        continue;
      std::int64_t channel = 0;
      for (const ValueId id : node->inputs) {
        Placement& part = s_.placements[at(id)];
        const Node* made = maker[at(id)];
        if (made != nullptr && makes_parts(*made) && concat_reads[at(id)] == std::pair{1, 0} &&
            part.layout == whole.layout && part.storage == whole.storage && part.held.none()) {
          part.strides = whole.strides;
          part.offset = whole.offset + channel;
          whole_[at(id)] = whole_[at(node->output)] == no_value ? node->output : whole_[at(node->output)];
        }
        channel += s_.graph.value(id).shape[1];
      }
    }
  }

  bool makes_parts(const Node& node) const {
    return (is_any<Map, Normalisation, Concat, Copy, Pool>(node) && has_kernel(s_.graph, node)) ||
           (options_.writes_parts != nullptr && options_.writes_parts(s_.graph, node, options_.narrow));
  }

  static std::size_t at(ValueId id) { return static_cast<std::size_t>(id); }

  void give_buffer(ValueId id, int step) {
    if (const ValueId whole = whole_[at(id)]; whole != no_value) {
      if (s_.placement(whole).buffer < 0) give_buffer(whole, step);
      s_.placements[at(id)].buffer = s_.placement(whole).buffer;
      return;
    }
    if (s_.placement(id).buffer >= 0) return;  // it has been since its first part was made
    const Value& v = s_.graph.value(id);
    const std::int64_t bytes = std::max<std::int64_t>(1, element_count(v.shape)) * bytes_of(s_.placement(id).storage);
    s_.placements[static_cast<std::size_t>(id)].buffer = static_cast<int>(s_.buffers.size());
    s_.buffers.push_back({bytes, step, std::max(step, last_use_[static_cast<std::size_t>(id)]), -1});
  }

  void join(ValueId id, ValueId other) {
    const int buffer = s_.placement(other).buffer;
    s_.placements[static_cast<std::size_t>(id)].buffer = buffer;
    auto& b = s_.buffers[static_cast<std::size_t>(buffer)];
    b.last_step = std::max(b.last_step, last_use_[static_cast<std::size_t>(id)]);
  }

  /// The input whose buffer the output takes over: an alias always, others when the input dies here in the same form.
  ValueId shares(const Node& node, int step) const {
    if (whole_[at(node.output)] != no_value) return no_value;
    const auto dies_here = [&](ValueId id) {
      if (whole_[at(id)] != no_value) return false;
      const int buffer = s_.placement(id).buffer;
      return buffer >= 0 && s_.buffers[static_cast<std::size_t>(buffer)].last_step == step &&
             s_.graph.value(id).shape == s_.graph.value(node.output).shape &&
             s_.placement(id).storage == s_.placement(node.output).storage &&
             s_.placement(id).strides == s_.placement(node.output).strides;
    };
    if (std::holds_alternative<Alias>(node.operation))
      return s_.placement(node.inputs[0]).buffer >= 0 ? node.inputs[0] : no_value;
    if (!has_kernel(s_.graph, node)) return no_value;
    if (is_any<Convolution, MatrixProduct>(node)) {
      const std::size_t last = node.inputs.size() - 1;
      const auto factor = [&](std::size_t i) {
        return s_.placement(node.inputs[i]).buffer == s_.placement(node.inputs[last]).buffer;
      };
      const bool free = has_residual(node, last) && dies_here(node.inputs[last]) && !factor(0) && !factor(1);
      return free ? node.inputs[last] : no_value;
    }
    if (std::holds_alternative<Normalisation>(node.operation))
      return options_.normalises_in_place && dies_here(node.inputs[0]) ? node.inputs[0] : no_value;
    if (std::holds_alternative<Map>(node.operation))
      for (const ValueId id : node.inputs)
        if (dies_here(id) && only_same_form(node, id)) return id;
    return no_value;
  }

  /// No other input reads the same buffer in another form (a broadcast of it, say).
  bool only_same_form(const Node& node, ValueId id) const {
    return std::all_of(node.inputs.begin(), node.inputs.end(), [&](ValueId other) {
      return s_.placement(other).buffer != s_.placement(id).buffer ||
             s_.graph.value(other).shape == s_.graph.value(id).shape;
    });
  }

  Schedule& s_;
  ScheduleOptions options_;
  std::vector<int> last_use_;
  std::vector<ValueId> whole_;  ///< for each value the concatenation whose buffer it lies in
};

}  // namespace

Shape strides_of(const Shape& shape, Layout layout) {
  if (layout == Layout::plain || shape.size() < 3) return dense_strides(shape);
  Shape strides(shape.size());
  std::int64_t step = shape[1];
  strides[1] = 1;
  for (std::size_t k = shape.size(); k-- > 2;) {
    strides[k] = step;
    step *= shape[k];
  }
  strides[0] = step;
  return strides;
}

bool is_upsampling(const Graph& graph, const Node& node) {
  const auto* conv = std::get_if<Convolution>(&node.operation);
  if (conv == nullptr || !conv->transposed || conv->groups != 1 || conv->residual || !has_kernel(graph, node))
    return false;
  const auto all_are = [](const Shape& s, std::int64_t v) {
    return std::all_of(s.begin(), s.end(), [=](std::int64_t e) { return e == v; });
  };
  const Window& w = conv->window;
  return w.kernel == w.strides && all_are(w.dilations, 1) && all_are(w.pads_begin, 0) && all_are(w.pads_end, 0);
}

bool is_plain_form(const Schedule& schedule, ValueId id, Layout layout) {
  const Placement& p = schedule.placement(id);
  const Value& v = schedule.graph.value(id);
  return p.storage == v.type && p.strides == strides_of(v.shape, layout);
}

/// Positions that cannot lie outside, on float32.
static bool has_loop_kernel(const Graph& graph, const Node& node, const Loops& loops) {
  const auto all_float = [&](std::size_t inputs) {
    return std::all_of(node.inputs.begin(), node.inputs.begin() + static_cast<std::ptrdiff_t>(inputs),
                       [&](ValueId id) { return graph.value(id).type == ElementType::f32; });
  };
  if (std::holds_alternative<TopPositions>(loops.what)) return all_float(1);
  if (const auto* gather = std::get_if<GatherIndexed>(&loops.what)) return gather->own_positions && all_float(1);
  if (std::holds_alternative<CumulativeSum>(loops.what)) return all_float(1);
  if (std::holds_alternative<GridSample>(loops.what))
    return all_float(2) && graph.value(node.inputs[0]).shape.size() <= 5;
  if (std::holds_alternative<RegionAlign>(loops.what))
    return all_float(2) && graph.value(node.inputs[2]).type == ElementType::i64;
  if (std::holds_alternative<DeformedConvolution>(loops.what)) return all_float(node.inputs.size());
  if (std::holds_alternative<Suppression>(loops.what)) return all_float(2);
  if (const auto* recurrence = std::get_if<Recurrence>(&loops.what)) {
    for (std::size_t i = 0; i < recurrence->inputs.size(); ++i)
      if (recurrence->inputs[i] >= 0 &&
          graph.value(node.inputs[static_cast<std::size_t>(recurrence->inputs[i])]).type !=
              (i == 4 ? ElementType::i32 : ElementType::f32))
        return false;
    return true;
  }
  return false;
}

bool has_kernel(const Graph& graph, const Node& node) {
  const Shape& out = graph.value(node.output).shape;
  const auto empty = [&](ValueId id) { return element_count(graph.value(id).shape) == 0; };
  if (empty(node.output) || std::any_of(node.inputs.begin(), node.inputs.end(), empty)) return false;
  if (const auto* loops = std::get_if<Loops>(&node.operation)) return has_loop_kernel(graph, node, *loops);
  if (graph.value(node.output).type != ElementType::f32) return false;
  for (const ValueId id : node.inputs)
    if (graph.value(id).type != ElementType::f32) return false;
  if (const auto* map = std::get_if<Map>(&node.operation)) return is_float_map(*map) && out.size() <= 5;
  if (std::holds_alternative<Copy>(node.operation) || std::holds_alternative<Concat>(node.operation)) return true;
  if (std::holds_alternative<Softmax>(node.operation)) return out.size() <= 5;
  if (const auto* r = std::get_if<Reduction>(&node.operation))
    return r->kind <= Reduction::Kind::sum_abs && out.size() <= 5 && r->axes.size() <= 4;
  if (const auto* r = std::get_if<Resample>(&node.operation))
    return is_spatial(out) && r->axes[0].taps == 0 && r->axes[1].taps == 0;
  if (std::holds_alternative<Convolution>(node.operation))
    return graph.value(node.inputs[1]).constant.has_value() && is_spatial(out);
  if (std::holds_alternative<Pool>(node.operation) || std::holds_alternative<Normalisation>(node.operation))
    return is_spatial(out);
  if (std::holds_alternative<MatrixProduct>(node.operation)) return out.size() <= 5;
  return std::holds_alternative<Alias>(node.operation) || std::holds_alternative<Attention>(node.operation);
}

Schedule make_schedule(Graph graph, const ScheduleOptions& options) {
  Schedule schedule = LayoutPass(std::move(graph), options.narrow, options.narrow_type).run();
  BufferPass(schedule, options).run();
  return schedule;
}

int add_scratch(Schedule& schedule, int step, std::int64_t bytes) {
  schedule.buffers.push_back({std::max<std::int64_t>(1, bytes), step, step, -1});
  return static_cast<int>(schedule.buffers.size()) - 1;
}

void plan_memory(Schedule& schedule) {
  std::vector<Buffer*> order;
  for (auto& b : schedule.buffers) order.push_back(&b);
  std::stable_sort(order.begin(), order.end(), [](const Buffer* a, const Buffer* b) { return a->bytes > b->bytes; });
  std::vector<const Buffer*> placed;  // by offset
  schedule.arena_bytes = 0;
  for (Buffer* b : order) {
    std::int64_t offset = 0;
    for (const Buffer* p : placed) {
      const bool together = p->first_step <= b->last_step && b->first_step <= p->last_step;
      if (!together) continue;
      if (offset + b->bytes <= p->offset) break;
      offset = std::max(offset, (p->offset + p->bytes + alignment - 1) / alignment * alignment);
    }
    b->offset = offset;
    schedule.arena_bytes = std::max(schedule.arena_bytes, (offset + b->bytes + alignment - 1) / alignment * alignment);
    placed.insert(std::upper_bound(placed.begin(), placed.end(), b,
                                   [](const Buffer* x, const Buffer* y) { return x->offset < y->offset; }),
                  b);
  }
}

}  // namespace isocenter::infer
