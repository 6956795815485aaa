// Resize and Upsample.
#include <algorithm>
#include <cmath>
#include <numeric>
#include <tuple>

#include "infer/lower.hpp"
#include "infer/resample_taps.hpp"

namespace isocenter::infer {
namespace {

struct Extents {
  Shape out;
  std::vector<double> scales;
  std::vector<std::pair<double, double>> crops;  ///< by axis; empty: no crop
};

/// An axis' part of the settings.
Interpolation on_axis(const Interpolation& s, const Extents& e, std::size_t k) {
  Interpolation own = s;
  if (!e.crops.empty()) std::tie(own.crop_start, own.crop_end) = e.crops[k];
  return own;
}

/// Positions that a crop takes from outside of the input get the extrapolation value.
ValueId extrapolate(NodeLowering& n, ValueId x, ValueId y, const Interpolation& s, const Extents& e) {
  ValueId outside = no_value;
  for (std::size_t k = 0; k < e.out.size() && !e.crops.empty(); ++k) {
    Shape shape(e.out.size(), 1);
    shape[k] = e.out[k];
    Array mask(ElementType::boolean, shape);
    for (std::int64_t i = 0; i < e.out[k]; ++i) {
      const double at = source_position(on_axis(s, e, k), i, n.shape(x)[k], e.out[k], e.scales[k]);
      mask.set_integer(i, at < 0 || at > static_cast<double>(n.shape(x)[k] - 1) ? 1 : 0);
    }
    const ValueId here = n.add_constant(std::move(mask));
    outside = outside == no_value ? here : n.emit_map(Function::logical_or, {outside, here});
  }
  if (outside == no_value) return y;
  const ValueId value = scalar_like(n, y, static_cast<double>(n.real("extrapolation_value", 0.0F)));
  return n.emit_map(Function::where, {outside, value, y});
}

void check(NodeLowering& n, ValueId x, const Extents& e) {
  for (std::size_t k = 0; k < e.out.size(); ++k)
    if (e.out[k] < 1 || e.out[k] > (1 << 24) || !(e.scales[k] > 0))
      n.contradiction("resizes " + to_text(n.shape(x)) + " to " + to_text(e.out));
}

void emit(NodeLowering& n, ValueId x, const Interpolation& s, const Extents& e) {
  check(n, x, e);
  const auto rank = static_cast<std::size_t>(n.rank(x));
  if (s.mode == "nearest") {
    Copy copy;
    copy.axes.resize(rank);
    std::iota(copy.axes.begin(), copy.axes.end(), 0);
    copy.tables.resize(rank);
    for (std::size_t k = 0; k < rank; ++k) {
      const std::int64_t in = n.shape(x)[k];
      if (e.crops.empty() && e.scales[k] == 1.0 && in == e.out[k]) continue;
      for (std::int64_t i = 0; i < e.out[k]; ++i)
        copy.tables[k].push_back(static_cast<std::int32_t>(
            std::clamp<std::int64_t>(nearest_source(on_axis(s, e, k), i, in, e.out[k], e.scales[k]), 0, in - 1)));
    }
    return n.output(0, extrapolate(n, x, n.emit_copy(std::move(copy), x, e.out), s, e));
  }
  Resample op;
  op.axes.resize(rank);
  for (std::size_t k = 0; k < rank; ++k)
    if (!e.crops.empty() || e.scales[k] != 1.0 || n.shape(x)[k] != e.out[k])
      op.axes[k] = interpolation_taps(on_axis(s, e, k), n.shape(x)[k], e.out[k], e.scales[k]);
  n.output(0, extrapolate(n, x, n.emit(std::move(op), {x}, n.type(x), e.out), s, e));
}

Extents from_scales(NodeLowering& n, ValueId x, const std::vector<double>& scales, const std::vector<int>& axes) {
  Extents e{n.shape(x), std::vector<double>(n.shape(x).size(), 1.0), {}};
  if (scales.size() != axes.size())
    n.contradiction("has " + std::to_string(scales.size()) + " scales for " + std::to_string(axes.size()) + " axes");
  for (std::size_t i = 0; i < axes.size(); ++i) {
    const auto k = static_cast<std::size_t>(axes[i]);
    e.scales[k] = scales[i];
    e.out[k] = static_cast<std::int64_t>(std::floor(std::clamp(static_cast<double>(e.out[k]) * scales[i], 0.0, 1e10)));
  }
  return e;
}

Extents from_sizes(NodeLowering& n, ValueId x, const std::vector<std::int64_t>& sizes, const std::vector<int>& axes) {
  Extents e{n.shape(x), std::vector<double>(n.shape(x).size(), 1.0), {}};
  if (sizes.size() != axes.size())
    n.contradiction("has " + std::to_string(sizes.size()) + " sizes for " + std::to_string(axes.size()) + " axes");
  const std::string policy = n.text("keep_aspect_ratio_policy", "stretch");
  double common = policy == "not_larger" ? INFINITY : 0.0;
  for (std::size_t i = 0; i < axes.size(); ++i) {
    const auto k = static_cast<std::size_t>(axes[i]);
    if (n.shape(x)[k] < 1) n.contradiction("resizes " + to_text(n.shape(x)));
    e.scales[k] = static_cast<double>(sizes[i]) / static_cast<double>(n.shape(x)[k]);
    e.out[k] = sizes[i];
    common = policy == "not_larger" ? std::min(common, e.scales[k]) : std::max(common, e.scales[k]);
  }
  if (policy == "stretch") return e;
  for (const int axis : axes) {
    const auto k = static_cast<std::size_t>(axis);
    e.scales[k] = common;
    e.out[k] = static_cast<std::int64_t>(std::floor(common * static_cast<double>(n.shape(x)[k]) + 0.5));
  }
  return e;
}

std::vector<double> reals(const Array& a) {
  std::vector<double> v;
  for (std::int64_t i = 0; i < a.count(); ++i) v.push_back(a.real(i));
  return v;
}

Interpolation read_settings(NodeLowering& n) {
  Interpolation s;
  s.mode = n.text("mode", "nearest");
  if (s.mode == "bilinear") s.mode = "linear";
  if (n.opset() >= 11) {
    s.coordinates = n.text("coordinate_transformation_mode", "half_pixel");
    s.nearest = n.text("nearest_mode", "round_prefer_floor");
    s.cubic_a = static_cast<double>(n.real("cubic_coeff_a", -0.75F));
    s.exclude_outside = n.integer("exclude_outside", 0) != 0;
    s.antialias = n.integer("antialias", 0) != 0;
  }
  static constexpr const char* known[] = {"asymmetric",           "align_corners",      "half_pixel",
                                          "half_pixel_symmetric", "pytorch_half_pixel", "tf_crop_and_resize"};
  if (std::find(std::begin(known), std::end(known), s.coordinates) == std::end(known))
    n.unsupported("has coordinate_transformation_mode '" + s.coordinates + "'",
                  "use half_pixel, align_corners or asymmetric");
  if (s.mode != "nearest" && s.mode != "linear" && s.mode != "cubic")
    n.unsupported("has mode '" + s.mode + "'", "use nearest, linear or cubic");
  return s;
}

void resize(NodeLowering& n) {
  const ValueId x = n.input(0);
  const Interpolation s = read_settings(n);
  std::vector<int> axes(static_cast<std::size_t>(n.rank(x)));
  std::iota(axes.begin(), axes.end(), 0);
  if (n.opset() >= 18 && n.has_attribute("axes")) {
    axes.clear();
    for (const std::int64_t a : n.list("axes")) axes.push_back(n.axis(a, n.rank(x)));
  }
  const std::size_t scales = n.opset() < 11 ? 1 : 2;
  const bool by_size = n.opset() >= 11 && n.has_input(3);
  Extents e = by_size ? from_sizes(n, x, n.integers(3, "the sizes"), axes)
                      : from_scales(n, x, reals(n.constant(scales, "the scales")), axes);
  if (s.coordinates == "tf_crop_and_resize") {
    const auto region = reals(n.constant(1, "the region"));
    if (region.size() != 2 * axes.size())
      n.contradiction("has a region of " + std::to_string(region.size()) + " numbers for " +
                      std::to_string(axes.size()) + " axes");
    e.crops.assign(n.shape(x).size(), {0.0, 1.0});
    for (std::size_t i = 0; i < axes.size(); ++i)
      e.crops[static_cast<std::size_t>(axes[i])] = {region[i], region[i + axes.size()]};
  }
  emit(n, x, s, e);
}

void upsample(NodeLowering& n) {
  const ValueId x = n.input(0);
  std::vector<int> axes(static_cast<std::size_t>(n.rank(x)));
  std::iota(axes.begin(), axes.end(), 0);
  Interpolation s;
  s.mode = n.text("mode", "nearest") == "nearest" ? "nearest" : "linear";
  std::vector<double> scales;
  if (n.opset() >= 9) {
    scales = reals(n.constant(1, "the scales"));
  } else if (const auto* list = n.attribute("scales");
             list != nullptr && std::holds_alternative<std::vector<float>>(*list)) {
    for (const float f : std::get<std::vector<float>>(*list)) scales.push_back(static_cast<double>(f));
  }
  emit(n, x, s, from_scales(n, x, scales, axes));
}

constexpr OperatorRow rows[] = {{"Resize", resize}, {"Upsample", upsample}};

}  // namespace

std::span<const OperatorRow> resize_operators() { return rows; }

}  // namespace isocenter::infer
