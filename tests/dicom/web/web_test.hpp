#pragma once
// What the tests of DICOMweb share.
#include <fstream>
#include <iterator>

#include "dicom/network/network_test.hpp"
#include "dicom/web/scripted_server.hpp"
#include "dicom/web/web_client.hpp"

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

/// A certificate for these names ("DNS:localhost") that vouches for itself, made by openssl.
inline detail::dicom::TlsFiles make_certificate(const TemporaryFolder& folder, const std::string& name,
                                                const std::string& names) {
  const std::string key = folder / (name + ".key"), certificate = folder / (name + ".pem");
  EXPECT_EQ(run_program({"openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
                         "/CN=" + name, "-addext", "subjectAltName=" + names, "-keyout", key, "-out", certificate},
                        folder / "openssl"),
            0)
      << text_of(folder / "openssl");
  return {certificate, key, certificate};
}

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
