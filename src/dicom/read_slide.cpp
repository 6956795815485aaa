#include "read_slide.hpp"

#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dcdeftag.h>

#include <algorithm>
#include <isocenter/error.hpp>

#include "dataset_values.hpp"
#include "picture.hpp"
#include "single_object.hpp"

namespace isocenter::detail::dicom {
namespace {

constexpr Attribute total_columns{0x0048, 0x0006, "TotalPixelMatrixColumns"};
constexpr Attribute total_rows{0x0048, 0x0007, "TotalPixelMatrixRows"};
constexpr Attribute organization_type{0x0020, 0x9311, "DimensionOrganizationType"};
constexpr Attribute column_position{0x0048, 0x021E, "ColumnPositionInTotalImagePixelMatrix"};
constexpr Attribute row_position{0x0048, 0x021F, "RowPositionInTotalImagePixelMatrix"};

[[noreturn]] void fail(const Slide& slide, const std::string& what, const std::string& fix) {
  throw Failure(ErrorCode::bad_data, "'" + slide.image.name + "': " + what, fix);
}

int extent(DcmItem& dataset, const Slide& slide, const Attribute& a) {
  const auto value = integer(dataset, a);
  if (!value || *value < 1)
    fail(slide, text(a) + " = '" + text_value(dataset, a) + "' is no size of a slide", "name a whole slide image");
  return *value;
}

/// Frames of a TILED_SPARSE slide say where they lie, the upper left pixel of the slide being 1, 1.
void place_sparse(DcmItem& dataset, Slide& slide) {
  DcmSequenceOfItems* per_frame = nullptr;
  if (dataset.findAndGetSequence(DCM_PerFrameFunctionalGroupsSequence, per_frame).bad() || per_frame == nullptr)
    fail(slide, "PerFrameFunctionalGroupsSequence (5200,9230) is missing", "export the slide again");
  DcmObject* own = nullptr;
  for (std::size_t f = 0; f < slide.image.frames.size(); ++f) {
    own = per_frame->nextInContainer(own);
    DcmItem* const place =
        own == nullptr ? nullptr : sequence_item(*static_cast<DcmItem*>(own), DCM_PlanePositionSlideSequence);
    const auto column = place == nullptr ? std::nullopt : integer(*place, column_position);
    const auto row = place == nullptr ? std::nullopt : integer(*place, row_position);
    const PixelFormat& format = slide.image.format;
    const bool on_grid = column && row && *column >= 1 && *row >= 1 && *column <= slide.columns && *row <= slide.rows &&
                         (*column - 1) % format.columns == 0 && (*row - 1) % format.rows == 0;
    if (!on_grid)
      fail(slide,
           "frame " + std::to_string(f + 1) + " has no place on the grid of tiles: " + text(column_position) + ", " +
               text(row_position),
           "export the slide with tiles side by side");
    const std::size_t tile =
        static_cast<std::size_t>((*row - 1) / format.rows) * static_cast<std::size_t>(slide.tiles_x) +
        static_cast<std::size_t>((*column - 1) / format.columns);
    if (slide.frame_of_tile[tile] < 0) slide.frame_of_tile[tile] = static_cast<std::int32_t>(f);
  }
}

}  // namespace

Slide open_slide(const std::string& path) {
  Slide slide;
  slide.image = open_image(path);
  if (const std::string why = why_no_picture(slide.image); !why.empty())
    fail(slide, why, "convert the file to RGB or MONOCHROME2 first");
  DcmFileFormat header;
  open_header(path, header);
  DcmItem& dataset = *header.getDataset();
  slide.columns = extent(dataset, slide, total_columns);
  slide.rows = extent(dataset, slide, total_rows);
  const PixelFormat& format = slide.image.format;
  slide.tiles_x = (slide.columns - 1) / format.columns + 1;
  slide.tiles_y = (slide.rows - 1) / format.rows + 1;
  const std::int64_t tiles = static_cast<std::int64_t>(slide.tiles_x) * slide.tiles_y;
  const auto frames = static_cast<std::int64_t>(slide.image.frames.size());
  const bool full = text_value(dataset, organization_type) == "TILED_FULL";
  constexpr std::int64_t most_tiles = 1 << 26;
  if (full ? frames < tiles : tiles > most_tiles)
    fail(slide,
         std::to_string(slide.columns) + " x " + std::to_string(slide.rows) + " pixels are " + std::to_string(tiles) +
             " tiles, the object has " + std::to_string(frames) + " frames",
         "export the slide again");
  slide.frame_of_tile.assign(static_cast<std::size_t>(tiles), -1);
  if (full)
    for (std::int32_t t = 0; t < tiles; ++t) slide.frame_of_tile[static_cast<std::size_t>(t)] = t;
  else
    place_sparse(dataset, slide);
  return slide;
}

void read_region(const Slide& slide, const SlideRegion& region, const Workers& workers,
                 const std::function<void()>& check_cancelled, std::span<std::uint8_t> rgb) {
  constexpr std::uint8_t white = 255;
  std::fill(rgb.begin(), rgb.end(), white);
  const int tile_w = slide.image.format.columns, tile_h = slide.image.format.rows;
  const int first_x = region.x / tile_w, last_x = (region.x + region.width - 1) / tile_w;
  const int first_y = region.y / tile_h, last_y = (region.y + region.height - 1) / tile_h;
  bool unstated = false;
  const GreyDisplay display = slide.image.format.samples_per_pixel == 1
                                  ? read_grey_display(slide.image.path, slide.image, unstated)
                                  : GreyDisplay{};
  const auto beyond = [](int region_end, int tile, int size) {  // the last tile may end beyond what an int holds
    return static_cast<int>(std::min<std::int64_t>(region_end, (static_cast<std::int64_t>(tile) + 1) * size));
  };
  // A row of tiles for each thread: rows of the region belong to one of them.
  workers.for_each(last_y - first_y + 1, [&](std::int64_t row) {
    PictureReader reader;
    std::vector<std::uint8_t> tile(3 * static_cast<std::size_t>(tile_w) * static_cast<std::size_t>(tile_h));
    const int ty = first_y + static_cast<int>(row);
    for (int tx = first_x; tx <= last_x; ++tx) {
      check_cancelled();
      const std::int32_t frame =
          slide.frame_of_tile[static_cast<std::size_t>(ty) * static_cast<std::size_t>(slide.tiles_x) +
                              static_cast<std::size_t>(tx)];
      if (frame < 0) continue;
      reader.read(slide.image, frame, display, tile);
      const int begin_x = std::max(region.x, tx * tile_w), end_x = beyond(region.x + region.width, tx, tile_w);
      const int begin_y = std::max(region.y, ty * tile_h), end_y = beyond(region.y + region.height, ty, tile_h);
      for (int y = begin_y; y < end_y; ++y) {
        const auto from = 3 * (static_cast<std::ptrdiff_t>(y - ty * tile_h) * tile_w + begin_x - tx * tile_w);
        const auto to = 3 * (static_cast<std::ptrdiff_t>(y - region.y) * region.width + begin_x - region.x);
        std::copy_n(tile.begin() + from, 3 * (end_x - begin_x), rgb.begin() + to);
      }
    }
  });
}

}  // namespace isocenter::detail::dicom
