#pragma once
// A ray through a phantom: the pieces on which the value is constant, and its exact line integral.
#include <cstdint>

#include "phantom/primitive.hpp"

namespace isocenter::detail {

enum class Composition : std::int32_t {
  additive,  ///< the value at a point is the sum over all solids there (Shepp-Logan)
  painted    ///< it is that of the last solid there, as if painted over the earlier ones (anatomy)
};

constexpr int max_primitives = 512;

struct PhantomView {
  const Primitive* primitives;
  int count;  ///< at most max_primitives
  Composition composition;
};

/// The solids that a ray meets, in the phantom's order, with where it is inside each.
struct Hits {
  int count = 0;
  int index[max_primitives];
  double enter[max_primitives];
  double leave[max_primitives];
};

/// The solids that a bundle of rays can meet at all, in the phantom's order.
struct Candidates {
  int count = 0;
  std::int16_t index[max_primitives];
};

/// Fills `hits` for the ray origin + t * direction, t in [t0, t1]. `starts` (may be null) holds chord_start of each
/// candidate for this origin.
inline void find_hits(const PhantomView& phantom, const Candidates& candidates, const ChordStart* starts,
                      const double* origin, const double* direction, double t0, double t1, Hits* hits) {
  hits->count = 0;
  for (int k = 0; k < candidates.count; ++k) {
    const Primitive& s = phantom.primitives[candidates.index[k]];
    double enter = t0, leave = t1;
    if (!chord(s, starts != nullptr ? starts[k] : chord_start(s, origin), direction, &enter, &leave)) continue;
    hits->index[hits->count] = candidates.index[k];
    hits->enter[hits->count] = enter;
    hits->leave[hits->count] = leave;
    ++hits->count;
  }
}

/// Calls piece(begin, end, value, label) in the order of t for each piece of the ray on which value and label are
/// constant. The label is that of the last solid there. Pieces outside all solids are left out.
template <class Piece>
void for_each_piece(const PhantomView& phantom, const Hits& hits, Piece&& piece) {
  double borders[2 * max_primitives];
  int n = 0;
  const auto insert = [&](double t) {
    int k = n++;
    for (; k > 0 && borders[k - 1] > t; --k) borders[k] = borders[k - 1];
    borders[k] = t;
  };
  for (int h = 0; h < hits.count; ++h) {
    insert(hits.enter[h]);
    insert(hits.leave[h]);
  }
  for (int k = 0; k + 1 < n; ++k) {
    const double begin = borders[k], end = borders[k + 1];
    if (end <= begin) continue;
    const double middle = 0.5 * (begin + end);
    double value = 0.0;
    int last = -1;
    for (int h = hits.count - 1; h >= 0; --h) {
      if (hits.enter[h] > middle || hits.leave[h] < middle) continue;
      const Primitive& s = phantom.primitives[hits.index[h]];
      if (last < 0) last = hits.index[h];
      value += s.value;
      if (phantom.composition == Composition::painted) break;
    }
    if (last >= 0) piece(begin, end, value, phantom.primitives[last].label);
  }
}

/// Disjoint pieces of a ray, in ascending order.
struct Covered {
  int count = 0;
  double begin[max_primitives];
  double end[max_primitives];

  /// The length of [enter, leave] that was not covered yet; now it is.
  double cover(double enter, double leave) {
    int first = 0;
    while (first < count && end[first] < enter) ++first;
    double free = leave - enter, low = enter, high = leave;
    int last = first;  // pieces first .. last - 1 touch [enter, leave] and become one with it
    for (; last < count && begin[last] <= leave; ++last) {
      free -= smaller(end[last], leave) - larger(begin[last], enter);
      low = smaller(low, begin[last]);
      high = larger(high, end[last]);
    }
    if (last == first) {
      for (int k = count; k > first; --k) begin[k] = begin[k - 1], end[k] = end[k - 1];
      ++count;
    } else if (last > first + 1) {
      for (int k = last; k < count; ++k) begin[k - last + first + 1] = begin[k], end[k - last + first + 1] = end[k];
      count -= last - first - 1;
    }
    begin[first] = low;
    end[first] = high;
    return free;
  }
};

/// ∫ value dt over the hits; in mm (relative to water) when the ray's direction has length 1.
inline double integrate(const PhantomView& phantom, const Hits& hits) {
  double sum = 0.0;
  if (phantom.composition == Composition::additive) {
    for (int h = 0; h < hits.count; ++h)
      sum += phantom.primitives[hits.index[h]].value * (hits.leave[h] - hits.enter[h]);
    return sum;
  }
  // From the solid painted last to the first: each counts where none was before it.
  Covered covered;
  for (int h = hits.count - 1; h >= 0; --h)
    sum += phantom.primitives[hits.index[h]].value * covered.cover(hits.enter[h], hits.leave[h]);
  return sum;
}

/// The value at a point, and in *label (may be null) the label of the last solid there (0: none).
inline double value_at(const PhantomView& phantom, const double* point, std::int32_t* label) {
  double value = 0.0;
  std::int32_t last = 0;
  bool found = false;
  for (int i = phantom.count - 1; i >= 0; --i) {
    const Primitive& s = phantom.primitives[i];
    if (!contains(s, point)) continue;
    if (!found) last = s.label;
    found = true;
    value += s.value;
    if (phantom.composition == Composition::painted) break;
  }
  if (label != nullptr) *label = last;
  return value;
}

}  // namespace isocenter::detail
