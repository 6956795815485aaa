// The outbox: what was put in is delivered once, to DCMTK's providers and ours.
#include "dicom/network/outbox.hpp"

#include <fstream>

#include "dicom/network/listener.hpp"
#include "faulty_disk.hpp"
#include "network_test.hpp"
#include "service_peer.hpp"

namespace isocenter::test {
namespace {

using namespace detail::dicom;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::SizeIs;

ListenerOptions receiver(int port) {
  ListenerOptions o;
  o.ae_title = "STORE";
  o.port = port;
  return o;
}

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
  Listener listener(receiver(port), folder / "inbox");
  EXPECT_EQ(deliver(outbox, loopback(port)).delivered, 3);
  EXPECT_EQ(dicom_files(folder / "inbox").size(), 3U);
}

/// An outbox and a receiver of ours that has images, whose UIDs other images of the outbox have.
class Refusal {
 public:
  explicit Refusal(int images) {
    outbox.put(write_ct_series(folder / "a", images, 32));
    EXPECT_EQ(deliver_all().delivered, images);
  }
  void put_others(int images) { outbox.put(write_ct_series(folder / "b", images, 33)); }
  Outbox::Delivery deliver_all() { return deliver(outbox, loopback(listener.port())); }

  TemporaryFolder folder;
  Listener listener{receiver(0), folder / "inbox"};
  Outbox outbox{folder / "out"};
};

TEST(Outbox, SetsAsideWhatThePeerRefusesForGood) {
  Refusal refusal(2);
  refusal.put_others(3);
  const auto done = refusal.deliver_all();
  EXPECT_EQ(done.delivered, 1);
  EXPECT_EQ(done.refused, 2);
  const auto failed = dicom_files(refusal.folder / "out/failed");
  ASSERT_THAT(failed, SizeIs(2));
  EXPECT_THAT(text_of(failed[0] + ".txt"), HasSubstr("duplicate SOP instance"));
}

TEST(Outbox, SaysThatTheReasonOfARefusalCannotBeWrittenAndSetsTheInstanceAsideNonetheless) {
  Refusal refusal(1);
  std::filesystem::create_directory(refusal.folder / ("out/failed/000000000000_" + instance_uid(0) + ".dcm.txt"));
  refusal.put_others(1);
  const auto done = refusal.deliver_all();
  EXPECT_EQ(done.refused, 1);
  EXPECT_EQ(done.left, 0);
  EXPECT_THAT(dicom_files(refusal.folder / "out/failed"), SizeIs(1));
  EXPECT_THAT(done.complaints, Contains(HasSubstr(".dcm.txt' cannot be created: Is a directory. Fix: ")));
}

TEST(Outbox, WhoseThreadsCannotAllBeStartedSaysSoAndDeliversEachInstanceOnce) {
  if (!has_all_faults) GTEST_SKIP() << "ThreadSanitizer has pthread_create itself";
  const TemporaryFolder folder;
  // The receiver and the sender need threads of their own: in a process apart, only the sender's cannot be started.
  const ArchiveProcess archive((std::filesystem::create_directory(folder / "archive"), folder / "archive"));
  for (const int threads : {0, 2}) {
    const std::string prefix = "1.2.3." + std::to_string(threads), out = folder / prefix;
    Outbox outbox(out);
    outbox.put(write_ct_series(folder / (prefix + "ct"), 6, 16, prefix));
    set_faults({.threads = threads});
    const auto first = deliver(outbox, loopback(archive.port()), 1, 4, 2);
    set_faults({});
    EXPECT_THAT(first.complaints,
                Contains(AllOf(HasSubstr("a thread that sends from '" + out + "' cannot be started: "),
                               HasSubstr("Resource temporarily unavailable"))));
    EXPECT_EQ(first.delivered + first.left, 6);
    if (threads == 0) {
      EXPECT_EQ(first.left, 6);
    }
    EXPECT_EQ(deliver(outbox, loopback(archive.port()), 1, 4, 2).left, 0);
    for (int i = 0; i < 6; ++i) EXPECT_EQ(arrivals(folder / "archive", instance_uid(i, prefix)), 1) << i;
  }
}

/// A peer that takes all instances but one, which it refuses for the moment, or after which it falls silent.
class Choosy final : public Carrier {
 public:
  Choosy(std::string not_taken, bool answers) : not_taken_(std::move(not_taken)), answers_(answers) {}
  int lanes() const override { return 1; }
  std::size_t load(std::span<const Outgoing> waiting) const override {
    return std::min<std::size_t>(2, waiting.size());
  }
  Trip carry(std::span<const Outgoing> files, const Settle& settle, const std::function<bool()>&) override {
    Trip trip;
    for (const Outgoing& file : files) {
      ++trip.offered;
      trip.failed = file.name.sop_instance_uid == not_taken_;
      if (trip.failed && answers_) settle(file, {StoreAnswer::Outcome::try_later, "out of resources"});
      if (trip.failed) break;
      settle(file, {});
    }
    return trip;
  }
  Attempt look_up(std::span<const Outgoing>, const std::function<void(const Outgoing&)>&) override { return {}; }

 private:
  std::string not_taken_;
  bool answers_;
};

TEST(Outbox, WhatIsNotTakenForTheMomentKeepsNothingElseWaiting) {
  for (const bool answers : {true, false}) {
    const TemporaryFolder folder;
    Outbox outbox(folder / "out");
    outbox.put(write_ct_series(folder / "ct", 5));
    Choosy peer(instance_uid(0), answers);
    const DeliveryOptions once{.attempts = 1, .first_pause_s = 0.01, .longest_pause_s = 0.01};
    const auto first = outbox.deliver(peer, once, [] { return false; });  // as the next one: each ends after a failure
    EXPECT_EQ(first.delivered, 0);
    const auto second = outbox.deliver(peer, once, [] { return false; });
    EXPECT_EQ(second.delivered, 4) << "answers: " << answers;
    EXPECT_EQ(second.left, 1);
    Choosy takes_all("", answers);
    const auto last = outbox.deliver(takes_all, once, [] { return false; });
    EXPECT_EQ(last.delivered, 1);
    EXPECT_EQ(last.left, 0);
  }
}

TEST(Outbox, LosesNothingFromSightWhenItsNumbersAreAtTheirEnd) {
  const TemporaryFolder folder;
  Outbox outbox(folder / "out");
  const auto files = write_ct_series(folder / "ct", 3);
  std::filesystem::copy_file(files[0], folder / ("out/queue/999999999999_" + instance_uid(0) + ".dcm"));
  outbox.put({files[1], files[2]});
  EXPECT_EQ(outbox.waiting(), 3);
  const DeliveryOptions once{.attempts = 1, .first_pause_s = 0.01, .longest_pause_s = 0.01};
  Choosy takes_not_the_first(instance_uid(0), true), takes_all("", true);
  EXPECT_EQ(outbox.deliver(takes_not_the_first, once, [] { return false; }).left, 3);
  EXPECT_EQ(outbox.deliver(takes_all, once, [] { return false; }).delivered, 3);
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
  Listener listener(receiver(0), folder / "inbox");
  Outbox outbox(folder / "out");
  outbox.put(write_ct_series(folder / "a", 60));
  EXPECT_EQ(deliver(outbox, loopback(listener.port()), 3, 8, 5).delivered, 60);
  EXPECT_EQ(listener.accepted(), 60U);
}

}  // namespace
}  // namespace isocenter::test
