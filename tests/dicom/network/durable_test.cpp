// What is said to be on disk is: when a flush fails, of which Linux tells once, and when the disk becomes full.
#include "dicom/network/durable.hpp"

#include <cerrno>

#include "dicom/network/inbox.hpp"
#include "faulty_disk.hpp"
#include "network_test.hpp"

namespace isocenter::test {
namespace {

using namespace detail::dicom;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::SizeIs;

InstanceName instance(int i) {
  return {"1.2.840.10008.5.1.4.1.1.2", "1.2.3." + std::to_string(i + 1), "1.2.840.10008.1.2.1", "1.2", "1.3"};
}

std::vector<std::uint8_t> bytes_of(int i) { return std::vector<std::uint8_t>(5000, static_cast<std::uint8_t>(7 + i)); }

TEST(GroupFlush, FailsEveryChangeThatWasMadeBeforeAFlushThatFailed) {
  const TemporaryFolder folder;
  const auto flush = folder_flush(folder.path());
  const auto before = flush->failures();
  set_faults({.folder_error = EIO});
  EXPECT_THAT(error_of([&] { flush->wait(flush->failures()); }), HasSubstr("cannot be flushed: Input/output error"));
  set_faults({});  // the next flush is told of no failure
  EXPECT_THAT(error_of([&] { flush->wait(before); }), HasSubstr("cannot be flushed: Input/output error"));
  EXPECT_EQ(error_of([&] { flush->wait(flush->failures()); }), "");
}

TEST(Inbox, TakesTheNameBackOfAnInstanceWhoseFolderCannotBeFlushed) {
  const TemporaryFolder folder;
  Inbox inbox(folder / "inbox");
  inbox.accept(instance(0), "A", bytes_of(0));
  set_faults({.folder_error = EIO});
  EXPECT_THAT(error_of([&] { inbox.accept(instance(1), "A", bytes_of(1)); }),
              HasSubstr("/1.2/1.3' cannot be flushed: Input/output error"));
  set_faults({});
  EXPECT_THAT(dicom_files(folder / "inbox"), SizeIs(1));
  EXPECT_FALSE(inbox.accept(instance(1), "A", bytes_of(1)).already_there);
  EXPECT_TRUE(inbox.accept(instance(1), "A", bytes_of(1)).already_there);
}

TEST(Inbox, AGroupTakesTheNamesBackThatAFolderCannotKeep) {
  const TemporaryFolder folder;
  Inbox inbox(folder / "inbox");
  inbox.accept(instance(0), "A", bytes_of(0));
  Inbox::Group group(inbox);
  for (int i = 0; i < 3; ++i) group.add(instance(i), "A", bytes_of(i));
  set_faults({.folder_error = EIO});
  EXPECT_THAT(error_of([&] { group.keep(); }), HasSubstr("/1.2/1.3' cannot be flushed: Input/output error"));
  set_faults({});
  EXPECT_THAT(dicom_files(folder / "inbox"), SizeIs(1));
  for (int i = 1; i < 3; ++i) group.add(instance(i), "A", bytes_of(i));
  EXPECT_EQ(error_of([&] { group.keep(); }), "");
  EXPECT_THAT(dicom_files(folder / "inbox"), SizeIs(3));
}

TEST(FullDisk, AGroupNamesTheFileForWhichThereIsNoRoomAndKeepsTheOthersWhole) {
  if (!has_all_faults) GTEST_SKIP() << "ThreadSanitizer has write itself";
  const TemporaryFolder folder;
  Inbox inbox(folder / "inbox");
  {
    Inbox::Group group(inbox);
    set_faults({.room = 8000});  // one and a half
    group.add(instance(0), "A", bytes_of(0));
    EXPECT_THAT(error_of([&] { group.add(instance(1), "A", bytes_of(1)); }),
                AllOf(HasSubstr("/inbox/.incoming/"), HasSubstr(".part' cannot be written: No space left on device. "
                                                                "Fix: free some space")));
  }
  set_faults({});
  EXPECT_TRUE(std::filesystem::is_empty(folder / "inbox/.incoming"));
  EXPECT_THAT(dicom_files(folder / "inbox"), SizeIs(1));
  Inbox::Group again(inbox);
  for (int i = 0; i < 2; ++i) again.add(instance(i), "A", bytes_of(i));  // throws when the first differs
  again.keep();
  EXPECT_THAT(dicom_files(folder / "inbox"), SizeIs(2));
}

}  // namespace
}  // namespace isocenter::test
