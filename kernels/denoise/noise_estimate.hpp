#pragma once
// The standard deviation of white noise in a volume, without a flat region being pointed at: the median of absolute
// pseudo-residuals. A pseudo-residual (Gasser, Sroka, Jennen-Steinmetz, "Residual variance and residual pattern in
// nonlinear regression", Biometrika 73, 1986; in 3-D: Coupé et al., IEEE TMI 27(4), 2008, section III-A)
//   e = sqrt(n / (n + 1)) · (u - mean of the n = 2 · axes neighbours)
// has the noise's standard deviation and no mean where the image is locally linear. Edges and texture make large ones;
// the median does not see them (σ = 1.4826 · median |e|, Rousseeuw and Croux, JASA 88, 1993, section 1).
//
// Noise that a reconstruction has smoothed is correlated between neighbours and comes out too small.
//
// The median is exact: two rounds of counting, over the upper and the lower half of the bits of |e|. Counts are
// integers, so the result does not depend on their order.
#include <cstdint>

#include "core/lane_math.hpp"
#include "core/launch.hpp"

namespace isocenter::detail {

/// |e| of every voxel; -1 at the border of a used axis, and where all samples equal the frame's first voxel: the
/// padding around a CT's circle and the masked background of an MR image hold no noise and may be most of the volume.
/// `z` runs over the slices of all time frames.
struct ResidualKernel {
  static constexpr const char* name = "denoise/noise_residual";
  const float* in;
  float* out;
  int nx, ny, nz;
  bool along_x, along_y, along_z;  ///< which axes have neighbours near enough; at least 3 voxels long

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes, int x, int y, int z) const {
    using Float = typename Lanes::Float;
    const std::int64_t pitch_y = nx, pitch_z = static_cast<std::int64_t>(nx) * ny;
    const float* here = in + z * pitch_z + y * pitch_y;
    const int slice = z % nz;
    const auto xs = Lanes::iota(x);
    const Float u = load(Lanes{}, here + x), excluded = u * 0.0F - 1.0F;
    if ((along_y && (y == 0 || y == ny - 1)) || (along_z && (slice == 0 || slice == nz - 1))) {
      store(out + (here - in) + x, excluded);
      return;
    }
    Float sum = Float{}, spread = Float{};
    if (along_x) add(gather(here, clamp(xs - 1, 0, nx - 1)), gather(here, clamp(xs + 1, 0, nx - 1)), u, sum, spread);
    if (along_y) add(load(Lanes{}, here - pitch_y + x), load(Lanes{}, here + pitch_y + x), u, sum, spread);
    if (along_z) add(load(Lanes{}, here - pitch_z + x), load(Lanes{}, here + pitch_z + x), u, sum, spread);
    const float n = 2.0F * (static_cast<float>(along_x) + static_cast<float>(along_y) + static_cast<float>(along_z));
    const Float e = (u - sum * (1.0F / n)) * square_root(n / (n + 1.0F));
    const float padding = in[(z - slice) * pitch_z];
    const Float from_padding = max(spread, max(u - padding, padding - u));
    Float size = select(from_padding > 0.0F, max(e, 0.0F - e), excluded);
    if (along_x) size = select(xs > 0, select(xs < nx - 1, size, excluded), excluded);
    store(out + (here - in) + x, size);
  }

 private:
  template <class Float>
  static ISOCENTER_HD void add(Float before, Float after, Float u, Float& sum, Float& spread) {
    sum += before + after;
    spread = max(spread, max(max(before - u, u - before), max(after - u, u - after)));
  }
};

/// One frame's median. On CUDA the tuned kernels below do the same with this as their argument.
struct NoiseMedian {
  static constexpr const char* count_name = "denoise/noise_count";    ///< over the voxels, once for each round
  static constexpr const char* select_name = "denoise/noise_select";  ///< over one position, after each round
  static constexpr int bins = 1 << 16;
  static constexpr int parts = 16;  ///< ranges of voxels that the CPU counts apart, each with bins of its own
  static constexpr std::int64_t state_words = static_cast<std::int64_t>(bins) * parts + 4;
  enum Word { kept, rank, upper_half };

  const float* residuals;  ///< of one frame
  std::int64_t voxels;     ///< below 2^32
  std::uint32_t* words;    ///< three, see Word; zeroed before the first round
  std::uint32_t* counts;   ///< `bins` on CUDA, zeroed before each round; bins · parts on the CPU
  float* sigma;            ///< where the frame's σ goes
  int round;               ///< 0: the upper 16 bits, 1: the lower
};

/// From one round's counts to the bin of the median; after the second round σ is written.
ISOCENTER_HD void noise_select(const NoiseMedian& m) {
  std::uint32_t* w = m.words;
  if (m.round == 0) {
    w[NoiseMedian::kept] = 0;
    for (int i = 0; i < NoiseMedian::bins; ++i) w[NoiseMedian::kept] += m.counts[i];
    w[NoiseMedian::rank] = w[NoiseMedian::kept] / 2;
  }
  if (w[NoiseMedian::kept] == 0) {
    *m.sigma = 0.0F;
    return;
  }
  std::uint32_t bin = 0, rank = w[NoiseMedian::rank];
  while (rank >= m.counts[bin]) rank -= m.counts[bin++];
  w[NoiseMedian::rank] = rank;
  if (m.round == 0)
    w[NoiseMedian::upper_half] = bin;
  else
    *m.sigma = 1.4826F * from_bits(static_cast<int>(w[NoiseMedian::upper_half] << 16 | bin));
}

/// σ of one frame from its residuals on the CPU; both rounds.
void noise_median(const Launcher& launcher, NoiseMedian median);

/// The word that a round counts for one residual, or -1 when the residual does not take part.
ISOCENTER_HD int noise_bin(float residual, int round, std::uint32_t upper_half) {
  if (!(residual >= 0.0F)) return -1;
  const auto bits = static_cast<std::uint32_t>(to_bits(residual));
  if (round == 0) return static_cast<int>(bits >> 16);
  return bits >> 16 == upper_half ? static_cast<int>(bits & 0xffffU) : -1;
}

}  // namespace isocenter::detail
