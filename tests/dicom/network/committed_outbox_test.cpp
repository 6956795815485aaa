// An outbox whose instances the peer has to commit itself to: none leaves it before, and a process that goes on where
// another one was killed takes the report that the other one asked for.
#include <dcmtk/dcmdata/dcuid.h>

#include <fstream>
#include <thread>

#include "cutting_proxy.hpp"
#include "dicom/network/store_carrier.hpp"
#include "faulty_disk.hpp"
#include "network_test.hpp"
#include "service_peer.hpp"

namespace isocenter::test {
namespace {

using namespace detail::dicom;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::SizeIs;

Outbox::Delivery deliver_committed(Outbox& outbox, const Peer& peer, const CommitmentOptions& options,
                                   int attempts = 1) {
  StoreCarrier carrier(peer, 1, 100, options);
  return outbox.deliver(carrier, {.attempts = attempts, .first_pause_s = 0.05, .longest_pause_s = 0.1},
                        [] { return false; });
}

/// An outbox of two instances that the peer has, and has yet to commit itself to.
std::vector<std::string> make_delivered(const std::string& outbox, const std::string& prefix) {
  const auto files = write_ct_series(outbox + "-ct", 2, 16, prefix);
  Outbox(outbox).put(files);
  for (const auto& path : dicom_files(outbox + "/queue"))
    std::filesystem::rename(path, outbox + "/uncommitted/" + std::filesystem::path(path).filename().string());
  return files;
}

int times_asked(const std::string& archive, const std::string& prefix) {
  return arrivals(archive, "asked." + instance_uid(0, prefix));
}

TEST(CommittedOutbox, KeepsWhatWasDeliveredUntilThePeerHasCommittedItselfToIt) {
  const TemporaryFolder folder;
  std::filesystem::create_directory(folder / "archive");
  const ArchiveProcess archive(folder / "archive");
  const std::string prefix = "1.2.3.1";
  Outbox outbox(folder / "out");
  outbox.put(write_ct_series(folder / "ct", 3, 16, prefix));
  // The archive loses this one, and says so when it is first asked for it.
  std::ofstream(folder / ("archive/lose." + instance_uid(1, prefix))) << "";
  const auto first = deliver_committed(outbox, loopback(archive.port()), {0, 10});
  EXPECT_EQ(first.delivered, 3);
  EXPECT_EQ(first.committed, 2);
  EXPECT_EQ(first.left, 1);
  EXPECT_THAT(first.complaints, Contains(HasSubstr("instance " + instance_uid(1, prefix) +
                                                   " is not committed: the peer answered 0x0112, no such object "
                                                   "instance. Fix: ")));
  EXPECT_THAT(outbox.names_in("queue"), SizeIs(1));  // to be sent again
  const auto second = deliver_committed(outbox, loopback(archive.port()), {0, 10});
  EXPECT_EQ(second.delivered, 1);
  EXPECT_EQ(second.committed, 1);
  EXPECT_EQ(second.left, 0);
  EXPECT_EQ(times_asked(folder / "archive", prefix), 1);
  EXPECT_FALSE(std::filesystem::exists(folder / "out/requests"));
}

TEST(CommittedOutbox, AnInstanceThatFailsInEveryRoundDoesNotKeepTheOthersFromBeingCommitted) {
  const TemporaryFolder folder;
  std::filesystem::create_directory(folder / "archive");
  const ArchiveProcess archive(folder / "archive");
  const std::string prefix = "1.2.3.1";
  Outbox outbox(folder / "out");
  outbox.put(write_ct_series(folder / "ct", 3, 16, prefix));
  std::ofstream(folder / ("archive/full." + instance_uid(2, prefix))) << "";
  const auto done = deliver_committed(outbox, loopback(archive.port()), {0, 10}, 2);
  EXPECT_EQ(done.delivered, 2);
  EXPECT_EQ(done.committed, 2) << ::testing::PrintToString(done.complaints);
  EXPECT_EQ(done.left, 1);
  EXPECT_THAT(outbox.names_in("uncommitted"), SizeIs(0));
  EXPECT_THAT(outbox.names_in("queue"), SizeIs(1));
}

TEST(CommittedOutbox, SaysWhatWaitsForACommitmentThatIsNotAskedFor) {
  const TemporaryFolder folder;
  make_delivered(folder / "out", "1.2.3.1");
  Outbox outbox(folder / "out");
  EXPECT_THAT(deliver(outbox, loopback(free_port())).complaints,
              Contains(HasSubstr("2 instances in '" + folder / "out" +
                                 "/uncommitted' were delivered, and their storage "
                                 "commitment is not asked for now. Fix: ")));
  EXPECT_THAT(outbox.names_in("uncommitted"), SizeIs(2));
}

TEST(CommittedOutbox, EndsAtOnceWithAPeerThatOffersNoCommitmentAndKeepsEverything) {
  const TemporaryFolder folder;
  const ServicePeer peer({UID_CTImageStorage}, [](auto*, auto, const T_DIMSE_Message&, DcmDataset*) {});
  make_delivered(folder / "out", "1.2.3.1");
  Outbox outbox(folder / "out");
  const auto done = deliver_committed(outbox, loopback(peer.port()), {0, 10}, 0);
  EXPECT_EQ(done.left, 2);
  EXPECT_THAT(done.complaints, ::testing::ElementsAre(HasSubstr("it supports none of the 1 SOP classes asked for")));
}

/// Kills a process that asks for a commitment before each of its calls that change the disk or talk to the peer, and
/// goes on with another one; how often the peer was asked a second time.
int asked_again_after_each_stage(const TemporaryFolder& folder, int our_port, int least_stages) {
  const std::string archive_folder = folder / "archive";
  std::filesystem::create_directory(archive_folder);
  const ArchiveProcess archive(archive_folder, our_port);
  bool whole = false;
  int stages = 0, again = 0;
  for (; !whole && stages < 300; ++stages) {
    const std::string prefix = "1.2.3." + std::to_string(stages + 1), out = folder / prefix;
    make_delivered(out, prefix);
    const auto commit = [&] {
      Outbox outbox(out);
      return deliver_committed(outbox, loopback(archive.port()), {our_port, 5}, 2);
    };
    whole = survives(stages, commit);
    EXPECT_TRUE(dicom_files(out).size() == 2 || times_asked(archive_folder, prefix) > 0) << "stage " << stages;
    const auto second = commit();
    EXPECT_EQ(second.left, 0) << "stage " << stages << ::testing::PrintToString(second.complaints);
    EXPECT_THAT(dicom_files(out), SizeIs(0)) << "stage " << stages;
    EXPECT_EQ(arrivals(archive_folder, instance_uid(0, prefix)), 0) << "sent again, stage " << stages;
    const int asked = times_asked(archive_folder, prefix);
    EXPECT_TRUE(asked == 1 || asked == 2) << asked << " times, stage " << stages;
    again += asked - 1;
  }
  EXPECT_TRUE(whole);
  EXPECT_GT(stages, has_all_faults ? least_stages : 5);
  return again;
}

TEST(CommittedOutbox, KilledAtAnyStageIsCommittedByTheNextProcessOnTheSameAssociation) {
  const TemporaryFolder folder;
  EXPECT_GT(asked_again_after_each_stage(folder, 0, 20), 0);  // a report cannot come when the association is gone
}

TEST(CommittedOutbox, KilledAtAnyStageTakesTheReportThatThePeerBringsLaterAndDoesNotAskAgain) {
  const TemporaryFolder folder;
  // Asked again is only where it is not known whether the peer took the request: while that is underway.
  EXPECT_LE(asked_again_after_each_stage(folder, free_port(), 25), 16);
}

TEST(CommittedOutbox, AReportOnAnOlderRequestCountsForWhatItNamesAndTheRestIsAskedFor) {
  const TemporaryFolder folder;
  std::filesystem::create_directory(folder / "archive");
  const int our_port = free_port();
  const ArchiveProcess archive(folder / "archive", our_port);
  make_delivered(folder / "out", "1.2.3.1");
  survives(-1, [&] {  // asks, and ends before the report
    Outbox outbox(folder / "out");
    std::ofstream(folder / "archive/hold") << "";
    deliver_committed(outbox, loopback(archive.port()), {our_port, 1});
  });
  // A process that died within the second would have left this: still within the time that it waits.
  const std::string requests = text_of(folder / "out/requests");
  ASSERT_THAT(requests, HasSubstr(" 1\n"));
  Outbox outbox(folder / "out");
  outbox.put(write_ct_series(folder / "more", 1, 16, "1.2.3.2"));
  std::filesystem::remove(folder / "archive/hold");
  const auto done = deliver_committed(outbox, loopback(archive.port()), {our_port, 10}, 3);
  EXPECT_EQ(done.committed, 3) << ::testing::PrintToString(done.complaints);
  EXPECT_EQ(times_asked(folder / "archive", "1.2.3.1"), 1);
  EXPECT_EQ(times_asked(folder / "archive", "1.2.3.2"), 1);
}

TEST(CommittedOutbox, APeerThatDisconnectsAnywhereIsAskedAgainAndNothingIsLost) {
  const TemporaryFolder folder;
  std::filesystem::create_directory(folder / "archive");
  const ArchiveProcess archive(folder / "archive");
  int round = 0;
  const auto next_round = [&] {
    ++round;
    // UIDs of one length: so the cuts of one fit the others.
    make_delivered(folder / std::to_string(round), "1.2.3." + std::to_string(100 + round));
    return std::make_unique<Outbox>(folder / std::to_string(round));
  };
  std::vector<std::size_t> cuts[2];
  {
    CuttingProxy proxy(archive.port(), never_cut, never_cut);
    ASSERT_EQ(deliver_committed(*next_round(), loopback(proxy.port()), {0, 5}).committed, 2);
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    for (std::size_t way = 0; way < 2; ++way) cuts[way] = cuts_of(proxy.carried(way));
  }
  ASSERT_GE(cuts[0].size() + cuts[1].size(), 20U);
  for (std::size_t way = 0; way < 2; ++way)
    for (const std::size_t cut : cuts[way]) {
      SCOPED_TRACE((way == 0 ? "up after " : "down after ") + std::to_string(cut));
      const auto outbox = next_round();
      {
        CuttingProxy proxy(archive.port(), way == 0 ? cut : never_cut, way == 1 ? cut : never_cut);
        const auto first = deliver_committed(*outbox, loopback(proxy.port()), {0, 5});
        EXPECT_EQ(first.committed + first.left, 2);
        EXPECT_TRUE(first.left == 0 || first.complaints.size() == 1) << ::testing::PrintToString(first.complaints);
      }
      EXPECT_EQ(deliver_committed(*outbox, loopback(archive.port()), {0, 5}).left, 0);
      EXPECT_GE(times_asked(folder / "archive", "1.2.3." + std::to_string(100 + round)), 1);
    }
}

}  // namespace
}  // namespace isocenter::test
