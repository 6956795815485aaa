#pragma once
// Gathering and scattering by indices that only a run brings. An index that lies outside reads and writes nothing: the
// first one is noted, and whoever ran the network refuses the run by it (src/infer/index_notes.hpp).
#include "core/shared_words.hpp"
#include "infer/elements.hpp"

namespace isocenter::detail {

/// What a note is before: no index lies outside.
inline constexpr std::int64_t no_bad_index = INT64_MAX;

/// The place of an index among its like, and its value, as far as 31 and 32 bits hold them: the lowest is that of the
/// first place.
ISOCENTER_HD std::int64_t bad_index_note(std::int64_t place, std::int64_t value) {
  const std::int64_t kept = place > INT32_MAX - 1 ? INT32_MAX - 1 : place;
  const std::int64_t low = value < INT32_MIN ? INT32_MIN : (value > INT32_MAX ? INT32_MAX : value);
  return kept << 32 | static_cast<std::int64_t>(static_cast<std::uint32_t>(static_cast<std::int32_t>(low)));
}

struct IndexSource {
  ElementSource values;
  std::int64_t* note;

  /// Index `place` as a position of [0, extent), from the end where it is negative; -1, and noted, outside.
  ISOCENTER_HD std::int64_t position(std::int64_t place, std::int64_t extent) const {
    const std::int64_t index = values.whole(place);
    if (index >= -extent && index < extent) return index < 0 ? index + extent : index;
    lower_to(note, bad_index_note(place, index));
    return -1;
  }
  /// The block that the `depth` indices from `first` on name together, by these extents; -1 outside.
  ISOCENTER_HD std::int64_t block(std::int64_t first, int depth, const std::int64_t* extent) const {
    std::int64_t at = 0;
    for (int d = 0; d < depth; ++d) {
      const std::int64_t here = position(first + d, extent[d]);
      if (here < 0) return -1;
      at = at * extent[d] + here;
    }
    return at;
  }
};

/// One element as it is.
ISOCENTER_HD void copy_element(const void* from, std::int64_t at, void* to, std::int64_t to_at, int bytes) {
  if (bytes == 1) return save_as(to, to_at, load_as<std::uint8_t>(from, at));
  if (bytes == 2) return save_as(to, to_at, load_as<std::uint16_t>(from, at));
  if (bytes == 4) return save_as(to, to_at, load_as<std::uint32_t>(from, at));
  save_as(to, to_at, load_as<std::uint64_t>(from, at));
}

/// out = data where the position along one axis is the index. Elements: the indices have the output's shape, whose
/// other axes may be shorter than the data's. Else: data (outer, extent, inner), out (outer, indices, inner).
struct GatherIndexedKernel {
  static constexpr const char* name = "infer/gather_indexed";
  const void* in;
  void* out;
  IndexSource indices;
  Extents extents;               ///< elements: of the output
  std::int64_t step[most_axes];  ///< elements: of the data
  std::int64_t extent, inner, index_count, count;
  int axis, elements, bytes;

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes, int x, int y, int) const {
    each_column<Lanes>(x, y, count, [this](std::int64_t i) { gather_one(i); });
  }

 private:
  ISOCENTER_HD_CALL void gather_one(std::int64_t i) const {
    if (elements == 0) {
      const std::int64_t j = i % inner, n = i / inner % index_count, o = i / inner / index_count;
      const std::int64_t at = indices.position(n, extent);
      if (at >= 0) copy_element(in, (o * extent + at) * inner + j, out, i, bytes);
      return;
    }
    std::int64_t rest = i, from = 0;
    for (int k = extents.axes; k-- > 0;) {
      if (k != axis) from += rest % extents.at[k] * step[k];
      rest /= extents.at[k];
    }
    const std::int64_t at = indices.position(i, extent);
    if (at >= 0) copy_element(in, from + at * step[axis], out, i, bytes);
  }
};

/// Indices (batches, rows, depth) name blocks of `inner` elements among the first `depth` axes behind the batch.
struct GatherPositionsKernel {
  static constexpr const char* name = "infer/gather_positions";
  const void* in;
  void* out;
  IndexSource indices;
  std::int64_t extent[most_axes];  ///< of the axes that the indices name
  std::int64_t rows, inner, per_batch, count;
  int depth, bytes;

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes, int x, int y, int) const {
    each_column<Lanes>(x, y, count, [this](std::int64_t i) { gather_one(i); });
  }

 private:
  ISOCENTER_HD_CALL void gather_one(std::int64_t i) const {
    const std::int64_t row = i / inner, at = indices.block(row * depth, depth, extent);
    if (at >= 0) copy_element(in, row / rows * per_batch + at * inner + i % inner, out, i, bytes);
  }
};

