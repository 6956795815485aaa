#include "mpi/exchange.hpp"

#include <algorithm>
#include <cstring>
#include <isocenter/error.hpp>
#include <thread>

namespace isocenter::detail {

namespace {

/// Ranks that wait give their processor away at once, because there may be more of them than processors, and sleep
/// soon.
void rest(int turn) {
  if (turn < 200)
    std::this_thread::yield();
  else
    std::this_thread::sleep_for(std::chrono::microseconds(turn < 2000 ? 20 : 200));
}

}  // namespace

Exchange::Exchange() {
  MPI_Comm_dup(MPI_COMM_WORLD, &messages_);
  MPI_Comm_dup(MPI_COMM_WORLD, &goodbyes_);
  MPI_Comm_rank(messages_, &rank_);
  MPI_Comm_size(messages_, &ranks_);
  MPI_Comm machine = MPI_COMM_NULL;
  MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, rank_, MPI_INFO_NULL, &machine);
  MPI_Comm_rank(machine, &local_rank_);
  MPI_Comm_size(machine, &local_ranks_);
  MPI_Comm_free(&machine);
  void* tags = nullptr;
  int known = 0;
  MPI_Comm_get_attr(MPI_COMM_WORLD, MPI_TAG_UB, &tags, &known);
  if (known != 0) tags_ = *static_cast<const int*>(tags);
  left_.resize(static_cast<std::size_t>(ranks_));
  listen();
}

void Exchange::listen() {
  for (int r = 0; r < ranks_; ++r) {
    if (r == rank_) continue;
    Left& left = left_[static_cast<std::size_t>(r)];
    MPI_Irecv(left.text.data(), static_cast<int>(text_bytes), MPI_CHAR, r, 0, goodbyes_, &left.request);
  }
}

std::int32_t Exchange::open_channel() {
  const std::lock_guard lock(mutex_);
  buffers_.try_emplace(channels_);
  return channels_++;
}

void Exchange::close_channel(std::int32_t channel) {
  const std::lock_guard lock(mutex_);
  if (const auto at = buffers_.find(channel); at != buffers_.end() && !at->second.stay) buffers_.erase(at);
}

Exchange::Buffers& Exchange::buffers_of(std::int32_t channel) {
  const std::lock_guard lock(mutex_);
  return buffers_.at(channel);
}

void Exchange::look_who_left() {
  const std::lock_guard lock(mutex_);
  for (Left& left : left_) {
    if (left.request == MPI_REQUEST_NULL) continue;
    int done = 0;
    MPI_Test(&left.request, &done, MPI_STATUS_IGNORE);
    if (done == 0) continue;
    left.has = true;
    left.since = Clock::now();
    left.message = left.text.data();
  }
}

void Exchange::refuse_left(int peer) {
  const std::lock_guard lock(mutex_);
  const std::string of_ranks = " of " + std::to_string(ranks_);
  for (int r = 0; r < ranks_; ++r) {
    const Left& left = left_[static_cast<std::size_t>(r)];
    if (!left.has) continue;
    const std::string who = "rank " + std::to_string(r) + of_ranks;
    // One that has heard of another's failure tells it on as it was told.
    if (const auto told = left.message.find(of_ranks + " has failed: "); told != std::string::npos)
      throw Error(ErrorCode::invalid_state,
                  left.message.substr(std::min(left.message.rfind("rank ", told), told)) + ".");
    if (!left.message.empty())
      throw Failure(ErrorCode::invalid_state, who + " has failed: " + left.message,
                    "start the job again when its cause is gone");
    // What it sent before it left is still on its way for a moment.
    if (r == peer && Clock::now() - left.since > std::chrono::seconds(2))
      throw Failure(ErrorCode::invalid_state, who + " has ended without its part of the work",
                    "start all ranks with the same pipeline and the same input");
  }
}

void Exchange::wait(MPI_Request* request, int peer, Stop stop, Buffers& buffers) {
  for (int turn = 0;; ++turn) {
    int done = 0;
    MPI_Test(request, &done, MPI_STATUS_IGNORE);
    if (done != 0) return;
    try {
      // First: where all ranks are cancelled none of them has failed.
      if (stop.ask != nullptr && stop.ask(stop.user) != 0)
        throw Error(ErrorCode::cancelled, "cancelled while waiting for rank " + std::to_string(peer) + ".");
      if (turn % 16 == 0) {
        look_who_left();
        refuse_left(peer);
      }
    } catch (...) {
      buffers.stay = true;
      MPI_Cancel(request);
      MPI_Request_free(request);
      throw;
    }
    rest(turn);
  }
}

