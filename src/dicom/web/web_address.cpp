#include "web_address.hpp"

#include <curl/curl.h>

#include <cstring>
#include <isocenter/error.hpp>
#include <memory>

#include "media_type.hpp"

namespace isocenter::detail::dicom {
namespace {

struct UrlDeleter {
  void operator()(CURLU* url) const { curl_url_cleanup(url); }
};
using Url = std::unique_ptr<CURLU, UrlDeleter>;

Url parse(const std::string& text) {
  Url url(curl_url());
  if (url == nullptr || curl_url_set(url.get(), CURLUPART_URL, text.c_str(), 0) != CURLUE_OK) return nullptr;
  return url;
}

std::string part(const Url& url, CURLUPart which, unsigned flags = 0) {
  char* text = nullptr;
  if (curl_url_get(url.get(), which, &text, flags) != CURLUE_OK) return "";
  std::string copy(text);
  curl_free(text);
  return copy;
}

}  // namespace

std::string base_address(const std::string& url) {
  const std::string fix = "write it as in https://pacs.example:8443/dicom-web";
  const auto refuse = [&](const std::string& why) {
    throw Failure(ErrorCode::invalid_argument, "url = '" + shown_address(url) + "' " + why, fix);
  };
  if (!is_web_address(url)) refuse("is no web address");
  const Url parsed = parse(url);
  if (parsed == nullptr || part(parsed, CURLUPART_HOST).empty()) refuse("is no web address");
  if (!part(parsed, CURLUPART_USER).empty() || !part(parsed, CURLUPART_PASSWORD).empty())
    throw Failure(ErrorCode::invalid_argument, "url holds a user name or a password",
                  "leave them out, and give a token in token_file or token_variable");
  if (url.find_first_of("?#") != std::string::npos) refuse("has a query or a fragment");
  std::string base = part(parsed, CURLUPART_URL);
  while (base.ends_with('/')) base.pop_back();
  return base;
}

std::string origin_of(const std::string& url) {
  const Url parsed = is_web_address(url) ? parse(url) : nullptr;
  if (parsed == nullptr) return "";
  return lower(part(parsed, CURLUPART_SCHEME) + "://" + part(parsed, CURLUPART_HOST)) + ":" +
         part(parsed, CURLUPART_PORT, CURLU_DEFAULT_PORT);
}

bool is_loopback(const std::string& url) {
  const Url parsed = parse(url);
  if (parsed == nullptr) return false;
  const std::string host = lower(part(parsed, CURLUPART_HOST));
  const bool dotted = host.find_first_not_of("0123456789.") == std::string::npos;
  return host == "localhost" || host == "[::1]" || (dotted && host.starts_with("127."));
}

std::string resolve_address(const std::string& from, const std::string& reference) {
  const Url url = parse(from);
  if (url == nullptr || curl_url_set(url.get(), CURLUPART_URL, reference.c_str(), 0) != CURLUE_OK) return "";
  return part(url, CURLUPART_URL);
}

std::string shown_address(const std::string& url) {
  std::string plain = url.substr(0, url.find_first_of("?#"));
  const std::size_t host = plain.find("://"), user = plain.rfind('@');
  if (host != std::string::npos && user != std::string::npos && user > host) plain.erase(host + 3, user - host - 2);
  return shown(plain, 300);
}

std::string query_encoded(const std::string& text) {
  std::string encoded;
  for (const char c : text) {
    const bool plain = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
                       (c != '\0' && std::strchr("-._~!$'()*,:@/?", c) != nullptr);
    const auto byte = static_cast<unsigned char>(c);
    if (plain)
      encoded += c;
    else
      encoded += {'%', "0123456789ABCDEF"[byte >> 4U], "0123456789ABCDEF"[byte & 15U]};
  }
  return encoded;
}

}  // namespace isocenter::detail::dicom
