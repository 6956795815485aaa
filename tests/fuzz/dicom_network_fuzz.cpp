// Any bytes from a peer, to us as provider and as user, and any bytes as a journal that a dead process left. What is
// wrong with them has to end in a refusal, an aborted association or a Failure, in bounded memory and time.
//
// The first byte chooses the scene. Where a conversation has begun, the rest is messages: a byte that chooses the
// presentation context and whether a data set follows, two that count the command's bytes, the command, and to the end
// of the message (two more bytes count it) its data set.
#include <arpa/inet.h>
#include <dcmtk/config/osconfig.h>
#include <dcmtk/oflog/oflog.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <isocenter/error.hpp>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "dicom/network/commitment.hpp"
#include "dicom/network/journal_format.hpp"
#include "dicom/network/listener.hpp"
#include "dicom/network/query.hpp"

namespace {

using namespace isocenter::detail::dicom;
using Bytes = std::vector<std::uint8_t>;

void put(Bytes& out, std::size_t value, int bytes) {  // big endian, as PDUs are
  for (int i = bytes - 1; i >= 0; --i) out.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
}
void put(Bytes& out, const std::string& text) { out.insert(out.end(), text.begin(), text.end()); }
void put_item(Bytes& out, std::uint8_t type, const Bytes& content) {
  out.push_back(type);
  out.push_back(0);
  put(out, content.size(), 2);
  out.insert(out.end(), content.begin(), content.end());
}
Bytes bytes_of(const std::string& text) { return {text.begin(), text.end()}; }

/// A-ASSOCIATE-RQ (type 1) or -AC (type 2) with these classes as contexts 1, 3, ... (PS3.8 section 9.3.2, 9.3.3).
Bytes associate(std::uint8_t type, const std::vector<std::string>& classes) {
  Bytes body;
  put(body, 1, 2);
  put(body, 0, 2);
  put(body, "STORE           FUZZ            ");
  body.resize(body.size() + 32);
  put_item(body, 0x10, bytes_of("1.2.840.10008.3.1.1.1"));
  std::uint8_t id = 1;
  for (const std::string& sop_class : classes) {
    Bytes context{id, 0, 0, 0};
    if (type == 1) put_item(context, 0x30, bytes_of(sop_class));
    put_item(context, 0x40, bytes_of(id == 1 ? "1.2.840.10008.1.2" : "1.2.840.10008.1.2.1"));
    put_item(body, type == 1 ? 0x20 : 0x21, context);
    id = static_cast<std::uint8_t>(id + 2);
  }
  Bytes user, length;
  put(length, 16384, 4);
  put_item(user, 0x51, length);
  put_item(user, 0x52, bytes_of("1.2.3"));
  put_item(body, 0x50, user);
  Bytes pdu{type, 0};
  put(pdu, body.size(), 4);
  pdu.insert(pdu.end(), body.begin(), body.end());
  return pdu;
}

/// P-DATA-TF with one fragment (PS3.8 section 9.3.5).
void put_fragment(Bytes& out, std::uint8_t context, bool command, std::span<const std::uint8_t> bytes) {
  out.push_back(4);
  out.push_back(0);
  put(out, bytes.size() + 6, 4);
  put(out, bytes.size() + 2, 4);
  out.push_back(context);
  out.push_back(static_cast<std::uint8_t>(2 | (command ? 1 : 0)));
  out.insert(out.end(), bytes.begin(), bytes.end());
}

void put_messages(Bytes& out, std::span<const std::uint8_t> rest) {
  const auto take = [&](std::size_t count) {
    const auto piece = rest.first(std::min(count, rest.size()));
    rest = rest.subspan(piece.size());
    return piece;
  };
  const auto take_length = [&] {
    const auto two = take(2);
    return two.size() < 2 ? rest.size() : static_cast<std::size_t>(two[0] << 8U | two[1]);
  };
  while (!rest.empty()) {
    const std::uint8_t choice = take(1)[0];
    const auto context = static_cast<std::uint8_t>(choice & 0x7fU);
    put_fragment(out, context, true, take(take_length()));
    if (choice >= 0x80U) put_fragment(out, context, false, take(take_length()));
  }
}

sockaddr_in loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

/// Says all it has to say, then listens until the other end has nothing to say either.
void talk(int socket, const Bytes& bytes) {
  ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  ::shutdown(socket, SHUT_WR);
  const timeval limit{5, 0};
  ::setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  char answer[4096];
  while (::recv(socket, answer, sizeof answer, 0) > 0) continue;
  const linger at_once{1, 0};  // thousands of connections a minute must not wait for their ports
  ::setsockopt(socket, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  ::close(socket);
}

/// Our provider, with an inbox in memory where there is one.
class Provider {
 public:
  Provider() : folder_(make_folder()), listener_(options(), folder_ + "/inbox") {}
  ~Provider() { std::filesystem::remove_all(folder_); }

  void hear(const Bytes& bytes) {
    const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
    const sockaddr_in address = loopback(listener_.port());
    if (::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) std::abort();
    talk(socket, bytes);
    while (listener_.next(std::chrono::milliseconds(0))) continue;
    if (++heard_ % 256 == 0) forget();
  }

 private:
  static std::string make_folder() {
    std::string name =
        std::filesystem::exists("/dev/shm") ? "/dev/shm/isocenter-fuzz-XXXXXX" : "/tmp/isocenter-fuzz-XXXXXX";
    if (::mkdtemp(name.data()) == nullptr) std::abort();
    return name;
  }
  static ListenerOptions options() {
    ListenerOptions o;
    o.port = 0;
    o.any_called_ae = true;
    o.associations = 1;
    o.timeout_s = 2;
    o.max_instance_bytes = 1U << 16U;
    o.journal.segments = 0;
    return o;
  }
  void forget() {
    for (const auto& file : std::filesystem::recursive_directory_iterator(folder_))
      if (file.path().extension() == ".dcm") std::filesystem::remove(file.path());
  }

  std::string folder_;
  Listener listener_;
  int heard_ = 0;
};

/// A peer that answers our request for an association, and then says what it is given.
class Answerer {
 public:
  Answerer() : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address = loopback(0);
    socklen_t length = sizeof address;
    if (::bind(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
        ::listen(socket_, 8) != 0 || ::getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &length) != 0)
      std::abort();
    peer_.host = "127.0.0.1";
    peer_.port = ntohs(address.sin_port);
    peer_.timeout_s = 2;
  }

  template <class User>
  void answer(const Bytes& bytes, User user) {
    std::thread thread([&] {
      const int socket = ::accept(socket_, nullptr, nullptr);
      if (socket >= 0) talk(socket, bytes);
    });
    try {
      user(peer_);
    } catch (const isocenter::Error&) {
    }
    thread.join();
  }

 private:
  int socket_;
  Peer peer_;
};

const std::vector<std::string> ours{"1.2.840.10008.1.1", "1.2.840.10008.5.1.4.1.1.2"};

void ask(const Peer& peer) {
  Association association(peer,
                          {{"1.2.840.10008.1.1", uncompressed_syntaxes()}, find_proposal(QueryModel::study_root)});
  association.echo();
  find(association, QueryModel::study_root, *make_query("STUDY", {{"PatientID", ""}}), 100);
  association.release();
}

void ask_for_commitment(const Peer& peer) {
  commit(peer, {{"1.2.840.10008.5.1.4.1.1.2", "1.2.3", "1.2.840.10008.1.2.1", "1.2", "1.3"}}, {0, 1},
         [] { return false; });
}

void read_journal(std::span<const std::uint8_t> bytes) {
  using namespace journal_format;
  Bytes segment(block);
  SegmentHead head;
  head.key = 42;
  head.number = 1;
  head.checksum = checksum_of(head);
  std::memcpy(segment.data(), &head, sizeof head);
  segment.insert(segment.end(), bytes.begin(), bytes.end());
  for_each_entry(segment, [](const std::string&, std::span<const std::uint8_t>) {});
  for_each_entry(bytes, [](const std::string&, std::span<const std::uint8_t>) {});
}

}  // namespace

