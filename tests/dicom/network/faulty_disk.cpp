#include "faulty_disk.hpp"

#include <dlfcn.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <map>
#include <mutex>
#include <sstream>
#include <thread>
#include <vector>

namespace {

std::atomic<int> calls_left{-1}, error_of_flushes{0}, error_of_folders{0}, threads_left{-1}, flushes{0};
std::atomic<long> room_left{-1};
std::atomic<bool> refuse_direct{false}, hold_file_system_flush{false}, pretend{false};
std::atomic<int> flush_ms{0};
int log_file = -1;

void count_down() {
  if (calls_left < 0) return;
  if (calls_left-- == 0) ::kill(::getpid(), SIGKILL);
}

std::string path_of(int file) {
  char path[4096] = {};
  const auto link = "/proc/self/fd/" + std::to_string(file);
  return ::readlink(link.c_str(), path, sizeof path - 1) < 0 ? "" : path;
}

std::mutex failure_mutex;
std::vector<int> open_when_it_failed;

/// Whether this flush is told; the next one by the same descriptor is not.
bool told_of_failure(int file) {
  const std::lock_guard lock(failure_mutex);
  return std::erase(open_when_it_failed, file) > 0;
}

void note(const std::string& line) {
  if (log_file < 0) return;
  const std::string text = line + "\n";
  ::syscall(SYS_write, log_file, text.data(), text.size());
}

bool is(int file, mode_t kind) {
  struct stat status {};
  return ::fstat(file, &status) == 0 && (status.st_mode & S_IFMT) == kind;
}

int flush(long call, int file) {
  count_down();
  const int error = error_of_folders != 0 && is(file, S_IFDIR) ? error_of_folders : error_of_flushes;
  if (error != 0) {
    errno = error;
    return -1;
  }
  const std::string path = log_file < 0 ? "" : path_of(file);
  note("flush-begins " + path);
  if (flush_ms > 0) std::this_thread::sleep_for(std::chrono::milliseconds(flush_ms));
  const int result = pretend ? 0 : static_cast<int>(::syscall(call, file));
  note("flush-ended " + path);
  return result;
}

}  // namespace

#ifndef __SANITIZE_THREAD__  // which learns from these what happened before what
#define SEEN_BY_LIBRARIES __attribute__((visibility("default")))
namespace {
void count_down_for_socket(int file) {
  if (calls_left >= 0 && is(file, S_IFSOCK)) count_down();
}

/// How many of these bytes a disk takes that becomes full.
std::size_t taken_by_disk(int file, std::size_t count) {
  if (room_left < 0 || !is(file, S_IFREG)) return count;
  const auto taken = std::min(count, static_cast<std::size_t>(room_left));
  room_left -= static_cast<long>(taken);
  return taken;
}
}  // namespace
extern "C" SEEN_BY_LIBRARIES ssize_t read(int file, void* bytes, std::size_t count) {
  count_down_for_socket(file);
  return ::syscall(SYS_read, file, bytes, count);
}
extern "C" SEEN_BY_LIBRARIES ssize_t write(int file, const void* bytes, std::size_t count) {
  count_down_for_socket(file);
  const std::size_t taken = taken_by_disk(file, count);
  if (taken > 0 || count == 0) return ::syscall(SYS_write, file, bytes, taken);
  errno = ENOSPC;
  return -1;
}
extern "C" SEEN_BY_LIBRARIES ssize_t recv(int file, void* bytes, std::size_t count, int flags) {
  count_down_for_socket(file);
  return ::syscall(SYS_recvfrom, file, bytes, count, flags, nullptr, nullptr);
}
extern "C" SEEN_BY_LIBRARIES ssize_t send(int file, const void* bytes, std::size_t count, int flags) {
  count_down_for_socket(file);
  return ::syscall(SYS_sendto, file, bytes, count, flags, nullptr, 0);
}
extern "C" SEEN_BY_LIBRARIES int pthread_create(pthread_t* thread, const pthread_attr_t* attributes,
                                                void* (*work)(void*), void* argument) {
  static const auto real = reinterpret_cast<decltype(&pthread_create)>(::dlsym(RTLD_NEXT, "pthread_create"));
  if (threads_left == 0) return EAGAIN;
  if (threads_left > 0) --threads_left;
  return real(thread, attributes, work, argument);
}
#endif

