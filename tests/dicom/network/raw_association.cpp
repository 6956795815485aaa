#include "raw_association.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <stdexcept>

namespace isocenter::test {
namespace {

using Bytes = std::vector<std::uint8_t>;

void put(Bytes& out, std::size_t value, int bytes) {  // big endian, as PDUs are
  for (int i = bytes - 1; i >= 0; --i) out.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
}

void put_item(Bytes& out, std::uint8_t type, const Bytes& content) {
  out.push_back(type);
  out.push_back(0);
  put(out, content.size(), 2);
  out.insert(out.end(), content.begin(), content.end());
}

Bytes bytes_of(const std::string& text) { return {text.begin(), text.end()}; }

/// A-ASSOCIATE-RQ (PS3.8 section 9.3.2).
Bytes request(const std::string& called, const std::vector<std::string>& sop_classes) {
  Bytes body;
  put(body, 1, 2);
  put(body, 0, 2);
  for (const std::string& title : {called, std::string("RAW")})
    for (std::size_t i = 0; i < 16; ++i) body.push_back(i < title.size() ? static_cast<std::uint8_t>(title[i]) : ' ');
  body.resize(body.size() + 32);
  put_item(body, 0x10, bytes_of("1.2.840.10008.3.1.1.1"));
  std::uint8_t id = 1;
  for (const std::string& sop_class : sop_classes) {
    Bytes context{id, 0, 0, 0};
    put_item(context, 0x30, bytes_of(sop_class));
    put_item(context, 0x40, bytes_of("1.2.840.10008.1.2"));
    put_item(body, 0x20, context);
    id = static_cast<std::uint8_t>(id + 2);
  }
  Bytes user, length;
  put(length, 16384, 4);
  put_item(user, 0x51, length);
  put_item(user, 0x52, bytes_of("1.2.3"));
  put_item(body, 0x50, user);
  Bytes pdu{1, 0};
  put(pdu, body.size(), 4);
  pdu.insert(pdu.end(), body.begin(), body.end());
  return pdu;
}

}  // namespace

Bytes fragment(std::uint8_t context, bool command, bool last, std::span<const std::uint8_t> bytes) {
  Bytes pdu{4, 0};
  put(pdu, bytes.size() + 6, 4);
  put(pdu, bytes.size() + 2, 4);
  pdu.push_back(context);
  pdu.push_back(static_cast<std::uint8_t>((last ? 2 : 0) | (command ? 1 : 0)));
  pdu.insert(pdu.end(), bytes.begin(), bytes.end());
  return pdu;
}

RawAssociation::RawAssociation(int port, const std::string& called, const std::vector<std::string>& sop_classes)
    : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const timeval limit{10, 0};
  ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  if (::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    throw std::runtime_error("RawAssociation");
  send(request(called, sop_classes));
}

RawAssociation::~RawAssociation() { ::close(socket_); }

void RawAssociation::send(std::span<const std::uint8_t> bytes) const {
  ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
}

Bytes RawAssociation::receive(std::size_t count) const {
  Bytes bytes(count);
  std::size_t got = 0;
  for (ssize_t n = 1; got < count && n > 0; got += static_cast<std::size_t>(n > 0 ? n : 0))
    n = ::recv(socket_, bytes.data() + got, count - got, 0);
  bytes.resize(got);
  return bytes;
}

}  // namespace isocenter::test
