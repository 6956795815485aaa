// TIFF files made here, byte by byte: what ITK would read beside its buffer or as fewer slices is refused.
#include "itk_test.hpp"

namespace isocenter {
namespace {
using namespace itk_test;

struct Page {
  std::uint32_t width = 2, height = 2;
  std::uint16_t bits = 8, samples = 1, photometric = 1, format = 1;
  std::uint32_t subfile = 0;
  std::uint32_t strip_bytes = 4;
};

class Tiff {
 public:
  /// Little-endian: the voxels of all pages (1, 2, 3, ...) at byte 8, then the directories.
  explicit Tiff(const std::vector<Page>& pages) {
    put("II*\0", 4);
    number(std::uint32_t{0});
    for (const Page& p : pages) {
      offsets_.push_back(static_cast<std::uint32_t>(bytes_.size()));
      for (std::uint32_t i = 0; i < p.width * p.height * p.bits / 8 * p.samples; ++i) bytes_.push_back(++value_);
    }
    std::size_t link = 4;
    for (std::size_t i = 0; i < pages.size(); ++i) {
      overwrite(link, static_cast<std::uint32_t>(bytes_.size()));
      directory(pages[i], offsets_[i]);
      link = bytes_.size();
      number(std::uint32_t{0});
    }
    last_link_ = link;
  }
  void overwrite(std::size_t offset, std::uint32_t value) { std::memcpy(&bytes_.at(offset), &value, sizeof value); }
  std::size_t last_link() const { return last_link_; }
  /// Entries of the last directory.
  void set_tag(std::size_t entry, std::uint16_t tag) { std::memcpy(&bytes_.at(place(entry)), &tag, sizeof tag); }
  void set_values(std::size_t entry, std::uint32_t count, std::uint32_t offset) {
    overwrite(place(entry) + 4, count);
    overwrite(place(entry) + 8, offset);
  }
  fs::path write(const fs::path& path) const {
    write_bytes(path, bytes_);
    return path;
  }

 private:
  std::size_t place(std::size_t entry) const { return last_link_ - 12 * 12 + 12 * entry; }
  void put(const char* text, std::size_t count) { bytes_.insert(bytes_.end(), text, text + count); }
  template <class T>
  void number(T value) {
    put(reinterpret_cast<const char*>(&value), sizeof value);
  }
  void entry(std::uint16_t tag, std::uint32_t value) {
    number(tag);
    number(std::uint16_t{4});
    number(std::uint32_t{1});
    number(value);
  }
  void directory(const Page& p, std::uint32_t offset) {
    number(std::uint16_t{12});
    entry(254, p.subfile);
    entry(256, p.width);
    entry(257, p.height);
    entry(258, p.bits);
    entry(259, 1);
    entry(262, p.photometric);
    entry(273, offset);
    entry(277, p.samples);
    entry(278, p.height);
    entry(279, p.strip_bytes);
    entry(339, p.format);
    entry(50838, 7);  // ImageJ's, of which libtiff warns on the console
  }

  std::vector<char> bytes_;
  std::vector<std::uint32_t> offsets_;
  char value_ = 0;
  std::size_t last_link_ = 0;
};

TEST(TiffCheck, PagesAreSlicesAndTheConsoleStaysSilent) {
  const TemporaryFolder folder;
  const fs::path path = Tiff(std::vector<Page>(3)).write(folder / "v.tif");
  in_silence([&] {
    const Volume v = read<ItkImageSource>({.path = path.string()});
    EXPECT_EQ(v.nz(), 3);
    EXPECT_THAT(v.values(), ::testing::ElementsAre(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12));
  });
}

TEST(TiffCheck, PagesOfSeveralKindsAreRefused) {
  const TemporaryFolder folder;
  expect_refused(Tiff(std::vector<Page>{{}, {.width = 3, .height = 2, .strip_bytes = 6}}).write(folder / "a.tif"),
                 ErrorCode::unsupported, {"page 0 has 2 × 2", "page 1 has 3 × 2"});
  expect_refused(Tiff(std::vector<Page>{{}, {.bits = 16, .strip_bytes = 8}}).write(folder / "b.tif"),
                 ErrorCode::unsupported, {"of 16"});
  expect_refused(Tiff(std::vector<Page>{{}, {.subfile = 1}}).write(folder / "c.tif"), ErrorCode::unsupported,
                 {"reduced picture", "page 1"});
}

TEST(TiffCheck, ColoursAndOtherNumbersAreRefused) {
  const TemporaryFolder folder;
  expect_refused(Tiff(std::vector<Page>{{.samples = 3, .photometric = 2, .strip_bytes = 12}}).write(folder / "a.tif"),
                 ErrorCode::unsupported, {"colour", "3 numbers"});
  expect_refused(Tiff(std::vector<Page>{{.photometric = 3}}).write(folder / "b.tif"), ErrorCode::unsupported,
                 {"colour"});
  expect_refused(Tiff(std::vector<Page>{{.bits = 32, .strip_bytes = 16}}).write(folder / "c.tif"),
                 ErrorCode::unsupported, {"32 bits", "SampleFormat 1"});
}

TEST(TiffCheck, DirectoriesAndStripsThatLieAreRefused) {
  const TemporaryFolder folder;
  Tiff circle(std::vector<Page>(2));
  circle.overwrite(circle.last_link(), 16);
  expect_refused(circle.write(folder / "a.tif"), ErrorCode::bad_data, {"a.tif"});
  Tiff loop(std::vector<Page>(1));
  loop.overwrite(loop.last_link(), 12);
  expect_refused(loop.write(folder / "b.tif"), ErrorCode::bad_data, {"circle"});
  Tiff beyond(std::vector<Page>(2));
  beyond.overwrite(beyond.last_link(), 100000);
  expect_refused(beyond.write(folder / "c.tif"), ErrorCode::bad_data, {"100000"});
  expect_refused(Tiff(std::vector<Page>{{.strip_bytes = 3}}).write(folder / "d.tif"), ErrorCode::bad_data,
                 {"needs 4 bytes and has 3"});
  expect_refused(Tiff(std::vector<Page>{{.strip_bytes = 5000}}).write(folder / "e.tif"), ErrorCode::bad_data,
                 {"truncated", "page 0"});
  expect_refused(Tiff(std::vector<Page>{{.width = 0, .strip_bytes = 0}}).write(folder / "f.tif"), ErrorCode::bad_data,
                 {"axis of 0"});
}

TEST(TiffCheck, TagsThatRepeatAndValuesThatManyEntriesShareAreRefused) {
  const TemporaryFolder folder;
  Tiff twice(std::vector<Page>(1));
  twice.set_tag(11, 339);  // the private tag's place
  expect_refused(twice.write(folder / "a.tif"), ErrorCode::bad_data, {"tag 339 behind tag 339", "ascend"});
  Tiff shared(std::vector<Page>(1));
  for (const std::size_t entry : {7U, 8U, 9U, 10U}) shared.set_values(entry, 30, 8);  // 30 numbers from byte 8 each
  expect_refused(shared.write(folder / "b.tif"), ErrorCode::bad_data, {"bytes of values", "it holds"});
}

}  // namespace
}  // namespace isocenter
