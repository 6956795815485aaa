#pragma once
// What the tests of DICOMweb share.
#include <fstream>
#include <iterator>

#include "dicom/network/network_test.hpp"
#include "dicom/web/web_client.hpp"
#include "scripted_server.hpp"

namespace isocenter::test {

/// Patient enough for a loaded machine, and quick to try again.
inline detail::dicom::WebPeer web_peer(const std::string& url) {
  detail::dicom::WebPeer peer;
  peer.url = url;
  peer.timeout_s = 20;
  peer.attempts = 1;
  peer.first_pause_s = 0.01;
  peer.longest_pause_s = 5;
  return peer;
}

inline const auto never = [] { return false; };

/// A multipart/related answer of DICOM files, with the boundary "b".
inline std::string parts_of(const std::vector<std::string>& files, const std::string& end = "--b--") {
  std::string body;
  for (const std::string& path : files)
    body += "--b\r\nContent-Type: application/dicom\r\n\r\n" + text_of(path) + "\r\n";
  return body + end;
}

inline const std::string dicom_parts = "multipart/related; type=\"application/dicom\"; boundary=b";
inline const std::string dicom_json = "application/dicom+json";

}  // namespace isocenter::test
