// Preloaded into the command: a disk that is full once FULL_DISK_AFTER bytes went into regular files.
#include <dlfcn.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>

namespace {

std::atomic<long> written{0};

bool is_full(int file, std::size_t bytes) {
  struct stat status {};
  if (fstat(file, &status) != 0 || !S_ISREG(status.st_mode)) return false;
  static const long limit = std::atol(std::getenv("FULL_DISK_AFTER"));
  return written.fetch_add(static_cast<long>(bytes)) + static_cast<long>(bytes) > limit;
}

template <class F>
F next(const char* name) {
  return reinterpret_cast<F>(dlsym(RTLD_NEXT, name));
}

}  // namespace

extern "C" __attribute__((visibility("default"))) ssize_t write(int file, const void* data, std::size_t bytes) {
  static const auto real = next<ssize_t (*)(int, const void*, std::size_t)>("write");
  if (!is_full(file, bytes)) return real(file, data, bytes);
  errno = ENOSPC;
  return -1;
}
