#include "cutting_proxy.hpp"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <stdexcept>

#include "network_test.hpp"

namespace isocenter::test {
namespace {

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

}  // namespace

CuttingProxy::CuttingProxy(int target, std::size_t up, std::size_t down)
    : port_(free_port()), target_(target), limit_{up, down}, listening_(loopback_socket(port_, true)) {
  thread_ = std::thread([this] { serve(); });
}

CuttingProxy::~CuttingProxy() {
  stopping_ = true;
  thread_.join();
  ::close(listening_);
}

void CuttingProxy::serve() {
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

void CuttingProxy::carry(int client, int server) {
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

std::vector<std::size_t> cuts_of(const std::string& stream) {
  std::vector<std::size_t> cuts;
  for (std::size_t at = 0; at + 6 <= stream.size();) {
    std::size_t length = 0;  // six bytes of head, the last four of them the length of the rest
    for (std::size_t i = 2; i < 6; ++i) length = length << 8U | static_cast<unsigned char>(stream[at + i]);
    cuts.insert(cuts.end(), {at, at + 3, at + 6 + length / 2});
    at += 6 + length;
  }
  return cuts;
}

}  // namespace isocenter::test
