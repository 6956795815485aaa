#pragma once
// Measures of a volume's values and their linear scaling: mean and standard deviation in double, order statistics by
// counting. All on the device; orders are fixed or do not matter, so the bits do not depend on the number of threads.
#include <cmath>
#include <cstdint>

#include "core/launch.hpp"
#include "volume/shared_counters.hpp"
#include "volume/zero.hpp"

namespace isocenter::detail {

/// Which values count: all finite numbers, or those other than 0. NaN and infinities never do.
struct CountedValues {
  bool nonzero;
  ISOCENTER_HD bool counts(float v) const { return v - v == 0.0F && !(nonzero && v == 0.0F); }
};

struct ValueMoments {
  double count, mean, squares;  ///< squares: of the deviations from the mean
};

/// Chan, Golub and LeVeque, "Updating formulae and a pairwise algorithm for computing sample variances", COMPSTAT 1982,
/// eq. 2.1.
ISOCENTER_HD ValueMoments merged(const ValueMoments& a, const ValueMoments& b) {
  if (a.count == 0) return b;
  if (b.count == 0) return a;
  const double n = a.count + b.count, d = b.mean - a.mean;
  return {n, a.mean + d * (b.count / n), a.squares + b.squares + d * d * (a.count * b.count / n)};
}

/// y, z: rows of the volume.
struct RowMomentsKernel {
  static constexpr const char* name = "volume/row_moments";
  const float* in;
  ValueMoments* rows;
  int nx, ny;
  CountedValues which;

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes, int, int y, int z) const {
    const std::int64_t row = static_cast<std::int64_t>(z) * ny + y;
    const float* p = in + row * nx;
    double sum = 0, count = 0, squares = 0;
    for (int x = 0; x < nx; ++x)
      if (which.counts(p[x])) {
        sum += static_cast<double>(p[x]);
        ++count;
      }
    const double mean = count > 0 ? sum / count : 0;
    for (int x = 0; x < nx; ++x)
      if (which.counts(p[x])) {
        const double d = static_cast<double>(p[x]) - mean;
        squares += d * d;
      }
    rows[row] = {count, mean, squares};
  }
};

/// z: groups of `group` neighbours, merged in their order.
struct MergeGroupsKernel {
  static constexpr const char* name = "volume/merge_groups";
  const ValueMoments* in;
  ValueMoments* out;
  int group;

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes, int, int, int z) const {
    ValueMoments all{0, 0, 0};
    for (int i = 0; i < group; ++i) all = merged(all, in[static_cast<std::int64_t>(z) * group + i]);
    out[z] = all;
  }
};

/// out = clamp(v, low, high) * factor + offset.
struct ValueScale {
  float factor, offset, low, high;
};

/// The scale that takes low to `from` and high to `to`.
inline ValueScale window_scale(double low, double high, double from, double to, bool clip) {
  const double factor = (to - from) / (high - low);
  return {static_cast<float>(factor), static_cast<float>(from - low * factor),
          clip ? static_cast<float>(low) : -INFINITY, clip ? static_cast<float>(high) : INFINITY};
}

/// One position. The scale that gives mean 0 and standard deviation 1 (of a population; 1 where it is 0).
struct ZScoreKernel {
  static constexpr const char* name = "volume/z_score";
  const ValueMoments* all;
  ValueScale* scale;

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes, int, int, int) const {
    const double variance = all->count > 0 ? all->squares / all->count : 0;
    const double sd = variance > 0 ? sqrt(variance) : 1;
    *scale = {static_cast<float>(1 / sd), static_cast<float>(-all->mean / sd), -INFINITY, INFINITY};
  }
};

// --- Percentiles: radix selection (D. E. Knuth, The Art of Computer Programming 3, section 5.2.5, turned to
// selection): the sought values' leading bits are found by counting, 11 bits at a time. No copy of the volume is made.

inline constexpr int selection_bins = 2048;
inline constexpr int selection_copies = 32;  ///< of the counters, so that rows rarely meet in one
inline constexpr int selection_passes = 3;

/// Four order statistics: the neighbours below and above of two percentiles.
struct Selection {
  std::uint32_t found[4];  ///< leading bits so far
  double rank[4];          ///< among the values with these bits, from 0
  double part[2];          ///< where a percentile lies between its neighbours
};

/// The first bit of a pass, and how many it looks at.
ISOCENTER_HD int selection_shift(int pass) { return pass == 0 ? 21 : pass == 1 ? 10 : 0; }
ISOCENTER_HD int selection_bits(int pass) { return pass == 2 ? 10 : 11; }

