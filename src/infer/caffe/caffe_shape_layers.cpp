// Caffe's layers that choose, order, join or resample elements.
#include <algorithm>
#include <numeric>

#include "infer/caffe/caffe_layer.hpp"

namespace isocenter::infer {
namespace {

using Extents = std::vector<std::int64_t>;

/// Lists of integers behind one another.
std::string joined(CaffeLayer& l, std::vector<std::string> parts) {
  if (parts.size() == 1) return parts[0];
  return l.node("Concat", std::move(parts), 1, {{"axis", std::int64_t{0}}}).name;
}

void split(CaffeLayer& l) {
  for (std::size_t i = 0; i < l.top_count(); ++i) l.top(i, l.node("Identity", {l.bottom().name}, l.bottom().rank));
}
void silence(CaffeLayer&) {}

/// `axis`, or its older name.
int axis_of(const CaffeLayer& l, const TextMessage& p, const char* older) {
  if (p.has("axis") && p.has(older)) l.contradiction(std::string("has 'axis' and '") + older + "'");
  return l.axis(p.has(older) ? p.integer(older, 1) : p.integer("axis", 1), l.bottom().rank);
}

void concat(CaffeLayer& l) {
  const std::int64_t axis = axis_of(l, l.fields().message("concat_param"), "concat_dim");
  std::vector<std::string> inputs;
  for (const auto& bottom : l.bottoms()) inputs.push_back(bottom.name);
  l.top(0, l.node("Concat", std::move(inputs), l.bottom().rank, {{"axis", axis}}));
}

/// In equal parts, or at the points stated; what does not add up to the extent is refused by the node.
void slices(CaffeLayer& l) {
  const TextMessage& p = l.fields().message("slice_param");
  const int axis = axis_of(l, p, "slice_dim");
  const Extents points = p.integers("slice_point");
  const std::string extent = l.extents(l.bottom(), axis, axis + 1);
  std::vector<std::string> sizes;
  if (points.empty()) {
    const auto count = static_cast<std::int64_t>(l.top_count());
    sizes.assign(l.top_count(), l.node("Div", {extent, l.integers({count})}, 1).name);
  } else {
    std::int64_t from = 0;
    for (const std::int64_t point : points) {
      if (point <= from) l.contradiction("has the slice points " + to_text(points) + ", which do not ascend");
      sizes.push_back(l.integers({point - from}));
      from = point;
    }
    sizes.push_back(l.node("Sub", {extent, l.integers({from})}, 1).name);
  }
  if (sizes.size() != l.top_count())
    l.contradiction("has " + std::to_string(points.size()) + " slice points and " + std::to_string(l.top_count()) +
                    " tops");
  const auto parts = l.nodes("Split", {l.bottom().name, joined(l, std::move(sizes))}, l.bottom().rank,
                             {{"axis", std::int64_t{axis}}}, l.top_count());
  for (std::size_t i = 0; i < parts.size(); ++i) l.top(i, parts[i]);
}

/// The first blob, cut from `axis` on to the second one's extents. The last reshaping changes nothing, but for where
/// the cut reaches beyond the blob: there it is refused.
void crop(CaffeLayer& l) {
  const TextMessage& p = l.fields().message("crop_param");
  const int rank = l.bottom().rank, axis = l.axis(p.integer("axis", 2), rank);
  Extents offsets = p.integers("offset");
  const auto count = static_cast<std::size_t>(rank - axis);
  if (l.bottom(1).rank != rank)
    l.contradiction("cuts a blob of " + std::to_string(rank) + " axes to one of " + std::to_string(l.bottom(1).rank));
  if (offsets.empty()) offsets = {0};
  if (offsets.size() == 1) offsets.resize(count, offsets[0]);
  if (offsets.size() != count || *std::min_element(offsets.begin(), offsets.end()) < 0)
    l.contradiction("has the offsets " + to_text(offsets) + " for " + std::to_string(count) + " axes");
  Extents axes(count);
  std::iota(axes.begin(), axes.end(), axis);
  const std::string size = l.extents(l.bottom(1), axis, rank), starts = l.integers(offsets);
  const std::string ends = l.node("Add", {size, starts}, 1).name;
  const CaffeValue cut = l.node("Slice", {l.bottom().name, starts, ends, l.integers(axes)}, rank);
  std::vector<std::string> shape;
  if (axis > 0) shape.push_back(l.extents(l.bottom(), 0, axis));
  shape.push_back(size);
  l.top(0, l.node("Reshape", {cut.name, joined(l, shape)}, rank));
}

/// Axes [first, last) replaced by `dims`: 0 keeps the axis at its place, -1 takes what is left.
void replace_axes(CaffeLayer& l, int first, int last, const Extents& dims) {
  const CaffeValue& x = l.bottom();
  std::vector<std::string> shape;
  if (first > 0) shape.push_back(l.extents(x, 0, first));
  for (std::size_t i = 0; i < dims.size(); ++i) {
    const int at = first + static_cast<int>(i);
    if (dims[i] < -1 || (dims[i] == 0 && at >= x.rank))
      l.contradiction("has the dim " + std::to_string(dims[i]) + " for axis " + std::to_string(at) + " of " +
                      std::to_string(x.rank));
    shape.push_back(dims[i] == 0 ? l.extents(x, at, at + 1) : l.integers({dims[i]}));
  }
  if (last < x.rank) shape.push_back(l.extents(x, last, x.rank));
  if (shape.empty()) shape.push_back(l.integers({}));
  const int rank = x.rank - (last - first) + static_cast<int>(dims.size());
  l.top(0, l.node("Reshape", {x.name, joined(l, std::move(shape))}, rank));
}

void flatten(CaffeLayer& l) {
  const TextMessage& p = l.fields().message("flatten_param");
  const int first = l.axis(p.integer("axis", 1), l.bottom().rank);
  const int last = l.axis(p.integer("end_axis", -1), l.bottom().rank);
  if (last < first) l.contradiction("has end_axis before axis");
  replace_axes(l, first, last + 1, {-1});
}

void reshape(CaffeLayer& l) {
  const TextMessage& p = l.fields().message("reshape_param");
  const int rank = l.bottom().rank;
  std::int64_t start = p.integer("axis", 0);
  if (start < 0) start += rank + 1;  // -1 is behind the last axis
  const int first = l.axis(start, rank, true);
  const std::int64_t count = p.integer("num_axes", -1);
  if (count < -1 || count > rank - first) l.contradiction("has num_axes " + std::to_string(count));
  const Extents dims = p.message("shape").integers("dim");
  if (dims.size() > 8) l.contradiction("has " + std::to_string(dims.size()) + " dims; at most 8 are known");
  replace_axes(l, first, count < 0 ? rank : first + static_cast<int>(count), dims);
}

void permute(CaffeLayer& l) {
  Extents order = l.fields().message("permute_param").integers("order");
  for (std::int64_t i = 0; i < l.bottom().rank; ++i)  // those that are left out follow in their order
    if (std::find(order.begin(), order.end(), i) == order.end()) order.push_back(i);
  if (order.size() != static_cast<std::size_t>(l.bottom().rank))
    l.contradiction("has the order " + to_text(order) + " for " + std::to_string(l.bottom().rank) + " axes");
  l.top(0, l.node("Transpose", {l.bottom().name}, l.bottom().rank, {{"perm", order}}));
}

void tile(CaffeLayer& l) {
  const TextMessage& p = l.fields().message("tile_param");
  Extents repeats(static_cast<std::size_t>(l.bottom().rank), 1);
  repeats[static_cast<std::size_t>(l.axis(p.integer("axis", 1), l.bottom().rank))] = p.integer("tiles", 0);
  if (*std::min_element(repeats.begin(), repeats.end()) < 1) l.contradiction("has no 'tiles' of 1 or more");
  l.top(0, l.node("Tile", {l.bottom().name, l.integers(repeats)}, l.bottom().rank));
}

void reduction(CaffeLayer& l) {
  const TextMessage& p = l.fields().message("reduction_param");
  const std::string operation = p.text("operation", "SUM");
  const int axis = l.axis(p.integer("axis", 0), l.bottom().rank);
  const double factor = p.real("coeff", 1);
  constexpr std::pair<const char*, const char*> names[] = {
      {"SUM", "ReduceSum"}, {"ASUM", "ReduceL1"}, {"SUMSQ", "ReduceSumSquare"}, {"MEAN", "ReduceMean"}};
  const auto* found = std::find_if(std::begin(names), std::end(names), [&](auto& n) { return operation == n.first; });
  if (found == std::end(names))
    l.contradiction("has operation '" + operation + "', and SUM, ASUM, SUMSQ and MEAN are known");
  Extents axes;
  for (int i = axis; i < l.bottom().rank; ++i) axes.push_back(i);
  CaffeValue y;
  if (operation == "SUM")  // whose axes are an input
    y = l.node("ReduceSum", {l.bottom().name, l.integers(axes)}, axis, {{"keepdims", std::int64_t{0}}});
  else
    y = l.node(found->second, {l.bottom().name}, axis, {{"axes", axes}, {"keepdims", std::int64_t{0}}});
  l.top(0, factor == 1 ? y : l.node("Mul", {y.name, l.number(factor)}, axis));
}

/// The position of the maximum as a float; without an axis, within each item: (n, 1, 1), as Caffe has it.
void arg_max(CaffeLayer& l) {
  const TextMessage& p = l.fields().message("argmax_param");
  if (p.flag("out_max_val", false) || p.integer("top_k", 1) != 1)
    l.unsupported("gives the maximum's value or more than one position",
                  "give the scores out and choose behind the network");
  CaffeValue x = l.bottom();
  std::int64_t axis = 1;
  if (p.has("axis"))
    axis = l.axis(p.integer("axis", 1), x.rank);
  else
    x = l.node("Flatten", {x.name}, 2, {{"axis", std::int64_t{1}}});
  CaffeValue y = l.node("ArgMax", {x.name}, x.rank, {{"axis", axis}, {"keepdims", std::int64_t{1}}});
  y = l.node("Cast", {y.name}, x.rank, {{"to", std::int64_t{1}}});
  const int most = std::max(3, l.bottom().rank);
  if (!p.has("axis")) {
    Extents ones(static_cast<std::size_t>(most), 1);
    ones[0] = 0;
    y = l.node("Reshape", {y.name, l.integers(ones)}, most);
  }
  l.top(0, y);
}

CaffeValue resized(CaffeLayer& l, const std::string& sizes, std::map<std::string, OnnxAttribute> attributes) {
  return l.node("Resize", {l.bottom().name, "", "", joined(l, {l.extents(l.bottom(), 0, 2), sizes})}, 4,
                std::move(attributes));
}

/// DeepLab's layer: bilinear, the corner pixels on one another, to a stated size or by a factor.
void interp(CaffeLayer& l) {
  const TextMessage& p = l.fields().message("interp_param");
  const std::int64_t height = p.integer("height", 0), width = p.integer("width", 0);
  const std::int64_t zoom = p.integer("zoom_factor", 1), shrink = p.integer("shrink_factor", 1);
  if (p.integer("pad_beg", 0) != 0 || p.integer("pad_end", 0) != 0)
    l.unsupported("pads or cuts before it resamples", "use a Crop layer");
  if (l.bottom().rank != 4) l.contradiction("resamples a blob of " + std::to_string(l.bottom().rank) + " axes");
  const bool sized = height > 0 && width > 0;
  if (height < 0 || width < 0 || zoom < 1 || shrink < 1 || (!sized && (height > 0 || width > 0)))
    l.contradiction("has height " + std::to_string(height) + ", width " + std::to_string(width) + ", zoom_factor " +
                    std::to_string(zoom) + " and shrink_factor " + std::to_string(shrink));
  std::string sizes;
  if (l.bottom_count() == 2) {
    sizes = l.extents(l.bottom(1), 2, 4);
  } else if (sized) {
    sizes = l.integers({height, width});
  } else {  // (in - 1) / shrink * zoom + 1, the quotient rounded down
    const std::string one = l.integers({1});
    const std::string steps = l.node("Sub", {l.extents(l.bottom(), 2, 4), one}, 1).name;
    const std::string fewer = l.node("Div", {steps, l.integers({shrink})}, 1).name;
    const std::string more = l.node("Mul", {fewer, l.integers({zoom})}, 1).name;
    sizes = l.node("Add", {more, one}, 1).name;
  }
  l.top(0,
        resized(l, sizes,
                {{"mode", std::string("linear")}, {"coordinate_transformation_mode", std::string("align_corners")}}));
}

/// Each pixel `scale` times along each axis.
void upsample(CaffeLayer& l) {
  const std::int64_t scale = l.fields().message("upsample_param").integer("scale", 0);
  if (l.bottom().rank != 4 || scale < 1 || scale > 1024)
    l.contradiction("has scale " + std::to_string(scale) + " for a blob of " + std::to_string(l.bottom().rank) +
                    " axes");
  const std::string sizes = l.node("Mul", {l.extents(l.bottom(), 2, 4), l.integers({scale})}, 1).name;
  l.top(0, resized(l, sizes,
                   {{"mode", std::string("nearest")},
                    {"coordinate_transformation_mode", std::string("asymmetric")},
                    {"nearest_mode", std::string("floor")}}));
}

constexpr CaffeLayerRow rows[] = {
    {"ArgMax", arg_max, 1, 1, 1},      {"Concat", concat, 1, 4096, 1}, {"Crop", crop, 2, 2, 1},
    {"Flatten", flatten, 1, 1, 1},     {"Interp", interp, 1, 2, 1},    {"Permute", permute, 1, 1, 1},
    {"Reduction", reduction, 1, 1, 1}, {"Reshape", reshape, 1, 1, 1},  {"Silence", silence, 1, 4096, 0},
    {"Slice", slices, 1, 1, 4096},     {"Split", split, 1, 1, 4096},   {"Tile", tile, 1, 1, 1},
    {"Upsample", upsample, 1, 1, 1}};

}  // namespace

std::span<const CaffeLayerRow> caffe_shape_layers() { return rows; }

}  // namespace isocenter::infer
