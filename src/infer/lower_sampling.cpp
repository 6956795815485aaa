// Operators that sample between the elements, and col2im.
#include <algorithm>

#include "infer/lower.hpp"

namespace isocenter::infer {
namespace {

void grid_sample(NodeLowering& n) {
  const ValueId x = n.input(0), grid = n.input(1);
  const Shape &from = n.shape(x), &points = n.shape(grid);
  const std::size_t axes = from.size() - std::min<std::size_t>(2, from.size());
  if (axes < 1 || axes > 3)
    n.unsupported("samples " + to_text(from) + "; one to three spatial axes are known", "reshape the input");
  if (points.size() != axes + 2 || points.back() != static_cast<std::int64_t>(axes) || points[0] != from[0])
    n.contradiction("samples " + to_text(from) + " on a grid of " + to_text(points));
  const std::string mode = n.text("mode", "linear"), padding = n.text("padding_mode", "zeros");
  GridSample op;
  op.align_corners = n.integer("align_corners", 0) != 0;
  if (mode == "nearest")
    op.mode = GridMode::nearest;
  else if (mode == "cubic" || mode == "bicubic")
    op.mode = GridMode::cubic;
  else if (mode != "linear" && mode != "bilinear")
    n.contradiction("has mode '" + mode + "'");
  if (padding == "border")
    op.padding = GridPadding::border;
  else if (padding == "reflection")
    op.padding = GridPadding::reflection;
  else if (padding != "zeros")
    n.contradiction("has padding_mode '" + padding + "'");
  Shape shape{from[0], from[1]};
  shape.insert(shape.end(), points.begin() + 1, points.end() - 1);
  n.output(0, n.emit(Loops{op}, {x, grid}, n.type(x), std::move(shape)));
}

void roi_align(NodeLowering& n) {
  const ValueId x = n.input(0), boxes = n.input(1), images = n.input(2);
  if (n.rank(x) != 4 || n.rank(boxes) != 2 || n.shape(boxes)[1] != 4 || n.shape(images) != Shape{n.shape(boxes)[0]})
    n.contradiction("takes regions " + to_text(n.shape(boxes)) + " of images " + to_text(n.shape(images)) + " from " +
                    to_text(n.shape(x)));
  RegionAlign op;
  op.scale = static_cast<double>(n.real("spatial_scale", 1.0F));
  op.samples = n.integer("sampling_ratio", 0);
  op.half_pixel = n.opset() >= 16 && n.text("coordinate_transformation_mode", "half_pixel") == "half_pixel";
  op.maximum = n.text("mode", "avg") == "max";
  const std::int64_t height = n.integer("output_height", 1), width = n.integer("output_width", 1);
  if (height < 1 || width < 1 || op.samples < 0 || op.samples > 4096)
    n.contradiction("makes " + std::to_string(height) + " x " + std::to_string(width) + " bins of " +
                    std::to_string(op.samples) + " samples");
  n.output(0, n.emit(Loops{op}, {x, boxes, images}, n.type(x), {n.shape(boxes)[0], n.shape(x)[1], height, width}));
}

void deform_conv(NodeLowering& n) {
  const ValueId x = n.input(0), weights = n.input(1), offsets = n.input(2);
  const Shape in = n.shape(x), w = n.shape(weights), o = n.shape(offsets);
  if (in.size() != 4 || w.size() != 4 || o.size() != 4)
    n.unsupported("works on " + to_text(in) + "; two spatial axes are known", "use Conv");
  DeformedConvolution op;
  op.groups = n.integer("group", 1);
  op.offset_groups = n.integer("offset_group", 1);
  op.window.kernel = {w[2], w[3]};
  if (const Shape kernel = n.list("kernel_shape", op.window.kernel); kernel != op.window.kernel)
    n.contradiction("has kernel_shape " + to_text(kernel) + " and weights of " + to_text(w));
  op.window.strides = n.list("strides", {1, 1});
  op.window.dilations = n.list("dilations", {1, 1});
  const auto pads = n.list("pads", {0, 0, 0, 0});
  if (op.groups < 1 || op.offset_groups < 1 || in[1] % op.groups != 0 || w[0] % op.groups != 0 ||
      w[1] != in[1] / op.groups || in[1] % op.offset_groups != 0 || pads.size() != 4 || op.window.strides.size() != 2 ||
      op.window.dilations.size() != 2)
    n.contradiction("has weights of shape " + to_text(w) + " in " + std::to_string(op.groups) + " groups for " +
                    to_text(in));
  op.window.pads_begin = {pads[0], pads[1]};
  Shape shape{in[0], w[0]};
  for (std::size_t k = 0; k < 2; ++k) {
    const std::int64_t stride = op.window.strides[k], dilation = op.window.dilations[k];
    if (stride < 1 || dilation < 1) n.contradiction("has a stride or dilation below 1");
    const std::int64_t span = in[2 + k] + pads[k] + pads[2 + k] - (w[2 + k] - 1) * dilation - 1;
    shape.push_back(span < 0 ? 0 : span / stride + 1);
  }
  const std::int64_t taps = w[2] * w[3] * op.offset_groups;
  if (o != Shape{in[0], 2 * taps, shape[2], shape[3]})
    n.contradiction("has offsets of shape " + to_text(o) + " for an output of " + to_text(shape));
  std::vector<ValueId> inputs{x, weights, offsets};
  if (n.has_input(3)) {
    if (n.shape(n.input(3)) != Shape{w[0]}) n.contradiction("has a bias of shape " + to_text(n.shape(n.input(3))));
    op.bias = true;
    inputs.push_back(n.input(3));
  }
  if (n.has_input(4)) {
    if (n.shape(n.input(4)) != Shape{in[0], taps, shape[2], shape[3]})
      n.contradiction("has a mask of shape " + to_text(n.shape(n.input(4))));
    op.mask = true;
    inputs.push_back(n.input(4));
  }
  n.output(0, n.emit(Loops{std::move(op)}, std::move(inputs), n.type(x), std::move(shape)));
}

void col2im(NodeLowering& n) {
  const ValueId x = n.input(0);
  const auto image = n.integers(1, "the image's shape"), block = n.integers(2, "the block's shape");
  const std::size_t spatial = image.size();
  ColumnsToImage op;
  op.window.kernel = block;
  op.window.strides = n.list("strides", Shape(spatial, 1));
  op.window.dilations = n.list("dilations", Shape(spatial, 1));
  const auto pads = n.list("pads", Shape(2 * spatial, 0));
  const auto positive = [](const auto& values) {
    return std::all_of(values.begin(), values.end(), [](auto v) { return v >= 1 && v <= (1 << 24); });
  };
  if (spatial < 1 || spatial > 5 || block.size() != spatial || op.window.strides.size() != spatial ||
      op.window.dilations.size() != spatial || pads.size() != 2 * spatial || !positive(image) || !positive(block) ||
      !positive(op.window.strides) || !positive(op.window.dilations) || n.rank(x) != 3 ||
      n.shape(x)[1] % element_count(block) != 0)
    n.contradiction("makes an image of " + to_text(image) + " from blocks of " + to_text(block) + " in " +
                    to_text(n.shape(x)));
  std::int64_t blocks = 1;
  for (std::size_t k = 0; k < spatial; ++k) {
    op.window.pads_begin.push_back(pads[k]);
    op.window.pads_end.push_back(pads[spatial + k]);
    const std::int64_t span = image[k] + pads[k] + pads[spatial + k] - (block[k] - 1) * op.window.dilations[k] - 1;
    blocks *= span < 0 ? 0 : span / op.window.strides[k] + 1;
  }
  if (blocks != n.shape(x)[2])
    n.contradiction("has " + std::to_string(n.shape(x)[2]) + " blocks; its image takes " + std::to_string(blocks));
  Shape shape{n.shape(x)[0], n.shape(x)[1] / element_count(block)};
  shape.insert(shape.end(), image.begin(), image.end());
  n.output(0, n.emit(Loops{std::move(op)}, {x}, n.type(x), std::move(shape)));
}

constexpr OperatorRow rows[] = {
    {"Col2Im", col2im}, {"DeformConv", deform_conv}, {"GridSample", grid_sample}, {"RoiAlign", roi_align}};

}  // namespace

std::span<const OperatorRow> sampling_operators() { return rows; }

}  // namespace isocenter::infer
