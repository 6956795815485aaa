#pragma once
// An outbox's instances over DICOMweb: STOW-RS, and QIDO-RS to look up what may have arrived.
#include <cstdint>

#include "../network/carrier.hpp"
#include "web_client.hpp"

namespace isocenter::detail::dicom {

/// Up to `batch` instances and `batch_bytes` in one request, unless one alone is larger; a batch that is too large for
/// the server is halved.
class WebCarrier final : public Carrier {
 public:
  explicit WebCarrier(WebClient& client, int batch = 50, std::uint64_t batch_bytes = std::uint64_t{128} << 20U)
      : client_(client), batch_(static_cast<std::size_t>(batch)), batch_bytes_(batch_bytes) {}

  int lanes() const override { return 1; }
  std::size_t load(std::span<const Outgoing> waiting) const override;
  Trip carry(std::span<const Outgoing> files, const Settle& settle, const std::function<bool()>& stop) override;
  Attempt look_up(std::span<const Outgoing> files, const std::function<void(const Outgoing&)>& there) override;

 private:
  bool has(const InstanceName& name);

  WebClient& client_;
  std::size_t batch_;
  std::uint64_t batch_bytes_;
};

}  // namespace isocenter::detail::dicom
