#pragma once
// A proxy on loopback that cuts connections: a peer that disconnects wherever a test wants it to.
#include <atomic>
#include <cstddef>
#include <limits>
#include <string>
#include <thread>
#include <vector>

namespace isocenter::test {

inline constexpr std::size_t never_cut = std::numeric_limits<std::size_t>::max();

/// Carries every connection on to another port, and closes it both ways after so many bytes up (to that port) or down.
class CuttingProxy {
 public:
  CuttingProxy(int target, std::size_t up, std::size_t down);
  ~CuttingProxy();
  CuttingProxy(const CuttingProxy&) = delete;
  CuttingProxy& operator=(const CuttingProxy&) = delete;
  int port() const { return port_; }
  bool has_cut() const { return has_cut_; }
  /// What went through the last connection; read it when that has ended.
  const std::string& carried(std::size_t way) const { return carried_[way]; }

 private:
  void serve();
  void carry(int client, int server);

  int port_, target_;
  std::size_t limit_[2];
  int listening_;
  std::string carried_[2];
  std::atomic<bool> stopping_{false}, has_cut_{false};
  std::thread thread_;
};

/// Where to cut a stream of PDUs: before each one, within its head, and within its body (PS3.8 section 9.3.1).
std::vector<std::size_t> cuts_of(const std::string& stream);

}  // namespace isocenter::test
