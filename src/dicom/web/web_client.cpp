#include "web_client.hpp"

#include <curl/curl.h>
#include <strings.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <isocenter/error.hpp>
#include <iterator>
#include <thread>

#include "web_address.hpp"
#include "web_status.hpp"

namespace isocenter::detail::dicom {
namespace {

constexpr std::uint64_t most_header_bytes = 65536;
constexpr std::uint64_t most_refusal_bytes = 1U << 20U;  ///< of a body that nobody reads
constexpr std::size_t most_token_bytes = 65536;
constexpr int most_redirections = 5;
constexpr long slowest_bytes_per_s = 256;

/// A failure that another attempt may not have.
struct TryAgain {
  WebFailure why;
};

/// RFC 6750 section 2.1: b64token.
bool is_token(const std::string& text) {
  const std::size_t end = text.find_last_not_of('=') + 1;
  return end > 0 && text.substr(0, end).find_first_not_of(
                        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                        "0123456789-._~+/") == std::string::npos;
}

void require_file(const char* parameter, const std::string& path) {
  if (!path.empty() && !std::filesystem::is_regular_file(path))
    throw Failure(ErrorCode::not_found, "there is no file '" + path + "' (" + parameter + ")",
                  "give the path of a PEM file");
}

void use_curl() {
  static const CURLcode ready = curl_global_init(CURL_GLOBAL_DEFAULT);
  if (ready != CURLE_OK)
    throw Failure(ErrorCode::internal, std::string("libcurl cannot be used: ") + curl_easy_strerror(ready),
                  "install a libcurl that fits this machine");
}

/// "Name: value" as value, when the name is this one.
bool header_value(const std::string& line, const char* name, std::string& value) {
  const std::size_t length = std::char_traits<char>::length(name);
  if (line.size() <= length || line[length] != ':' || ::strncasecmp(line.c_str(), name, length) != 0) return false;
  const std::size_t start = line.find_first_not_of(" \t", length + 1);
  value = start == std::string::npos ? "" : line.substr(start, line.find_last_not_of(" \t\r\n") + 1 - start);
  return true;
}

bool is_redirection(int status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

}  // namespace

void require_valid(const WebPeer& peer) {
  base_address(peer.url);
  if (!peer.token_file.empty() && !peer.token_variable.empty())
    throw Failure(ErrorCode::invalid_argument, "token_file and token_variable are both set", "set one of them");
  const bool encrypted = origin_of(peer.url).starts_with("https:");
  if (!encrypted && peer.tls.enabled())
    throw Failure(ErrorCode::invalid_argument, "TLS files are given, and url begins with http://",
                  "write https:// in url, or leave the TLS files out");
  if (!encrypted && !(peer.token_file.empty() && peer.token_variable.empty()) && !is_loopback(peer.url))
    throw Failure(ErrorCode::invalid_argument, "a token would travel over plain http, for everybody to read",
                  "write https:// in url");
  if (peer.tls.certificate.empty() != peer.tls.key.empty())
    throw Failure(ErrorCode::invalid_argument, "tls_certificate and tls_key are not given together", "give both");
  require_file("tls_authorities", peer.tls.authorities);
  require_file("tls_certificate", peer.tls.certificate);
  require_file("tls_key", peer.tls.key);
}

struct WebClient::Connection {
  Connection() : easy(curl_easy_init()) {
    if (easy == nullptr) throw std::bad_alloc();
  }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection() {
    curl_slist_free_all(headers);
    curl_easy_cleanup(easy);
  }
  void add_header(const std::string& line) {
    curl_slist* longer = curl_slist_append(headers, line.c_str());
    if (longer == nullptr) throw std::bad_alloc();
    headers = longer;
  }
  void forget_headers() {
    curl_slist_free_all(headers);
    headers = nullptr;
  }

  CURL* easy;
  curl_slist* headers = nullptr;
  char error[CURL_ERROR_SIZE] = "";  ///< where libcurl writes until the handle is gone
};

/// One request on its way: what libcurl calls. What these functions throw is kept, and ends the transfer.
struct WebClient::Exchange {
  const WebRequest& request;
  BodyTaker& taker;
  const std::function<bool()>& stop;
  WebAnswer answer;
  std::string location;
  std::uint64_t header_bytes = 0, body_bytes = 0;
  bool wanted = false, begun = false, stopped = false;
  std::exception_ptr failure;
  std::size_t piece = 0;
  std::uint64_t offset = 0;  ///< in the piece
  std::ifstream file;

