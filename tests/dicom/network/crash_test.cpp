// kill -9 at every stage of receiving and of sending: a process of ours is killed before its n-th call that changes the
// disk, for every n, and another one goes on.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <fstream>

#include "dicom/network/inbox.hpp"
#include "dicom/network/listener.hpp"
#include "dicom/network/store.hpp"
#include "faulty_disk.hpp"
#include "network_test.hpp"
#include "service_peer.hpp"

namespace isocenter::test {
namespace {

using namespace detail::dicom;

InstanceName instance(int i) {
  return {"1.2.840.10008.5.1.4.1.1.2", "1.2.3." + std::to_string(i + 1), "1.2.840.10008.1.2.1", "1.2", "1.3"};
}

std::vector<std::uint8_t> bytes_of(int i) { return std::vector<std::uint8_t>(5000, static_cast<std::uint8_t>(7 + i)); }

/// Two instances fill a segment: six pass through both more than once.
constexpr JournalSize small{.segment_bytes = std::uint64_t{5} * 4096, .segments = 2};

/// Takes instances, and writes down after each that it is acknowledged.
void receive(const TemporaryFolder& folder, int count, const JournalSize& journal) {
  Inbox inbox(folder / "inbox", journal);
  std::ofstream acknowledged(folder / "acknowledged");
  for (int i = 0; i < count; ++i) {
    inbox.accept(instance(i), "A", bytes_of(i));
    acknowledged << i << std::endl;
  }
}

int acknowledged(const TemporaryFolder& folder) {
  const std::string said = text_of(folder / "acknowledged");
  return static_cast<int>(std::count(said.begin(), said.end(), '\n'));
}

/// What was acknowledged is there, whole; and so is the rest when it comes again.
void expect_all(const TemporaryFolder& folder, int count, const std::string& when) {
  set_faults({.pretend_to_flush = true});
  Inbox again(folder / "inbox");
  for (int i = 0; i < count; ++i) {
    const bool there = again.accept(instance(i), "A", bytes_of(i)).already_there;  // throws when it differs
    EXPECT_TRUE(there || i >= acknowledged(folder)) << "instance " << i << ", " << when;
  }
  EXPECT_EQ(dicom_files(folder / "inbox").size(), static_cast<std::size_t>(count)) << when;
  set_faults({});
}

int killed_at_every_stage(int count, const JournalSize& journal,
                          const std::function<void(const std::string& log)>& then) {
  bool whole = false;
  int stages = 0;
  for (; !whole && stages < 300; ++stages) {
    const TemporaryFolder folder;
    const std::string log = folder / "log";
    whole = survives(
        stages, [&] { receive(folder, count, journal); }, log);
    then(log);
    expect_all(folder, count, "stage " + std::to_string(stages));
  }
  EXPECT_TRUE(whole);
  return stages;
}

TEST(Crash, AnInboxKilledAtAnyStageHasAllThatItAcknowledgedAndNothingHalf) {
  EXPECT_GT(killed_at_every_stage(3, {.segments = 0}, [](const std::string&) {}), 10);
}

TEST(Crash, AnInboxWithAJournalKilledAtAnyStageHasAllThatItAcknowledged) {
  EXPECT_GT(killed_at_every_stage(6, small, [](const std::string&) {}), 30);
}

TEST(Crash, TheJournalBringsBackWhatALossOfPowerTookFromTheFiles) {
  for (const Lost lost : {Lost::contents, Lost::half})
    EXPECT_GT(killed_at_every_stage(6, small, [&](const std::string& log) { lose_power(log, lost); }), 30);
}

TEST(Crash, AReplayKilledAtAnyStageIsDoneAgain) {
  bool whole = false;
  int stages = 0;
  for (; !whole && stages < 100; ++stages) {
    const TemporaryFolder folder;
    survives(
        -1,
        [&] {
          receive(folder, 0, small);
          auto* inbox = new Inbox(folder / "inbox", JournalSize{});  // dies without being destroyed
          std::ofstream acknowledged(folder / "acknowledged");
          for (int i = 0; i < 3; ++i) {
            inbox->accept(instance(i), "A", bytes_of(i));
            acknowledged << i << std::endl;
          }
        },
        folder / "log");
    ASSERT_EQ(acknowledged(folder), 3);
    lose_power(folder / "log", Lost::contents);
    whole = survives(
        stages, [&] { Inbox restored(folder / "inbox"); }, folder / "replay");
    lose_power(folder / "replay", Lost::half);
    expect_all(folder, 3, "stage " + std::to_string(stages));
    EXPECT_TRUE(std::filesystem::is_empty(folder / "inbox/.journal"));
  }
  EXPECT_TRUE(whole);
  EXPECT_GT(stages, 6);
}

TEST(FullDisk, AnInstanceIsRefusedForNowLeavesNothingAndIsTakenWhenThereIsRoom) {
  for (const int segments : {0, 2}) {
    const TemporaryFolder folder;
    Inbox inbox(folder / "inbox", {.segment_bytes = small.segment_bytes, .segments = segments});
    set_faults({.error = ENOSPC});
    EXPECT_THAT(error_of([&] { inbox.accept(instance(0), "A", bytes_of(0)); }),
                ::testing::HasSubstr("No space left on device. Fix: free"));
    set_faults({});
    EXPECT_TRUE(dicom_files(folder / "inbox").empty());
    EXPECT_TRUE(std::filesystem::is_empty(folder / "inbox/.incoming"));
    EXPECT_FALSE(inbox.accept(instance(0), "A", bytes_of(0)).already_there);
  }
}

TEST(FullDisk, ThePeerIsToldToTryLaterAndTheReasonIsSaid) {
  for (const int segments : {0, 2}) {
    const TemporaryFolder folder;
    const auto files = write_ct_series(folder / "ct", 1);
    ListenerOptions options;
    options.ae_title = "STORE";
    options.port = 0;
    options.journal.segments = segments;
    Listener listener(options, folder / "inbox");
    const std::vector<Outgoing> out{{files[0], name_of_file(files[0])}};
    Association association(loopback(listener.port()), proposals_for(out));
    set_faults({.error = ENOSPC});
    const StoreAnswer answer = store(association, out[0]);
    set_faults({});
    EXPECT_EQ(answer.outcome, StoreAnswer::Outcome::try_later);
    EXPECT_THAT(answer.text, ::testing::HasSubstr("0xa700, out of resources"));
    const auto event = listener.next(std::chrono::seconds(5));
    ASSERT_TRUE(event);
    EXPECT_THAT(event->text, ::testing::HasSubstr("No space left on device"));
    EXPECT_EQ(store(association, out[0]).outcome, StoreAnswer::Outcome::stored);
  }
}

TEST(FullDisk, AnOutboxTakesNothingSendsNothingAndLosesNothing) {
  const TemporaryFolder folder;
  const auto files = write_ct_series(folder / "ct", 2);
  ListenerOptions options;
  options.ae_title = "STORE";
  options.port = 0;
  Listener listener(options, folder / "inbox");
  Outbox outbox(folder / "out");
  set_faults({.error = ENOSPC});
  EXPECT_THAT(error_of([&] { outbox.put(files); }), ::testing::HasSubstr("No space left on device. Fix: free"));
  set_faults({});
  EXPECT_EQ(outbox.waiting(), 0);
  outbox.put(files);
  set_faults({.error = ENOSPC});  // nothing is offered to the peer before it is known to be in doubt
  const auto refused = deliver(outbox, loopback(listener.port()), 1);
  set_faults({});
  EXPECT_EQ(refused.left, 2);
  EXPECT_EQ(listener.accepted(), 0U);
  EXPECT_THAT(refused.complaints, ::testing::Contains(::testing::HasSubstr("No space left on device")));
  EXPECT_EQ(deliver(outbox, loopback(listener.port())).left, 0);
  EXPECT_EQ(listener.accepted(), 2U);
}

TEST(Replay, FailsAndKeepsTheJournalWhenAPartOfItCannotBeRead) {
  const TemporaryFolder folder;
  survives(-1, [&] { (new Inbox(folder / "inbox", JournalSize{}))->accept(instance(0), "A", bytes_of(0)); });
  const std::string unreadable = folder / "inbox/.journal/9.segment";
  std::filesystem::create_directory(unreadable);
  EXPECT_THAT(error_of([&] { Inbox inbox(folder / "inbox"); }), ::testing::HasSubstr("9.segment' cannot be read"));
  EXPECT_TRUE(std::filesystem::exists(folder / "inbox/.journal/0.segment"));
  std::filesystem::remove(unreadable);
  const Inbox inbox(folder / "inbox");
  EXPECT_EQ(inbox.restored(), 1);
  EXPECT_TRUE(std::filesystem::is_empty(folder / "inbox/.journal"));
}

TEST(Replay, WritesAnewWhatOnlyThePageCacheHas) {
  const TemporaryFolder folder;
  const std::string log = folder / "log";
  survives(
      -1, [&] { (new Inbox(folder / "inbox", JournalSize{}))->accept(instance(0), "A", bytes_of(0)); }, log);
  survives(
      -1, [&] { const Inbox restored(folder / "inbox"); }, log);
  lose_power(log, Lost::contents);  // the replay was the last that could have flushed the file
  Inbox again(folder / "inbox");
  EXPECT_TRUE(again.accept(instance(0), "A", bytes_of(0)).already_there);
}

TEST(Folders, OfAnInboxAndAnOutboxAreDurableWithThoseAboveThem) {
  for (const bool inbox : {true, false}) {
    const TemporaryFolder folder;
    survives(
        -1,
        [&] {
          if (inbox)
            const Inbox made(folder / "a/b");
          else
            const Outbox made(folder / "a/b");
        },
        folder / "log");
    const std::string log = text_of(folder / "log");
    for (const std::string& parent : {folder.path(), folder / "a", folder / "a/b"})
      EXPECT_THAT(log, ::testing::HasSubstr("flush-ended " + parent + "\n")) << inbox;
  }
}

TEST(Replay, HasNothingOfAnInstanceThatWasRefusedBecauseItCouldNotBeGivenItsName) {
  const TemporaryFolder folder;
  const std::string inbox_folder = folder / "inbox";
  survives(-1, [&] {
    auto* inbox = new Inbox(inbox_folder, JournalSize{});
    std::ofstream(inbox_folder + "/1.2") << "a file where the study's folder has to be";
    std::ofstream(folder / "refusal") << error_of([&] { inbox->accept(instance(0), "A", bytes_of(0)); });
    std::filesystem::remove(inbox_folder + "/1.2");
    inbox->accept(instance(1), "A", bytes_of(1));
  });
  EXPECT_THAT(text_of(folder / "refusal"), ::testing::HasSubstr("cannot be given its name: Not a directory"));
  std::vector<std::string> names;
  Journal::replay(inbox_folder + "/.journal",
                  [&](const std::string& name, std::span<const std::uint8_t>) { names.push_back(name); });
  EXPECT_THAT(names, ::testing::ElementsAre("1.2/1.3/1.2.3.2.dcm"));
}

TEST(Inbox, TakesMoreOfASeriesWhoseFolderWasRemovedMeanwhile) {
  for (const int segments : {0, 2}) {
    const TemporaryFolder folder;
    Inbox inbox(folder / "inbox", {.segment_bytes = small.segment_bytes, .segments = segments});
    inbox.accept(instance(0), "A", bytes_of(0));
    std::filesystem::remove_all(folder / "inbox/1.2");
    EXPECT_EQ(error_of([&] { inbox.accept(instance(1), "A", bytes_of(1)); }), "") << segments;
    std::filesystem::remove_all(folder / "inbox/1.2/1.3");
    EXPECT_EQ(error_of([&] { inbox.accept(instance(2), "A", bytes_of(2)); }), "") << segments;
    EXPECT_EQ(dicom_files(folder / "inbox").size(), 1U);
  }
}

TEST(Inbox, AGroupWhoseFlushFailsKeepsNothingThoughTheNextFlushIsToldOfNoFailure) {
  for (const bool another : {false, true}) {
    const TemporaryFolder folder;
    Inbox inbox(folder / "inbox");
    {
      Inbox::Group group(inbox);
      group.add(instance(0), "A", bytes_of(0));
      set_faults({.write_back_failed = true});
      EXPECT_THAT(error_of([&] { group.keep(); }), ::testing::HasSubstr("cannot be flushed: Input/output error"));
      if (another) group.add(instance(1), "A", bytes_of(1));  // which this one's end keeps
    }
    set_faults({});
    EXPECT_EQ(dicom_files(folder / "inbox").size(), another ? 1U : 0U);
    EXPECT_FALSE(std::filesystem::exists(folder / "inbox/1.2/1.3/1.2.3.1.dcm"));
    EXPECT_TRUE(std::filesystem::is_empty(folder / "inbox/.incoming"));
    Inbox::Group again(inbox);
    again.add(instance(0), "A", bytes_of(0));
    again.keep();
    EXPECT_TRUE(inbox.accept(instance(0), "A", bytes_of(0)).already_there);
  }
}

/// A listener in a process of its own: forking goes on from a process with one thread.
class Receiver {
 public:
  Receiver(const std::string& inbox, const JournalSize& journal) : port(free_port()) {
    pid_ = ::fork();
    if (pid_ == 0) {
      ListenerOptions o;
      o.ae_title = "STORE";
      o.port = port;
      o.associations = 2;
      o.journal = journal;
      const Listener listener(o, inbox);
      for (;;) ::pause();
    }
    wait_for_port(port);
  }
  ~Receiver() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  Receiver(const Receiver&) = delete;
  Receiver& operator=(const Receiver&) = delete;
  int port;

