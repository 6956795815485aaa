#include "infer/integer_steps.hpp"

#include "infer/row_steps.hpp"

namespace isocenter::infer {
namespace {

namespace kernels = isocenter::detail;

struct Operand {
  kernels::MapOperand form;
  Slot slot;
};

/// A whole value as rows of `columns`; a constant of one row is the same for all.
Operand whole(StepBuilder& b, ValueId id, std::int64_t columns) {
  const Value& v = b.schedule.graph.value(id);
  Operand operand{{}, b.slot(id)};
  operand.form.step = columns;
  if (v.constant) {
    operand.form.single = v.constant->count() == 1;
    if (v.constant->count() <= columns) operand.form.step = 0;
    return operand;
  }
  const Placement& p = b.schedule.placement(id);
  using Storage = kernels::MapOperand::Storage;
  if (!p.held.none())
    operand.form.storage = p.held.is_signed ? Storage::signed8 : Storage::unsigned8;
  else if (p.storage == ElementType::bf16)
    operand.form.storage = Storage::bfloat16;
  operand.form.scale = p.held.scale;
  operand.form.zero = p.held.zero;
  return operand;
}

/// Rows of operands, then added as a step.
struct Job {
  Map map;
  std::vector<Operand> in;
  Operand out;
  std::int64_t rows = 1, columns = 0;
};
void add(StepBuilder& b, const Job& job) {
  RowMap row{};
  row.map.function = job.map.function;
  row.map.alpha = job.map.alpha;
  row.map.beta = job.map.beta;
  row.map.then = job.map.then.function;
  row.map.then_alpha = job.map.then.alpha;
  row.map.then_beta = job.map.then.beta;
  row.map.inputs = static_cast<int>(job.in.size());
  for (std::size_t i = 0; i < job.in.size(); ++i) {
    row.map.in[i] = job.in[i].form;
    row.in[i] = job.in[i].slot;
  }
  row.map.out = job.out.form;
  row.out = job.out.slot;
  row.map.rows = job.rows;
  row.map.columns = job.columns;
  add_row_map(b, row);
}

/// None of a value without elements.
std::int64_t rows_of(const Shape& shape, std::int64_t columns) {
  return columns == 0 ? 0 : element_count(shape) / columns;
}

/// Both lie alike; either may be some of the channels of a wider array.
void add_conversion(StepBuilder& b, ValueId from, ValueId to) {
  const Shape& shape = b.schedule.graph.value(to).shape;
  const auto is_part = [&](ValueId id) {
    const Placement& p = b.schedule.placement(id);
    return p.strides != strides_of(shape, p.layout);
  };
  const bool by_channels = is_part(from) || is_part(to);
  Job job;
  job.columns = by_channels ? shape[1] : element_count(shape);
  job.rows = by_channels ? rows_of(shape, shape[1]) : 1;
  job.in = {whole(b, from, job.columns)};
  job.out = whole(b, to, job.columns);
  if (by_channels) {
    job.in[0].form.step = b.schedule.placement(from).strides.back();
    job.out.form.step = b.schedule.placement(to).strides.back();
  }
  add(b, job);
}

/// Between layouts by way of float32.
void add_copy(StepBuilder& b, int node_index, ValueId from, ValueId to) {
  const Layout wanted = b.schedule.placement(to).layout;
  if (b.schedule.placement(from).layout != wanted) {
    if (const Placement p = b.schedule.placement(from); !p.held.none()) {
      const ValueId real = add_scratch_value(b, node_index, from, p.layout);
      add_conversion(b, from, real);
      from = real;
    }
    if (b.schedule.placement(to).held.none()) return add_copy_step(b, from, to);
    from = in_plain_form(b, node_index, from, wanted);
  }
  add_conversion(b, from, to);
}

void add_map(StepBuilder& b, const Node& node, const Map& map) {
  const Shape& shape = b.schedule.graph.value(node.output).shape;
  Job job;
  job.map = map;
  job.columns = element_count(shape);
  for (const ValueId id : node.inputs)
    if (b.schedule.graph.value(id).constant) job.columns = shape.back();
  job.rows = rows_of(shape, job.columns);
  for (const ValueId id : node.inputs) job.in.push_back(whole(b, id, job.columns));
  job.out = whole(b, node.output, job.columns);
  add(b, job);
}

/// Along the channels of channels-last values.
void add_concat(StepBuilder& b, const Node& node) {
  const Shape& shape = b.schedule.graph.value(node.output).shape;
  std::int64_t channel = 0;
  for (const ValueId id : node.inputs) {
    Job job;
    job.columns = b.schedule.graph.value(id).shape[1];
    job.rows = rows_of(shape, shape[1]);
    job.in = {whole(b, id, job.columns)};
    job.in[0].form.step = job.columns;
    job.out = whole(b, node.output, shape[1]);
    job.out.slot.offset += channel;
    channel += job.columns;
    add(b, job);
  }
}

}  // namespace

bool add_integer_steps(StepBuilder& b, int node_index) {
  const Node node = b.schedule.graph.nodes[static_cast<std::size_t>(node_index)];
  const bool made = !b.schedule.placement(node.output).held.none();
  if (std::holds_alternative<Copy>(node.operation)) {
    if (!made && b.schedule.placement(node.inputs[0]).held.none()) return false;
    add_copy(b, node_index, node.inputs[0], node.output);
    return true;
  }
  if (!made) return false;
  if (const auto* map = std::get_if<Map>(&node.operation))
    add_map(b, node, *map);
  else if (std::holds_alternative<Concat>(node.operation))
    add_concat(b, node);
  else
    return false;
  return true;
}

}  // namespace isocenter::infer
