// Caffe's layers that change values, not shapes.
#include <cmath>

#include "infer/caffe/caffe_layer.hpp"

namespace isocenter::infer {
namespace {

/// shift + scale * x, without what changes nothing.
CaffeValue affine(CaffeLayer& l, double scale, double shift) {
  CaffeValue y = l.bottom();
  if (scale != 1) y = l.node("Mul", {y.name, l.number(scale)}, y.rank);
  if (shift != 0) y = l.node("Add", {y.name, l.number(shift)}, y.rank);
  return y;
}

CaffeValue apply(CaffeLayer& l, const char* type, const CaffeValue& x,
                 std::map<std::string, OnnxAttribute> attributes = {}) {
  return l.node(type, {x.name}, x.rank, std::move(attributes));
}

void abs_val(CaffeLayer& l) { l.top(0, apply(l, "Abs", l.bottom())); }
void bnll(CaffeLayer& l) { l.top(0, apply(l, "Softplus", l.bottom())); }

void sigmoid(CaffeLayer& l) {
  l.fields().message("sigmoid_param").set_aside({"engine"});
  l.top(0, apply(l, "Sigmoid", l.bottom()));
}
void tanh(CaffeLayer& l) {
  l.fields().message("tanh_param").set_aside({"engine"});
  l.top(0, apply(l, "Tanh", l.bottom()));
}
void relu(CaffeLayer& l) {
  const TextMessage& p = l.fields().message("relu_param");
  p.set_aside({"engine"});
  const double slope = p.real("negative_slope", 0);
  l.top(0, slope == 0 ? apply(l, "Relu", l.bottom())
                      : apply(l, "LeakyRelu", l.bottom(), {{"alpha", static_cast<float>(slope)}}));
}
void relu6(CaffeLayer& l) { l.top(0, l.node("Clip", {l.bottom().name, l.number(0), l.number(6)}, l.bottom().rank)); }
void elu(CaffeLayer& l) {
  const double alpha = l.fields().message("elu_param").real("alpha", 1);
  l.top(0, apply(l, "Elu", l.bottom(), {{"alpha", static_cast<float>(alpha)}}));
}

/// (shift + scale * x) ^ power
void power(CaffeLayer& l) {
  const TextMessage& p = l.fields().message("power_param");
  const double exponent = p.real("power", 1);
  CaffeValue y = affine(l, p.real("scale", 1), p.real("shift", 0));
  if (exponent != 1) y = l.node("Pow", {y.name, l.number(exponent)}, y.rank);
  l.top(0, y.name == l.bottom().name ? apply(l, "Identity", y) : y);
}

/// A base of -1 stands for e.
double logarithm_of_base(const CaffeLayer& l, const TextMessage& p) {
  const double base = p.real("base", -1);
  if (base == -1) return 1;
  if (!(base > 0)) l.contradiction("has base " + std::to_string(base) + "; a positive one, or -1 for e, is allowed");
  return std::log(base);
}
/// base ^ (shift + scale * x)
void exponential(CaffeLayer& l) {
  const TextMessage& p = l.fields().message("exp_param");
  const double factor = logarithm_of_base(l, p);
  l.top(0, apply(l, "Exp", affine(l, factor * p.real("scale", 1), factor * p.real("shift", 0))));
}
/// log_base(shift + scale * x)
void logarithm(CaffeLayer& l) {
  const TextMessage& p = l.fields().message("log_param");
  const double factor = logarithm_of_base(l, p);
  if (factor == 0) l.contradiction("has base 1, to which there is no logarithm");
  const CaffeValue y = apply(l, "Log", affine(l, p.real("scale", 1), p.real("shift", 0)));
  l.top(0, factor == 1 ? y : l.node("Mul", {y.name, l.number(1 / factor)}, y.rank));
}

/// In deployment the values pass; without scale_train they take the mean of the training's mask.
void dropout(CaffeLayer& l) {
  const TextMessage& p = l.fields().message("dropout_param");
  const double ratio = p.real("dropout_ratio", 0.5);
  if (p.flag("scale_train", true)) return l.top(0, apply(l, "Identity", l.bottom()));
  l.top(0, l.node("Mul", {l.bottom().name, l.number(1 - ratio)}, l.bottom().rank));
}

void softmax(CaffeLayer& l) {
  const TextMessage& p = l.fields().message("softmax_param");
  p.set_aside({"engine"});
  const std::int64_t axis = l.axis(p.integer("axis", 1), l.bottom().rank);
  l.top(0, apply(l, "Softmax", l.bottom(), {{"axis", axis}}));
}

void eltwise(CaffeLayer& l) {
  const TextMessage& p = l.fields().message("eltwise_param");
  p.set_aside({"stable_prod_grad"});
  const std::string operation = p.text("operation", "SUM");
  const std::vector<double> factors = p.reals("coeff");
  const bool sum = operation == "SUM" || operation == "1", product = operation == "PROD" || operation == "0";
  if (!sum && !product && operation != "MAX" && operation != "2")
    l.contradiction("has operation '" + operation + "', and PROD, SUM and MAX are known");
  if (!factors.empty() && (!sum || factors.size() != l.bottom_count()))
    l.contradiction("has " + std::to_string(factors.size()) + " coefficients; a SUM takes one for each of its " +
                    std::to_string(l.bottom_count()) + " blobs");
  CaffeValue y;
  for (std::size_t i = 0; i < l.bottom_count(); ++i) {
    CaffeValue x = l.bottom(i);
    if (x.rank != l.bottom().rank)
      l.contradiction("has blobs of " + std::to_string(l.bottom().rank) + " and " + std::to_string(x.rank) + " axes");
    if (!factors.empty() && factors[i] != 1) x = l.node("Mul", {x.name, l.number(factors[i])}, x.rank);
    y = i == 0 ? x : l.node(sum ? "Add" : product ? "Mul" : "Max", {y.name, x.name}, x.rank);
  }
  l.top(0, y);
}

/// (x - mean) / (standard deviation + eps), of each channel or of each item.
void mean_variance(CaffeLayer& l) {
  const TextMessage& p = l.fields().message("mvn_param");
  const int rank = l.bottom().rank, first = p.flag("across_channels", false) ? 1 : 2;
  const bool scales = p.flag("normalize_variance", true);
  const double epsilon = p.real("eps", 1e-9);
  std::vector<std::int64_t> axes;
  for (int i = first; i < rank; ++i) axes.push_back(i);
  if (axes.empty()) l.contradiction("normalises a blob of " + std::to_string(rank) + " axes");
  const CaffeValue mean = apply(l, "ReduceMean", l.bottom(), {{"axes", axes}});
  const CaffeValue centred = l.node("Sub", {l.bottom().name, mean.name}, rank);
  if (!scales) return l.top(0, centred);
  const CaffeValue squares = l.node("Mul", {centred.name, centred.name}, rank);
  const CaffeValue deviation = apply(l, "Sqrt", apply(l, "ReduceMean", squares, {{"axes", axes}}));
  const CaffeValue divisor = l.node("Add", {deviation.name, l.number(epsilon)}, rank);
  l.top(0, l.node("Div", {centred.name, divisor.name}, rank));
}

constexpr CaffeLayerRow rows[] = {
    {"AbsVal", abs_val, 1, 1, 1},  {"BNLL", bnll, 1, 1, 1},         {"Dropout", dropout, 1, 1, 1},
    {"ELU", elu, 1, 1, 1},         {"Eltwise", eltwise, 2, 64, 1},  {"Exp", exponential, 1, 1, 1},
    {"Log", logarithm, 1, 1, 1},   {"MVN", mean_variance, 1, 1, 1}, {"Power", power, 1, 1, 1},
    {"ReLU", relu, 1, 1, 1},       {"ReLU6", relu6, 1, 1, 1},       {"Sigmoid", sigmoid, 1, 1, 1},
    {"Softmax", softmax, 1, 1, 1}, {"TanH", tanh, 1, 1, 1}};

}  // namespace

std::span<const CaffeLayerRow> caffe_value_layers() { return rows; }

}  // namespace isocenter::infer