void Exchange::send(std::int32_t channel, int to, const void* data, std::uint64_t bytes, Stop stop) {
  Buffers& buffers = buffers_of(channel);
  std::byte* const out = buffers.out.data();
  for (std::uint64_t at = 0; at < bytes; at += block_bytes) {
    const std::uint64_t n = std::min(block_bytes, bytes - at);
    std::memcpy(out, static_cast<const char*>(data) + at, n);
    MPI_Request request = MPI_REQUEST_NULL;
    MPI_Isend(out, static_cast<int>(n), MPI_BYTE, to, tag_of(channel), messages_, &request);
    wait(&request, to, stop, buffers);
  }
}

void Exchange::receive(std::int32_t channel, int from, void* data, std::uint64_t bytes, Stop stop) {
  Buffers& buffers = buffers_of(channel);
  std::byte* const in = buffers.in.data();
  for (std::uint64_t at = 0; at < bytes; at += block_bytes) {
    const std::uint64_t n = std::min(block_bytes, bytes - at);
    MPI_Request request = MPI_REQUEST_NULL;
    MPI_Irecv(in, static_cast<int>(n), MPI_BYTE, from, tag_of(channel), messages_, &request);
    wait(&request, from, stop, buffers);
    std::memcpy(static_cast<char*>(data) + at, in, n);
  }
}

template <class T>
void Exchange::sum(std::int32_t channel, T* data, std::uint64_t count, Stop stop) {
  Buffers& buffers = buffers_of(channel);
  const auto* arrived = reinterpret_cast<const T*>(buffers.in.data());
  const auto ranks = static_cast<std::uint64_t>(ranks_), rank = static_cast<std::uint64_t>(rank_);
  const int next = (rank_ + 1) % ranks_, before = (rank_ + ranks_ - 1) % ranks_;
  const std::uint64_t most = block_bytes / sizeof(T) * ranks;
  for (std::uint64_t first = 0; first < count; first += most) {
    const std::uint64_t n = std::min(most, count - first);
    const auto begin = [&](std::uint64_t b) { return first + n * (b % ranks) / ranks; };
    const auto size = [&](std::uint64_t b) { return first + n * (b % ranks + 1) / ranks - begin(b); };
    const auto pass = [&](std::uint64_t give, std::uint64_t take) {
      MPI_Request in = MPI_REQUEST_NULL, out = MPI_REQUEST_NULL;
      const std::uint64_t given = size(give) * sizeof(T);
      std::memcpy(buffers.out.data(), data + begin(give), given);
      MPI_Irecv(buffers.in.data(), static_cast<int>(size(take) * sizeof(T)), MPI_BYTE, before, tag_of(channel),
                messages_, &in);
      MPI_Isend(buffers.out.data(), static_cast<int>(given), MPI_BYTE, next, tag_of(channel), messages_, &out);
      try {
        wait(&in, before, stop, buffers);
      } catch (...) {
        MPI_Request_free(&out);  // it goes on by itself: the buffer stays
        throw;
      }
      wait(&out, next, stop, buffers);
    };
    for (std::uint64_t s = 0; s + 1 < ranks; ++s) {
      const std::uint64_t give = rank + ranks - s, take = give - 1;
      pass(give, take);
      T* to = data + begin(take);
      for (std::uint64_t i = 0; i < size(take); ++i) to[i] = arrived[i] + to[i];
    }
    for (std::uint64_t s = 0; s + 1 < ranks; ++s) {
      const std::uint64_t give = rank + 1 + ranks - s, take = give - 1;
      pass(give, take);
      std::memcpy(data + begin(take), arrived, size(take) * sizeof(T));
    }
  }
}
template void Exchange::sum(std::int32_t, float*, std::uint64_t, Stop);
template void Exchange::sum(std::int32_t, double*, std::uint64_t, Stop);

void Exchange::leave(const std::string& message) {
  if (has_left_.exchange(true)) return;
  failed_ = !message.empty();
  own_text_ = message.substr(0, text_bytes - 1);
  while (own_text_.ends_with('.')) own_text_.pop_back();
  own_requests_.resize(static_cast<std::size_t>(ranks_), MPI_REQUEST_NULL);
  for (int r = 0; r < ranks_; ++r)
    if (r != rank_)
      MPI_Isend(own_text_.c_str(), static_cast<int>(own_text_.size() + 1), MPI_CHAR, r, 0, goodbyes_,
                &own_requests_[static_cast<std::size_t>(r)]);
}

bool Exchange::all_left(double seconds) {
  const auto until = Clock::now() + std::chrono::duration<double>(seconds);
  for (int turn = 0; Clock::now() < until; ++turn) {
    look_who_left();
    int sent = 0;
    MPI_Testall(static_cast<int>(own_requests_.size()), own_requests_.data(), &sent, MPI_STATUSES_IGNORE);
    const std::lock_guard lock(mutex_);
    const auto gone = std::count_if(left_.begin(), left_.end(), [](const Left& l) { return l.has; });
    if (sent != 0 && gone + 1 == ranks_) return true;
    rest(turn);
  }
  return false;
}

}  // namespace isocenter::detail
