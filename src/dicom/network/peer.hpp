#pragma once
// Who is at the other end of an association, and how long we wait for them.
#include <string>
#include <vector>

namespace isocenter::detail::dicom {

/// PEM files of one end of a TLS connection; all empty for none.
struct TlsFiles {
  std::string certificate;  ///< our own, with its chain
  std::string key;          ///< its private key, not encrypted
  std::string authorities;  ///< what a peer's certificate must be issued by, or be
  bool enabled() const { return !certificate.empty() || !key.empty() || !authorities.empty(); }
};

/// A DICOM application entity that we call.
struct Peer {
  std::string host = "localhost";
  int port = 104;
  std::string called_ae = "ANY-SCP";
  std::string calling_ae = "ISOCENTER";
  int timeout_s = 30;     ///< for connecting, and for each answer
  long max_pdu = 131072;  ///< bytes that we take at once, 4096 to 131072 (PS3.8 annex D.1)
  TlsFiles tls;

  /// "STORE at pacs:104", as messages name it.
  std::string name() const { return called_ae + " at " + host + ":" + std::to_string(port); }
};

/// Throws Failure(invalid_argument) unless `title` is an AE title: 1 to 16 characters of printable ASCII, no backslash,
/// not only spaces (PS3.5 table 6.2-1, AE).
void require_ae_title(const char* parameter, const std::string& title);

/// Throws Failure(invalid_argument) with the parameter that is wrong.
void require_valid(const Peer& peer);

/// Whether `text` is a UID: digits and single dots, no component with a leading zero, at most 64 characters (PS3.5
/// section 9.1). Such a text is also a safe file name.
bool is_uid(const std::string& text);

}  // namespace isocenter::detail::dicom