/// Where each row of updates goes: target[row], -1 outside; first[target], the first row that goes there, and
/// rows_at[target], how many do. Elements: a row is one index, of the indices' extents. Else: `depth` indices.
struct ScatterTargetsKernel {
  static constexpr const char* name = "infer/scatter_targets";
  IndexSource indices;
  std::int64_t* target;
  std::int32_t *first, *rows_at;
  Extents extents;                 ///< elements: of the indices
  std::int64_t step[most_axes];    ///< elements: of the output
  std::int64_t extent[most_axes];  ///< of the output
  std::int64_t rows;
  int axis, depth, elements;

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes, int x, int y, int) const {
    each_column<Lanes>(x, y, rows, [this](std::int64_t row) { find(row); });
  }

 private:
  ISOCENTER_HD_CALL void find(std::int64_t row) const {
    std::int64_t to = 0;
    if (elements != 0) {
      const std::int64_t at = indices.position(row, extent[axis]);
      std::int64_t rest = row;
      to = at * step[axis];
      for (int k = extents.axes; k-- > 0;) {
        if (k != axis) to += rest % extents.at[k] * step[k];
        rest /= extents.at[k];
      }
      if (at < 0) to = -1;
    } else {
      to = indices.block(row * depth, depth, extent);
    }
    target[row] = to;
    if (to < 0) return;
    lower_to(first + to, static_cast<std::int32_t>(row));
    add_to(rows_at + to, 1);
  }
};

enum class Combining : std::uint8_t { replace, add, multiply, max, min };

/// The updates of each target, one after the other in the order of their rows: by the thread of the first one.
struct ScatterKernel {
  static constexpr const char* name = "infer/scatter";
  ElementSource updates;
  ElementTarget out;  ///< holds the data
  const std::int64_t* target;
  const std::int32_t *first, *rows_at;
  std::int64_t inner, count;  ///< rows * inner
  Combining combining;

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes, int x, int y, int) const {
    each_column<Lanes>(x, y, count, [this](std::int64_t i) { scatter_one(i); });
  }

 private:
  template <class T>
  ISOCENTER_HD T merged(T a, T b) const {
    if (combining == Combining::max) return a < b ? b : a;
    return b < a ? b : a;
  }
  ISOCENTER_HD void put(std::int64_t from, std::int64_t to) const {
    if (combining == Combining::replace) return copy_element(updates.data, from, out.data, to, out.form.bytes);
    if (!out.form.is_whole()) {
      const double a = read_real(out.form, out.data, to), b = updates.real(from);
      return out.real(to,
                      combining == Combining::add ? a + b : (combining == Combining::multiply ? a * b : merged(a, b)));
    }
    const std::int64_t a = read_whole(out.form, out.data, to), b = updates.whole(from);
    const auto ua = static_cast<std::uint64_t>(a), ub = static_cast<std::uint64_t>(b);
    if (combining == Combining::add) return out.whole(to, static_cast<std::int64_t>(ua + ub));
    if (combining == Combining::multiply) return out.whole(to, static_cast<std::int64_t>(ua * ub));
    out.whole(to, merged(a, b));
  }
  ISOCENTER_HD_CALL void scatter_one(std::int64_t i) const {
    const std::int64_t row = i / inner, j = i % inner, to = target[row];
    if (to < 0 || first[to] != row) return;
    put(row * inner + j, to * inner + j);
    std::int32_t left = rows_at[to] - 1;
    for (std::int64_t next = row + 1; left > 0; ++next)
      if (target[next] == to) {
        put(next * inner + j, to * inner + j);
        --left;
      }
  }
};

/// The first lengths[b] positions along the time axis in reverse order.
struct ReverseSequenceKernel {
  static constexpr const char* name = "infer/reverse_sequence";
  const void* in;
  void* out;
  ElementSource lengths;
  std::int64_t count, batch_step, batch, time_step, time;  ///< steps and extents of the two axes
  int bytes;

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes, int x, int y, int) const {
    each_column<Lanes>(x, y, count, [this](std::int64_t i) { move(i); });
  }

 private:
  ISOCENTER_HD_CALL void move(std::int64_t i) const {
    const std::int64_t t = i / time_step % time, given = lengths.whole(i / batch_step % batch);
    const std::int64_t length = given < 0 ? 0 : (given > time ? time : given);
    copy_element(in, t < length ? i + (length - 1 - 2 * t) * time_step : i, out, i, bytes);
  }
};

}  // namespace isocenter::detail