/// A number that orders like the float; -0 like 0.
ISOCENTER_HD std::uint32_t ordered_bits(float v) {
  v += 0.0F;
  std::uint32_t bits;
  memcpy(&bits, &v, sizeof bits);
  return (bits >> 31) != 0 ? ~bits : bits | 0x80000000U;
}
ISOCENTER_HD float from_ordered_bits(std::uint32_t key) {
  const std::uint32_t bits = (key >> 31) != 0 ? key & 0x7FFFFFFFU : ~key;
  float v;
  memcpy(&v, &bits, sizeof v);
  return v;
}

/// x, y, z: voxels. Counts the next bits of the values that begin as a sought one does: counts[copy][sought][bin]; in
/// the first pass of all values, under the first.
struct CountBitsKernel {
  static constexpr const char* name = "volume/count_bits";
  const float* in;
  const Selection* selection;
  std::uint32_t* counts;
  int nx, ny, pass;
  CountedValues which;

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes, int x0, int y, int z) const {
    const std::int64_t row = static_cast<std::int64_t>(z) * ny + y;
    std::uint32_t* to = counts + (row % selection_copies) * 4 * selection_bins;
    const int shift = selection_shift(pass), bits = selection_bits(pass);
    for (int x = x0; x < x0 + Lanes::width; ++x) {
      const float v = in[row * nx + x];
      if (!which.counts(v)) continue;
      const std::uint32_t key = ordered_bits(v), bin = (key >> shift) & ((1U << bits) - 1U);
      if (pass == 0) {
        shared_add(to + bin, 1U);
        continue;
      }
      const std::uint32_t lead = key >> (shift + bits);
      for (int k = 0; k < 4; ++k)
        if (lead == selection->found[k]) shared_add(to + k * selection_bins + bin, 1U);
    }
  }
};

/// x: bins, y: sought values. Adds the copies up into the first.
struct AddCopiesKernel {
  static constexpr const char* name = "volume/add_copies";
  std::uint32_t* counts;

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes, int x0, int y, int) const {
    for (int x = x0; x < x0 + Lanes::width; ++x) {
      std::uint32_t sum = 0;
      for (int c = 0; c < selection_copies; ++c) sum += counts[(c * 4 + y) * selection_bins + x];
      counts[y * selection_bins + x] = sum;
    }
  }
};

/// y: sought values (0, 1: around percentile[0]; 2, 3: around percentile[1]). Finds the bin that holds each rank.
struct PickBitsKernel {
  static constexpr const char* name = "volume/pick_bits";
  const std::uint32_t* counts;
  Selection* selection;
  int pass;
  double percentile[2];

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes, int, int y, int) const {
    const std::uint32_t* bins = counts + (pass == 0 ? 0 : y * selection_bins);
    double rank = selection->rank[y];
    std::uint32_t found = selection->found[y];
    if (pass == 0) {
      double total = 0;
      for (int b = 0; b < selection_bins; ++b) total += bins[b];
      const double at = total > 0 ? percentile[y / 2] / 100 * (total - 1) : 0;
      const double low = floor(at);
      rank = y % 2 == 0 || low + 1 > total - 1 ? low : low + 1;
      if (y % 2 == 0) selection->part[y / 2] = at - low;
      found = 0;
    }
    int bin = 0;
    double before = 0;
    const int last = (1 << selection_bits(pass)) - 1;
    while (bin < last && before + bins[bin] <= rank) before += bins[bin++];
    selection->found[y] = (found << selection_bits(pass)) | static_cast<std::uint32_t>(bin);
    selection->rank[y] = rank - before;
  }
};

/// One position. The scale that takes the two percentiles to `from` and `to`; where they are equal, values are only
/// shifted.
struct PercentileScaleKernel {
  static constexpr const char* name = "volume/percentile_scale";
  const Selection* selection;
  ValueScale* scale;
  float from, to;
  bool clip;

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes, int, int, int) const {
    double at[2];
    for (int k = 0; k < 2; ++k) {
      const double low = static_cast<double>(from_ordered_bits(selection->found[2 * k]));
      const double high = static_cast<double>(from_ordered_bits(selection->found[2 * k + 1]));
      at[k] = low + (high - low) * selection->part[k];
    }
    const double width = at[1] - at[0];
    const double factor = width > 0 ? (static_cast<double>(to) - static_cast<double>(from)) / width : 1;
    const bool held = clip && width > 0;
    *scale = {static_cast<float>(factor), static_cast<float>(static_cast<double>(from) - at[0] * factor),
              held ? static_cast<float>(at[0]) : -INFINITY, held ? static_cast<float>(at[1]) : INFINITY};
  }
};

