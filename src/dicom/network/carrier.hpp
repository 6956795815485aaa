#pragma once
// How the instances of an outbox get to a peer: over associations (store_carrier.hpp) or DICOMweb
// (web/web_carrier.hpp).
#include <cstddef>
#include <functional>
#include <span>
#include <string>

#include "stored_instance.hpp"

namespace isocenter::detail::dicom {

/// A file that is to be sent.
struct Outgoing {
  std::string path;
  InstanceName name;
};

struct StoreAnswer {
  enum class Outcome {
    stored,
    refused,   ///< for good: the same instance will not be taken later either
    try_later  ///< the peer is out of resources
  };
  Outcome outcome = Outcome::stored;
  std::string text;  ///< one sentence when it was not stored, or was with a warning
};

/// How an exchange with the peer went.
struct Attempt {
  std::string complaint;  ///< one sentence; empty when there is nothing to say
  bool failed = false;    ///< another one after a pause may fare better
  bool hopeless = false;  ///< failed, and no other would fare better
  double wait_s = 0;      ///< what the peer asks to wait before another one
};

struct Trip : Attempt {
  /// How many files the peer may have heard of, from the front. The others go back into the queue.
  std::size_t offered = 0;
};

class Carrier {
 public:
  Carrier() = default;
  Carrier(const Carrier&) = delete;
  Carrier& operator=(const Carrier&) = delete;
  virtual ~Carrier() = default;

  /// How many threads may call carry() at once.
  virtual int lanes() const = 0;
  /// How many of these files go in one trip, from the front: at least one.
  virtual std::size_t load(std::span<const Outgoing> waiting) const = 0;
  /// Offers files to the peer until `stop` says so, and calls `settle` for each as soon as the peer has answered. What
  /// was offered and not settled may have arrived or not.
  using Settle = std::function<void(const Outgoing&, const StoreAnswer&)>;
  virtual Trip carry(std::span<const Outgoing> files, const Settle& settle, const std::function<bool()>& stop) = 0;
  /// Asks the peer which of these it has, and calls `there` for each of them. A peer that does not answer such
  /// questions is no failure, but a complaint.
  virtual Attempt look_up(std::span<const Outgoing> files, const std::function<void(const Outgoing&)>& there) = 0;

  /// Whether what was delivered has to be committed by the peer, too (PS3.4 annex J), before it may be forgotten here.
  virtual bool commits() const { return false; }
  /// Asks the peer to take responsibility for these files, and calls `settle` for each that it answers for: with ""
  /// when it does, else with the reason; until `stop` says so. The path is that of a file for what was asked for and is
  /// not yet answered, whoever asked.
  using SettleCommitment = std::function<void(const Outgoing&, const std::string& why_not)>;
  virtual Attempt commit(std::span<const Outgoing>, const std::string&, const SettleCommitment&,
                         const std::function<bool()>&) {
    return {};
  }
};

}  // namespace isocenter::detail::dicom
