#include "infer/row_steps.hpp"

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

}  // namespace

bool add_row_steps(StepBuilder& b, int node_index) {
  const Node node = b.schedule.graph.nodes[static_cast<std::size_t>(node_index)];
  if (!has_kernel(b.schedule.graph, node)) return false;
  if (const auto* norm = std::get_if<Normalisation>(&node.operation)) return add_layer_norm_rows(b, node, *norm);
  if (const auto* softmax = std::get_if<Softmax>(&node.operation)) return add_softmax_rows(b, node, *softmax);
  return false;
}

}  // namespace isocenter::infer
