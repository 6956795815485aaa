#include "peer.hpp"

#include <isocenter/error.hpp>

namespace isocenter::detail::dicom {

void require_ae_title(const char* parameter, const std::string& title) {
  bool valid = !title.empty() && title.size() <= 16 && title.find_first_not_of(' ') != std::string::npos;
  for (const char c : title) valid = valid && c >= ' ' && c <= '~' && c != '\\';
  if (!valid)
    throw Failure(ErrorCode::invalid_argument, std::string(parameter) + " = '" + title + "' is no AE title",
                  "give 1 to 16 printable ASCII characters without a backslash");
}

void require_valid(const Peer& peer) {
  require_ae_title("called_ae", peer.called_ae);
  require_ae_title("calling_ae", peer.calling_ae);
  if (peer.host.empty()) throw Failure(ErrorCode::invalid_argument, "host is empty", "give the peer's name or address");
  if (peer.port < 1 || peer.port > 65535)
    throw Failure(ErrorCode::invalid_argument, "port = " + std::to_string(peer.port) + " is outside [1, 65535]",
                  "give the port that the peer listens at; 104 and 11112 are usual");
}

bool is_uid(const std::string& text) {
  if (text.empty() || text.size() > 64) return false;
  bool component_start = true;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '.') {
      if (component_start) return false;
      component_start = true;
      continue;
    }
    if (c < '0' || c > '9') return false;
    if (component_start && c == '0' && i + 1 < text.size() && text[i + 1] != '.') return false;
    component_start = false;
  }
  return !component_start;
}

}  // namespace isocenter::detail::dicom
