// Any bytes as an RT Structure Set: its contours filled on an oblique grid, or a Failure.
#include <isocenter/error.hpp>

#include "dicom/read_structures.hpp"
#include "fuzz/memory_file.hpp"

namespace {

using namespace isocenter::detail::dicom;

VoxelGrid oblique_grid() {
  return {{-60, -50, -40}, {{0.8, 0.6, 0}, {-0.6, 0.8, 0}, {0, 0, 1}}, {3, 3.5, 4}, {40, 30, 20}};
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t count) {
  const isocenter::testing::MemoryFile file(bytes, count);
  const VoxelGrid grid = oblique_grid();
  std::vector<std::uint8_t> mask(40 * 30 * 20);
  try {
    const StructureSet set = open_structure_set(file.path());
    for (const Structure3D& structure : set.structures) {
      try {
        fill_structure(
            structure, grid, [](std::uint8_t old) { return static_cast<std::uint8_t>(old + 1); }, mask);
      } catch (const isocenter::Error&) {  // the next one may lie on the grid
      }
    }
  } catch (const isocenter::Error&) {
  }
  return 0;
}