extern "C" int fsync(int file) { return flush(SYS_fsync, file); }
extern "C" int fdatasync(int file) {
  ++flushes;
  return flush(SYS_fdatasync, file);
}
extern "C" int syncfs(int file) noexcept {
  count_down();
  while (hold_file_system_flush) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  if (told_of_failure(file)) {
    errno = EIO;
    return -1;
  }
  note("all-begins");
  const int result = pretend ? 0 : static_cast<int>(::syscall(SYS_syncfs, file));
  note("all-ended");
  return result;
}
extern "C" ssize_t pwrite(int file, const void* bytes, std::size_t count, off_t offset) {
  count_down();
  if (error_of_flushes != 0 || refuse_direct) {
    errno = refuse_direct ? EINVAL : error_of_flushes.load();
    return -1;
  }
  if (log_file >= 0) note("write " + std::to_string(offset) + " " + std::to_string(count) + " " + path_of(file));
  return ::syscall(SYS_pwrite64, file, bytes, count, offset);
}
extern "C" int rename(const char* from, const char* to) noexcept {
  count_down();
  note(std::string("rename ") + to);
  return static_cast<int>(::syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0));
}
extern "C" int mkdir(const char* path, mode_t mode) noexcept {
  count_down();
  return static_cast<int>(::syscall(SYS_mkdirat, AT_FDCWD, path, mode));
}
extern "C" int unlink(const char* path) noexcept {
  count_down();
  return static_cast<int>(::syscall(SYS_unlinkat, AT_FDCWD, path, 0));
}

namespace isocenter::test {

void set_faults(const DiskFaults& faults) {
  calls_left = faults.calls_until_kill;
  error_of_flushes = faults.error;
  error_of_folders = faults.folder_error;
  room_left = faults.room;
  threads_left = faults.threads;
  refuse_direct = faults.no_direct_writes;
  hold_file_system_flush = faults.file_system_flush_waits;
  pretend = faults.pretend_to_flush;
  flush_ms = faults.flush_ms;
  const std::lock_guard lock(failure_mutex);
  open_when_it_failed.clear();
  if (!faults.write_back_failed) return;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd"))
    open_when_it_failed.push_back(std::stoi(entry.path().filename()));
}

int data_flushes() { return flushes; }

bool survives(int n, const std::function<void()>& work, const std::string& log) {
  const int pid = ::fork();
  if (pid == 0) {
    if (!log.empty()) log_file = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    set_faults({.calls_until_kill = n, .pretend_to_flush = true});
    work();
    ::syscall(SYS_exit_group, 0);  // at once: ThreadSanitizer would sleep first, while threads of the work go on
  }
  int status = 0;
  ::waitpid(pid, &status, 0);
  EXPECT_TRUE((WIFEXITED(status) && WEXITSTATUS(status) == 0) || (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL));
  return WIFEXITED(status);
}

void lose_power(const std::string& log, Lost lost) {
  struct Write {
    off_t offset = 0;
    std::size_t count = 0;
    bool flushing = false;
  };
  std::map<std::string, std::vector<Write>> writes;  // past the cache, not flushed
  std::map<std::string, bool> files;                 // not flushed; whether a flush is underway
  std::ifstream lines(log);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string what, path;
    words >> what;
    Write write;
    if (what == "write") words >> write.offset >> write.count;
    words >> path;
    if (what == "write") writes[path].push_back(write);
    if (what == "flush-begins")
      for (Write& w : writes[path]) w.flushing = true;
    if (what == "flush-ended") std::erase_if(writes[path], [](const Write& w) { return w.flushing; });
    if (what == "rename") files[path] = false;
    if (what == "all-begins")
      for (auto& [file, flushing] : files) flushing = true;
    if (what == "all-ended") std::erase_if(files, [](const auto& entry) { return entry.second; });
  }
  for (const auto& [path, all] : writes) {
    const int file = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
    if (file < 0) continue;
    for (const Write& w : all) {
      const std::size_t kept = lost == Lost::half ? w.count / 2 : 0;
      const std::vector<char> zeros(w.count - kept);
      ::syscall(SYS_pwrite64, file, zeros.data(), zeros.size(), w.offset + static_cast<off_t>(kept));
    }
    ::close(file);
  }
  for (const auto& [path, flushing] : files) {
    std::error_code error;
    const auto bytes = std::filesystem::file_size(path, error);
    if (!error) std::filesystem::resize_file(path, lost == Lost::half ? bytes / 2 : 0, error);
  }
}

}  // namespace isocenter::test
