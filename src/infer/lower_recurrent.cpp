// LSTM and GRU.
#include <algorithm>
#include <cctype>

#include "infer/lower.hpp"

namespace isocenter::infer {
namespace {

Activation activation_by_name(NodeLowering& n, std::string name, float alpha, float beta) {
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  static constexpr std::pair<const char*, Function> known[] = {{"sigmoid", Function::sigmoid},
                                                               {"tanh", Function::tanh},
                                                               {"relu", Function::relu},
                                                               {"leakyrelu", Function::leaky_relu},
                                                               {"elu", Function::elu},
                                                               {"softsign", Function::softsign},
                                                               {"softplus", Function::softplus},
                                                               {"hardsigmoid", Function::hard_sigmoid},
                                                               {"thresholdedrelu", Function::thresholded_relu}};
  for (const auto& [key, function] : known)
    if (name == key) return {function, alpha, beta};
  n.unsupported("has the activation '" + name + "'", "use Sigmoid, Tanh or Relu");
}

/// The activations of all directions, with ONNX's defaults where the node has none.
std::vector<Activation> read_activations(NodeLowering& n, Recurrence::Kind kind, int directions) {
  const bool lstm = kind == Recurrence::Kind::lstm;
  std::vector<std::string> names;
  if (const auto* list = n.attribute("activations"); list != nullptr)
    if (const auto* strings = std::get_if<std::vector<std::string>>(list)) names = *strings;
  if (names.empty())
    for (int d = 0; d < directions; ++d) {
      names.insert(names.end(), {"Sigmoid", "Tanh"});
      if (lstm) names.emplace_back("Tanh");
    }
  if (names.size() != static_cast<std::size_t>(directions * (lstm ? 3 : 2)))
    n.contradiction("has " + std::to_string(names.size()) + " activations");
  const auto reals = [&](const char* name) {
    const auto* list = n.attribute(name);
    const auto* values = list == nullptr ? nullptr : std::get_if<std::vector<float>>(list);
    return values == nullptr ? std::vector<float>{} : *values;
  };
  const auto alphas = reals("activation_alpha"), betas = reals("activation_beta");
  std::vector<Activation> all;
  for (std::size_t i = 0; i < names.size(); ++i)
    all.push_back(activation_by_name(n, names[i],
                                     i < alphas.size() ? alphas[i] : (names[i] == "HardSigmoid" ? 0.2F : 0.01F),
                                     i < betas.size() ? betas[i] : 0.5F));
  return all;
}

/// A part of the block that a recurrence gives.
ValueId part(NodeLowering& n, ValueId block, std::int64_t from, Shape shape) {
  Copy copy = same_axes(1);
  const std::int64_t count = element_count(shape);
  for (std::int64_t i = 0; i < count; ++i) copy.tables[0].push_back(static_cast<std::int32_t>(from + i));
  return n.emit_alias(n.emit_copy(std::move(copy), block, {count}), std::move(shape));
}

void check_shape(NodeLowering& n, std::size_t input, const Shape& expected) {
  if (n.has_input(input) && n.shape(n.input(input)) != expected)
    n.contradiction("has an input " + std::to_string(input) + " of shape " + to_text(n.shape(n.input(input))) +
                    "; its weights ask for " + to_text(expected));
}

void recurrence(NodeLowering& n, Recurrence::Kind kind) {
  const bool lstm = kind == Recurrence::Kind::lstm;
  const std::int64_t gates = lstm ? 4 : 3;
  Recurrence op;
  op.kind = kind;
  const std::string direction = n.text("direction", "forward");
  if (direction != "forward" && direction != "reverse" && direction != "bidirectional")
    n.contradiction("has direction '" + direction + "'");
  op.backward = direction == "reverse";
  op.directions = direction == "bidirectional" ? 2 : 1;
  op.linear_before_reset = n.integer("linear_before_reset", 0) != 0;
  op.coupled_gates = n.integer("input_forget", 0) != 0;
  op.clip = n.real("clip", 0.0F);
  op.activations = read_activations(n, kind, op.directions);
  const bool batch_first = n.integer("layout", 0) != 0;
  ValueId x = n.input(0);
  if (n.rank(x) != 3 || n.rank(n.input(2)) != 3)
    n.contradiction("has inputs of " + to_text(n.shape(x)) + " and " + to_text(n.shape(n.input(2))));
  if (batch_first) x = permute(n, x, {1, 0, 2});
  const Shape s = n.shape(x);
  op.hidden = n.shape(n.input(2))[2];
  const std::int64_t d = op.directions, h = op.hidden;
  if (const std::int64_t hidden = n.integer("hidden_size", h); hidden != h)
    n.contradiction("has hidden_size " + std::to_string(hidden) + " and recurrent weights of shape " +
                    to_text(n.shape(n.input(2))));
  const Shape state = batch_first ? Shape{s[1], d, h} : Shape{d, s[1], h};
  check_shape(n, 1, {d, gates * h, s[2]});
  check_shape(n, 2, {d, gates * h, h});
  check_shape(n, 3, {d, 2 * gates * h});
  check_shape(n, 4, {s[1]});
  check_shape(n, 5, state);
  if (lstm) check_shape(n, 6, state);
  if (lstm) check_shape(n, 7, {d, 3 * h});
  std::vector<ValueId> inputs{x};
  op.inputs.fill(-1);
  op.inputs[0] = 0;
  for (std::size_t i = 1; i < (lstm ? 8U : 6U); ++i) {
    if (!n.has_input(i)) continue;
    op.inputs[i] = static_cast<int>(inputs.size());
    inputs.push_back(batch_first && (i == 5 || i == 6) ? permute(n, n.input(i), {1, 0, 2}) : n.input(i));
  }
  const std::int64_t all = s[0] * d * s[1] * h, last = d * s[1] * h;
  const ValueId block = n.emit(Loops{op}, std::move(inputs), n.type(x), {all + 2 * last});
  const ValueId y = part(n, block, 0, {s[0], d, s[1], h});
  n.output(0, batch_first ? permute(n, y, {2, 0, 1, 3}) : y);
  for (std::size_t i = 1; i < (lstm ? 3U : 2U); ++i) {
    const ValueId v = part(n, block, all + (i == 1 ? 0 : last), {d, s[1], h});
    n.output(i, batch_first ? permute(n, v, {1, 0, 2}) : v);
  }
}
void lstm(NodeLowering& n) { recurrence(n, Recurrence::Kind::lstm); }
void gru(NodeLowering& n) { recurrence(n, Recurrence::Kind::gru); }

constexpr OperatorRow rows[] = {{"GRU", gru}, {"LSTM", lstm}};

}  // namespace

std::span<const OperatorRow> recurrent_operators() { return rows; }

}  // namespace isocenter::infer
