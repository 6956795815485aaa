#include "denoise/noise_estimate.hpp"

#include <algorithm>

namespace isocenter::detail {
namespace {

/// Counts one round: every part into bins of its own, then all into the first part's.
void count(const Launcher& launcher, const NoiseMedian& m) {
  const std::uint32_t upper = m.words[NoiseMedian::upper_half];
  parallel_for(launcher, NoiseMedian::parts, 1, [&](std::int64_t b, std::int64_t e) {
    for (std::int64_t part = b; part < e; ++part) {
      std::uint32_t* counts = m.counts + part * NoiseMedian::bins;
      std::fill(counts, counts + NoiseMedian::bins, 0U);
      const std::int64_t end = m.voxels * (part + 1) / NoiseMedian::parts;
      for (std::int64_t i = m.voxels * part / NoiseMedian::parts; i < end; ++i)
        if (const int bin = noise_bin(m.residuals[i], m.round, upper); bin >= 0) ++counts[bin];
    }
  });
  for (std::int64_t i = NoiseMedian::bins; i < static_cast<std::int64_t>(NoiseMedian::bins) * NoiseMedian::parts; ++i)
    m.counts[i % NoiseMedian::bins] += m.counts[i];
}

}  // namespace

void noise_median(const Launcher& launcher, NoiseMedian m) {
  for (m.round = 0; m.round < 2; ++m.round) {
    count(launcher, m);
    noise_select(m);
  }
}

}  // namespace isocenter::detail