  template <class F>
  bool keep_failure(F&& f) {
    try {
      f();
      return true;
    } catch (...) {
      failure = std::current_exception();
      return false;
    }
  }

  [[noreturn]] void fail(const std::string& what) const {
    throw Failure(ErrorCode::bad_data, answer.where + ": " + what, "look into the server's log");
  }

  void header_line(const std::string& line) {
    header_bytes += line.size();
    if (header_bytes > most_header_bytes)
      fail("the answer has more than " + std::to_string(most_header_bytes) + " bytes of headers");
    if (begun) return;  // trailers
    std::string value;
    if (line.starts_with("HTTP/")) {
      const std::size_t space = line.find(' ');
      answer.status = 0;
      if (space != std::string::npos)
        std::from_chars(line.data() + space + 1, line.data() + line.size(), answer.status);
      answer.type = {};
      location.clear();
    } else if (header_value(line, "Content-Type", value)) {
      answer.type = parse_media_type(value);
    } else if (header_value(line, "Location", value)) {
      location = value;
    } else if (header_value(line, "Content-Length", value)) {
      std::uint64_t length = 0;
      const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), length);
      const bool number = error != std::errc::invalid_argument && end == value.data() + value.size();
      if (!number) fail("its Content-Length '" + shown(value) + "' is no number");
      if (error == std::errc::result_out_of_range || (is_wanted() && length > request.most_bytes))
        fail("the answer announces " + shown(value) + " bytes, more than the " + std::to_string(request.most_bytes) +
             " that are taken");
    } else if (header_value(line, "Content-Encoding", value) && ::strcasecmp(value.c_str(), "identity") != 0) {
      fail("the answer is encoded as '" + shown(value) + "', which was not asked for");
    } else if (line == "\r\n" && answer.status >= 200) {
      wanted = is_wanted();
      answer.partial = answer.status == 206;
      begun = true;
      if (wanted) taker.begin(answer);
    }
  }

  bool is_wanted() const {
    return answer.status == 200 || answer.status == 204 || answer.status == 206 ||
           (request.conflict_is_an_answer && (answer.status == 202 || answer.status == 409));
  }

  /// False when the rest of the body is not worth waiting for.
  bool body(std::span<const std::uint8_t> data) {
    body_bytes += data.size();
    if (!wanted) return body_bytes <= most_refusal_bytes;
    if (body_bytes > request.most_bytes)
      fail("the answer has more than the " + std::to_string(request.most_bytes) + " bytes that are taken");
    taker.take(data);
    return true;
  }

  std::size_t upload(char* buffer, std::size_t room) {
    while (piece < request.body.size()) {
      const UploadPiece& from = request.body[piece];
      const std::uint64_t size = from.path.empty() ? from.text.size() : from.bytes;
      if (offset == size) {
        file.close();
        ++piece;
        offset = 0;
        continue;
      }
      const std::size_t n = static_cast<std::size_t>(std::min<std::uint64_t>(room, size - offset));
      if (from.path.empty()) {
        std::copy_n(from.text.data() + offset, n, buffer);
      } else {
        if (offset == 0) {
          file = {};
          file.open(from.path, std::ios::binary);
        }
        if (!file.read(buffer, static_cast<std::streamsize>(n)))
          throw Failure(ErrorCode::io_error, "'" + from.path + "' cannot be read any more",
                        "leave it until it was sent");
      }
      offset += n;
      return n;
    }
    return 0;
  }

  static Exchange& of(void* user) { return *static_cast<Exchange*>(user); }
  static std::size_t on_header(char* data, std::size_t size, std::size_t count, void* user) {
    const std::string line(data, size * count);
    return of(user).keep_failure([&] { of(user).header_line(line); }) ? line.size() : 0;
  }
  static std::size_t on_body(char* data, std::size_t size, std::size_t count, void* user) {
    bool go_on = false;
    const std::span bytes(reinterpret_cast<const std::uint8_t*>(data), size * count);
    const bool taken = of(user).keep_failure([&] { go_on = of(user).body(bytes); });
    return taken && go_on ? bytes.size() : bytes.size() + 1;  // anything but its size ends the transfer
  }
  static std::size_t on_upload(char* buffer, std::size_t size, std::size_t count, void* user) {
    std::size_t n = 0;
    return of(user).keep_failure([&] { n = of(user).upload(buffer, size * count); }) ? n : CURL_READFUNC_ABORT;
  }
  static int on_rewind(void* user, curl_off_t offset, int origin) {
    if (offset != 0 || origin != SEEK_SET) return CURL_SEEKFUNC_CANTSEEK;
    of(user).piece = 0;
    of(user).offset = 0;
    return CURL_SEEKFUNC_OK;
  }
  static int on_progress(void* user, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
    of(user).keep_failure([&] { of(user).stopped = of(user).stop(); });
    return of(user).stopped || of(user).failure ? 1 : 0;
  }
};

