#pragma once
// How the slices of a volume are shared out: slabs of one height, because all items of a stream have one shape.
#include <algorithm>
#include <isocenter/operator.hpp>
#include <isocenter/slabs.hpp>
#include <string>

namespace isocenter::detail {

struct SlabCut {
  Slabs slabs;              ///< of this process
  std::int64_t height = 0;  ///< slices of each

  bool is_cut() const { return height < slabs.whole; }
  std::int64_t count() const { return static_cast<std::int64_t>(slabs.first.size()); }
  /// "4 of 9 of 35 slices, from slice 0 on"
  std::string text() const {
    return std::to_string(count()) + " of " + std::to_string(height) + " of " + std::to_string(slabs.whole) +
           " slices, from slice " + std::to_string(slabs.first.front()) + " on";
  }
};

/// `parts` slabs for each of `ranks` processes, in order; where the number of slices is no multiple, they overlap
/// evenly. parts * ranks is at most nz.
inline SlabCut cut_into_slabs(std::int64_t nz, std::int64_t rank, std::int64_t ranks, std::int64_t parts) {
  const std::int64_t all = ranks * parts;
  SlabCut cut;
  cut.height = (nz + all - 1) / all;
  cut.slabs.whole = nz;
  for (std::int64_t i = rank * parts; i < (rank + 1) * parts; ++i)
    cut.slabs.first.push_back(all > 1 ? i * (nz - cut.height) / (all - 1) : 0);
  return cut;
}

/// Each process needs a slice at least.
inline void check_ranks(std::int64_t nz, const isocenter_communicator* others) {
  if (others == nullptr || others->ranks <= nz) return;
  throw Failure(ErrorCode::invalid_argument,
                std::to_string(others->ranks) + " processes share a volume of " + std::to_string(nz) + " slices",
                "start " + std::to_string(nz) + " at most");
}

/// The first cut of nz slices for which fits(cut, parts, is_last) says so: `wanted` slabs for each process, or where
/// `may_cut` says so the whole of its share, and then more and more slabs down to one slice. Where not even the last
/// one fits, `fits` throws the refusal.
template <class Fits>
SlabCut find_slab_cut(std::int64_t nz, const isocenter_communicator* others, std::int64_t wanted, bool may_cut,
                      Fits&& fits) {
  check_ranks(nz, others);
  const std::int64_t rank = others == nullptr ? 0 : others->rank, ranks = others == nullptr ? 1 : others->ranks;
  const std::int64_t most = may_cut ? nz / ranks : std::clamp<std::int64_t>(wanted, 1, nz / ranks);
  for (std::int64_t parts = may_cut ? 1 : most;; parts = std::min(most, parts + 1 + parts / 4)) {
    const SlabCut cut = cut_into_slabs(nz, rank, ranks, parts);
    if (fits(cut, parts, parts == most)) return cut;
  }
}

}  // namespace isocenter::detail
