// Any bytes as a DICOMDIR and as a list of paths: files that are there and findings come out, or a Failure; nothing
// that a DICOMDIR names lies outside of its folder.
#include <algorithm>
#include <cstdlib>
#include <isocenter/error.hpp>

#include "dicom/file_list.hpp"
#include "fuzz/memory_file.hpp"

namespace {

using namespace isocenter::detail::dicom;
using isocenter::testing::MemoryFile;
using isocenter::testing::NameFolder;

void look_at_list(const std::filesystem::path& path, bool stays_inside) {
  try {
    const auto list = read_file_list(path);
    if (!list) std::abort();
    for (const auto& file : list->files) {
      const auto below = file.lexically_normal().lexically_relative(list->root.lexically_normal());
      if (stays_inside && (below.empty() || *below.begin() == "..")) std::abort();
    }
  } catch (const isocenter::Error&) {
  }
}

}  // namespace

/// What DCMTK holds when it throws out of a damaged directory record is lost.
extern "C" const char* __lsan_default_suppressions() { return "leak:libdcmdata"; }

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t count) {
  static const NameFolder folder;
  const MemoryFile file(bytes, count);
  look_at_list(folder.place(file, "DICOMDIR"), true);
  look_at_list(folder.place(file, "list.txt"), false);
  return 0;
}
