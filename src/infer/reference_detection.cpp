#include <algorithm>

#include "infer/reference_loops.hpp"

namespace isocenter::infer {
namespace {

struct Box {
  double x0, y0, x1, y1;
  double area() const { return (x1 - x0) * (y1 - y0); }
};

Box read_box(const ConstView& boxes, std::int64_t index, bool centred) {
  const auto value = [&](std::int64_t k) { return read_real(boxes.type, boxes.data, index * 4 + k); };
  const double p = value(0), q = value(1), r = value(2), t = value(3);
  if (centred) return {p - r / 2, q - t / 2, p + r / 2, q + t / 2};
  return {std::min(q, t), std::min(p, r), std::max(q, t), std::max(p, r)};
}

/// Intersection over union.
double overlap(const Box& a, const Box& b) {
  const double w = std::min(a.x1, b.x1) - std::max(a.x0, b.x0), h = std::min(a.y1, b.y1) - std::max(a.y0, b.y0);
  if (!(w > 0 && h > 0)) return 0;
  const double both = a.area() + b.area() - w * h;
  return both > 0 ? w * h / both : 0;
}

}  // namespace

/// Boxes of each class from the best score down, less those that overlap a better one too much.
void run_loops(const Suppression& what, std::span<const ConstView> in, View out) {
  const ConstView &boxes = in[0], &scores = in[1], &order = in[2];
  const std::int64_t images = (*scores.shape)[0], classes = (*scores.shape)[1], count = (*scores.shape)[2];
  auto* const rows = reinterpret_cast<std::int64_t*>(out.data);
  std::int64_t* row = rows;
  for (std::int64_t image = 0; image < images; ++image)
    for (std::int64_t c = 0; c < classes; ++c) {
      const std::int64_t* const first = row;  // of this class
      const std::int64_t start = (image * classes + c) * count;
      for (std::int64_t i = 0; i < count && (row - first) / 3 < what.most; ++i) {
        const std::int64_t box = read_integer(order.type, order.data, start + i);
        if (!(read_real(scores.type, scores.data, start + box) > what.lowest)) continue;
        const Box candidate = read_box(boxes, image * count + box, what.centred);
        bool covered = false;
        for (const std::int64_t* kept = first; kept != row && !covered; kept += 3)
          covered = overlap(candidate, read_box(boxes, image * count + kept[2], what.centred)) > what.overlap;
        if (covered) continue;
        row[0] = image;
        row[1] = c;
        row[2] = box;
        row += 3;
      }
    }
  std::fill(row, rows + element_count(*out.shape), -1);
}

}  // namespace isocenter::infer