/// x, y, z: voxels. Values that do not count stay; `out` may be `in`.
struct ScaleValuesKernel {
  static constexpr const char* name = "volume/scale_values";
  const float* in;
  float* out;
  const ValueScale* scale;
  int nx, ny;
  CountedValues which;

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes lanes, int x, int y, int z) const {
    const std::int64_t at = (static_cast<std::int64_t>(z) * ny + y) * nx + x;
    const auto v = load(lanes, in + at);
    const auto scaled = clamp(v, scale->low, scale->high) * scale->factor + scale->offset;
    const auto left_out = which.nonzero ? v == 0.0F : v != v;
    store(out + at, select(v != v, v, select(left_out, v, scaled)));
  }
};

/// One way to scale a volume. Its memory: `work` of work_bytes() (8-byte aligned), and `scale` on the device, which for
/// Kind::window holds the scale beforehand.
struct IntensityScaling {
  enum class Kind { window, z_score, percentiles } kind = Kind::window;
  CountedValues which{false};
  double percentile[2] = {0, 100};
  float from = 0, to = 1;
  bool clip = true;

  static std::int64_t selection_bytes() {
    return 256 + static_cast<std::int64_t>(selection_copies) * 4 * selection_bins * 4;
  }
  std::int64_t work_bytes(int ny, int nz) const {
    const std::int64_t moments = (static_cast<std::int64_t>(ny) * nz + nz + 1) * 24;
    return kind == Kind::window ? 0 : kind == Kind::z_score ? moments : selection_bytes();
  }
};

/// In plan(): every kernel that scale_intensity launches for this kind.
template <class Plan>
void require_scaling(const Plan& plan, IntensityScaling::Kind kind) {
  plan.template require_kernel<ScaleValuesKernel>();
  if (kind == IntensityScaling::Kind::z_score) {
    plan.template require_kernel<RowMomentsKernel>();
    plan.template require_kernel<MergeGroupsKernel>();
    plan.template require_kernel<ZScoreKernel>();
  } else if (kind == IntensityScaling::Kind::percentiles) {
    plan.template require_kernel<ZeroKernel>();
    plan.template require_kernel<CountBitsKernel>();
    plan.template require_kernel<AddCopiesKernel>();
    plan.template require_kernel<PickBitsKernel>();
    plan.template require_kernel<PercentileScaleKernel>();
  }
}

/// Measures the values of a volume for the scale that they are to have; enqueues only.
inline void measure_intensity(const Launcher& launcher, const IntensityScaling& how, const float* in, int nx, int ny,
                              int nz, void* work, ValueScale* scale) {
  if (how.kind == IntensityScaling::Kind::z_score) {
    auto* rows = static_cast<ValueMoments*>(work);
    ValueMoments* slices = rows + static_cast<std::int64_t>(ny) * nz;
    launch(launcher, RowMomentsKernel{in, rows, nx, ny, how.which}, 1, ny, nz);
    launch(launcher, MergeGroupsKernel{rows, slices, ny}, 1, 1, nz);
    launch(launcher, MergeGroupsKernel{slices, slices + nz, nz}, 1, 1, 1);
    launch(launcher, ZScoreKernel{slices + nz, scale}, 1, 1, 1);
  } else if (how.kind == IntensityScaling::Kind::percentiles) {
    auto* selection = static_cast<Selection*>(work);
    auto* counts = reinterpret_cast<std::uint32_t*>(static_cast<unsigned char*>(work) + 256);
    for (int pass = 0; pass < selection_passes; ++pass) {
      launch(launcher, ZeroKernel{counts}, selection_copies * 4 * selection_bins, 1, 1);
      launch(launcher, CountBitsKernel{in, selection, counts, nx, ny, pass, how.which}, nx, ny, nz);
      launch(launcher, AddCopiesKernel{counts}, selection_bins, 4, 1);
      launch(launcher, PickBitsKernel{counts, selection, pass, {how.percentile[0], how.percentile[1]}}, 1, 4, 1);
    }
    launch(launcher, PercentileScaleKernel{selection, scale, how.from, how.to, how.clip}, 1, 1, 1);
  }
}

/// Measures what the scaling needs and scales; enqueues only.
inline void scale_intensity(const Launcher& launcher, const IntensityScaling& how, const float* in, float* out, int nx,
                            int ny, int nz, void* work, ValueScale* scale) {
  measure_intensity(launcher, how, in, nx, ny, nz, work, scale);
  launch(launcher, ScaleValuesKernel{in, out, scale, nx, ny, how.which}, nx, ny, nz);
}

}  // namespace isocenter::detail
