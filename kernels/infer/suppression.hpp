#pragma once
// Non-maximum suppression: for each image and class the boxes from the best score down, less those that overlap a
// better one too much.
#include "infer/along_axis.hpp"

namespace isocenter::detail {

/// x and y count pairs of image and class, 32 in a row. Writes the boxes that a pair keeps, at most `most`, to
/// chosen[pair * most] on, and how many they are.
struct SuppressionKernel {
  static constexpr const char* name = "infer/suppression";
  const float *boxes, *scores;  ///< (images, count, 4), (images, classes, count)
  const std::int64_t* order;    ///< like the scores: positions, the best score first
  std::int32_t *chosen, *counts;
  std::int64_t pairs;
  int classes, count, most;
  int centred;     ///< boxes are (x centre, y centre, width, height), else (y, x, y, x) of two corners
  double overlap;  ///< intersection over union with a better box, above which one is dropped
  double lowest;   ///< scores have to be above it

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes, int x, int y, int) const {
    each_column<Lanes>(x, y, pairs, [this](std::int64_t pair) { choose(pair); });
  }

 private:
  struct Box {
    double x0, y0, x1, y1;
    ISOCENTER_HD double area() const { return (x1 - x0) * (y1 - y0); }
  };
  static ISOCENTER_HD double least(double a, double b) { return b < a ? b : a; }
  static ISOCENTER_HD double most_of(double a, double b) { return a < b ? b : a; }

  ISOCENTER_HD Box read(const float* box) const {
    const double p = static_cast<double>(box[0]), q = static_cast<double>(box[1]), r = static_cast<double>(box[2]),
                 t = static_cast<double>(box[3]);
    if (centred != 0) return {p - r / 2, q - t / 2, p + r / 2, q + t / 2};
    return {least(q, t), least(p, r), most_of(q, t), most_of(p, r)};
  }
  static ISOCENTER_HD double shared(const Box& a, const Box& b) {
    const double w = least(a.x1, b.x1) - most_of(a.x0, b.x0), h = least(a.y1, b.y1) - most_of(a.y0, b.y0);
    if (!(w > 0 && h > 0)) return 0;
    const double both = a.area() + b.area() - w * h;
    return both > 0 ? w * h / both : 0;
  }
  ISOCENTER_HD void choose(std::int64_t pair) const {
    const float* const own = boxes + pair / classes * count * 4;
    std::int32_t* const kept = chosen + pair * most;
    int found = 0;
    for (int i = 0; i < count && found < most; ++i) {
      const std::int64_t box = order[pair * count + i];
      const double score = static_cast<double>(scores[pair * count + box]);
      if (score != score) continue;  // in front of all numbers
      if (!(score > lowest)) break;
      const Box candidate = read(own + box * 4);
      bool covered = false;
      for (int k = 0; k < found && !covered; ++k)
        covered = shared(candidate, read(own + std::int64_t{kept[k]} * 4)) > overlap;
      if (!covered) kept[found++] = static_cast<std::int32_t>(box);
    }
    counts[pair] = found;
  }
};

/// x and y count rows (image, class, box) of the output, 32 in a row: what each pair chose behind what those before it
/// chose, then -1.
struct SelectedRowsKernel {
  static constexpr const char* name = "infer/selected_rows";
  const std::int32_t *chosen, *counts;
  std::int64_t* out;
  std::int64_t rows;  ///< pairs * most
  int classes, most;

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes, int x, int y, int) const {
    each_column<Lanes>(x, y, rows, [this](std::int64_t row) { write(row); });
  }

 private:
  ISOCENTER_HD void write(std::int64_t row) const {
    const std::int64_t pairs = rows / most;
    std::int64_t pair = 0, place = row;
    while (pair < pairs && place >= counts[pair]) place -= counts[pair++];
    const bool is_there = pair < pairs;
    out[row * 3] = is_there ? pair / classes : -1;
    out[row * 3 + 1] = is_there ? pair % classes : -1;
    out[row * 3 + 2] = is_there ? chosen[pair * most + place] : -1;
  }
};

}  // namespace isocenter::detail
