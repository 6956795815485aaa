// Files appear whole or not at all, and messages name the path.
#include "io/staged_file.hpp"

#include <unistd.h>

#include "io_test.hpp"

namespace isocenter::detail::io {
namespace {
using namespace io_test;

TEST(StagedFile, AppearsOnCommitUnderItsName) {
  const TemporaryFolder folder;
  StagedFile file(folder / "a.txt");
  file.write("hello");
  EXPECT_FALSE(fs::exists(folder / "a.txt"));
  EXPECT_EQ(folder.names().size(), 1U);
  file.commit();
  EXPECT_EQ(folder.names(), std::vector<std::string>{"a.txt"});
  EXPECT_EQ(fs::file_size(folder / "a.txt"), 5U);
}

TEST(StagedFile, LeavesNothingWithoutCommit) {
  const TemporaryFolder folder;
  { StagedFile(folder / "a.txt").write("hello"); }
  EXPECT_THAT(folder.names(), ::testing::IsEmpty());
}

TEST(StagedFile, MakesMissingFolders) {
  const TemporaryFolder folder;
  StagedFile file(folder / "x/y/a.txt");
  file.commit();
  EXPECT_TRUE(fs::exists(folder / "x/y/a.txt"));
}

TEST(StagedFile, TwoWritersOfOnePathDoNotMix) {
  const TemporaryFolder folder;
  StagedFile first(folder / "a.txt"), second(folder / "a.txt");
  first.write("first");
  second.write("second");
  second.commit();
  first.commit();
  EXPECT_EQ(fs::file_size(folder / "a.txt"), 5U);
}

TEST(StagedFile, RefusesAFolderAndAFileAsFolder) {
  const TemporaryFolder folder;
  expect_failure([&] { StagedFile file(folder.path()); }, ErrorCode::io_error,
                 {folder.path().string(), "Is a directory"});
  write_bytes(folder / "file", {'x'});
  expect_failure([&] { StagedFile file(folder / "file/a.txt"); }, ErrorCode::io_error,
                 {"file/a.txt", "Not a directory"});
  expect_failure([] { StagedFile file(""); }, ErrorCode::io_error, {"''"});
}

TEST(StagedFile, RefusesAFolderThatCannotBeWrittenTo) {
  const bool is_root = geteuid() == 0;
  const TemporaryFolder folder;
  fs::permissions(folder.path(), fs::perms::owner_read | fs::perms::owner_exec);
  // Root may write everywhere but here.
  const fs::path path = is_root ? fs::path("/proc/isocenter.txt") : folder / "a.txt";
  expect_failure([&] { StagedFile file(path); }, ErrorCode::io_error, {path.string()});
  fs::permissions(folder.path(), fs::perms::owner_all);
}

}  // namespace
}  // namespace isocenter::detail::io
