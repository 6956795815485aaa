#pragma once
// Messages between the ranks of an MPI job that never wait for one that has failed: every wait looks for the word of a
// rank that leaves. Point to point alone, because a collective of MPI cannot be given up.
#include <isocenter/isocenter.h>
#include <mpi.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <vector>

namespace isocenter::detail {

/// Asked while waiting.
struct Stop {
  std::int32_t (*ask)(void*) = nullptr;
  void* user = nullptr;
};

class Exchange {
 public:
  /// MPI runs already, with MPI_THREAD_MULTIPLE.
  Exchange();

  int rank() const { return rank_; }
  int ranks() const { return ranks_; }
  /// Among the ranks that share memory with this one.
  int local_rank() const { return local_rank_; }
  int local_ranks() const { return local_ranks_; }

  /// With buffers of its own, of so many bytes.
  static constexpr std::uint64_t channel_bytes() { return 2 * block_bytes; }
  std::int32_t open_channel();
  void close_channel(std::int32_t channel);
  /// These throw Failure: cancelled when `stop` says so, invalid_state when a rank has left.
  void send(std::int32_t channel, int to, const void* data, std::uint64_t bytes, Stop stop);
  void receive(std::int32_t channel, int from, void* data, std::uint64_t bytes, Stop stop);
  /// A ring: each block of the data goes once around to be summed and once to be handed out. Block b is the sum in the
  /// order of the ranks b, b + 1, ..., on all ranks the same bits.
  template <class T>
  void sum(std::int32_t channel, T* data, std::uint64_t count, Stop stop);

  /// Tells all others, once. An empty message: this rank has done its part.
  void leave(const std::string& message);
  bool failed() const { return failed_.load(); }
  /// Whether all others have left within so many seconds.
  bool all_left(double seconds);

 private:
  using Clock = std::chrono::steady_clock;
  static constexpr std::size_t text_bytes = 2048;
  static constexpr std::uint64_t block_bytes = std::uint64_t{1} << 20;

  struct Left {
    bool has = false;
    Clock::time_point since{};
    std::string message;
    std::vector<char> text = std::vector<char>(text_bytes);
    MPI_Request request = MPI_REQUEST_NULL;
  };

  /// All that MPI sends from and receives into: a message that is given up, because a rank has left or was cancelled,
  /// may still be on its way when its caller's memory is gone. Buffers of such a message stay.
  struct Buffers {
    std::vector<std::byte> in = std::vector<std::byte>(block_bytes), out = std::vector<std::byte>(block_bytes);
    bool stay = false;
  };
  Buffers& buffers_of(std::int32_t channel);
  /// Channels outnumber an MPI's tags in a process that runs for long; those that share one are not open together.
  int tag_of(std::int32_t channel) const { return channel % tags_; }

  void wait(MPI_Request* request, int peer, Stop stop, Buffers& buffers);
  void listen();
  void look_who_left();
  /// Throws when one that matters to a wait for `peer` has.
  void refuse_left(int peer);

  int rank_ = 0, ranks_ = 1, local_rank_ = 0, local_ranks_ = 1;
  int tags_ = 32767;  ///< the largest, which no MPI has smaller (MPI 4.0, section 9.1.2)
  MPI_Comm messages_ = MPI_COMM_NULL, goodbyes_ = MPI_COMM_NULL;
  std::mutex mutex_;  ///< of left_ and buffers_
  std::vector<Left> left_;
  std::map<std::int32_t, Buffers> buffers_;  ///< of each channel
  std::int32_t channels_ = 0;                ///< opened so far
  std::string own_text_;
  std::vector<MPI_Request> own_requests_;
  std::atomic<bool> has_left_{false}, failed_{false};
};

}  // namespace isocenter::detail
