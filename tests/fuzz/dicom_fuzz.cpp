// Any bytes as a DICOM file: scanned, assembled, and loaded when something in them can be loaded. What is wrong with
// them has to come back as findings or a Failure, in bounded memory and time.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <isocenter/error.hpp>
#include <string>

#include "dicom/inspect.hpp"
#include "dicom/load.hpp"

namespace {

using namespace isocenter::detail::dicom;

/// The bytes under a path, without a disk.
class MemoryFile {
 public:
  MemoryFile(const std::uint8_t* bytes, std::size_t count) : descriptor_(::memfd_create("fuzz", 0)) {
    if (::write(descriptor_, bytes, count) != static_cast<ssize_t>(count)) ::abort();
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

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t count) {
  const MemoryFile file(bytes, count);
  try {
    const Report report = inspect(file.path(), Workers());
    LoadOptions options;
    options.stack = 1;
    options.skip_bad_files = options.keep_first_duplicate = options.resample_uneven = true;
    options.shear_tilt = options.identity_rescale = true;
    const LoadPlan plan = plan_load(report, options);
    const auto voxels = static_cast<std::int64_t>(plan.grid.nx) * plan.grid.ny * plan.grid.nz;
    if (voxels > (1 << 22)) return 0;  // the session's memory budget decides about such volumes
    std::vector<float> volume(static_cast<std::size_t>(voxels));
    load(plan, Workers(), volume);
  } catch (const isocenter::Error&) {
  }
  return 0;
}