 private:
  int pid_ = -1;
};

TEST(Crash, AnOutboxKilledAtAnyStageDeliversTheRestAndNoInstanceIsThereTwice) {
  const TemporaryFolder folder;
  const Receiver receiver(folder / "inbox", JournalSize{});
  const auto send = [&](const std::string& outbox_folder, const std::vector<std::string>& files) {
    Outbox outbox(outbox_folder);
    if (!files.empty()) outbox.put(files);
    return deliver(outbox, loopback(receiver.port), 2);
  };
  bool whole = false;
  int stages = 0;
  for (; !whole && stages < 300; ++stages) {
    const std::string number = std::to_string(stages + 1), out = folder / ("out" + number);
    const auto files = write_ct_series(folder / ("ct" + number), 2, 16, "1.2.3." + number);
    whole = survives(stages, [&] { send(out, files); });
    // What was not in the queue when the process died is put there again by whoever asked for it.
    if (!whole && dicom_files(out + "/queue").size() + dicom_files(out + "/sending").size() +
                          dicom_files(folder / ("inbox/1.2.3." + number + ".1")).size() <
                      2)
      send(out, files);
    else
      EXPECT_EQ(send(out, {}).left, 0);
    const auto there = dicom_files(folder / ("inbox/1.2.3." + number + ".1"));
    ASSERT_EQ(there.size(), 2U) << "stage " << stages;
    EXPECT_TRUE(dicom_files(out).empty()) << "stage " << stages;
  }
  EXPECT_TRUE(whole);
  EXPECT_GT(stages, has_all_faults ? 25 : 8);
}

TEST(Crash, AnOutboxKilledAtAnyStageSendsNothingTwiceToAPeerThatCanBeAsked) {
  const TemporaryFolder folder;
  std::filesystem::create_directory(folder / "archive");
  const ArchiveProcess archive(folder / "archive");
  bool whole = false;
  int stages = 0;
  for (; !whole && stages < 300; ++stages) {
    const std::string prefix = "1.2.3." + std::to_string(stages + 1), out = folder / prefix;
    Outbox(out).put(write_ct_series(folder / (prefix + "ct"), 2, 16, prefix));
    const auto send = [&] {
      Outbox outbox(out);
      return deliver(outbox, loopback(archive.port()), 1);
    };
    whole = survives(stages, send);
    EXPECT_EQ(send().left, 0) << "stage " << stages;
    for (int i = 0; i < 2; ++i)
      EXPECT_EQ(arrivals(folder / "archive", instance_uid(i, prefix)), 1) << "stage " << stages << ", instance " << i;
  }
  EXPECT_TRUE(whole);
  EXPECT_GT(stages, has_all_faults ? 25 : 6);
}

}  // namespace
}  // namespace isocenter::test
