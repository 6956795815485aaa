#include "scripted_server.hpp"

#include <arpa/inet.h>
#include <poll.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>

namespace isocenter::test {

std::string ScriptedServer::Request::header(const std::string& name) const {
  for (std::size_t at = 0; at < headers.size();) {
    const std::size_t end = std::min(headers.find("\r\n", at), headers.size());
    const std::string line = headers.substr(at, end - at);
    at = end + 2;
    if (line.size() > name.size() && line[name.size()] == ':' &&
        ::strncasecmp(line.c_str(), name.c_str(), name.size()) == 0)
      return line.substr(std::min(line.size(), name.size() + 2));
  }
  return "";
}

ScriptedServer::ScriptedServer(Script script) : script_(std::move(script)) {
  socket_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  ::bind(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address);
  ::listen(socket_, 16);
  ::getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &length);
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this] { serve(); });
}

ScriptedServer::~ScriptedServer() {
  stopping_ = true;
  thread_.join();
  ::close(socket_);
}

std::vector<ScriptedServer::Request> ScriptedServer::requests() const {
  const std::lock_guard lock(mutex_);
  return requests_;
}

void ScriptedServer::serve() {
  while (!stopping_) {
    pollfd waiting{socket_, POLLIN, 0};
    if (::poll(&waiting, 1, 20) <= 0) continue;
    const int connection = ::accept4(socket_, nullptr, nullptr, SOCK_CLOEXEC);
    if (connection < 0) continue;
    answer(connection);
    ::shutdown(connection, SHUT_WR);
    char rest[4096];
    pollfd closing{connection, POLLIN, 0};
    while (::poll(&closing, 1, 200) > 0 && ::recv(connection, rest, sizeof rest, 0) > 0) continue;
    ::close(connection);
  }
}

void ScriptedServer::answer(int connection) {
  std::string all;
  std::size_t head = std::string::npos, wanted = 0;
  char piece[65536];
  while (!stopping_ && (head == std::string::npos || all.size() < wanted)) {
    pollfd waiting{connection, POLLIN, 0};
    if (::poll(&waiting, 1, 20) == 0) continue;
    const ssize_t n = ::recv(connection, piece, sizeof piece, 0);
    if (n <= 0) return;
    all.append(piece, static_cast<std::size_t>(n));
    if (head != std::string::npos) continue;
    head = all.find("\r\n\r\n");
    if (head == std::string::npos) continue;
    const Request so_far{"", all.substr(0, head), ""};
    const std::string length = so_far.header("Content-Length");
    wanted = head + 4 + (length.empty() ? 0 : std::stoul(length));
    if (!so_far.header("Expect").empty()) ::send(connection, "HTTP/1.1 100 Continue\r\n\r\n", 25, MSG_NOSIGNAL);
  }
  if (head == std::string::npos) return;
  const std::size_t first = all.find("\r\n");
  const Request request{all.substr(0, first), all.substr(first + 2, head - first - 2), all.substr(head + 4)};
  int number = 0;
  {
    const std::lock_guard lock(mutex_);
    number = static_cast<int>(requests_.size());
    requests_.push_back(request);
  }
  std::string text = script_(request, number);
  const bool slow = text.starts_with("pause:");
  if (slow) text.erase(0, 6);
  for (std::size_t at = 0; at < text.size() && !stopping_;) {
    const ssize_t n = ::send(connection, text.data() + at, slow ? 1 : text.size() - at, MSG_NOSIGNAL);
    if (n <= 0) return;
    at += static_cast<std::size_t>(n);
    if (slow) std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
}

std::string http_answer(const std::string& status, const std::string& type, const std::string& body,
                        const std::string& more_headers) {
  return "HTTP/1.1 " + status + "\r\nContent-Type: " + type + "\r\nContent-Length: " + std::to_string(body.size()) +
         "\r\nConnection: close\r\n" + more_headers + "\r\n" + body;
}

}  // namespace isocenter::test
