#pragma once
// An HTTP server on loopback that answers as a test says, byte for byte.
#include <atomic>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace isocenter::test {

class ScriptedServer {
 public:
  struct Request {
    std::string line;  ///< "GET /web/studies HTTP/1.1"
    std::string headers, body;
    /// The value of a header; "" without it.
    std::string header(const std::string& name) const;
  };
  /// What a connection does with its n-th request (from 0, over all connections): sends what it returns, and closes.
  /// An answer that begins with "pause:" is sent byte by byte with a pause of 100 ms each.
  using Script = std::function<std::string(const Request& request, int n)>;

  explicit ScriptedServer(Script script);
  ScriptedServer(const ScriptedServer&) = delete;
  ScriptedServer& operator=(const ScriptedServer&) = delete;
  ~ScriptedServer();

  int port() const { return port_; }
  /// "http://127.0.0.1:1234/web"
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_) + "/web"; }
  std::vector<Request> requests() const;

 private:
  void serve();
  void answer(int connection);

  Script script_;
  int socket_ = -1, port_ = 0;
  std::atomic<bool> stopping_{false};
  mutable std::mutex mutex_;
  std::vector<Request> requests_;
  std::thread thread_;
};

/// An answer with its Content-Length.
std::string http_answer(const std::string& status, const std::string& type, const std::string& body,
                        const std::string& more_headers = "");

}  // namespace isocenter::test
