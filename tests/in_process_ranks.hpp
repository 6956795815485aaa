#pragma once
// A communicator for tests whose ranks are threads of this process, each with a context of its own. Sums are made in
// the order of the ranks, by each of them.
#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <isocenter/isocenter.hpp>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

namespace isocenter::testing {

class InProcessRanks {
 public:
  static inline std::uint64_t channel_bytes = 4096;  ///< what ranks are told that a channel holds

  explicit InProcessRanks(int ranks) : ranks_(static_cast<std::size_t>(ranks)) {
    for (int r = 0; r < ranks; ++r) {
      of(r).owner = this;
      of(r).number = r;
    }
  }

  /// The context's is rank `rank`, alone or with others on its machine.
  void join(const Context& context, int rank, int local_rank = 0, int local_ranks = 0) {
    isocenter_communicator c{};
    c.struct_size = sizeof c;
    c.rank = rank;
    c.ranks = size();
    c.name = "threads";
    c.user = &of(rank);
    c.local_rank = local_rank;
    c.local_ranks = local_ranks;
    c.channel_bytes = channel_bytes;
    c.open_channel = [](void* user) { return self(user).open(); };
    c.close_channel = [](void* user, std::int32_t channel) { self(user).close(channel); };
    c.send = [](void* user, std::int32_t channel, std::int32_t to, const void* data, std::uint64_t bytes, Ask, void*,
                isocenter_error* error) {
      return guarded(error, [&] { self(user).owner->send(self(user).number, channel, to, data, bytes); });
    };
    c.receive = [](void* user, std::int32_t channel, std::int32_t from, void* data, std::uint64_t bytes, Ask ask,
                   void* asked, isocenter_error* error) {
      return guarded(error, [&] {
        self(user).owner->receive(self(user).number, channel, from, data, bytes, {ask, asked});
      });
    };
    c.sum = [](void* user, std::int32_t channel, void* data, std::uint64_t count, std::int32_t dtype, Ask ask,
               void* asked, isocenter_error* error) {
      return guarded(error, [&] {
        if (dtype == ISOCENTER_FLOAT32)
          self(user).owner->sum(self(user), channel, static_cast<float*>(data), count, {ask, asked});
        else
          self(user).owner->sum(self(user), channel, static_cast<double*>(data), count, {ask, asked});
      });
    };
    c.leave = [](void* user, const char* why) { self(user).owner->leave(self(user).number, why); };
    detail::call([&](auto* e) { return isocenter_register_communicator(context.get(), &c, e); });
  }

  int size() const { return static_cast<int>(ranks_.size()); }
  std::size_t open_channels() const {
    std::size_t all = 0;
    for (const Rank& r : ranks_) all += r.open_now.size();
    return all;
  }
  std::int32_t channels_opened(int rank) const { return ranks_[static_cast<std::size_t>(rank)].opened; }

 private:
  using Ask = std::int32_t (*)(void*);
  struct Stop {
    Ask ask;
    void* user;
  };
  struct Rank {
    InProcessRanks* owner = nullptr;
    int number = 0;
    std::int32_t opened = 0;
    std::set<std::int32_t> open_now;
    std::map<std::int32_t, int> sums;  ///< begun on each channel
    std::string left;

    std::int32_t open() {
      open_now.insert(opened);
      return opened++;
    }
    void close(std::int32_t channel) { open_now.erase(channel); }
  };
  struct Sum {
    std::map<int, std::vector<std::byte>> parts;
    int taken = 0;
  };

  static Rank& self(void* user) { return *static_cast<Rank*>(user); }
  Rank& of(int rank) { return ranks_[static_cast<std::size_t>(rank)]; }

  template <class F>
  static isocenter_status guarded(isocenter_error* error, F&& f) {
    return detail::guarded(error, [&]() -> isocenter_status {
      f();
      return ISOCENTER_OK;
    });
  }

  template <class Ready>
  void wait(std::unique_lock<std::mutex>& lock, Stop stop, Ready&& ready) {
    while (!ready()) {
      if (stop.ask != nullptr && stop.ask(stop.user) != 0)
        throw Error(ErrorCode::cancelled, "cancelled while waiting for another rank.");
      for (const Rank& r : ranks_)
        if (!r.left.empty())
          throw Failure(ErrorCode::invalid_state,
                        "rank " + std::to_string(r.number) + " of " + std::to_string(size()) + " has failed: " + r.left,
                        "start the job again when its cause is gone");
      wake_.wait_for(lock, std::chrono::milliseconds(2));
    }
  }

  template <class T>
  void sum(Rank& rank, std::int32_t channel, T* data, std::uint64_t count, Stop stop) {
    const auto* bytes = reinterpret_cast<const std::byte*>(data);
    std::unique_lock lock(mutex_);
    const std::pair<std::int32_t, int> key = {channel, rank.sums[channel]++};
    Sum& sum = sums_[key];
    sum.parts[rank.number] = {bytes, bytes + count * sizeof(T)};
    wake_.notify_all();
    wait(lock, stop, [&] { return sum.parts.size() == ranks_.size(); });
    std::fill_n(data, count, T{0});
    for (const auto& [number, part] : sum.parts) {
      if (part.size() != count * sizeof(T))
        throw Failure(ErrorCode::internal, "rank " + std::to_string(number) + " adds up another number of values",
                      "add up the same on all ranks");
      T value{};
      for (std::size_t i = 0; i < count; ++i) {
        std::memcpy(&value, part.data() + i * sizeof(T), sizeof(T));
        data[i] += value;
      }
    }
    if (++sum.taken == size()) sums_.erase(key);
  }

  void send(int from, std::int32_t channel, int to, const void* data, std::uint64_t bytes) {
    const auto* begin = static_cast<const std::byte*>(data);
    const std::lock_guard lock(mutex_);
    messages_[{channel, from, to}].emplace_back(begin, begin + bytes);
    wake_.notify_all();
  }
  void receive(int to, std::int32_t channel, int from, void* data, std::uint64_t bytes, Stop stop) {
    std::unique_lock lock(mutex_);
    auto& queue = messages_[{channel, from, to}];
    wait(lock, stop, [&] { return !queue.empty(); });
    if (queue.front().size() != bytes)
      throw Failure(ErrorCode::internal, "a message has another size than its receiver", "send what is received");
    std::memcpy(data, queue.front().data(), bytes);
    queue.pop_front();
  }
  void leave(int rank, const char* why) {
    const std::lock_guard lock(mutex_);
    if (of(rank).left.empty()) of(rank).left = why;
    while (of(rank).left.ends_with('.')) of(rank).left.pop_back();
    wake_.notify_all();
  }

  std::vector<Rank> ranks_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::map<std::pair<std::int32_t, int>, Sum> sums_;
  std::map<std::tuple<std::int32_t, int, int>, std::deque<std::vector<std::byte>>> messages_;
};

/// Does something as each rank, in threads of their own. What it throws, in the order of the ranks; "" where nothing.
template <class F>
std::vector<std::string> as_each_rank(int ranks, F&& work) {
  std::vector<std::string> thrown(static_cast<std::size_t>(ranks));
  std::vector<std::thread> threads;
  for (int r = 0; r < ranks; ++r)
    threads.emplace_back([&, r] {
      try {
        work(r);
      } catch (const std::exception& e) {
        thrown[static_cast<std::size_t>(r)] = e.what();
      }
    });
  for (auto& t : threads) t.join();
  return thrown;
}

}  // namespace isocenter::testing