/// DCMTK reserves what an element of a data set claims, up to 4 GiB that nothing touches; here each would cost seconds.
/// It loses an element now and then when it gives up on a data set; what we lose, the sanitizer preset finds.
extern "C" const char* __asan_default_options() {
  return "max_allocation_size_mb=256:allocator_may_return_null=1:detect_leaks=0";
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t count) {
  [[maybe_unused]] static const bool quiet = (OFLog::configure(OFLogger::OFF_LOG_LEVEL), true);
  static Provider provider;
  static Answerer answerer;
  if (count == 0) return 0;
  const std::span<const std::uint8_t> rest(bytes + 1, count - 1);
  Bytes said;
  switch (bytes[0] % 6) {
    case 0:
      provider.hear({rest.begin(), rest.end()});
      break;
    case 1:
      said = associate(1, ours);
      said.insert(said.end(), rest.begin(), rest.end());
      provider.hear(said);
      break;
    case 2:
      said = associate(1, ours);
      put_messages(said, rest);
      provider.hear(said);
      break;
    case 3:
      said = associate(2, {"", ""});
      put_messages(said, rest);
      answerer.answer(said, ask);
      break;
    case 4:
      said = associate(2, {""});
      put_messages(said, rest);
      answerer.answer(said, ask_for_commitment);
      break;
    default:
      read_journal(rest);
  }
  return 0;
}