WebClient::WebClient(WebPeer peer, std::function<bool()> stop) : peer_(std::move(peer)), stop_(std::move(stop)) {
  use_curl();
  require_valid(peer_);
  peer_.url = base_address(peer_.url);
  connection_ = std::make_unique<Connection>();
}

WebClient::~WebClient() = default;

std::string WebClient::token() const {
  std::string text, from;
  if (!peer_.token_variable.empty()) {
    const char* value = std::getenv(peer_.token_variable.c_str());
    from = "the environment variable " + peer_.token_variable + " (token_variable)";
    if (value == nullptr) throw Failure(ErrorCode::not_found, from + " is not set", "set it to the token");
    text = value;
  } else if (!peer_.token_file.empty()) {
    std::ifstream file(peer_.token_file, std::ios::binary);
    from = "'" + peer_.token_file + "' (token_file)";
    if (!file) throw Failure(ErrorCode::not_found, from + " cannot be read", "give the path of a file with the token");
    text.resize(most_token_bytes);
    file.read(text.data(), most_token_bytes);
    text.resize(static_cast<std::size_t>(file.gcount()));
  } else {
    return "";
  }
  text.erase(text.find_last_not_of(" \t\r\n") + 1);
  if (!is_token(text))
    throw Failure(ErrorCode::invalid_argument, from + " holds no bearer token",
                  "put the token there alone: letters, digits and -._~+/=");
  return text;
}

void WebClient::pause(double seconds) const {
  using Clock = std::chrono::steady_clock;
  const auto until = Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
  while (Clock::now() < until && !stop_()) std::this_thread::sleep_for(std::chrono::milliseconds(20));
}

WebAnswer WebClient::request(const WebRequest& request, BodyTaker& taker) {
  std::string url = is_web_address(request.path) ? request.path : peer_.url + request.path;
  if (!request.query.empty()) url += "?" + request.query;
  const std::string method = request.post ? "POST " : "GET ";
  if (origin_of(url) != origin_of(peer_.url))
    throw Failure(ErrorCode::bad_data, method + shown_address(url) + ": this address is not of " + peer_.url,
                  "fetch it by hand if it is to be trusted");
  double pause_s = peer_.first_pause_s;
  for (int attempts = 1;; ++attempts) {
    try {
      return attempt(request, url, taker, 0);
    } catch (const TryAgain& again) {
      if (attempts >= peer_.attempts || again.why.after_s > peer_.longest_pause_s) throw again.why;
      pause(std::max(pause_s, again.why.after_s));
      pause_s = std::min(peer_.longest_pause_s, 2 * pause_s);
    }
  }
}

