#pragma once
// HTTP requests to one DICOMweb service, over libcurl: everything that is taken and every wait is bounded.
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "../network/peer.hpp"
#include "media_type.hpp"

namespace isocenter::detail::dicom {

/// A DICOMweb service that we call. Proxies are those of the environment (https_proxy, no_proxy; see curl's manual).
struct WebPeer {
  std::string url;             ///< what /studies follows
  std::string token_file;      ///< holds a bearer token (RFC 6750); read anew for each request, so that it may change
  std::string token_variable;  ///< or the environment variable that does
  TlsFiles tls;                ///< authorities instead of the system's; certificate and key when the server wants ours
  int connect_timeout_s = 10;
  int timeout_s = 60;        ///< fewer than 256 bytes a second for so long, either way, end a request
  int attempts = 5;          ///< of a request that may be repeated
  double first_pause_s = 1;  ///< before the second attempt, doubled for each further one
  double longest_pause_s = 60;
};

/// Throws Failure with the parameter that is wrong.
void require_valid(const WebPeer& peer);

struct WebAnswer {
  int status = 0;
  MediaType type;
  std::string where;     ///< "GET https://pacs/dicom-web/studies", for messages
  bool partial = false;  ///< 206: the server says that it left something out
};

/// What gets an answer's body.
class BodyTaker {
 public:
  virtual ~BodyTaker() = default;
  /// Headers came, and data will. Called again when the request is repeated: what came before is void.
  virtual void begin(const WebAnswer& answer) = 0;
  virtual void take(std::span<const std::uint8_t> data) = 0;
  virtual void end() = 0;
};

/// A body kept in memory.
class TextTaker : public BodyTaker {
 public:
  void begin(const WebAnswer&) override { text.clear(); }
  void take(std::span<const std::uint8_t> data) override { text.append(data.begin(), data.end()); }
  void end() override {}
  std::string text;
};

/// A piece of what we send: text, or a whole file.
struct UploadPiece {
  std::string text, path;
  std::uint64_t bytes = 0;  ///< of the file
};

struct WebRequest {
  std::string path;   ///< below the service's address: "/studies/1.2"; or a whole address of the same origin
  std::string query;  ///< without '?'; never in a message, since it may name a patient
  std::string accept;
  std::uint64_t most_bytes = std::uint64_t{256} << 20U;  ///< of the answer's body
  bool post = false;
  std::string content_type;
  std::vector<UploadPiece> body;
  bool conflict_is_an_answer = false;  ///< 409 and 202 have a body to be read (PS3.18 table 10.5.3-1)
};

class WebClient {
 public:
  /// `stop` is asked at least once a second; when it says so the request ends with Failure(cancelled).
  WebClient(WebPeer peer, std::function<bool()> stop);
  WebClient(const WebClient&) = delete;
  WebClient& operator=(const WebClient&) = delete;
  ~WebClient();

  /// Sends it, and again when the server is busy (429, 503, for as long as Retry-After says) or, unless it posts, when
  /// the network failed. A redirection is followed within the same scheme, host and port. Throws Failure that names
  /// method, address and status, and says what to do (WebFailure of web_status.hpp): not_found (404, 410),
  /// invalid_argument (400, 401, 403), unsupported (405, 406, 415, 501), io_error for the rest and the network,
  /// bad_data for what breaks the protocol.
  WebAnswer request(const WebRequest& request, BodyTaker& taker);

  const WebPeer& peer() const { return peer_; }
  const std::function<bool()>& stop() const { return stop_; }

 private:
  struct Exchange;
  struct Connection;
  WebAnswer attempt(const WebRequest& request, const std::string& url, BodyTaker& taker, int redirections);
  std::string token() const;
  void pause(double seconds) const;

  WebPeer peer_;
  std::function<bool()> stop_;
  std::unique_ptr<Connection> connection_;
};

}  // namespace isocenter::detail::dicom
