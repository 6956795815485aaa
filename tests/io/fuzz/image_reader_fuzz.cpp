// libFuzzer target: whatever is in a file, the readers give voxels or an Error, and never more memory than the header's
// extents allow. The first byte chooses the format. Built by hand (clang, -fsanitize=fuzzer,address); see
// docs/io/README.md.
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <isocenter/error.hpp>
#include <string>

#include "io/png_file.hpp"
#include "io/voxel_reader.hpp"

using namespace isocenter;
using namespace isocenter::detail::io;

namespace {

constexpr std::int64_t most_voxels = 1 << 20;

void read_png_file(const std::string& path) {
  const PngInfo info = read_png_info(path);
  if (info.row_bytes() * info.height > most_voxels) return;
  std::vector<std::byte> pixels(static_cast<std::size_t>(info.row_bytes() * info.height));
  read_png(path, info, pixels);
}

void read_image_file(const std::string& path) {
  VoxelReader reader(read_image_info(path));
  if (reader.info().voxels() > most_voxels) return;
  std::vector<float> values(static_cast<std::size_t>(reader.info().voxels()));
  reader.read(values, NonFinite::zero, [](double) {});
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::string folder = [] {
    std::string name = "/dev/shm/isocenter-fuzz-XXXXXX";
    return std::string(mkdtemp(name.data()));
  }();
  if (size < 1) return 0;
  constexpr const char* endings[] = {".nii", ".nii.gz", ".mha", ".nrrd", ".mhd", ".nhdr", ".png"};
  const std::string path = folder + "/a" + endings[data[0] % std::size(endings)];
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(data + 1), static_cast<std::streamsize>(size - 1));
  try {
    if (path.ends_with(".png"))
      read_png_file(path);
    else
      read_image_file(path);
  } catch (const Error&) {
  }
  return 0;
}
