#include "infer/row_steps.hpp"

#include <algorithm>
#include <optional>

#include "infer/rows.hpp"

namespace isocenter::infer {
namespace {

namespace kernels = isocenter::detail;

template <class Rows, class Bind>
class RowStep final : public Step {
 public:
  using Run = void (*)(const Rows&, std::int64_t, std::int64_t);
  RowStep(Run run, Rows rows, std::int64_t count, Bind bind)
      : run_(run), rows_(rows), count_(count), bind_(std::move(bind)) {}
  void bind(const Addresses& addresses) override { bind_(rows_, addresses); }
  void run(const kernels::Launcher& launcher) override {
    parallel_for(launcher, count_, 1, [&](std::int64_t begin, std::int64_t end) { run_(rows_, begin, end); });
  }

 private:
  Run run_;
  Rows rows_;
  std::int64_t count_;
  Bind bind_;
};

template <class Rows, class Bind>
void add(StepBuilder& b, void (*run)(const Rows&, std::int64_t, std::int64_t), const Rows& rows, std::int64_t count,
         Bind bind) {
  b.steps.push_back(std::make_unique<RowStep<Rows, Bind>>(run, rows, count, std::move(bind)));
}

/// One pixel, one group: the items of the batch are rows.
bool add_layer_norm_rows(StepBuilder& b, const Node& node, const Normalisation& norm) {
  const Shape& shape = b.schedule.graph.value(node.output).shape;
  if (norm.groups != 1 || !norm.then.none() || element_count(shape) != shape[0] * shape[1]) return false;
  const Placement &from = b.schedule.placement(node.inputs[0]), &to = b.schedule.placement(node.output);
  kernels::LayerNormRows rows{};
  rows.in = {nullptr, from.strides[0], is_narrow(from.storage)};
  rows.out = {nullptr, to.strides[0], is_narrow(to.storage)};
  rows.count = static_cast<int>(shape[1]);
  rows.epsilon = norm.epsilon;
  add(b, &kernels::run_layer_norm, rows, shape[0],
      [in = b.slot(node.inputs[0]), out = b.slot(node.output), scale = b.slot(node.inputs[1]),
       shift = b.slot(node.inputs[2])](kernels::LayerNormRows& k, const Addresses& a) {
        k.in.data = a.at<void>(in);
        k.out.data = a.at<void>(out);
        k.scale = a.at(scale);
        k.shift = a.at(shift);
      });
  return true;
}

/// Along the last axis of dense float32.
bool add_softmax_rows(StepBuilder& b, const Node& node, const Softmax& softmax) {
  const Shape& shape = b.schedule.graph.value(node.output).shape;
  if (softmax.axis + 1 != static_cast<int>(shape.size())) return false;
  for (const ValueId id : {node.inputs[0], node.output})
    if (!is_plain_form(b.schedule, id, Layout::plain)) return false;
  kernels::SoftmaxRows rows{};
  rows.count = static_cast<int>(shape.back());
  rows.logarithm = softmax.log;
  add(b, &kernels::run_softmax, rows, element_count(shape) / shape.back(),
      [in = b.slot(node.inputs[0]), out = b.slot(node.output)](kernels::SoftmaxRows& k, const Addresses& a) {
        k.in = a.at(in);
        k.out = a.at(out);
      });
  return true;
}

class MapStep final : public Step {
 public:
  explicit MapStep(const RowMap& map) : map_(map) {}
  void bind(const Addresses& a) override {
    for (std::size_t i = 0; i < 3; ++i)
      if (static_cast<int>(i) < map_.map.inputs) map_.map.in[i].data = a.at<void>(map_.in[i]);
    map_.map.out.data = a.at<void>(map_.out);
    if (map_.tabulated) map_.map.table = a.at<std::uint8_t>(map_.table);
  }
  void run(const kernels::Launcher& launcher) override {
    constexpr std::int64_t longest = 8192;  // elements of a row that a thread takes at once
    const kernels::MapRows& map = map_.map;
    const std::int64_t parts = (map.columns + longest - 1) / longest;
    const std::int64_t grain = std::max<std::int64_t>(1, longest / map.columns);
    parallel_for(launcher, map.rows * parts, grain, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) {
        const std::int64_t from = i % parts * longest;
        run_map(map, i / parts, from, std::min(map.columns, from + longest));
      }
    });
  }

 private:
  RowMap map_;
};

kernels::MapOperand::Storage storage_of(ElementType type) {
  using Storage = kernels::MapOperand::Storage;
  if (type == ElementType::u8) return Storage::unsigned8;
  if (type == ElementType::i8) return Storage::signed8;
  return type == ElementType::bf16 ? Storage::bfloat16 : Storage::float32;
}

