#include "core/processes.hpp"

#include <algorithm>
#include <isocenter/error.hpp>
#include <set>

#include "core/context.hpp"
#include "core/device_identity.hpp"
#include "core/digest.hpp"

namespace isocenter::detail {

namespace {

/// 0 where the device has no identity, or is the CPU.
double number_of(const Device& device) {
  if (device.is_cpu()) return 0.0;
  const auto* identity = static_cast<const DeviceIdentity*>(device.type.find(device.type.user, DeviceIdentity::name));
  if (identity == nullptr || identity->struct_size < sizeof(DeviceIdentity)) return 0.0;
  return digest_of({reinterpret_cast<const char*>(identity->id), sizeof identity->id});
}

}  // namespace

std::vector<double> numbers_of_ranks(const isocenter_communicator& others, double own) {
  std::vector<double> of_rank(static_cast<std::size_t>(others.ranks), 0.0);
  of_rank[static_cast<std::size_t>(others.rank)] = own;
  const Channel channel(others);
  call([&](auto* e) {
    return others.sum(others.user, channel.number(), of_rank.data(), of_rank.size(), ISOCENTER_FLOAT64, nullptr,
                      nullptr, e);
  });
  return of_rank;
}

DeviceShare find_device_share(const isocenter_communicator* others, const Device& device) {
  DeviceShare share;
  if (others == nullptr) return share;
  const double own = number_of(device);
  std::vector<double> of_rank = numbers_of_ranks(*others, own);
  of_rank.erase(std::remove(of_rank.begin(), of_rank.end(), 0.0), of_rank.end());
  const std::set<double> devices(of_rank.begin(), of_rank.end());
  if (own != 0.0) share.processes = static_cast<std::uint64_t>(std::count(of_rank.begin(), of_rank.end(), own));
  if (devices.size() < of_rank.size())
    share.words = std::to_string(of_rank.size()) + " processes share " + std::to_string(devices.size()) + " GPU" +
                  (devices.size() > 1 ? "s" : "");
  return share;
}

}  // namespace isocenter::detail
