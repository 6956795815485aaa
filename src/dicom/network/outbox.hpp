#pragma once
// Instances that have to reach a peer: kept on disk until it has acknowledged them, and sent once.
//
//   queue/    waits
//   sending/  was offered to the peer, or is about to be; a process that was killed leaves its instances here, and
//             nobody knows which of them arrived
//   uncommitted/  the peer has it, and has yet to take responsibility for it, when that is asked for
//   failed/   was refused for good; beside each a .txt with the reason
//
// What the peer does not take for the moment, or does not answer for, goes to the end of the queue: it keeps nothing
// else waiting. A file is in one folder at a time; a move to sending/ is durable before the first byte goes out, and
// the file is removed when the peer has acknowledged it. What is found in sending/ later is looked up at the peer and
// sent again only when the peer does not have it.
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "carrier.hpp"

namespace isocenter::detail::dicom {

struct DeliveryOptions {
  int attempts = 8;          ///< in a row without one instance delivered before deliver() gives up; 0: never
  double first_pause_s = 1;  ///< after the first failure, doubled after each further one
  double longest_pause_s = 300;
};

class Outbox {
 public:
  /// Makes the folder and locks it: Failure(invalid_state) when another process delivers from it.
  explicit Outbox(const std::string& folder);
  Outbox(const Outbox&) = delete;
  Outbox& operator=(const Outbox&) = delete;
  ~Outbox();

  /// Copies files into the queue; durable when it returns. Throws Failure with the path that is no instance, and takes
  /// none then.
  void put(const std::vector<std::string>& paths);

  struct Delivery {
    std::int64_t delivered = 0, found_there = 0, committed = 0, refused = 0, left = 0;
    std::vector<std::string> complaints;  ///< one sentence for each refusal, warning and failed attempt; the first 1000
  };
  /// Sends until the queue is empty, attempts are spent, another one would fare no better, or `stop` says so. Failures
  /// of the network do not throw: they are complaints, and what was not delivered stays. A file of the queue that can
  /// no longer be read as an instance is refused.
  Delivery deliver(Carrier& carrier, const DeliveryOptions& options, const std::function<bool()>& stop,
                   const std::function<void(const Delivery&)>& progress = {});

  std::int64_t waiting() const;
  /// The files that put() made and that are in this folder ("queue", ...), in their turn.
  std::vector<std::string> names_in(const char* state) const;

 private:
  class Round;
  /// Behind all files that are there.
  unsigned long long next_number() const;
  std::string place(const char* state, const std::string& file) const { return folder_ + "/" + state + "/" + file; }

  std::string folder_;
  int lock_ = -1;
};

}  // namespace isocenter::detail::dicom
