#pragma once
// What this process has to do with those that run the same pipeline together (isocenter_communicator).
#include <isocenter/isocenter.h>

#include <string>
#include <utility>
#include <vector>

namespace isocenter::detail {

struct Device;

/// A channel to the other processes; it closes with this.
class Channel {
 public:
  Channel() = default;
  explicit Channel(const isocenter_communicator& others)
      : others_(&others), number_(others.open_channel(others.user)) {}
  ~Channel() {
    if (others_ != nullptr && others_->close_channel != nullptr) others_->close_channel(others_->user, number_);
  }
  Channel(Channel&& from) noexcept : others_(std::exchange(from.others_, nullptr)), number_(from.number_) {}
  Channel& operator=(Channel&& from) noexcept {
    std::swap(others_, from.others_);
    std::swap(number_, from.number_);
    return *this;
  }

  std::int32_t number() const { return number_; }
  /// Host memory that it holds: to be counted in the plan of the node that opened it.
  std::uint64_t bytes() const { return others_ == nullptr ? 0 : others_->channel_bytes; }

 private:
  const isocenter_communicator* others_ = nullptr;
  std::int32_t number_ = 0;
};

/// The number that each process gives, told to all of them; all processes must ask at the same place.
std::vector<double> numbers_of_ranks(const isocenter_communicator& others, double own);

/// Processes that have one and the same device.
struct DeviceShare {
  std::uint64_t processes = 1;  ///< that have this process's device
  std::string words;            ///< "3 processes share 2 GPUs"; "" where each has its own
};
DeviceShare find_device_share(const isocenter_communicator* others, const Device& device);

}  // namespace isocenter::detail
