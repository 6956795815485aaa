// Any bytes as a whole slide image: regions at its corners and in its middle, or a Failure.
#include <algorithm>
#include <isocenter/error.hpp>

#include "dicom/read_slide.hpp"
#include "fuzz/memory_file.hpp"

namespace {

using namespace isocenter::detail::dicom;

void look_at(const Slide& slide, int x, int y) {
  const SlideRegion region{x, y, std::min(70, slide.columns - x), std::min(40, slide.rows - y)};
  std::vector<std::uint8_t> rgb(3 * static_cast<std::size_t>(region.width) * static_cast<std::size_t>(region.height));
  read_region(
      slide, region, Workers(), [] {}, rgb);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t count) {
  constexpr std::int64_t largest_tile = 1 << 20;  // pixels; the session's memory budget decides about larger ones
  const isocenter::testing::MemoryFile file(bytes, count);
  try {
    const Slide slide = open_slide(file.path());
    const auto& format = slide.image.format;
    if (static_cast<std::int64_t>(format.rows) * format.columns > largest_tile) return 0;
    look_at(slide, 0, 0);
    look_at(slide, slide.columns / 2, slide.rows / 2);
    look_at(slide, slide.columns - 1, slide.rows - 1);
  } catch (const isocenter::Error&) {
  }
  return 0;
}
