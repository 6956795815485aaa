#pragma once
// Non-maximum suppression: for each image and class the boxes from the best score down, less those that overlap a
// better one too much.
#include "infer/along_axis.hpp"

namespace isocenter::detail {

/// Boxes as corners, and how much of their union two share. The products are rounded on their own, on a GPU too, where
/// they would be contracted with a sum: what is on the threshold falls to the same side everywhere.
struct SuppressionBoxes {
  const float *boxes, *scores;  ///< (images, count, 4), (images, classes, count)
  const std::int64_t* order;    ///< like the scores: positions, the best score first
  std::int64_t pairs;           ///< of image and class
  int classes, count, most;     ///< most: that a pair keeps
  int centred;                  ///< boxes are (x centre, y centre, width, height), else (y, x, y, x) of two corners
  double overlap;               ///< intersection over union with a better box, above which one is dropped
  double lowest;                ///< scores have to be above it

  struct Box {
    double x0, y0, x1, y1;
    ISOCENTER_HD double area() const { return times(x1 - x0, y1 - y0); }
  };
  static ISOCENTER_HD double times(double a, double b) {
#if defined(__CUDA_ARCH__)
    return __dmul_rn(a, b);
#else
    return a * b;
#endif
  }
  static ISOCENTER_HD double least(double a, double b) { return b < a ? b : a; }
  static ISOCENTER_HD double most_of(double a, double b) { return a < b ? b : a; }

  ISOCENTER_HD Box read(std::int64_t pair, std::int64_t index) const {
    const float* const box = boxes + (pair / classes * count + index) * 4;
    const double p = static_cast<double>(box[0]), q = static_cast<double>(box[1]), r = static_cast<double>(box[2]),
                 t = static_cast<double>(box[3]);
    if (centred != 0) return {p - r / 2, q - t / 2, p + r / 2, q + t / 2};
    return {least(q, t), least(p, r), most_of(q, t), most_of(p, r)};
  }
  ISOCENTER_HD bool covers(const Box& better, const Box& box) const {
    const double w = least(box.x1, better.x1) - most_of(box.x0, better.x0),
                 h = least(box.y1, better.y1) - most_of(box.y0, better.y0);
    double share = 0;
    if (w > 0 && h > 0) {
      const double shared = times(w, h), both = box.area() + better.area() - shared;
      if (both > 0) share = shared / both;
    }
    return share > overlap;
  }
  /// The box at a place of the order.
  ISOCENTER_HD std::int64_t at(std::int64_t pair, int place) const { return order[pair * count + place]; }
  /// Scores that are not a number stand in front of all, and are left out.
  ISOCENTER_HD double score(std::int64_t pair, std::int64_t box) const {
    return static_cast<double>(scores[pair * count + box]);
  }
};

/// x and y count pairs of image and class, 32 in a row. Writes the boxes that a pair keeps, at most `most`, to
/// chosen[pair * most] on, and how many they are: a thread for a pair.
struct SuppressionKernel {
  static constexpr const char* name = "infer/suppression";
  SuppressionBoxes boxes;
  std::int32_t *chosen, *counts;

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes, int x, int y, int) const {
    each_column<Lanes>(x, y, boxes.pairs, [this](std::int64_t pair) { choose(pair); });
  }

 private:
  ISOCENTER_HD void choose(std::int64_t pair) const {
    std::int32_t* const kept = chosen + pair * boxes.most;
    int found = 0;
    for (int i = 0; i < boxes.count && found < boxes.most; ++i) {
      const std::int64_t box = boxes.at(pair, i);
      const double score = boxes.score(pair, box);
      if (score != score) continue;
      if (!(score > boxes.lowest)) break;
      const auto candidate = boxes.read(pair, box);
      bool covered = false;
      for (int k = 0; k < found && !covered; ++k) covered = boxes.covers(boxes.read(pair, kept[k]), candidate);
      if (!covered) kept[found++] = static_cast<std::int32_t>(box);
    }
    counts[pair] = found;
  }
};

/// Boxes that are looked at together.
inline constexpr int suppression_block = 256;
inline constexpr int suppression_words = suppression_block / 32;

/// The same with a thread for each box of a block, block after block of the order: first which boxes the pair still may
/// keep, and which better ones of their block cover them. x counts the block's boxes, y the pairs.
struct SuppressionBlockKernel {
  static constexpr const char* name = "infer/suppression_block";
  SuppressionBoxes boxes;
  const std::int32_t *chosen, *counts;  ///< of the blocks before
  std::uint32_t* covered_by;            ///< [pair][box of the block][word]: a bit for each better box; all bits: is out
  int first;                            ///< place of the block's first box in the order

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes, int x, int y, int) const {
    for (int k = 0; k < Lanes::width; ++k) look(y, x + k);
  }

 private:
  ISOCENTER_HD bool may_stay(std::int64_t pair, int place, SuppressionBoxes::Box& candidate) const {
    const int found = counts[pair];
    if (place >= boxes.count || found >= boxes.most) return false;
    const std::int64_t box = boxes.at(pair, place);
    if (!(boxes.score(pair, box) > boxes.lowest)) return false;
    candidate = boxes.read(pair, box);
    for (int k = 0; k < found; ++k)
      if (boxes.covers(boxes.read(pair, chosen[pair * boxes.most + k]), candidate)) return false;
    return true;
  }
  ISOCENTER_HD void look(std::int64_t pair, int own) const {
    std::uint32_t* const words = covered_by + (pair * suppression_block + own) * suppression_words;
    SuppressionBoxes::Box candidate{};
    const bool stays = may_stay(pair, first + own, candidate);
    for (int word = 0; word < suppression_words; ++word) {
      std::uint32_t bits = stays ? 0U : ~0U;
      for (int k = 0; stays && k < 32 && word * 32 + k < own; ++k) {
        const auto better = boxes.read(pair, boxes.at(pair, first + word * 32 + k));
        if (boxes.covers(better, candidate)) bits |= 1U << static_cast<unsigned>(k);
      }
      words[word] = bits;
    }
  }
};

/// Then one thread for each pair goes through the block's bits. x and y count pairs.
struct SuppressionKeepKernel {
  static constexpr const char* name = "infer/suppression_keep";
  const std::int64_t* order;
  const std::uint32_t* covered_by;
  std::int32_t *chosen, *counts;
  std::int64_t pairs;
  int count, most, first;  ///< first: place of the block's first box in the order

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes, int x, int y, int) const {
    each_column<Lanes>(x, y, pairs, [this](std::int64_t pair) { keep(pair); });
  }

 private:
  ISOCENTER_HD void keep(std::int64_t pair) const {
    std::uint32_t kept[suppression_words] = {};
    int found = counts[pair];
    for (int own = 0; own < suppression_block && found < most; ++own) {
      const std::uint32_t* const words = covered_by + (pair * suppression_block + own) * suppression_words;
      if (words[suppression_words - 1] == ~0U) continue;  // out: a box has no better one at its own place
      bool covered = false;
      for (int word = 0; word < suppression_words; ++word) covered = covered || (words[word] & kept[word]) != 0;
      if (covered) continue;
      kept[own / 32] |= 1U << static_cast<unsigned>(own % 32);
      chosen[pair * most + found++] = static_cast<std::int32_t>(order[pair * count + first + own]);
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
