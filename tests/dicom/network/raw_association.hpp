#pragma once
// An association byte by byte, for what no toolkit would send.
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace isocenter::test {

/// A P-DATA-TF PDU with one fragment (PS3.8 section 9.3.5).
std::vector<std::uint8_t> fragment(std::uint8_t context, bool command, bool last, std::span<const std::uint8_t> bytes);

/// Asks for an association with these classes, in implicit little endian, as contexts 1, 3, ...
class RawAssociation {
 public:
  RawAssociation(int port, const std::string& called, const std::vector<std::string>& sop_classes);
  ~RawAssociation();
  RawAssociation(const RawAssociation&) = delete;
  RawAssociation& operator=(const RawAssociation&) = delete;
  void send(std::span<const std::uint8_t> bytes) const;
  /// The next bytes of what the peer says, `count` unless it ends before.
  std::vector<std::uint8_t> receive(std::size_t count) const;

 private:
  int socket_;
};

}  // namespace isocenter::test