/// How an input lies beside a dense output whose fastest axis is `fast`: as it does, one element for all, one row for
/// all, or one element for each row; nothing where otherwise. `by_rows`: the output has to be taken by rows for it.
std::optional<kernels::MapOperand> operand_of(const Schedule& s, ValueId id, ValueId output, std::size_t fast,
                                              bool& by_rows) {
  const Shape &shape = s.graph.value(id).shape, &out = s.graph.value(output).shape;
  const Placement &p = s.placement(id), &to = s.placement(output);
  kernels::MapOperand operand;
  operand.storage = storage_of(p.storage);
  operand.single = element_count(shape) == 1;
  if (operand.single) return operand;
  bool same = true, row = true, each = true;
  std::int64_t behind = 1;  // rows that follow one another
  for (std::size_t k = out.size(); k-- > 0;) {
    const bool missing = k + shape.size() < out.size();
    const std::size_t own = missing ? 0 : k + shape.size() - out.size();
    const std::int64_t stride = missing || shape[own] == 1 ? 0 : p.strides[own];
    if (out[k] == 1) continue;
    same = same && stride == to.strides[k];
    row = row && stride == (k == fast ? 1 : 0);
    each = each && stride == (k == fast ? 0 : behind);
    if (k != fast) behind *= out[k];
  }
  if (same) return operand;
  by_rows = true;
  if (row) return operand;
  if (!each || to.layout != Layout::plain) return std::nullopt;
  operand.single = true;
  operand.step = 1;
  return operand;
}

/// Of dense values of one form, with constants and rows beside them.
bool add_dense_map(StepBuilder& b, const Node& node, const Map& map) {
  const Schedule& s = b.schedule;
  const Shape& out = s.graph.value(node.output).shape;
  const Placement& to = s.placement(node.output);
  if (element_count(out) == 0) return false;
  if (out.empty() || to.strides != strides_of(out, to.layout) || !to.held.none()) return false;
  if (map.function == Function::affine && to.layout == Layout::channels_last) return false;  // has a kernel of its own
  const std::size_t fast = to.layout == Layout::channels_last && out.size() >= 3 ? 1 : out.size() - 1;
  RowMap row{};
  row.map.function = map.function;
  row.map.alpha = map.alpha;
  row.map.beta = map.beta;
  row.map.then = map.then.function;
  row.map.then_alpha = map.then.alpha;
  row.map.then_beta = map.then.beta;
  row.map.inputs = static_cast<int>(node.inputs.size());
  bool by_rows = false;
  for (std::size_t i = 0; i < node.inputs.size(); ++i) {
    if (!s.placement(node.inputs[i]).held.none()) return false;
    const auto operand = operand_of(s, node.inputs[i], node.output, fast, by_rows);
    if (!operand) return false;
    row.map.in[i] = *operand;
    row.in[i] = b.slot(node.inputs[i]);
  }
  constexpr std::int64_t shortest_row = 64;  // below that what a row costs is more than what its elements do
  if (by_rows && out[fast] < shortest_row) return false;
  row.map.columns = by_rows ? out[fast] : element_count(out);
  row.map.rows = element_count(out) / row.map.columns;
  for (std::size_t i = 0; i < node.inputs.size(); ++i) {
    const bool whole = element_count(s.graph.value(node.inputs[i]).shape) == element_count(out);
    if (whole && !row.map.in[i].single) row.map.in[i].step = row.map.columns;
  }
  row.map.out.storage = storage_of(to.storage);
  row.map.out.step = row.map.columns;
  row.out = b.slot(node.output);
  add_row_map(b, row);
  return true;
}

}  // namespace

void add_row_map(StepBuilder& b, RowMap map) {
  if (map.map.columns == 0) return;  // a value without elements
  const auto has_8_bits = [](const kernels::MapOperand& operand) {
    return operand.storage == kernels::MapOperand::Storage::unsigned8 ||
           operand.storage == kernels::MapOperand::Storage::signed8;
  };
  map.tabulated = map.map.inputs == 1 && has_8_bits(map.map.in[0]) && has_8_bits(map.map.out);
  if (map.tabulated) {
    std::uint8_t table[256];
    fill_table(map.map, table);
    map.table = b.constants.add(table, sizeof table);
  }
  b.steps.push_back(std::make_unique<MapStep>(map));
}

bool add_row_steps(StepBuilder& b, int node_index) {
  const Node node = b.schedule.graph.nodes[static_cast<std::size_t>(node_index)];
  if (!has_kernel(b.schedule.graph, node)) return false;
  if (const auto* norm = std::get_if<Normalisation>(&node.operation)) return add_layer_norm_rows(b, node, *norm);
  if (const auto* map = std::get_if<Map>(&node.operation)) return add_dense_map(b, node, *map);
  if (const auto* softmax = std::get_if<Softmax>(&node.operation)) return add_softmax_rows(b, node, *softmax);
  return false;
}

}  // namespace isocenter::infer
