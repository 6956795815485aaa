// What processes that share one iterative reconstruction say to each other.
#include <algorithm>

#include "recon/iterative_problem.hpp"

namespace isocenter::detail {

namespace {

std::int32_t is_cancelled(void* run) { return static_cast<const RunContext*>(run)->cancelled() ? 1 : 0; }

}  // namespace

/// The sum over all processes, the same bits in each.
template <class T>
void IterativeProblem::add_up(T* data, std::int64_t count) const {
  if (others_ == nullptr) return;
  call([&](auto* e) {
    return others_->sum(others_->user, channel_, data, static_cast<std::uint64_t>(count),
                        sizeof(T) == sizeof(float) ? ISOCENTER_FLOAT32 : ISOCENTER_FLOAT64, is_cancelled,
                        const_cast<RunContext*>(run_), e);
  });
}

template void IterativeProblem::add_up(float*, std::int64_t) const;
template void IterativeProblem::add_up(double*, std::int64_t) const;

bool IterativeProblem::agree(Frugality* way) const {
  if (others_ == nullptr) return true;
  std::vector<double> of_rank(static_cast<std::size_t>(others_->ranks), 0.0);
  of_rank[static_cast<std::size_t>(others_->rank)] = static_cast<double>(*way);
  call([&](auto* e) {
    return others_->sum(others_->user, channel_, of_rank.data(), of_rank.size(), ISOCENTER_FLOAT64, nullptr, nullptr,
                        e);
  });
  const auto [least, most] = std::minmax_element(of_rank.begin(), of_rank.end());
  *way = static_cast<Frugality>(static_cast<int>(*most));
  return *least == *most;
}

void IterativeProblem::send(int rank, const float* from) const {
  call([&](auto* e) {
    return others_->send(others_->user, channel_, rank, from, static_cast<std::uint64_t>(slice()) * sizeof(float),
                         is_cancelled, const_cast<RunContext*>(run_), e);
  });
}

void IterativeProblem::receive(int rank, float* to) const {
  call([&](auto* e) {
    return others_->receive(others_->user, channel_, rank, to, static_cast<std::uint64_t>(slice()) * sizeof(float),
                            is_cancelled, const_cast<RunContext*>(run_), e);
  });
}

/// A slice goes to one neighbour and one comes from the other; none where there is no neighbour. Ranks take turns in
/// who speaks first, so that no more than two wait for one another.
void IterativeProblem::exchange(int to, const float* given, int from, float* taken) const {
  const auto is_rank = [&](int rank) { return rank >= 0 && rank < others_->ranks; };
  const bool speaks_first = others_->rank % 2 == 0;
  if (speaks_first && is_rank(to)) send(to, given);
  if (is_rank(from)) receive(from, taken);
  if (!speaks_first && is_rank(to)) send(to, given);
}

void IterativeProblem::take_slice_behind(float* x) const {
  if (touches()) exchange(others_->rank - 1, x, others_->rank + 1, x + share_voxels());
}

void IterativeProblem::take_slice_before(float* x) const {
  if (touches()) exchange(others_->rank + 1, x + share_voxels() - slice(), others_->rank - 1, x - slice());
}

}  // namespace isocenter::detail
