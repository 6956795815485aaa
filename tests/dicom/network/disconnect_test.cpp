// A peer that disconnects at each message: a proxy between a sender and a receiver that cuts the connection before and
// within every PDU, either way.
#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <limits>
#include <thread>

#include "dicom/network/listener.hpp"
#include "dicom/network/outbox.hpp"
#include "network_test.hpp"

namespace isocenter::test {
namespace {

using namespace detail::dicom;
using namespace std::chrono_literals;
using ::testing::SizeIs;

constexpr std::size_t never_cut = std::numeric_limits<std::size_t>::max();

int loopback_socket(int port, bool listening) {
  const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int on = 1;
  ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  const auto* where = reinterpret_cast<const sockaddr*>(&address);
  const bool good = listening ? ::bind(socket, where, sizeof address) == 0 && ::listen(socket, 4) == 0
                              : ::connect(socket, where, sizeof address) == 0;
  if (!good) throw std::runtime_error("loopback_socket");
  return socket;
}

/// Carries every connection on to another port, and closes it both ways after so many bytes up (to that port) or down.
class CuttingProxy {
 public:
  CuttingProxy(int target, std::size_t up, std::size_t down)
      : port_(free_port()), target_(target), limit_{up, down}, listening_(loopback_socket(port_, true)) {
    thread_ = std::thread([this] { serve(); });
  }
  ~CuttingProxy() {
    stopping_ = true;
    thread_.join();
    ::close(listening_);
  }
  CuttingProxy(const CuttingProxy&) = delete;
  CuttingProxy& operator=(const CuttingProxy&) = delete;
  int port() const { return port_; }
  bool has_cut() const { return has_cut_; }
  /// What went through the last connection; read it when that has ended.
  const std::string& carried(std::size_t way) const { return carried_[way]; }

 private:
  void serve() {
    while (!stopping_) {
      pollfd waiting{listening_, POLLIN, 0};
      if (::poll(&waiting, 1, 20) <= 0) continue;
      const int client = ::accept(listening_, nullptr, nullptr);
      const int server = loopback_socket(target_, false);
      carry(client, server);
      ::close(client);
      ::close(server);
    }
  }
  void carry(int client, int server) {
    pollfd ends[2] = {{client, POLLIN, 0}, {server, POLLIN, 0}};
    for (std::string& way : carried_) way.clear();
    char piece[4096];
    while (!stopping_) {
      if (::poll(ends, 2, 20) <= 0) continue;
      for (std::size_t way = 0; way < 2; ++way) {
        if (ends[way].revents == 0) continue;
        const std::size_t room = std::min(sizeof piece, limit_[way] - carried_[way].size());
        const ssize_t n = room == 0 ? 0 : ::recv(ends[way].fd, piece, room, 0);
        if (n <= 0) {
          has_cut_ = has_cut_ || room == 0;
          return;
        }
        carried_[way].append(piece, static_cast<std::size_t>(n));
        if (::send(ends[1 - way].fd, piece, static_cast<std::size_t>(n), MSG_NOSIGNAL) != n) return;
      }
    }
  }

  int port_, target_;
  std::size_t limit_[2];
  int listening_;
  std::string carried_[2];
  std::atomic<bool> stopping_{false}, has_cut_{false};
  std::thread thread_;
};

/// Where to cut: before each PDU, within its head, and within its body (PS3.8 section 9.3.1: six bytes of head, the
/// last four of them the length of the rest).
std::vector<std::size_t> cuts_of(const std::string& stream) {
  std::vector<std::size_t> cuts;
  for (std::size_t at = 0; at + 6 <= stream.size();) {
    std::size_t length = 0;
    for (std::size_t i = 2; i < 6; ++i) length = length << 8U | static_cast<unsigned char>(stream[at + i]);
    cuts.insert(cuts.end(), {at, at + 3, at + 6 + length / 2});
    at += 6 + length;
  }
  return cuts;
}

DeliveryOptions once() {
  DeliveryOptions o;
  o.attempts = 1;
  o.first_pause_s = o.longest_pause_s = 0.01;
  return o;
}

ListenerOptions receiver() {
  ListenerOptions o;
  o.ae_title = "STORE";
  o.port = 0;
  o.associations = 2;
  o.timeout_s = 5;
  return o;
}

/// UIDs of the same length for every round: so the cuts of one fit the others.
std::string round_prefix(int round) { return "1.2.826.0.1.3680043.8.498." + std::to_string(100 + round); }

TEST(Disconnect, AtAnyMessageLosesNothingAndKeepsNoHalfInstance) {
  const TemporaryFolder folder;
  const auto stop = [] { return false; };
  Listener listener(receiver(), folder / "inbox");
  int round = 0;
  const auto outbox_of_round = [&](std::vector<std::string>& files) {
    files = write_ct_series(folder / ("ct" + std::to_string(round)), 2, 16, round_prefix(round));
    auto outbox = std::make_unique<Outbox>(folder / ("out" + std::to_string(round)));
    outbox->put(files);
    return outbox;
  };
  std::vector<std::string> files;
  std::vector<std::size_t> cuts[2];
  {
    CuttingProxy proxy(listener.port(), never_cut, never_cut);
    ASSERT_EQ(outbox_of_round(files)->deliver(loopback(proxy.port()), once(), stop).delivered, 2);
    std::this_thread::sleep_for(100ms);
    for (std::size_t way = 0; way < 2; ++way) cuts[way] = cuts_of(proxy.carried(way));
  }
  ASSERT_GE(cuts[0].size(), 12U);  // up: request, two times command and data set, release
  ASSERT_GE(cuts[1].size(), 9U);   // down: acceptance, two answers
  for (std::size_t way = 0; way < 2; ++way)
    for (const std::size_t cut : cuts[way]) {
      SCOPED_TRACE((way == 0 ? "up after " : "down after ") + std::to_string(cut));
      ++round;
      const auto before = listener.accepted();
      const auto outbox = outbox_of_round(files);
      {
        CuttingProxy proxy(listener.port(), way == 0 ? cut : never_cut, way == 1 ? cut : never_cut);
        const auto first = outbox->deliver(loopback(proxy.port()), once(), stop);
        EXPECT_EQ(first.delivered + first.left, 2);
        EXPECT_LE(first.delivered, static_cast<std::int64_t>(listener.accepted() - before));  // nothing is made up
        EXPECT_TRUE(first.left == 0 || proxy.has_cut());
      }
      const auto second = outbox->deliver(loopback(listener.port()), once(), stop);
      EXPECT_EQ(second.left, 0) << ::testing::PrintToString(second.complaints);
      EXPECT_EQ(listener.accepted() - before, 2U);  // each was kept once
      const std::string prefix = round_prefix(round), series = folder / ("inbox/" + prefix + ".1/" + prefix + ".2");
      ASSERT_THAT(dicom_files(series), SizeIs(2));
      for (int i = 0; i < 2; ++i)
        EXPECT_TRUE(same_data_set(files[static_cast<std::size_t>(i)], series + "/" + instance_uid(i, prefix) + ".dcm"));
    }
}

}  // namespace
}  // namespace isocenter::test
