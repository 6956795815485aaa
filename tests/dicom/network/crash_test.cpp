// kill -9 at every stage of receiving and of sending: a process of ours is killed before its n-th call that changes the
// disk, for every n, and another one goes on.
#include <fcntl.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <fstream>

#include "dicom/network/inbox.hpp"
#include "dicom/network/listener.hpp"
#include "dicom/network/outbox.hpp"
#include "network_test.hpp"

namespace {

bool disk_is_full = false;
int calls_left = -1;  // until the kill; negative: never

void count_down() {
  if (calls_left == 0) ::kill(::getpid(), SIGKILL);
  if (calls_left > 0) --calls_left;
}

}  // namespace

// In place of the C library's, for all of this program.
extern "C" int fsync(int file) {
  count_down();
  if (disk_is_full) {
    errno = ENOSPC;
    return -1;
  }
  return static_cast<int>(::syscall(SYS_fsync, file));
}
extern "C" int rename(const char* from, const char* to) noexcept {
  count_down();
  return static_cast<int>(::syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0));
}
extern "C" int link(const char* from, const char* to) noexcept {
  count_down();
  return static_cast<int>(::syscall(SYS_linkat, AT_FDCWD, from, AT_FDCWD, to, 0));
}
extern "C" int unlink(const char* path) noexcept {
  count_down();
  return static_cast<int>(::syscall(SYS_unlinkat, AT_FDCWD, path, 0));
}

namespace isocenter::test {
namespace {

using namespace detail::dicom;

/// Runs work in a process that is killed before its n-th change of the disk; whether it came to its end.
bool survives(int n, const std::function<void()>& work) {
  const int pid = ::fork();
  if (pid == 0) {
    calls_left = n;
    work();
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(pid, &status, 0);
  EXPECT_TRUE((WIFEXITED(status) && WEXITSTATUS(status) == 0) || (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL));
  return WIFEXITED(status);
}

TEST(Crash, AnInboxKilledAtAnyStageHasAllThatItAcknowledgedAndNothingHalf) {
  const std::vector<std::uint8_t> bytes(5000, 7);
  bool whole = false;
  int stages = 0;
  for (; !whole && stages < 200; ++stages) {
    const TemporaryFolder folder;
    const auto name = [](int i) {
      return InstanceName{"1.2.840.10008.5.1.4.1.1.2", "1.2.3." + std::to_string(i + 1), "1.2.840.10008.1.2.1", "1.2",
                          "1.3"};
    };
    whole = survives(stages, [&] {
      Inbox inbox(folder / "inbox");
      std::ofstream acknowledged(folder / "acknowledged");
      for (int i = 0; i < 3; ++i) {
        inbox.accept(name(i), "A", bytes);
        acknowledged << i << std::endl;
      }
    });
    const std::string said = text_of(folder / "acknowledged");
    const auto lines = static_cast<std::size_t>(std::count(said.begin(), said.end(), '\n'));
    const auto kept = dicom_files(folder / "inbox");
    EXPECT_GE(kept.size(), lines) << "stage " << stages;
    Inbox again(folder / "inbox");
    for (std::size_t i = 0; i < 3; ++i) {
      const bool there = again.accept(name(static_cast<int>(i)), "A", bytes).already_there;
      EXPECT_TRUE(there || i >= lines) << "stage " << stages;
    }
    EXPECT_EQ(dicom_files(folder / "inbox").size(), 3U);
  }
  EXPECT_TRUE(whole);
  EXPECT_GT(stages, 10);
}

TEST(FullDisk, AnInstanceIsRefusedForNowLeavesNothingAndIsTakenWhenThereIsRoom) {
  const TemporaryFolder folder;
  Inbox inbox(folder / "inbox");
  const InstanceName name{"1.2.840.10008.5.1.4.1.1.2", "1.2.3", "1.2.840.10008.1.2.1", "1.2", "1.3"};
  const std::vector<std::uint8_t> bytes(5000, 7);
  InstanceName other = name;
  other.sop_instance_uid = "1.2.4";
  inbox.accept(other, "A", bytes);  // its folders are there
  disk_is_full = true;
  EXPECT_THAT(error_of([&] { inbox.accept(name, "A", bytes); }),
              ::testing::HasSubstr("No space left on device. Fix: free"));
  disk_is_full = false;
  EXPECT_EQ(dicom_files(folder / "inbox").size(), 1U);
  EXPECT_TRUE(std::filesystem::is_empty(folder / "inbox/.incoming"));
  EXPECT_FALSE(inbox.accept(name, "A", bytes).already_there);
}

/// A listener in a process of its own: forking goes on from a process with one thread.
class Receiver {
 public:
  explicit Receiver(const std::string& inbox) : port(free_port()) {
    pid_ = ::fork();
    if (pid_ == 0) {
      ListenerOptions o;
      o.ae_title = "STORE";
      o.port = port;
      o.associations = 2;
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
  const Receiver receiver(folder / "inbox");
  const auto send = [&](const std::string& outbox_folder, const std::vector<std::string>& files) {
    Outbox outbox(outbox_folder);
    if (!files.empty()) outbox.put(files);
    DeliveryOptions o;
    o.attempts = 2;
    o.first_pause_s = 0.05;
    return outbox.deliver(loopback(receiver.port), o, [] { return false; });
  };
  bool whole = false;
  int stages = 0;
  for (; !whole && stages < 100; ++stages) {
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
  EXPECT_GT(stages, 8);
}

}  // namespace
}  // namespace isocenter::test
