#pragma once
// How the slices of a volume are shared out: slabs of one height, because all items of a stream have one shape.
#include <isocenter/operator.hpp>
#include <isocenter/slabs.hpp>

namespace isocenter::detail {

struct SlabCut {
  Slabs slabs;              ///< of this process
  std::int64_t height = 0;  ///< slices of each
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

}  // namespace isocenter::detail
