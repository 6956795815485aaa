#pragma once
// An outbox's instances over DICOMweb: STOW-RS, and QIDO-RS to look up what may have arrived.
#include <cstdint>

#include "../network/carrier.hpp"
#include "web_client.hpp"

namespace isocenter::detail::dicom {

/// Up to `batch` instances and `batch_bytes` in one request, unless one alone is larger. A batch that is too large for
/// the server is halved for good; one that the server does not answer is halved, and doubled after each that it does,
/// so that an instance on which the server fails ends in a request of its own.
class WebCarrier final : public Carrier {
 public:
  explicit WebCarrier(WebClient& client, int batch = 50, std::uint64_t batch_bytes = std::uint64_t{128} << 20U)
      : client_(client), most_(static_cast<std::size_t>(batch)), batch_(most_), batch_bytes_(batch_bytes) {}

  int lanes() const override { return 1; }
  std::size_t load(std::span<const Outgoing> waiting) const override;
  Trip carry(std::span<const Outgoing> files, const Settle& settle, const std::function<bool()>& stop) override;
  Attempt look_up(std::span<const Outgoing> files, const std::function<void(const Outgoing&)>& there) override;

 private:
  bool has(const InstanceName& name);

  WebClient& client_;
  std::size_t most_;   ///< at once, as far as is known
  std::size_t batch_;  ///< the next time
  std::uint64_t batch_bytes_;
};

}  // namespace isocenter::detail::dicom
