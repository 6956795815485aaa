// The outbox: what was put in is delivered once, to DCMTK's providers and ours.
#include "dicom/network/outbox.hpp"

#include <fstream>

#include "dicom/network/listener.hpp"
#include "network_test.hpp"

namespace isocenter::test {
namespace {

using namespace detail::dicom;
using ::testing::Contains;
using ::testing::HasSubstr;

TEST(Outbox, DeliversToStorescpWhatWasPutIn) {
  const TemporaryFolder folder;
  const auto files = write_ct_series(folder / "ct", 7);
  const int port = free_port();
  std::filesystem::create_directories(folder / "got");
  Program storescp({"storescp", "-aet", "STORE", "-od", folder / "got", "+xa", std::to_string(port)}, folder / "log");
  ASSERT_TRUE(wait_for_port(port));
  Outbox outbox(folder / "out");
  outbox.put(files);
  EXPECT_EQ(outbox.waiting(), 7);
  const auto done = deliver(outbox, loopback(port));
  EXPECT_EQ(done.delivered, 7) << ::testing::PrintToString(done.complaints);
  EXPECT_EQ(done.left, 0);
  for (int i = 0; i < 7; ++i)
    EXPECT_TRUE(same_data_set(files[static_cast<std::size_t>(i)], folder / ("got/CT." + instance_uid(i))));
}

TEST(Outbox, KeepsEverythingWhileThePeerIsAwayAndDeliversWhenItIsBack) {
  const TemporaryFolder folder;
  const auto files = write_ct_series(folder / "ct", 3);
  Outbox outbox(folder / "out");
  outbox.put(files);
  const int port = free_port();
  const auto away = deliver(outbox, loopback(port));
  EXPECT_EQ(away.left, 3);
  EXPECT_THAT(away.complaints, Contains(HasSubstr("no connection")));
  ListenerOptions o;
  o.ae_title = "STORE";
  o.port = port;
  Listener listener(o, folder / "inbox");
  EXPECT_EQ(deliver(outbox, loopback(port)).delivered, 3);
  EXPECT_EQ(dicom_files(folder / "inbox").size(), 3U);
}

TEST(Outbox, SetsAsideWhatThePeerRefusesForGood) {
  const TemporaryFolder folder;
  ListenerOptions o;
  o.ae_title = "STORE";
  o.port = 0;
  Listener listener(o, folder / "inbox");
  Outbox outbox(folder / "out");
  outbox.put(write_ct_series(folder / "a", 2, 32));
  EXPECT_EQ(deliver(outbox, loopback(listener.port())).delivered, 2);
  outbox.put(write_ct_series(folder / "b", 3, 33));  // the first two have the UIDs of other images
  const auto done = deliver(outbox, loopback(listener.port()));
  EXPECT_EQ(done.delivered, 1);
  EXPECT_EQ(done.refused, 2);
  EXPECT_EQ(dicom_files(folder / "out/failed").size(), 2U);
  EXPECT_THAT(text_of(dicom_files(folder / "out/failed").at(0) + ".txt"), HasSubstr("duplicate SOP instance"));
}

TEST(Outbox, SaysThatTheReasonOfARefusalCannotBeWrittenAndSetsTheInstanceAsideNonetheless) {
  const TemporaryFolder folder;
  ListenerOptions o;
  o.ae_title = "STORE";
  o.port = 0;
  Listener listener(o, folder / "inbox");
  Outbox outbox(folder / "out");
  outbox.put(write_ct_series(folder / "a", 1, 32));
  EXPECT_EQ(deliver(outbox, loopback(listener.port())).delivered, 1);
  std::filesystem::create_directory(folder / ("out/failed/000000000000_" + instance_uid(0) + ".dcm.txt"));
  outbox.put(write_ct_series(folder / "b", 1, 33));
  const auto done = deliver(outbox, loopback(listener.port()));
  EXPECT_EQ(done.refused, 1);
  EXPECT_EQ(done.left, 0);
  EXPECT_THAT(dicom_files(folder / "out/failed"), ::testing::SizeIs(1));
  EXPECT_THAT(done.complaints, Contains(HasSubstr(".dcm.txt' cannot be created: Is a directory. Fix: ")));
}

TEST(Outbox, LeavesEverythingWhenOneFileIsNoInstance) {
  const TemporaryFolder folder;
  auto files = write_ct_series(folder / "ct", 1);
  files.push_back(folder / "ct/note.txt");
  std::ofstream(files.back()) << "hello";
  Outbox outbox(folder / "out");
  EXPECT_THAT(error_of([&] { outbox.put(files); }), HasSubstr("note.txt"));
  EXPECT_EQ(outbox.waiting(), 0);
}

TEST(Outbox, ManyAssociationsDeliverEachInstanceOnce) {
  const TemporaryFolder folder;
  ListenerOptions o;
  o.ae_title = "STORE";
  o.port = 0;
  Listener listener(o, folder / "inbox");
  Outbox outbox(folder / "out");
  outbox.put(write_ct_series(folder / "a", 60));
  EXPECT_EQ(deliver(outbox, loopback(listener.port()), 3, 8, 5).delivered, 60);
  EXPECT_EQ(listener.accepted(), 60U);
}

}  // namespace
}  // namespace isocenter::test
