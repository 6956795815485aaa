#pragma once
// An outbox's instances over associations: C-STORE, C-FIND to look up what may have arrived, and storage commitment.
#include <optional>
#include <vector>

#include "carrier.hpp"
#include "commitment.hpp"
#include "peer.hpp"

namespace isocenter::detail::dicom {

class StoreCarrier final : public Carrier {
 public:
  /// `associations` at once, each with up to `batch` instances; with `commitment` the peer has to commit itself to
  /// them, too. Throws Failure with what is wrong in `peer`.
  explicit StoreCarrier(const Peer& peer, int associations = 1, int batch = 100,
                        const std::optional<CommitmentOptions>& commitment = std::nullopt);

  int lanes() const override { return associations_; }
  std::size_t load(std::span<const Outgoing> waiting) const override;
  Trip carry(std::span<const Outgoing> files, const Settle& settle, const std::function<bool()>& stop) override;
  Attempt look_up(std::span<const Outgoing> files, const std::function<void(const Outgoing&)>& there) override;
  bool commits() const override { return commitment_.has_value(); }
  Attempt commit(std::span<const Outgoing> files, const std::string& requests, const SettleCommitment& settle,
                 const std::function<bool()>& stop) override;

 private:
  Peer peer_;
  int associations_, batch_;
  std::optional<CommitmentOptions> commitment_;
};

}  // namespace isocenter::detail::dicom
