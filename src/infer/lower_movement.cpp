// Operators that move elements, make constants or ask for shapes.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "infer/lower.hpp"

namespace isocenter::infer {
Copy same_axes(int rank) {
  Copy copy;
  copy.axes.resize(static_cast<std::size_t>(rank));
  std::iota(copy.axes.begin(), copy.axes.end(), 0);
  copy.tables.resize(static_cast<std::size_t>(rank));
  return copy;
}

namespace {

void reshape(NodeLowering& n) {
  const ValueId x = n.input(0);
  std::vector<std::int64_t> target = n.opset() < 5 ? n.list("shape") : n.integers(1, "the shape");
  const bool keep_zero = n.integer("allowzero", 0) != 0;
  std::int64_t known = 1;
  int free_axis = -1;
  for (std::size_t i = 0; i < target.size(); ++i) {
    if (target[i] == 0 && !keep_zero) {
      if (i >= n.shape(x).size()) n.contradiction("copies an extent that its input does not have");
      target[i] = n.shape(x)[i];
    }
    if (target[i] == -1) {
      if (free_axis >= 0) n.contradiction("leaves two extents free");
      free_axis = static_cast<int>(i);
    } else {
      if (target[i] < 0) n.contradiction("asks for the shape " + to_text(target));
      known = element_count({known, target[i]});
    }
  }
  if (free_axis >= 0) {
    const std::int64_t count = element_count(n.shape(x));
    if (known == 0 || count % known != 0)
      n.contradiction("brings " + to_text(n.shape(x)) + " to " + to_text(target) + ", which does not divide");
    target[static_cast<std::size_t>(free_axis)] = count / known;
  }
  n.output(0, n.emit_alias(x, std::move(target)));
}

void flatten(NodeLowering& n) {
  const ValueId x = n.input(0);
  const std::int64_t axis = n.integer("axis", 1);
  const int split = axis == n.rank(x) ? n.rank(x) : n.axis(axis, n.rank(x));
  Shape shape{1, 1};
  for (int i = 0; i < n.rank(x); ++i) shape[i < split ? 0 : 1] *= n.shape(x)[static_cast<std::size_t>(i)];
  n.output(0, n.emit_alias(x, shape));
}

void squeeze(NodeLowering& n) {
  const ValueId x = n.input(0);
  std::vector<bool> drop(static_cast<std::size_t>(n.rank(x)));
  const auto axes = n.list_input_or_attribute(13, 1, "axes");
  for (const std::int64_t a : axes) {
    const auto axis = static_cast<std::size_t>(n.axis(a, n.rank(x)));
    if (n.shape(x)[axis] != 1) n.contradiction("squeezes axis " + std::to_string(a) + " of " + to_text(n.shape(x)));
    drop[axis] = true;
  }
  Shape shape;
  for (std::size_t i = 0; i < drop.size(); ++i)
    if (!(drop[i] || (axes.empty() && n.shape(x)[i] == 1))) shape.push_back(n.shape(x)[i]);
  n.output(0, n.emit_alias(x, shape));
}

void unsqueeze(NodeLowering& n) {
  const ValueId x = n.input(0);
  const auto axes = n.list_input_or_attribute(13, 1, "axes");
  const int rank = n.rank(x) + static_cast<int>(axes.size());
  std::vector<bool> added(static_cast<std::size_t>(rank));
  for (const std::int64_t a : axes) {
    const auto axis = static_cast<std::size_t>(n.axis(a, rank));
    if (added[axis]) n.contradiction("adds axis " + std::to_string(a) + " twice");
    added[axis] = true;
  }
  Shape shape;
  std::size_t from = 0;
  for (const bool one : added) shape.push_back(one ? 1 : n.shape(x)[from++]);
  n.output(0, n.emit_alias(x, shape));
}

void transpose(NodeLowering& n) {
  const ValueId x = n.input(0);
  std::vector<std::int64_t> backwards;
  for (int i = n.rank(x); i-- > 0;) backwards.push_back(i);
  const auto order = n.list("perm", backwards);
  if (static_cast<int>(order.size()) != n.rank(x))
    n.contradiction("orders " + std::to_string(order.size()) + " axes of " + std::to_string(n.rank(x)));
  Copy copy;
  Shape shape;
  std::vector<bool> seen(order.size());
  for (const std::int64_t axis : order) {
    const int from = n.axis(axis, n.rank(x));
    if (seen[static_cast<std::size_t>(from)]) n.contradiction("names axis " + std::to_string(axis) + " twice");
    seen[static_cast<std::size_t>(from)] = true;
    copy.axes.push_back(from);
    shape.push_back(n.shape(x)[static_cast<std::size_t>(from)]);
  }
  if (std::is_sorted(copy.axes.begin(), copy.axes.end())) return n.output(0, x);
  n.output(0, n.emit_copy(std::move(copy), x, std::move(shape)));
}

/// Restricts one axis to [start, start + step, ...), `count` positions.
void take(Copy& copy, Shape& shape, std::size_t axis, std::int64_t start, std::int64_t step, std::int64_t count) {
  auto& table = copy.tables[axis];
  table.resize(static_cast<std::size_t>(count));
  for (std::int64_t i = 0; i < count; ++i)
    table[static_cast<std::size_t>(i)] = static_cast<std::int32_t>(start + i * step);
  shape[axis] = count;
}

void slice(NodeLowering& n) {
  const ValueId x = n.input(0);
  const bool attributes = n.opset() < 10;
  const auto starts = attributes ? n.list("starts") : n.integers(1, "the start");
  const auto ends = attributes ? n.list("ends") : n.integers(2, "the end");
  std::vector<std::int64_t> axes(starts.size());
  std::iota(axes.begin(), axes.end(), 0);
  if (attributes) axes = n.list("axes", axes);
  if (!attributes && n.has_input(3)) axes = n.integers(3, "the axes");
  std::vector<std::int64_t> steps(starts.size(), 1);
  if (!attributes && n.has_input(4)) steps = n.integers(4, "the steps");
  if (ends.size() != starts.size() || axes.size() != starts.size() || steps.size() != starts.size())
    n.contradiction("has " + std::to_string(starts.size()) + " starts, " + std::to_string(ends.size()) + " ends, " +
                    std::to_string(axes.size()) + " axes");
  Copy copy = same_axes(n.rank(x));
  Shape shape = n.shape(x);
  for (std::size_t i = 0; i < starts.size(); ++i) {
    const auto axis = static_cast<std::size_t>(n.axis(axes[i], n.rank(x)));
    const std::int64_t extent = n.shape(x)[axis], step = steps[i];
    if (step == 0 || step == INT64_MIN) n.contradiction("has a step of " + std::to_string(step));
    const auto place = [&](std::int64_t p, std::int64_t low, std::int64_t high) {
      return std::clamp(p < 0 ? p + extent : p, low, high);
    };
    const std::int64_t begin = step > 0 ? place(starts[i], 0, extent) : place(starts[i], -1, extent - 1);
    const std::int64_t end =
        step > 0 ? place(ends[i], 0, extent) : place(std::max(ends[i], -extent - 1), -1, extent - 1);
    const std::int64_t span = step > 0 ? end - begin : begin - end, stride = std::abs(step);
    take(copy, shape, axis, begin, step, span <= 0 ? 0 : (span - 1) / stride + 1);
  }
  if (shape == n.shape(x) && std::all_of(steps.begin(), steps.end(), [](auto s) { return s > 0; }))
    return n.output(0, x);
  n.output(0, n.emit_copy(std::move(copy), x, std::move(shape)));
}

void split(NodeLowering& n) {
  const ValueId x = n.input(0);
  const auto axis = static_cast<std::size_t>(n.axis(n.integer("axis", 0), n.rank(x)));
  const std::int64_t extent = n.shape(x)[axis];
  auto parts = n.list_input_or_attribute(13, 1, "split");
  if (parts.empty()) {
    const std::int64_t count = n.integer("num_outputs", static_cast<std::int64_t>(n.output_count()));
    if (count < 1) n.contradiction("splits into " + std::to_string(count) + " parts");
    const std::int64_t each = (extent + count - 1) / count;
    for (std::int64_t i = 0; i < count; ++i) parts.push_back(std::clamp<std::int64_t>(extent - i * each, 0, each));
  }
  if (std::accumulate(parts.begin(), parts.end(), std::int64_t{0}) != extent || parts.size() < n.output_count() ||
      std::any_of(parts.begin(), parts.end(), [](auto p) { return p < 0; }))
    n.contradiction("splits " + std::to_string(extent) + " positions into " + to_text(parts));
  std::int64_t at = 0;
  for (std::size_t i = 0; i < n.output_count(); ++i) {
    Copy copy = same_axes(n.rank(x));
    Shape shape = n.shape(x);
    take(copy, shape, axis, at, 1, parts[i]);
    at += parts[i];
    n.output(i, n.emit_copy(std::move(copy), x, std::move(shape)));
  }
}

void concat(NodeLowering& n) {
  std::vector<ValueId> inputs;
  Shape shape = n.shape(n.input(0));
  const auto axis = static_cast<std::size_t>(n.axis(n.integer("axis", 1), static_cast<int>(shape.size())));
  shape[axis] = 0;
  for (std::size_t i = 0; i < n.input_count(); ++i) {
    const ValueId v = n.input(i);
    Shape rest = n.shape(v);
    if (rest.size() != shape.size())
      n.contradiction("joins tensors of " + std::to_string(shape.size()) + " and " + std::to_string(rest.size()) +
                      " axes");
    const std::int64_t extent = rest[axis];
    rest[axis] = shape[axis];
    if (rest != shape)
      n.contradiction("joins " + to_text(n.shape(n.input(0))) + " and " + to_text(n.shape(v)) + " along axis " +
                      std::to_string(axis));
    shape[axis] += extent;
    inputs.push_back(v);
  }
  if (inputs.size() == 1) return n.output(0, inputs[0]);
  const ElementType type = n.type(inputs[0]);
  n.output(0, n.emit(Concat{static_cast<int>(axis)}, std::move(inputs), type, std::move(shape)));
}

/// Where position i of a padded axis comes from; -1: the constant.
std::int32_t padded_source(const std::string& mode, std::int64_t i, std::int64_t extent) {
  if (i >= 0 && i < extent) return static_cast<std::int32_t>(i);
  if (mode == "edge") return static_cast<std::int32_t>(i < 0 ? 0 : extent - 1);
  if (mode == "wrap") return static_cast<std::int32_t>(((i % extent) + extent) % extent);
  if (mode == "reflect") {
    if (extent == 1) return 0;
    const std::int64_t period = 2 * (extent - 1), at = ((i % period) + period) % period;
    return static_cast<std::int32_t>(at < extent ? at : period - at);
  }
  return -1;
}

void pad(NodeLowering& n) {
  const ValueId x = n.input(0);
  const std::string mode = n.text("mode", "constant");
  if (mode != "constant" && mode != "edge" && mode != "reflect" && mode != "wrap")
    n.unsupported("pads with mode '" + mode + "'", "use constant, edge, reflect or wrap");
  const auto pads = n.opset() < 11 ? n.list("pads") : n.integers(1, "the padding");
  Copy copy = same_axes(n.rank(x));
  copy.fill = static_cast<double>(n.opset() < 11 ? n.real("value", 0.0F) : 0.0F);
  if (n.opset() >= 11 && n.has_input(2)) copy.fill = n.constant(2, "the padding's value").real(0);
  std::vector<std::int64_t> axes(static_cast<std::size_t>(n.rank(x)));
  std::iota(axes.begin(), axes.end(), 0);
  if (n.opset() >= 18 && n.has_input(3)) axes = n.integers(3, "the axes");
  if (pads.size() != 2 * axes.size())
    n.contradiction("has " + std::to_string(pads.size()) + " pads for " + std::to_string(axes.size()) + " axes");
  Shape shape = n.shape(x);
  for (std::size_t i = 0; i < axes.size(); ++i) {
    const auto axis = static_cast<std::size_t>(n.axis(axes[i], n.rank(x)));
    const std::int64_t before = pads[i], after = pads[i + axes.size()], extent = n.shape(x)[axis];
    if (before == 0 && after == 0) continue;
    shape[axis] = extent + before + after;
    if (shape[axis] < 0 || shape[axis] > (1 << 27) || (extent == 0 && mode != "constant"))
      n.contradiction("pads an axis of " + std::to_string(extent) + " by " + std::to_string(before) + " and " +
                      std::to_string(after));
    for (std::int64_t k = 0; k < shape[axis]; ++k) copy.tables[axis].push_back(padded_source(mode, k - before, extent));
  }
  if (shape == n.shape(x)) return n.output(0, x);
  n.output(0, n.emit_copy(std::move(copy), x, std::move(shape)));
}

void gather(NodeLowering& n) {
  const ValueId x = n.input(0);
  const auto axis = static_cast<std::size_t>(n.axis(n.integer("axis", 0), n.rank(x)));
  const std::int64_t extent = n.shape(x)[axis];
  if (!n.is_constant(n.input(1))) {
    Shape shape = n.shape(x);
    const Shape& at = n.shape(n.input(1));
    shape.erase(shape.begin() + static_cast<std::ptrdiff_t>(axis));
    shape.insert(shape.begin() + static_cast<std::ptrdiff_t>(axis), at.begin(), at.end());
    const Loops op{GatherIndexed{static_cast<int>(axis), false}};
    return n.output(0, n.emit(op, {x, n.input(1)}, n.type(x), std::move(shape)));
  }
  Copy copy = same_axes(n.rank(x));
  for (const std::int64_t i : n.integers(1, "the indices")) {
    if (i < -extent || i >= extent)
      n.contradiction("gathers position " + std::to_string(i) + " of " + std::to_string(extent));
    copy.tables[axis].push_back(static_cast<std::int32_t>(i < 0 ? i + extent : i));
  }
  const Shape indices = n.shape(n.input(1));
  Shape flat = n.shape(x), shape = n.shape(x);
  flat[axis] = element_count(indices);
  shape.erase(shape.begin() + static_cast<std::ptrdiff_t>(axis));
  shape.insert(shape.begin() + static_cast<std::ptrdiff_t>(axis), indices.begin(), indices.end());
  n.output(0, n.emit_alias(n.emit_copy(std::move(copy), x, std::move(flat)), std::move(shape)));
}

void expand(NodeLowering& n) {
  const ValueId x = n.input(0);
  Shape shape;
  const auto asked = n.integers(1, "the shape");
  if (!broadcast(n.shape(x), asked, shape)) n.contradiction("expands " + to_text(n.shape(x)) + " to " + to_text(asked));
  Copy copy;
  for (int i = 0; i < static_cast<int>(shape.size()); ++i) {
    const int from = i - (static_cast<int>(shape.size()) - n.rank(x));
    copy.axes.push_back(
        from >= 0 && n.shape(x)[static_cast<std::size_t>(from)] == shape[static_cast<std::size_t>(i)] ? from : -1);
  }
  n.output(0, shape == n.shape(x) ? x : n.emit_copy(std::move(copy), x, std::move(shape)));
}

void tile(NodeLowering& n) {
  const ValueId x = n.input(0);
  const auto repeats = n.integers(1, "the repeats");
  if (static_cast<int>(repeats.size()) != n.rank(x))
    n.contradiction("has " + std::to_string(repeats.size()) + " repeats for " + to_text(n.shape(x)));
  Copy copy = same_axes(n.rank(x));
  Shape shape = n.shape(x);
  for (std::size_t k = 0; k < repeats.size(); ++k) {
    if (repeats[k] < 0 || element_count({shape[k], repeats[k]}) > (1 << 27))
      n.contradiction("repeats axis " + std::to_string(k) + " " + std::to_string(repeats[k]) + " times");
    for (std::int64_t i = 0; i < shape[k] * repeats[k]; ++i)
      copy.tables[k].push_back(static_cast<std::int32_t>(i % shape[k]));
    shape[k] *= repeats[k];
  }
  n.output(0, n.emit_copy(std::move(copy), x, std::move(shape)));
}

/// (n, c, h, w) with blocks of b x b: DepthToSpace (depth first or column-row-depth) and back.
void depth_to_space(NodeLowering& n) {
  const ValueId x = n.input(0);
  const std::int64_t b = n.integer("blocksize", 0);
  const Shape s = n.shape(x);
  if (s.size() != 4 || b < 1 || s[1] % (b * b) != 0)
    n.contradiction("has blocks of " + std::to_string(b) + " for " + to_text(s));
  const bool crd = n.text("mode", "DCR") == "CRD";
  const std::int64_t c = s[1] / (b * b);
  const Shape parts = crd ? Shape{s[0], c, b, b, s[2], s[3]} : Shape{s[0], b, b, c, s[2], s[3]};
  Copy order;
  order.axes = crd ? std::vector<int>{0, 1, 4, 2, 5, 3} : std::vector<int>{0, 3, 4, 1, 5, 2};
  const ValueId moved = n.emit_copy(order, n.emit_alias(x, parts), {s[0], c, s[2], b, s[3], b});
  n.output(0, n.emit_alias(moved, {s[0], c, s[2] * b, s[3] * b}));
}
void space_to_depth(NodeLowering& n) {
  const ValueId x = n.input(0);
  const std::int64_t b = n.integer("blocksize", 0);
  const Shape s = n.shape(x);
  if (s.size() != 4 || b < 1 || s[2] % b != 0 || s[3] % b != 0)
    n.contradiction("has blocks of " + std::to_string(b) + " for " + to_text(s));
  const bool crd = n.text("mode", "DCR") == "CRD";  // from opset 28 on
  Copy order;
  order.axes = crd ? std::vector<int>{0, 1, 3, 5, 2, 4} : std::vector<int>{0, 3, 5, 1, 2, 4};
  const ValueId parts = n.emit_alias(x, {s[0], s[1], s[2] / b, b, s[3] / b, b});
  const Shape moved = crd ? Shape{s[0], s[1], b, b, s[2] / b, s[3] / b} : Shape{s[0], b, b, s[1], s[2] / b, s[3] / b};
  n.output(0, n.emit_alias(n.emit_copy(order, parts, moved), {s[0], s[1] * b * b, s[2] / b, s[3] / b}));
}

void constant(NodeLowering& n) {
  for (const char* name : {"value", "value_float", "value_int", "value_ints", "value_floats"}) {
    const OnnxAttribute* a = n.attribute(name);
    if (a == nullptr) continue;
    if (const auto* array = std::get_if<Array>(a)) return n.output(0, n.add_constant(*array));
    if (const auto* f = std::get_if<float>(a))
      return n.output(0, n.add_constant(Array::scalar(ElementType::f32, static_cast<double>(*f))));
    if (const auto* i = std::get_if<std::int64_t>(a)) return n.output(0, n.add_constant(Array::of({*i}).reshaped({})));
    if (const auto* is = std::get_if<std::vector<std::int64_t>>(a)) return n.output(0, n.add_constant(Array::of(*is)));
    if (const auto* fs = std::get_if<std::vector<float>>(a))
      return n.output(0, n.add_constant(Array::of({static_cast<std::int64_t>(fs->size())}, *fs)));
  }
  n.unsupported("has no value, or a sparse or text one", "export the model with dense constants");
}

void constant_of_shape(NodeLowering& n) {
  const auto shape = n.integers(0, "the shape");
  Array value = Array::scalar(ElementType::f32, 0.0);
  if (n.has_attribute("value")) {
    const auto* array = std::get_if<Array>(n.attribute("value"));
    if (array == nullptr || array->count() != 1) n.contradiction("fills with a value that is not one element");
    value = *array;
  }
  Copy copy;
  copy.axes.assign(shape.size(), -1);
  for (const std::int64_t e : shape)
    if (e < 0) n.contradiction("asks for the shape " + to_text(shape));
  n.output(0, n.emit_copy(std::move(copy), n.add_constant(value.reshaped({})), shape));
}

void shape_of(NodeLowering& n) {
  const Shape& shape = n.shape(n.input(0));
  const auto rank = static_cast<std::int64_t>(shape.size());
  const auto place = [&](std::int64_t p) { return std::clamp<std::int64_t>(p < 0 ? p + rank : p, 0, rank); };
  const std::int64_t start = place(n.integer("start", 0)), end = std::max(start, place(n.integer("end", rank)));
  n.output(0, n.add_constant(Array::of(std::vector<std::int64_t>(shape.begin() + start, shape.begin() + end))));
}
void size_of(NodeLowering& n) {
  n.output(0, n.add_constant(Array::of({element_count(n.shape(n.input(0)))}).reshaped({})));
}

void range(NodeLowering& n) {
  const Array &from = n.constant(0, "the start"), &to = n.constant(1, "the limit"), &by = n.constant(2, "the step");
  const double steps = std::ceil((to.real(0) - from.real(0)) / by.real(0));
  if (!(steps < 1e8))
    n.contradiction("counts from " + std::to_string(from.real(0)) + " to " + std::to_string(to.real(0)) +
                    " in steps of " + std::to_string(by.real(0)));
  Array out(from.type(), {steps > 0 ? static_cast<std::int64_t>(steps) : 0});
  for (std::int64_t i = 0; i < out.count(); ++i) {
    if (is_floating(from.type()))
      out.set_real(i, from.real(0) + static_cast<double>(i) * by.real(0));
    else
      out.set_integer(i, from.integer(0) + i * by.integer(0));
  }
  n.output(0, n.add_constant(std::move(out)));
}

constexpr OperatorRow rows[] = {{"Concat", concat},
                                {"Constant", constant},
                                {"ConstantOfShape", constant_of_shape},
                                {"DepthToSpace", depth_to_space},
                                {"Expand", expand},
                                {"Flatten", flatten},
                                {"Gather", gather},
                                {"Pad", pad},
                                {"Range", range},
                                {"Reshape", reshape},
                                {"Shape", shape_of},
                                {"Size", size_of},
                                {"Slice", slice},
                                {"SpaceToDepth", space_to_depth},
                                {"Split", split},
                                {"Squeeze", squeeze},
                                {"Tile", tile},
                                {"Transpose", transpose},
                                {"Unsqueeze", unsqueeze}};

}  // namespace

std::span<const OperatorRow> movement_operators() { return rows; }

}  // namespace isocenter::infer
