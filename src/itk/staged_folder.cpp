#include "staged_folder.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <vector>

#include "io/staged_file.hpp"

namespace isocenter::detail::itk_io {
namespace fs = std::filesystem;

StagedFolder::StagedFolder(fs::path path) : path_(std::move(path)), folder_(io::temporary_name(path_)) {
  std::error_code error;
  if (!fs::create_directory(folder_, error)) io::fail_to_write(path_, error.value());
}

StagedFolder::~StagedFolder() {
  std::error_code ignored;
  fs::remove_all(folder_, ignored);
}

void StagedFolder::require_room(std::uint64_t bytes) const {
  const fs::path trial = folder_ / ".room";
  const int file = ::open(trial.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (file < 0) io::fail_to_write(path_, errno);
  const int error = ::posix_fallocate(file, 0, static_cast<off_t>(bytes));
  ::close(file);
  ::unlink(trial.c_str());
  if (error != 0) io::fail_to_write(path_, error, "with " + std::to_string(bytes) + " bytes to come");
}

void StagedFolder::hold_room(std::uint64_t bytes) const {
  const int file = ::open(inner_path().c_str(), O_RDWR | O_CLOEXEC);
  if (file < 0) io::fail_to_write(path_, errno);
  const int error = ::fallocate(file, FALLOC_FL_KEEP_SIZE, 0, static_cast<off_t>(bytes)) != 0 ? errno : 0;
  ::close(file);
  if (error != 0 && error != EOPNOTSUPP && error != ENOSYS) io::fail_to_write(path_, error);
}

void StagedFolder::commit() {
  std::vector<fs::path> names;
  for (const auto& entry : fs::directory_iterator(folder_))
    if (entry.path().filename() != path_.filename()) names.push_back(entry.path().filename());
  names.push_back(path_.filename());
  for (const fs::path& name : names) {
    const int file = ::open((folder_ / name).c_str(), O_RDWR | O_CLOEXEC);
    if (file < 0) io::fail_to_write(path_, errno);
    struct stat status {};  // what was held and not needed is given back
    const bool is_done = ::fstat(file, &status) == 0 && ::ftruncate(file, status.st_size) == 0 && ::fsync(file) == 0;
    const int error = is_done ? 0 : errno;
    ::close(file);
    if (error != 0) io::fail_to_write(path_, error);
  }
  for (const fs::path& name : names)
    if (::rename((folder_ / name).c_str(), fs::path(path_).replace_filename(name).c_str()) != 0)
      io::fail_to_write(path_, errno);
}

}  // namespace isocenter::detail::itk_io
