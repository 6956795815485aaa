// The directories of a TIFF file (TIFF Revision 6.0, section 2; BigTIFF: libtiff's "The BigTIFF File Format"). ITK 5.2
// reads a file whose later directories are missing as one of fewer slices, takes the first page's extents for all, and
// counts reduced pages when it places the others.
#include <map>
#include <set>

#include "file_bytes.hpp"
#include "file_check.hpp"

namespace isocenter::detail::itk_io {
namespace {
namespace fs = std::filesystem;

namespace tag {
constexpr std::uint16_t subfile = 254, width = 256, height = 257, bits = 258, compression = 259, photometric = 262,
                        strip_offsets = 273, samples = 277, strip_bytes = 279, tile_offsets = 324, tile_bytes = 325,
                        format = 339;
}  // namespace tag

class TiffFile {
 public:
  explicit TiffFile(const fs::path& path) : file_(path) {
    const auto head = bytes(0, 8);
    is_big_endian_ = head[0] == std::byte{'M'};
    const auto version = number_at<std::uint16_t>(head, 2, is_big_endian_);
    if (head[0] != head[1] || (head[0] != std::byte{'I'} && !is_big_endian_) || (version != 42 && version != 43))
      fail(ErrorCode::bad_data, path, "is not a TIFF file: it does not begin as one", "give a .tif file");
    is_big_tiff_ = version == 43;
    first_ = is_big_tiff_ ? number(8, 8) : number(4, 4);
  }
  using Entries = std::map<std::uint16_t, std::vector<std::uint64_t>>;

  std::uint64_t first() const { return first_; }
  std::uint64_t size() const { return file_.size(); }
  /// The whole numbers of a directory; gives the offset of the next one, 0 after the last.
  std::uint64_t read(std::uint64_t offset, Entries& entries) {
    const std::uint64_t count = number(offset, is_big_tiff_ ? 8 : 2), entry_bytes = is_big_tiff_ ? 20 : 12;
    offset += is_big_tiff_ ? 8 : 2;
    if (count > 4096) fail_directory(offset);
    std::uint16_t last = 0;
    for (std::uint64_t i = 0; i < count; ++i, offset += entry_bytes) {
      const auto key = static_cast<std::uint16_t>(number(offset, 2));
      if (i > 0 && key <= last)
        fail(ErrorCode::bad_data, file_.path(),
             "is damaged: a directory of it has tag " + std::to_string(key) + " behind tag " + std::to_string(last) +
                 ", and tags ascend (TIFF 6.0, section 2)",
             "save it anew");
      last = key;
      const auto type = number(offset + 2, 2);
      constexpr std::uint8_t widths[] = {0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 0, 0, 8, 8, 8};
      const unsigned width = type < std::size(widths) ? widths[type] : 0;
      const std::uint64_t values = number(offset + 4, is_big_tiff_ ? 8 : 4), room = is_big_tiff_ ? 8 : 4;
      std::uint64_t at = offset + (is_big_tiff_ ? 12 : 8);
      if (values > file_.size()) fail_directory(at);
      if (values * width > room) at = number(at, static_cast<unsigned>(room));
      claimed_ += values * width;
      if (claimed_ > file_.size())
        fail(ErrorCode::bad_data, file_.path(),
             "is damaged: its directories have " + std::to_string(claimed_) +
                 " bytes of values or more, and it holds " + std::to_string(file_.size()),
             "save it anew");
      const auto data = bytes(at, values * width);  // also of what is not wanted: it must be there
      const bool is_whole_number = type == 1 || type == 3 || type == 4 || type == 16;
      for (std::uint64_t v = 0; v < values && is_whole_number && is_wanted(key); ++v)
        entries[key].push_back(value(data, static_cast<std::size_t>(v * width), width));
    }
    return number(offset, is_big_tiff_ ? 8 : 4);
  }

 private:
  static bool is_wanted(std::uint16_t key) {
    using namespace tag;
    for (const std::uint16_t known : {subfile, width, height, bits, compression, photometric, strip_offsets, samples,
                                      strip_bytes, tile_offsets, tile_bytes, format})
      if (key == known) return true;
    return false;
  }
  std::vector<std::byte> bytes(std::uint64_t offset, std::uint64_t count) const {
    if (offset > file_.size() || file_.size() - offset < count) fail_directory(offset);
    std::vector<std::byte> out(static_cast<std::size_t>(count));
    file_.read(offset, out);
    return out;
  }
  std::uint64_t value(std::span<const std::byte> data, std::size_t offset, unsigned width) const {
    return width == 1   ? number_at<std::uint8_t>(data, offset, is_big_endian_)
           : width == 2 ? number_at<std::uint16_t>(data, offset, is_big_endian_)
           : width == 4 ? number_at<std::uint32_t>(data, offset, is_big_endian_)
                        : number_at<std::uint64_t>(data, offset, is_big_endian_);
  }
  std::uint64_t number(std::uint64_t offset, unsigned width) const { return value(bytes(offset, width), 0, width); }
  [[noreturn]] void fail_directory(std::uint64_t offset) const {
    fail(ErrorCode::bad_data, file_.path(),
         "is truncated or damaged: a directory of it points to byte " + std::to_string(offset) + ", and it holds " +
             std::to_string(file_.size()),
         "get a complete copy of it");
  }

