#pragma once
// An outbox's instances over associations: C-STORE, and C-FIND to look up what may have arrived.
#include <vector>

#include "carrier.hpp"
#include "peer.hpp"

namespace isocenter::detail::dicom {

class StoreCarrier final : public Carrier {
 public:
  /// `associations` at once, each with up to `batch` instances. Throws Failure with what is wrong in `peer`.
  explicit StoreCarrier(const Peer& peer, int associations = 1, int batch = 100);

  int lanes() const override { return associations_; }
  std::size_t load(std::span<const Outgoing> waiting) const override;
  Trip carry(std::span<const Outgoing> files, const Settle& settle, const std::function<bool()>& stop) override;
  Attempt look_up(std::span<const Outgoing> files, const std::function<void(const Outgoing&)>& there) override;

 private:
  Peer peer_;
  int associations_, batch_;
};

}  // namespace isocenter::detail::dicom
