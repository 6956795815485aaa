// What processes that share one iterative reconstruction say to each other.
#include <algorithm>
#include <cstring>

#include "recon/iterative_problem.hpp"

namespace isocenter::detail {

namespace {

std::int32_t is_cancelled(void* run) { return static_cast<const RunContext*>(run)->cancelled() ? 1 : 0; }

}  // namespace

/// So much is added up at once, in every process alike, wherever its arrays are. On a device the next block comes to
/// the host meanwhile.
std::int64_t IterativeProblem::block() const {
  return std::clamp<std::int64_t>((stack_floats() / 8 + 15) / 16 * 16, 64, std::int64_t{1} << 22U);
}

std::uint64_t IterativeProblem::between_bytes() const {
  return static_cast<std::uint64_t>(std::max(2 * block(), touches() ? slice() : 0)) * sizeof(float);
}

template <class T>
void IterativeProblem::add_up(T* data, std::int64_t count) const {
  if (others_ == nullptr) return;
  const std::int64_t most = block() / static_cast<std::int64_t>(sizeof(T) / sizeof(float));
  const auto size = [&](std::int64_t at) { return std::min(most, count - at); };
  if (!is_between()) {
    for (std::int64_t at = 0; at < count; at += most) add_up_on_host(data + at, size(at));
    return;
  }
  auto* const host = reinterpret_cast<T*>(between_);
  const auto place = [&](std::int64_t at) { return at / most % 2 == 0 ? host : host + most; };
  const auto bytes = [&](std::int64_t at) { return static_cast<std::uint64_t>(size(at)) * sizeof(T); };
  run_->copy(place(0), data, bytes(0));
  for (std::int64_t at = 0; at < count; at += most) {
    run_->wait();  // this block is here, and the last one has gone back from where the next one comes to
    if (const std::int64_t next = at + most; next < count) run_->copy(place(next), data + next, bytes(next));
    add_up_on_host(place(at), size(at));
    run_->copy(data + at, place(at), bytes(at));
  }
  run_->wait();
}
template void IterativeProblem::add_up(float*, std::int64_t) const;
template void IterativeProblem::add_up(double*, std::int64_t) const;

template <class T>
void IterativeProblem::add_up_on_host(T* data, std::int64_t count) const {
  call([&](auto* e) {
    return others_->sum(others_->user, channel_.number(), data, static_cast<std::uint64_t>(count),
                        sizeof(T) == sizeof(float) ? ISOCENTER_FLOAT32 : ISOCENTER_FLOAT64, is_cancelled,
                        const_cast<RunContext*>(run_), e);
  });
}
template void IterativeProblem::add_up_on_host(double*, std::int64_t) const;

void IterativeProblem::take_from_first(double* number) const {
  if (others_ == nullptr) return;
  if (others_->rank > 0) *number = 0.0;
  add_up_on_host(number, 1);
}

/// Between host memory and where the arrays are.
void IterativeProblem::copy_now(void* to, const void* from, std::uint64_t bytes) const {
  if (launcher_.on_cpu()) {
    std::memcpy(to, from, bytes);
    return;
  }
  run_->copy(to, from, bytes);
  run_->wait();
}

bool IterativeProblem::agree(Frugality* way) const {
  if (others_ == nullptr) return true;
  const std::vector<double> of_rank = numbers_of_ranks(*others_, static_cast<double>(*way));
  const auto [least, most] = std::minmax_element(of_rank.begin(), of_rank.end());
  *way = static_cast<Frugality>(static_cast<int>(*most));
  return *least == *most;
}

void IterativeProblem::send(int rank, const float* from) const {
  if (is_between()) copy_now(between_, from, slice_bytes());
  const float* const here = is_between() ? between_ : from;
  call([&](auto* e) {
    return others_->send(others_->user, channel_.number(), rank, here, slice_bytes(), is_cancelled,
                         const_cast<RunContext*>(run_), e);
  });
}

void IterativeProblem::receive(int rank, float* to) const {
  float* const here = is_between() ? between_ : to;
  call([&](auto* e) {
    return others_->receive(others_->user, channel_.number(), rank, here, slice_bytes(), is_cancelled,
                            const_cast<RunContext*>(run_), e);
  });
  if (is_between()) copy_now(to, between_, slice_bytes());
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
