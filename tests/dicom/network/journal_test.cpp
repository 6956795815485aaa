// The journal alone: what it takes, what it gives back, and when it refuses.
#include "dicom/network/journal.hpp"

#include <atomic>
#include <cerrno>
#include <fstream>
#include <map>
#include <thread>

#include "faulty_disk.hpp"
#include "network_test.hpp"

namespace isocenter::test {
namespace {

using namespace detail::dicom;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using namespace std::chrono_literals;

constexpr JournalSize size{.segment_bytes = 16 * 4096, .segments = 2, .patience = 100ms};

std::vector<std::uint8_t> bytes(std::size_t count, int value) {
  return std::vector<std::uint8_t>(count, static_cast<std::uint8_t>(value));
}

/// Names in the order of the replay; each entry has to hold `count` bytes of one value.
std::vector<std::string> replayed(const std::string& folder, std::size_t count) {
  std::vector<std::string> names;
  Journal::replay(folder, [&](const std::string& name, std::span<const std::uint8_t> content) {
    EXPECT_EQ(content.size(), count);
    for (const std::uint8_t value : content) EXPECT_EQ(value, content[0]);
    names.push_back(name);
  });
  return names;
}

/// A journal whose process died while it had entries "0", "1", ...
void leave_entries(const TemporaryFolder& folder, int entries, std::size_t count) {
  survives(-1, [&] {
    auto* journal = new Journal(folder / "j", size);
    for (int i = 0; i < entries; ++i) {
      const auto head = bytes(100, i), body = bytes(count - 100, i);
      new std::optional(journal->append(std::to_string(i), head, body));
    }
  });
}

TEST(Journal, GivesBackEveryEntryInItsOrderAfterItsProcessDied) {
  const TemporaryFolder folder;
  leave_entries(folder, 8, 5000);
  EXPECT_THAT(replayed(folder / "j", 5000), ElementsAre("0", "1", "2", "3", "4", "5", "6", "7"));
  Journal::clear(folder / "j");
  EXPECT_TRUE(replayed(folder / "j", 5000).empty());
}

TEST(Journal, PassesOverATornEntryAndFindsTheWholeOnesBehindIt) {
  for (const int at : {8, 4096 - 1, 5000}) {  // key, contents in the first block, contents in the second
    const TemporaryFolder folder;
    leave_entries(folder, 3, 5000);
    std::fstream file(folder / "j/0.segment", std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(3 * 4096 + at);  // the second entry: the head has one block, each entry two
    file.put('\x55');
    file.close();
    EXPECT_THAT(replayed(folder / "j", 5000), ElementsAre("0", "2"));
  }
}

TEST(Journal, DoesNotTakeBytesThatAPeerSentForAnEntry) {
  const TemporaryFolder folder;
  leave_entries(folder, 1, 3000);
  const std::string segment = text_of(folder / "j/0.segment");
  const std::vector<std::uint8_t> forged(segment.begin() + 4096, segment.begin() + 3 * 4096);
  survives(-1, [&] {
    Journal::clear(folder / "j");
    auto* journal = new Journal(folder / "j", size);
    std::vector<std::uint8_t> head(4096 - 40 - 1);  // so that the forged entry begins with a block
    new std::optional(journal->append("0", head, forged));
  });
  // The outer entry loses its mark: what is in it must not become an entry.
  std::fstream file(folder / "j/0.segment", std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(4096);
  file.put('\x55');
  file.close();
  ASSERT_EQ(text_of(folder / "j/0.segment").substr(8192, 8), segment.substr(4096, 8));
  EXPECT_TRUE(replayed(folder / "j", 3000).empty());
}

TEST(Journal, IsEmptyASecondAfterTheLastEntryAndGoneInTheEnd) {
  const TemporaryFolder folder;
  {
    Journal journal(folder / "j", size);
    journal.append("0", bytes(10, 1), bytes(10, 1));
    EXPECT_THAT(replayed(folder / "j", 20), ElementsAre("0"));
    for (int i = 0; i < 100 && !replayed(folder / "j", 20).empty(); ++i) std::this_thread::sleep_for(50ms);
    EXPECT_TRUE(replayed(folder / "j", 20).empty());
    EXPECT_EQ(std::filesystem::file_size(folder / "j/0.segment"), size.segment_bytes);
  }
  EXPECT_TRUE(std::filesystem::is_empty(folder / "j"));
}

TEST(Journal, EmptiesASegmentThatHasBeenOpenForLongThoughEntriesKeepComing) {
  const TemporaryFolder folder;
  Journal journal(folder / "j", {.segment_bytes = std::uint64_t{1} << 20U, .segments = 2, .longest_open = 300ms});
  journal.append("first", bytes(10, 1), bytes(10, 1));
  const auto has_first = [&] {
    const auto names = replayed(folder / "j", 20);
    return std::count(names.begin(), names.end(), "first") > 0;
  };
  EXPECT_TRUE(has_first());
  int more = 0;
  for (; more < 60 && has_first(); ++more) {
    journal.append("more", bytes(10, 1), bytes(10, 1));
    std::this_thread::sleep_for(50ms);
  }
  EXPECT_LT(more, 60);
}

TEST(Journal, RefusesForNowWhenTheDiskHasNoRoomToWriteInPlace) {
  const TemporaryFolder folder;
  {
    Journal journal(folder / "j", size);
    const auto before = journal.append("0", bytes(10, 1), bytes(10, 1));
    set_faults({.error = ENOSPC});
    EXPECT_THAT(error_of([&] { journal.append("1", bytes(10, 1), bytes(10, 1)); }),
                HasSubstr("No space left on device. Fix: free"));
    set_faults({});
    const auto after = journal.append("2", bytes(10, 1), bytes(10, 1));
    EXPECT_TRUE(after);
    EXPECT_THAT(replayed(folder / "j", 20), ElementsAre("0", "2"));
  }
  EXPECT_TRUE(std::filesystem::is_empty(folder / "j"));
}

TEST(Journal, WaitsWithEmptyingUntilTheDiskHasRoomForIt) {
  const TemporaryFolder folder;
  Journal journal(folder / "j", size);
  journal.append("0", bytes(10, 1), bytes(10, 1));
  set_faults({.error = ENOSPC});
  std::this_thread::sleep_for(2500ms);  // it is looked at every second
  EXPECT_THAT(replayed(folder / "j", 20), ElementsAre("0"));
  set_faults({});
  for (int i = 0; i < 100 && !replayed(folder / "j", 20).empty(); ++i) std::this_thread::sleep_for(50ms);
  EXPECT_TRUE(replayed(folder / "j", 20).empty());
  EXPECT_TRUE(journal.append("1", bytes(10, 1), bytes(10, 1)));
}

TEST(Journal, LearnsThatFilesWereNotWrittenThoughAnotherFlushWasToldBefore) {
  const TemporaryFolder folder;
  {
    Journal journal(folder / "j", size);
    journal.append("0", bytes(10, 1), bytes(10, 1));
    set_faults({.write_back_failed = true});
    std::string refused;
    for (int i = 0; i < 100 && refused.empty(); ++i) {
      std::this_thread::sleep_for(50ms);
      if (i > 40) refused = error_of([&] { journal.append("1", bytes(10, 1), bytes(10, 1)); });
    }
    set_faults({});
    EXPECT_THAT(refused, HasSubstr("Input/output error; nothing more is taken"));
  }
  EXPECT_THAT(replayed(folder / "j", 20), ::testing::Contains("0"));
}

TEST(Journal, KeepsAnEntryAsLongAsItsTicketLives) {
  const TemporaryFolder folder;
  Journal journal(folder / "j", size);
  const auto ticket = journal.append("kept", bytes(10, 1), bytes(10, 1));
  for (int i = 0; i < 40; ++i) journal.append("other", bytes(10, 1), bytes(10, 1));
  const auto names = replayed(folder / "j", 20);
  EXPECT_EQ(std::count(names.begin(), names.end(), "kept"), 1);
}

TEST(Journal, RefusesWhenItIsFullAndTakesAgainWhenTheDiskHasKeptUp) {
  const TemporaryFolder folder;
  Journal journal(folder / "j", size);
  set_faults({.file_system_flush_waits = true});
  std::string refused;
  int taken = 0;
  for (; taken < 100 && refused.empty(); ++taken)
    refused = error_of([&] { journal.append("x", bytes(10, 1), bytes(10, 1)); });
  EXPECT_THAT(refused, HasSubstr("is full: the disk does not keep up with what comes. Fix: "));
  EXPECT_EQ(taken, 31);  // two segments of fifteen blocks
  set_faults({});
  EXPECT_EQ(error_of([&] {
              for (int i = 0; i < 20; ++i) journal.append("x", bytes(10, 1), bytes(10, 1));
            }),
            "");
}

TEST(Journal, TakesNothingMoreOnceAFlushHasFailedAndLeavesItsSegmentsToTheNext) {
  const TemporaryFolder folder;
  {
    Journal journal(folder / "j", size);
    const auto ticket = journal.append("0", bytes(10, 1), bytes(10, 1));
    set_faults({.error = EIO});
    EXPECT_THAT(error_of([&] { journal.append("1", bytes(10, 1), bytes(10, 1)); }), HasSubstr("Input/output error"));
    set_faults({});
    EXPECT_THAT(error_of([&] { journal.append("2", bytes(10, 1), bytes(10, 1)); }),
                HasSubstr("cannot be written: Input/output error; nothing more is taken. Fix: "));
  }
  EXPECT_THAT(replayed(folder / "j", 20), ElementsAre("0"));
}

TEST(Journal, LeavesToOthersWhatItHasNoRoomForAndFileSystemsWithoutDirectWrites) {
  const TemporaryFolder folder;
  Journal journal(folder / "j", size);
  EXPECT_FALSE(journal.append("large", {}, bytes(8 * 4096, 1)));
  set_faults({.no_direct_writes = true});
  EXPECT_FALSE(journal.append("0", {}, bytes(10, 1)));
  set_faults({});
  EXPECT_FALSE(journal.append("1", {}, bytes(10, 1)));  // asked once
  EXPECT_TRUE(std::filesystem::is_empty(folder / "j"));
}

TEST(Journal, FlushesOnceForManyThreadsAndLosesNoneOfTheirs) {
  const TemporaryFolder folder;
  constexpr int threads = 8, each = 50;
  Journal journal(folder / "j", {.segment_bytes = std::uint64_t{1} << 20U, .segments = 4});
  set_faults({.flush_ms = 5});
  const int before = data_flushes();
  std::vector<std::thread> all;
  std::atomic<int> taken{0};
  for (int t = 0; t < threads; ++t)
    all.emplace_back([&, t] {
      for (int i = 0; i < each; ++i)
        if (journal.append(std::to_string(t) + "/" + std::to_string(i), bytes(10, 1), bytes(5000, 1))) ++taken;
    });
  for (std::thread& thread : all) thread.join();
  set_faults({});
  EXPECT_EQ(taken, threads * each);
  EXPECT_LT(data_flushes() - before, threads * each / 2);
}

}  // namespace
}  // namespace isocenter::test
