#include "part_spool.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "../network/durable.hpp"

namespace isocenter::detail::dicom {

PartSpool::~PartSpool() { clear(); }

void PartSpool::unmap() {
  if (mapped_ != nullptr) ::munmap(mapped_, file_bytes_);
  mapped_ = nullptr;
}

void PartSpool::clear() {
  unmap();
  memory_.clear();
  if (file_ >= 0) ::close(file_);
  file_ = -1;
  file_bytes_ = 0;
}

void PartSpool::append(std::span<const std::uint8_t> data) {
  unmap();
  if (file_ < 0 && memory_.size() + data.size() <= most_in_memory) {
    memory_.insert(memory_.end(), data.begin(), data.end());
    return;
  }
  const auto write = [&](std::span<const std::uint8_t> bytes) {
    while (!bytes.empty()) {
      const ssize_t n = ::write(file_, bytes.data(), bytes.size());
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) fail_io(folder_, "take what comes", errno);
      bytes = bytes.subspan(static_cast<std::size_t>(n));
      file_bytes_ += static_cast<std::size_t>(n);
    }
  };
  if (file_ < 0) {
    std::string name = folder_ + "/part-XXXXXX";
    file_ = ::mkstemp(name.data());
    if (file_ < 0) fail_io(folder_, "take what comes", errno);
    ::unlink(name.c_str());
    write(memory_);
    memory_ = {};
  }
  write(data);
}

std::span<const std::uint8_t> PartSpool::whole() {
  if (file_ < 0) return memory_;
  if (mapped_ == nullptr) {
    void* mapped = ::mmap(nullptr, file_bytes_, PROT_READ, MAP_PRIVATE, file_, 0);
    if (mapped == MAP_FAILED) fail_io(folder_, "give what came", errno);
    mapped_ = mapped;
  }
  return {static_cast<const std::uint8_t*>(mapped_), file_bytes_};
}

}  // namespace isocenter::detail::dicom
