#include "infer/stream_items.hpp"

#include <algorithm>

#include "infer/network_run.hpp"

namespace isocenter::infer {
namespace {

std::int64_t bytes_of(const Port& p) { return element_count(p.shape) * bytes_of(p.type); }
std::int64_t bytes_of(const std::vector<Port>& ports) {
  std::int64_t all = 0;
  for (const Port& p : ports) all += bytes_of(p);
  return all;
}

}  // namespace

void StreamItems::plan(PlanContext& plan, std::int64_t count, std::int64_t input_bytes, std::vector<Port> whole,
                       std::vector<Port> one) {
  count_ = count;
  input_bytes_ = input_bytes;
  whole_ = std::move(whole);
  one_ = std::move(one);
  output_bytes_ = bytes_of(one_);
  plan.gather(count);
  plan.spread(count);
  inputs_ =
      plan.allocate<std::byte>(static_cast<std::uint64_t>(count * input_bytes_), "inputs of the items in a batch");
  outputs_ = plan.allocate<std::byte>(static_cast<std::uint64_t>(count * output_bytes_), "what the network gave them");
  errors_.resize(static_cast<std::size_t>(count));
}

std::int64_t StreamItems::bytes(std::int64_t count, std::int64_t input_bytes, const std::vector<Port>& whole) {
  return count * input_bytes + bytes_of(whole);
}

std::byte* StreamItems::take() {
  if (given_) taken_ = 0;
  given_ = ran_ = false;
  if (taken_ == count_)
    throw Failure(ErrorCode::internal, "an item came to a batch that holds " + std::to_string(count_) + " and is full",
                  "report it with the pipeline that led to it");
  return inputs_ + taken_++ * input_bytes_;
}

const std::byte* StreamItems::give(const RunContext& run, std::byte* arena, Executor& whole, Executor& one,
                                   void* stream) {
  given_ = true;  // whatever fails from here on: what is taken next belongs to another batch
  if (!ran_) run_all(run, arena, whole, one, stream);
  if (const auto& error = errors_[static_cast<std::size_t>(run.part())]) std::rethrow_exception(error);
  return outputs_ + run.part() * output_bytes_;
}

/// The items that were taken, at once where the batch is whole. Where that fails, and where it is not whole, each runs
/// alone and keeps its own error.
void StreamItems::run_all(const RunContext& run, std::byte* arena, Executor& whole, Executor& one, void* stream) {
  std::fill(errors_.begin(), errors_.end(), nullptr);
  std::string why;
  if (taken_ == count_) {
    try {
      run_items(run, arena, whole, whole_, 0, count_, stream);
      ran_ = true;
      return;
    } catch (const Error& e) {
      if (e.code() == ErrorCode::device_lost) throw;
      why = e.what();
    }
  }
  bool failed = false;
  for (std::int64_t i = 0; i < taken_; ++i) {
    try {
      run_items(run, arena, one, one_, i, 1, stream);
    } catch (const Error& e) {
      if (e.code() == ErrorCode::device_lost) throw;
      errors_[static_cast<std::size_t>(i)] = std::current_exception();
      failed = true;
    }
  }
  ran_ = true;
  if (!why.empty() && !failed)
    run.warn(std::to_string(count_) + " items at once failed, and each went through alone: " + why,
             "set a smaller stream_batch");
}

void StreamItems::run_items(const RunContext& run, std::byte* arena, Executor& network, const std::vector<Port>& ports,
                            std::int64_t first, std::int64_t count, void* stream) {
  run.check_cancelled();
  run.copy(arena + network.inputs()[0].offset, inputs_ + first * input_bytes_,
           static_cast<std::uint64_t>(count * input_bytes_));
  run_network(run, network, arena, stream);
  std::int64_t at = first * output_bytes_;
  for (const Port& port : ports) {
    const std::int64_t each = bytes_of(port) / count;
    for (std::int64_t i = 0; i < count; ++i)
      run.copy(outputs_ + at + i * output_bytes_, arena + port.offset + i * each, static_cast<std::uint64_t>(each));
    at += each;
  }
}

}  // namespace isocenter::infer
