// C-ECHO and C-STORE as provider, held to DCMTK's users of it.
#include "dicom/network/listener.hpp"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dicom/network/association.hpp"
#include "dicom/network/store.hpp"
#include "network_test.hpp"

namespace isocenter::test {
namespace {

using namespace detail::dicom;
using ::testing::HasSubstr;
using namespace std::chrono_literals;

ListenerOptions options() {
  ListenerOptions o;
  o.ae_title = "STORE";
  o.port = 0;
  o.associations = 4;
  o.timeout_s = 3;
  return o;
}

/// The next event of a kind; an event without text when there was none in ten seconds.
ListenerEvent event_of(Listener& listener, ListenerEvent::Kind kind) {
  for (int i = 0; i < 1000; ++i) {
    const auto event = listener.next(10s);
    if (!event) break;
    if (event->kind == kind) return *event;
  }
  ADD_FAILURE() << "no such event";
  return {};
}

/// Sends bytes to a listener, and returns what came back until it closed the connection or a second passed.
std::string talk(int port, const std::string& bytes) {
  const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  std::string answer;
  if (::connect(socket, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) {
    [[maybe_unused]] const auto sent = ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    timeval limit{1, 0};
    ::setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    char piece[512];
    for (ssize_t n = 0; (n = ::recv(socket, piece, sizeof piece, 0)) > 0;)
      answer.append(piece, static_cast<std::size_t>(n));
  }
  ::close(socket);
  return answer;
}

TEST(Listener, AnswersTheEchoOfDcmtk) {
  const TemporaryFolder folder;
  Listener listener(options(), folder / "inbox");
  EXPECT_EQ(run_program({"echoscu", "-aec", "STORE", "127.0.0.1", std::to_string(listener.port())}, folder / "log"), 0)
      << text_of(folder / "log");
}

TEST(Listener, KeepsEveryByteOfWhatStorescuSendsAndSaysWhenTheSeriesIsWhole) {
  const TemporaryFolder folder;
  const auto sent = write_ct_series(folder / "ct", 12);
  Listener listener(options(), folder / "inbox");
  ASSERT_EQ(
      run_program({"storescu", "-aec", "STORE", "+sd", "127.0.0.1", std::to_string(listener.port()), folder / "ct"},
                  folder / "log"),
      0)
      << text_of(folder / "log");
  const ListenerEvent series = event_of(listener, ListenerEvent::Kind::series);
  EXPECT_EQ(series.instances, 12);
  ASSERT_EQ(dicom_files(folder / "inbox").size(), 12U);
  for (int i = 0; i < 12; ++i)
    EXPECT_TRUE(same_data_set(sent[static_cast<std::size_t>(i)], series.path + "/" + instance_uid(i) + ".dcm"));
}

TEST(Listener, TakesTheSameInstanceTwiceAndRefusesAnotherOneWithItsUid) {
  const TemporaryFolder folder;
  const auto first = write_ct_series(folder / "a", 1, 32);
  const auto other = write_ct_series(folder / "b", 1, 33);
  Listener listener(options(), folder / "inbox");
  const auto send = [&](const std::string& path) {
    const std::vector<Outgoing> files{{path, name_of_file(path)}};
    Association association(loopback(listener.port()), proposals_for(files));
    const StoreAnswer answer = store(association, files[0]);
    association.release();
    return answer;
  };
  EXPECT_EQ(send(first[0]).outcome, StoreAnswer::Outcome::stored);
  EXPECT_EQ(send(first[0]).text, "");
  EXPECT_THAT(send(other[0]).text, HasSubstr("0x0111, duplicate SOP instance"));
  EXPECT_EQ(listener.accepted(), 1U);
  EXPECT_TRUE(same_data_set(first[0], dicom_files(folder / "inbox").at(0)));
  EXPECT_THAT(event_of(listener, ListenerEvent::Kind::refused).text, HasSubstr("is here already with other contents"));
}

TEST(Listener, RejectsACallForAnotherTitleAndACallerThatItDoesNotKnow) {
  const TemporaryFolder folder;
  ListenerOptions o = options();
  o.calling_aes = {"SCANNER"};
  Listener listener(o, folder / "inbox");
  Peer peer = loopback(listener.port(), "ELSEWHERE");
  const std::vector<ContextProposal> echo{{"1.2.840.10008.1.1", uncompressed_syntaxes()}};
  EXPECT_THAT(error_of([&] { Association a(peer, echo); }), HasSubstr("it is not called 'ELSEWHERE'. Fix: "));
  EXPECT_THAT(event_of(listener, ListenerEvent::Kind::association_failed).text, HasSubstr("it called 'ELSEWHERE'"));
  peer.called_ae = "STORE";
  EXPECT_THAT(error_of([&] { Association a(peer, echo); }), HasSubstr("it does not know 'ISOCENTER'. Fix: "));
  peer.calling_ae = "SCANNER";
  EXPECT_EQ(error_of([&] { Association(peer, echo).echo(); }), "");
}

TEST(Listener, RefusesAContextThatIsNoStorage) {
  const TemporaryFolder folder;
  Listener listener(options(), folder / "inbox");
  EXPECT_THAT(error_of([&] {
                Association a(loopback(listener.port()), {{"1.2.840.10008.5.1.4.1.2.2.1", uncompressed_syntaxes()}});
              }),
              HasSubstr("supports none of the 1 SOP classes"));
  EXPECT_THAT(event_of(listener, ListenerEvent::Kind::refused).text, HasSubstr("none of the SOP classes"));
}

TEST(Listener, IsNotHeldUpByPeersThatAreSilentSpeakNonsenseOrGoAway) {
  const TemporaryFolder folder;
  ListenerOptions o = options();
  o.associations = 3;
  Listener listener(o, folder / "inbox");
  EXPECT_EQ(talk(listener.port(), ""), "");                                  // silent, then gone
  EXPECT_NO_FATAL_FAILURE(talk(listener.port(), "GET / HTTP/1.1\r\n\r\n"));  // another protocol
  // An A-ASSOCIATE-RQ (PS3.8 section 9.3.2) that claims 4 GiB and brings nothing.
  EXPECT_NO_FATAL_FAILURE(talk(listener.port(), std::string("\x01\x00\xff\xff\xff\xff", 6)));
  EXPECT_EQ(error_of([&] {
              Association(loopback(listener.port()), {{"1.2.840.10008.1.1", uncompressed_syntaxes()}}).echo();
            }),
            "");
  // Which of the three is told of first is the threads' affair.
  EXPECT_THAT(event_of(listener, ListenerEvent::Kind::association_failed).text, HasSubstr("a peer "));
}

TEST(Listener, SaysThatAPeerConnectedAndAskedForNothing) {
  const TemporaryFolder folder;
  Listener listener(options(), folder / "inbox");
  EXPECT_TRUE(wait_for_port(listener.port()));  // connects and closes
  EXPECT_THAT(event_of(listener, ListenerEvent::Kind::association_failed).text, HasSubstr("asked for no association"));
}

TEST(Listener, AbortsAnAssociationThatIsSilent) {
  const TemporaryFolder folder;
  ListenerOptions o = options();
  o.timeout_s = 1;
  Listener listener(o, folder / "inbox");
  Association silent(loopback(listener.port()), {{"1.2.840.10008.1.1", uncompressed_syntaxes()}});
  EXPECT_THAT(event_of(listener, ListenerEvent::Kind::association_failed).text, HasSubstr("it was silent for 1 s"));
  EXPECT_THAT(error_of([&] { silent.echo(); }), HasSubstr("C-ECHO failed: "));
}

TEST(Listener, RefusesWhatIsTooLargeAndTheAssociationLivesOn) {
  const TemporaryFolder folder;
  ListenerOptions o = options();
  o.max_instance_bytes = 1000;
  const auto files = write_ct_series(folder / "ct", 1);
  Listener small(o, folder / "inbox");
  const std::vector<Outgoing> out{{files[0], name_of_file(files[0])}};
  auto proposals = proposals_for(out);
  proposals.push_back({"1.2.840.10008.1.1", uncompressed_syntaxes()});
  Association association(loopback(small.port()), proposals);
  EXPECT_EQ(store(association, out[0]).outcome, StoreAnswer::Outcome::try_later);
  association.echo();  // the association lives on
  EXPECT_TRUE(dicom_files(folder / "inbox").empty());
  EXPECT_THAT(event_of(small, ListenerEvent::Kind::refused).text, HasSubstr("more than 1000 bytes"));
}

TEST(Inbox, RefusesUidsThatAreNoFileNames) {
  const TemporaryFolder folder;
  Inbox inbox(folder / "inbox");
  InstanceName name{"1.2.840.10008.5.1.4.1.1.2", "1.2.3", "1.2.840.10008.1.2.1", "1.2", "1.3"};
  const std::vector<std::uint8_t> bytes(10);
  for (const char* bad : {"../../etc/passwd", "", "1..2", "1.02", ".1", "1.", "1.2/3"}) {
    name.sop_instance_uid = bad;
    EXPECT_THAT(error_of([&] { inbox.accept(name, "A", bytes); }), HasSubstr("is no UID")) << bad;
  }
  EXPECT_THAT(error_of([&] { Inbox again(folder / "inbox"); }), HasSubstr("another process receives into"));
}

}  // namespace
}  // namespace isocenter::test
