// Peers that abort, at either end, and the lengths of PDUs that each end asked for.
#include <dcmtk/dcmdata/dcuid.h>

#include "cutting_proxy.hpp"
#include "dicom/network/association.hpp"
#include "dicom/network/listener.hpp"
#include "dicom/network/query.hpp"
#include "network_test.hpp"
#include "service_peer.hpp"

namespace isocenter::test {
namespace {

using namespace detail::dicom;
using ::testing::Contains;
using ::testing::HasSubstr;

ListenerOptions receiver() {
  ListenerOptions o;
  o.ae_title = "STORE";
  o.port = 0;
  return o;
}

TEST(Abort, OfASenderIsSaidAndTheReceiverTakesTheNext) {
  const TemporaryFolder folder;
  Listener listener(receiver(), folder / "inbox");
  { const Association aborts(loopback(listener.port()), {{UID_CTImageStorage, uncompressed_syntaxes()}}); }
  const auto event = listener.next(std::chrono::seconds(10));
  ASSERT_TRUE(event);
  EXPECT_EQ(event->kind, ListenerEvent::Kind::association_failed);
  EXPECT_THAT(event->text, HasSubstr(": it aborted the association"));
  Outbox outbox(folder / "out");
  outbox.put(write_ct_series(folder / "ct", 2));
  EXPECT_EQ(deliver(outbox, loopback(listener.port())).delivered, 2);
}

TEST(Abort, OfAProviderInTheMiddleKeepsEverythingInTheOutboxAndEndsAQueryInOneSentence) {
  const TemporaryFolder folder;
  const ServicePeer aborting({UID_CTImageStorage, UID_FINDStudyRootQueryRetrieveInformationModel},
                             [](T_ASC_Association* association, auto, const T_DIMSE_Message&, DcmDataset*) {
                               ASC_abortAssociation(association);
                             });
  Outbox outbox(folder / "out");
  outbox.put(write_ct_series(folder / "ct", 2));
  const auto done = deliver(outbox, loopback(aborting.port()), 1);
  EXPECT_EQ(done.left, 2);
  EXPECT_THAT(done.complaints,
              Contains(HasSubstr("STORE at 127.0.0.1:" + std::to_string(aborting.port()) + ": C-STORE of " +
                                 instance_uid(0) + " failed: it aborted the association. Fix: ")));
  EXPECT_THAT(error_of([&] {
                Association association(loopback(aborting.port()), {find_proposal(QueryModel::study_root)});
                find(association, QueryModel::study_root, *make_query("STUDY", {{"PatientID", "1"}}), 10);
              }),
              HasSubstr("C-FIND failed: it aborted the association. Fix: "));
}

/// The longest P-DATA-TF in a stream of PDUs (PS3.8 section 9.3.1), without its head.
std::size_t longest_data(const std::string& stream) {
  std::size_t longest = 0;
  for (std::size_t at = 0; at + 6 <= stream.size();) {
    std::size_t length = 0;
    for (std::size_t i = 2; i < 6; ++i) length = length << 8U | static_cast<unsigned char>(stream[at + i]);
    if (stream[at] == 4) longest = std::max(longest, length);
    at += 6 + length;
  }
  return longest;
}

TEST(MaximumPdu, OfStorescpIsNotExceeded) {
  const TemporaryFolder folder;
  const int port = free_port();
  const Program storescp({"storescp", "-pdu", "4096", "-aet", "STORE", "-od", folder.path(), std::to_string(port)},
                         folder / "log");
  ASSERT_TRUE(wait_for_port(port)) << text_of(folder / "log");
  CuttingProxy proxy(port, never_cut, never_cut);
  Outbox outbox(folder / "out");
  outbox.put(write_ct_series(folder / "ct", 1, 128));  // 32 KiB
  ASSERT_EQ(deliver(outbox, loopback(proxy.port()), 1).delivered, 1) << text_of(folder / "log");
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  EXPECT_GT(longest_data(proxy.carried(0)), 2048U);
  EXPECT_LE(longest_data(proxy.carried(0)), 4096U);
}

}  // namespace
}  // namespace isocenter::test