WebAnswer WebClient::attempt(const WebRequest& request, const std::string& url, BodyTaker& taker, int redirections) {
  Exchange exchange{request, taker, stop_, {}, {}, 0, 0, false, false, false, {}, 0, 0, {}};
  const std::string where = (request.post ? "POST " : "GET ") + shown_address(url);
  exchange.answer.where = where;
  if (stop_()) throw Failure(ErrorCode::cancelled, where + " was cancelled", "start it again");
  CURL* easy = connection_->easy;
  curl_easy_reset(easy);  // keeps the connection
  connection_->forget_headers();
  char* const text = connection_->error;
  text[0] = '\0';
  const auto set = [&](CURLoption option, auto value) {
    const CURLcode done = curl_easy_setopt(easy, option, value);
    if (done != CURLE_OK)
      throw Failure(ErrorCode::internal, where + ": libcurl refuses an option: " + curl_easy_strerror(done),
                    "use libcurl 7.85 or later with TLS");
  };
  const auto set_text = [&](CURLoption option, const std::string& value) {
    if (!value.empty()) set(option, value.c_str());
  };
  set(CURLOPT_ERRORBUFFER, text);
  set(CURLOPT_URL, url.c_str());
  if (origin_of(url).starts_with("http:") && is_loopback(url)) set(CURLOPT_PROXY, "");  // it would read the token
  set(CURLOPT_PROTOCOLS_STR, "http,https");
  set(CURLOPT_USERAGENT, "isocenter");
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  set(CURLOPT_CONNECTTIMEOUT, static_cast<long>(peer_.connect_timeout_s));
  set(CURLOPT_LOW_SPEED_LIMIT, slowest_bytes_per_s);
  set(CURLOPT_LOW_SPEED_TIME, static_cast<long>(peer_.timeout_s));
  set(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  set(CURLOPT_SSL_VERIFYPEER, 1L);
  set(CURLOPT_SSL_VERIFYHOST, 2L);
  if (!peer_.tls.authorities.empty()) {
    set(CURLOPT_CAINFO, peer_.tls.authorities.c_str());
    set(CURLOPT_CAPATH, static_cast<const char*>(nullptr));  // else the system's authorities would count too
  }
  set_text(CURLOPT_SSLCERT, peer_.tls.certificate);
  set_text(CURLOPT_SSLKEY, peer_.tls.key);
  set(CURLOPT_KEYPASSWD, "");  // an encrypted key fails instead of asking the terminal
  const std::string bearer = token();
  if (!bearer.empty()) {
    set(CURLOPT_HTTPAUTH, static_cast<unsigned long>(CURLAUTH_BEARER));
    set(CURLOPT_XOAUTH2_BEARER, bearer.c_str());
  }
  if (!request.accept.empty()) connection_->add_header("Accept: " + request.accept);
  if (request.post) {
    std::uint64_t bytes = 0;
    for (const UploadPiece& piece : request.body) bytes += piece.path.empty() ? piece.text.size() : piece.bytes;
    connection_->add_header("Content-Type: " + request.content_type);
    set(CURLOPT_POST, 1L);
    set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(bytes));
    set(CURLOPT_READFUNCTION, &Exchange::on_upload);
    set(CURLOPT_READDATA, &exchange);
    set(CURLOPT_SEEKFUNCTION, &Exchange::on_rewind);
    set(CURLOPT_SEEKDATA, &exchange);
  }
  set(CURLOPT_HTTPHEADER, connection_->headers);
  set(CURLOPT_HEADERFUNCTION, &Exchange::on_header);
  set(CURLOPT_HEADERDATA, &exchange);
  set(CURLOPT_WRITEFUNCTION, &Exchange::on_body);
  set(CURLOPT_WRITEDATA, &exchange);
  set(CURLOPT_NOPROGRESS, 0L);
  set(CURLOPT_XFERINFOFUNCTION, &Exchange::on_progress);
  set(CURLOPT_XFERINFODATA, &exchange);
  const CURLcode done = curl_easy_perform(easy);

  if (exchange.failure) std::rethrow_exception(exchange.failure);
  if (exchange.stopped) throw Failure(ErrorCode::cancelled, where + " was cancelled", "start it again");
  const int status = exchange.answer.status;
  if (exchange.begun && !exchange.wanted) {
    if (is_redirection(status) && !exchange.location.empty()) {
      const std::string to = resolve_address(url, exchange.location);
      if (origin_of(to) != origin_of(url))
        throw Failure(ErrorCode::bad_data,
                      where + ": the server answered " + web_status_text(status) + " and points to another place, " +
                          shown_address(exchange.location),
                      "give that address as url if it is to be trusted");
      if (request.post && status != 307 && status != 308)
        throw Failure(ErrorCode::bad_data,
                      where + ": the server answered " + web_status_text(status) + ", which does not take what is sent",
                      "give the address that it points to as url");
      if (redirections >= most_redirections)
        throw Failure(ErrorCode::bad_data, where + ": more than " + std::to_string(most_redirections) + " redirections",
                      "look into the server's configuration");
      return attempt(request, to, taker, redirections + 1);
    }
    curl_off_t after_s = 0;
    curl_easy_getinfo(easy, CURLINFO_RETRY_AFTER, &after_s);
    const WebFailure failure = web_status_failure(where, status, static_cast<long>(after_s));
    // Behind a gateway that gave up (502, 504) a posted request may have been done.
    if (failure.temporary && (!request.post || status == 429 || status == 503)) throw TryAgain{failure};
    throw failure;
  }
  if (done != CURLE_OK) {
    const WebFailure failure =
        web_network_failure(where, static_cast<int>(done), text[0] != '\0' ? text : curl_easy_strerror(done));
    if (failure.temporary && !request.post) throw TryAgain{failure};
    throw failure;
  }
  if (!exchange.begun)
    throw Failure(ErrorCode::bad_data, where + ": what answers there speaks no HTTP", "check the address");
  taker.end();
  return exchange.answer;
}

}  // namespace isocenter::detail::dicom
