#include "infer/attention_steps.hpp"

#include "infer/channel_steps.hpp"

namespace isocenter::infer {

void add_attention(StepBuilder& b, int node_index, const Node& node, const Attention& attention) {
  std::vector<ValueId> in;
  for (const ValueId id : node.inputs) in.push_back(in_plain_form(b, node_index, id, Layout::plain));
  const Shape &q = b.schedule.graph.value(in[0]).shape, &k = b.schedule.graph.value(in[1]).shape;
  const Shape shape{q[0], q[1], q[2], k[2]};
  const int scratch = add_scratch(b.schedule, node_index, element_count(shape) * std::int64_t{sizeof(float)});
  b.schedule.placements.push_back({Layout::plain, strides_of(shape, Layout::plain), scratch, 0, ElementType::f32});
  const ValueId scores = b.schedule.graph.add_value({node.name, ElementType::f32, shape, std::nullopt});
  const auto product = [&](ValueId left, ValueId right, bool transposed, ValueId out) {
    add_channel_steps(b, node_index,
                      {node.name, node.op_type, MatrixProduct{false, transposed, false}, {left, right}, out});
  };
  product(in[0], in[1], true, scores);
  const ValueId scale = add_constant_value(b, Array::scalar(ElementType::f32, static_cast<double>(attention.scale)));
  if (attention.bias)
    add_map_step(b, Map{Function::affine, 0, 0, {}}, {scores, scale, in[3]}, scores);
  else if (attention.scale != 1.0F)
    add_map_step(b, Map{Function::mul, 0, 0, {}}, {scores, scale}, scores);
  add_softmax(b, {node.name, node.op_type, Softmax{3, false}, {scores}, scores}, {3, false});
  product(scores, in[2], false, node.output);
}

}  // namespace isocenter::infer