  io::InputFile file_;
  bool is_big_endian_ = false, is_big_tiff_ = false;
  std::uint64_t first_ = 0, claimed_ = 0;  ///< claimed: bytes of values of the directories read so far
};

/// What all pages of one volume have in common.
struct Page {
  std::uint64_t width, height, bits, samples, format, photometric;
  bool operator==(const Page&) const = default;
};

std::uint64_t one(const TiffFile::Entries& entries, std::uint16_t key, std::uint64_t otherwise) {
  const auto found = entries.find(key);
  return found == entries.end() || found->second.empty() ? otherwise : found->second[0];
}

std::string page_text(std::size_t page) { return "page " + std::to_string(page); }

Page read_page(const fs::path& path, const TiffFile::Entries& e, std::size_t page) {
  const Page p{one(e, tag::width, 0),   one(e, tag::height, 0), one(e, tag::bits, 1),
               one(e, tag::samples, 1), one(e, tag::format, 1), one(e, tag::photometric, 1)};
  if ((one(e, tag::subfile, 0) & 5U) != 0)
    fail(ErrorCode::unsupported, path, "has a reduced picture or a mask as " + page_text(page),
         "save it with the slices alone");
  if (p.samples != 1 || p.photometric > 1)
    fail(ErrorCode::unsupported, path,
         "is in colour: " + page_text(page) + " has " + std::to_string(p.samples) +
             " numbers for each voxel, PhotometricInterpretation " + std::to_string(p.photometric),
         "save it in grey, one number for each voxel");
  const bool is_whole = (p.bits == 8 || p.bits == 16) && (p.format == 1 || p.format == 2);
  if (!is_whole && !(p.bits == 32 && p.format == 3))
    fail(ErrorCode::unsupported, path,
         "holds voxels of " + std::to_string(p.bits) + " bits in SampleFormat " + std::to_string(p.format) +
             ", which is not read",
         "save it with whole numbers of 8 or 16 bits, or float32");
  return p;
}

/// Every strip or tile lies in the file, and what is not compressed is as long as the page.
void require_voxels(const fs::path& path, const TiffFile& file, const TiffFile::Entries& e, const Page& p,
                    std::size_t page) {
  const bool has_tiles = e.contains(tag::tile_offsets);
  const auto offsets = e.find(has_tiles ? tag::tile_offsets : tag::strip_offsets),
             counts = e.find(has_tiles ? tag::tile_bytes : tag::strip_bytes);
  if (offsets == e.end() || counts == e.end() || offsets->second.size() != counts->second.size())
    fail(ErrorCode::bad_data, path, "does not say where the voxels of " + page_text(page) + " lie",
         "get an undamaged copy of it");
  std::uint64_t held = 0;
  for (std::size_t i = 0; i < counts->second.size(); ++i) {
    const std::uint64_t begin = offsets->second[i], bytes = counts->second[i];
    if (begin > file.size() || file.size() - begin < bytes)
      fail(ErrorCode::bad_data, path,
           "is truncated: " + page_text(page) + " has voxels up to byte " + std::to_string(begin + bytes) +
               ", and it holds " + std::to_string(file.size()),
           "get a complete copy of it");
    held += bytes;
  }
  const std::uint64_t needed = p.width * p.height * p.bits / 8;
  if (one(e, tag::compression, 1) == 1 && held < needed)
    fail(ErrorCode::bad_data, path,
         "is damaged: " + page_text(page) + " needs " + std::to_string(needed) + " bytes and has " +
             std::to_string(held),
         "get an undamaged copy of it");
}

}  // namespace

HeaderFacts check_tiff(const fs::path& path) {
  constexpr std::size_t most_pages = 65535;
  TiffFile file(path);
  std::set<std::uint64_t> seen;
  std::optional<Page> first;
  for (std::uint64_t at = file.first(); at != 0;) {
    const std::size_t page = seen.size();
    if (!seen.insert(at).second || page == most_pages)
      fail(ErrorCode::bad_data, path, "has directories that run in a circle, or more than 65535 of them",
           "get an undamaged copy of it");
    TiffFile::Entries entries;
    at = file.read(at, entries);
    const Page p = read_page(path, entries, page);
    if (first && p != *first)
      fail(ErrorCode::unsupported, path,
           "has pages of several kinds: page 0 has " + std::to_string(first->width) + " × " +
               std::to_string(first->height) + " voxels of " + std::to_string(first->bits) + " bits and " +
               page_text(page) + " has " + std::to_string(p.width) + " × " + std::to_string(p.height) + " of " +
               std::to_string(p.bits),
           "save each kind as a file of its own");
    first = p;
    io::require_grid(path, {static_cast<std::int64_t>(p.width), static_cast<std::int64_t>(p.height)}, Geometry());
    require_voxels(path, file, entries, p, page);
  }
  if (!first) fail(ErrorCode::bad_data, path, "has no page", "get a complete copy of it");
  HeaderFacts facts;
  facts.size = {static_cast<std::int64_t>(first->width), static_cast<std::int64_t>(first->height),
                static_cast<std::int64_t>(seen.size())};
  facts.has_orientation = false;
  return facts;
}

}  // namespace isocenter::detail::itk_io
