#pragma once
// Bytes under a path, without a disk.
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <string>

namespace isocenter::testing {

class MemoryFile {
 public:
  MemoryFile(const std::uint8_t* bytes, std::size_t count) : descriptor_(::memfd_create("fuzz", 0)) {
    if (::write(descriptor_, bytes, count) != static_cast<ssize_t>(count)) std::abort();
    path_ = "/proc/self/fd/" + std::to_string(descriptor_);
  }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;
  ~MemoryFile() { ::close(descriptor_); }
  const std::string& path() const { return path_; }

 private:
  int descriptor_;
  std::string path_;
};

/// A folder in which a file can have a name, with folders before it: `place` makes the name stand for the bytes.
class NameFolder {
 public:
  NameFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "fuzz_XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) std::abort();
    folder_ = name;
  }
  NameFolder(const NameFolder&) = delete;
  NameFolder& operator=(const NameFolder&) = delete;
  ~NameFolder() { std::filesystem::remove_all(folder_); }
  std::filesystem::path place(const MemoryFile& file, const char* name) const {
    const std::filesystem::path path = folder_ / name;
    std::filesystem::create_directories(path.parent_path());
    std::filesystem::remove(path);
    std::filesystem::create_symlink(file.path(), path);
    return path;
  }

 private:
  std::filesystem::path folder_;
};

}  // namespace isocenter::testing
