// What decoding JPEG 2000 may take of memory: declared by the markers, held by both decoders, refused beyond.
#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dcpxitem.h>
#include <dcmtk/dcmdata/dctk.h>
#include <gmock/gmock.h>
#include <malloc.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <isocenter/error.hpp>

#include "dicom/jpeg2000_demand.hpp"
#include "dicom/jpeg2000_encoded.hpp"
#include "dicom/jpeg2000_part1.hpp"
#include "dicom/jpeg2000_tile.hpp"
#include "dicom/single_object.hpp"
#include "dicom/stored_frame.hpp"
#include "dicom/synthetic_series.hpp"

namespace {

using namespace isocenter::detail::dicom;
using namespace isocenter::testing;
using ::testing::HasSubstr;

struct Structure {
  int block = 64, precinct = 0, layers = 1, tile = 0, components = 1, style = 0;
};

std::string words_of(const Structure& s) {
  return "blocks of " + std::to_string(s.block) + ", precincts of " + std::to_string(s.precinct) + ", " +
         std::to_string(s.layers) + " layers, tiles of " + std::to_string(s.tile) + ", " +
         std::to_string(s.components) + " components, style " + std::to_string(s.style);
}

opj_cparameters_t parameters_of(const Structure& s) {
  opj_cparameters_t p = plain_parameters(s.tile == 4 ? 1 : s.tile > 0 ? 3 : 4);
  p.cblockw_init = p.cblockh_init = s.block;
  p.mode = s.style;
  if (s.precinct > 0) {
    p.csty |= 1;
    p.res_spec = 4;
    std::fill_n(p.prcw_init, 4, s.precinct);
    std::fill_n(p.prch_init, 4, s.precinct);
  }
  p.tcp_numlayers = s.layers;
  for (int i = 0; i + 1 < s.layers; ++i) p.tcp_rates[i] = static_cast<float>(2 * (s.layers - i));
  p.tcp_rates[s.layers - 1] = 0;
  if (s.tile > 0) {
    p.tile_size_on = OPJ_TRUE;
    p.cp_tdx = p.cp_tdy = s.tile;
  }
  return p;
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // they need memory of their own
/// By how many bytes the memory of a process that does this grows at the most, as the kernel counts it.
template <class F>
std::uint64_t growth_of(F&& f) {
  ::malloc_trim(0);  // so that nothing is taken from what is free already
  int ends[2];
  if (::pipe(ends) != 0) return ~std::uint64_t{0};
  const pid_t child = ::fork();
  if (child == 0) {
    rusage before{}, after{};
    ::getrusage(RUSAGE_SELF, &before);
    f();
    ::getrusage(RUSAGE_SELF, &after);
    const auto grown = static_cast<std::uint64_t>(after.ru_maxrss - before.ru_maxrss) * 1024;
    ::_exit(::write(ends[1], &grown, sizeof grown) == sizeof grown ? 0 : 1);
  }
  std::uint64_t grown = ~std::uint64_t{0};
  if (::read(ends[0], &grown, sizeof grown) != sizeof grown) grown = ~std::uint64_t{0};
  ::close(ends[0]);
  ::close(ends[1]);
  ::waitpid(child, nullptr, 0);
  return grown;
}

TEST(DicomJpeg2000Memory, NoDecoderTakesMoreMemoryThanTheMarkersAskFor) {
  const Structure all[] = {{},
                           {.block = 4},
                           {.block = 8, .layers = 20},
                           {.block = 4, .precinct = 8},
                           {.components = 3, .style = 4},
                           {.precinct = 16},
                           {.tile = 16}};
  std::mt19937 random(9);
  for (const Structure& s : all) {
    const Picture picture = make_picture(random, 300, 310, s.components, 12, false);
    const Bytes codestream = encoded(picture, parameters_of(s));
    ASSERT_FALSE(codestream.empty());
    const std::uint64_t demand = jpeg2000_demand(codestream, picture.frame(), codestream.size());
    Bytes decoded(picture.bytes());
    const std::uint64_t theirs = growth_of([&] { decode_with_openjpeg(codestream, picture.frame(), decoded); });
    const std::uint64_t ours = growth_of([&] { decode_jpeg2000_part1(codestream, picture.frame(), decoded); });
    EXPECT_LE(theirs, demand) << words_of(s);
    EXPECT_LE(ours, demand) << words_of(s);
    EXPECT_LE(demand, 2 * theirs + (2U << 20U)) << "no more than need be: " << words_of(s);
    EXPECT_LE(demand, jpeg2000_most_bytes(picture.frame(), codestream.size()));
  }
}
#endif

void append(Bytes& to, const Bytes& more) { to.insert(to.end(), more.begin(), more.end()); }

Bytes big_endian(std::uint32_t v) {
  return {static_cast<std::uint8_t>(v >> 24U), static_cast<std::uint8_t>(v >> 16U), static_cast<std::uint8_t>(v >> 8U),
          static_cast<std::uint8_t>(v)};
}

struct Box {
  std::string type;
  Bytes contents;
  std::uint32_t length_word = 8;  ///< or 0, up to the end of the file, or 1, with a length of 8 bytes
};

/// Behind the signature box of a JP2 file.
Bytes in_boxes(const std::vector<Box>& boxes) {
  Bytes file = {0, 0, 0, 12, 'j', 'P', ' ', ' ', 13, 10, 0x87, 10};
  for (const Box& box : boxes) {
    const auto size = static_cast<std::uint32_t>(box.contents.size());
    append(file, big_endian(box.length_word == 8 ? 8 + size : box.length_word));
    append(file, Bytes(box.type.begin(), box.type.end()));
    if (box.length_word == 1) {
      append(file, big_endian(0));
      append(file, big_endian(16 + size));
    }
    append(file, box.contents);
  }
  return file;
}

TEST(DicomJpeg2000Memory, ACodestreamOfTinyTilesOrPrecinctsIsRefusedBeforeItIsDecoded) {
  std::mt19937 random(1);
  for (const Structure& s : {Structure{.tile = 4}, Structure{.block = 4, .precinct = 4}}) {
    const Picture picture = make_picture(random, 256, 256, 1, 8, false);
    const Bytes codestream = encoded(picture, parameters_of(s));
    ASSERT_FALSE(codestream.empty());
    Bytes decoded(picture.bytes(), 0xAA);
    const std::uint64_t most = jpeg2000_most_bytes(picture.frame(), codestream.size());
    EXPECT_THAT(decode_jpeg2000(codestream, picture.frame(), most, decoded),
                HasSubstr("tiles, precincts and code-blocks ask for "));
    EXPECT_EQ(decoded, Bytes(picture.bytes(), 0xAA));
    // Its header alone tells, also in a JP2 file.
    const Bytes head(codestream.begin(),
                     codestream.begin() + static_cast<std::ptrdiff_t>(find_segment(codestream, 0x90)));
    const Bytes boxed = in_boxes({{"jp2c", head}});
    EXPECT_GT(jpeg2000_demand(head, picture.frame(), codestream.size()), most);
    EXPECT_GT(jpeg2000_demand(boxed, picture.frame(), codestream.size()), most);
    for (std::size_t n = 0; n < head.size(); ++n)
      EXPECT_LE(jpeg2000_working_bytes({head.data(), n}, picture.frame(), codestream.size()), most);
  }
}

TEST(DicomJpeg2000Memory, ACodestreamThatGivesNoBoundIsRefusedByAReason) {
  std::mt19937 random(1);
  const Bytes empty = {0xFF, 0x4F, 0xFF, 0xD9};
  const Jpeg2000Frame frame = make_picture(random, 16, 16, 1, 8, false).frame();
  Bytes decoded(256);
  EXPECT_THAT(decode_jpeg2000(empty, frame, std::uint64_t{1} << 40U, decoded), HasSubstr("SIZ is missing"));
}

/// A picture of 256 x 256 samples, a usual codestream of it and one that takes too much memory.
struct Disguise {
  Picture picture;
  Bytes usual, costly;

  Disguise() {
    std::mt19937 random(3);
    picture = make_picture(random, 256, 256, 1, 8, false);
    usual = encoded(picture, parameters_of({}));
    costly = encoded(picture, parameters_of({.block = 4, .precinct = 4}));
  }
  /// The first segment of this marker, with it.
  static Bytes segment(const Bytes& from, std::uint8_t marker) {
    const auto begin = from.begin() + static_cast<std::ptrdiff_t>(find_segment(from, marker));
    return {begin, begin + 2 + begin[2] * 256 + begin[3]};
  }
  /// The usual one with `more` in front of one of its segments.
  Bytes usual_with(const Bytes& more, std::uint8_t marker = 0x5C) const {
    Bytes all = usual;
    all.insert(all.begin() + static_cast<std::ptrdiff_t>(find_segment(usual, marker)), more.begin(), more.end());
    return all;
  }
  bool is_allowed(const Bytes& codestream) const {
    return jpeg2000_demand(codestream, picture.frame(), codestream.size()) <=
           jpeg2000_most_bytes(picture.frame(), codestream.size());
  }
};

TEST(DicomJpeg2000Memory, ACostlyCodingBehindManyOthersIsCounted) {
  const Disguise d;
  Bytes coding = Disguise::segment(d.usual, 0x52), same, different;
  for (int i = 0; i < 70; ++i) append(same, coding);
  EXPECT_TRUE(d.is_allowed(d.usual_with(same)));
  Bytes behind = same;
  append(behind, Disguise::segment(d.costly, 0x52));
  EXPECT_FALSE(d.is_allowed(d.usual_with(behind)));
  // Of 64 different ones each is counted, for more no bound can be given.
  for (int i = 0; i < 65; ++i) {
    EXPECT_TRUE(d.is_allowed(d.usual_with(different))) << i;
    coding[10] = static_cast<std::uint8_t>(i % 9);      // a code-block's width
    coding[11] = static_cast<std::uint8_t>(1 + i / 9);  // and height
    append(different, coding);
  }
  EXPECT_FALSE(d.is_allowed(d.usual_with(different)));
}

TEST(DicomJpeg2000Memory, OnlyTheCodestreamInTheBoxJp2cCounts) {
  const Disguise d;
  for (const std::uint32_t length : {0U, 1U, 8U}) {
    EXPECT_TRUE(d.is_allowed(in_boxes({{"xml ", d.costly}, {"jp2c", d.usual, length}}))) << length;
    EXPECT_FALSE(d.is_allowed(in_boxes({{"xml ", d.usual}, {"jp2c", d.costly, length}}))) << length;
  }
  EXPECT_TRUE(d.is_allowed(in_boxes({{"uuid", d.costly, 1}, {"jp2c", d.usual}})));
  EXPECT_FALSE(d.is_allowed(in_boxes({{"uuid", d.usual, 1}, {"jp2c", d.costly}})));
  EXPECT_FALSE(d.is_allowed(in_boxes({{"uuid", d.usual, 0}, {"jp2c", d.usual}}))) << "there is no other box";
}

TEST(DicomJpeg2000Memory, ACodingInWhatADecoderMayNotStepOverIsNotOverlooked) {
  const Disguise d;
  const Bytes hidden = Disguise::segment(d.costly, 0x52);
  const auto length = static_cast<std::uint8_t>(2 + hidden.size());
  for (const int marker : {0x70, 0x59, 0x56, 0xD9, 0x93}) {
    Bytes segment = {0xFF, static_cast<std::uint8_t>(marker), 0, length};
    append(segment, hidden);
    EXPECT_FALSE(d.is_allowed(d.usual_with(segment))) << marker;
  }
  Bytes without_length = {0xFF, 0x30, 0, 0};
  append(without_length, hidden);
  EXPECT_FALSE(d.is_allowed(d.usual_with(without_length)));
  // Those of part 15, and a marker of no length, as they should be.
  EXPECT_TRUE(d.is_allowed(d.usual_with({0xFF, 0x50, 0, 8, 0, 2, 0, 0, 0, 0, 0xFF, 0x59, 0, 4, 0, 3, 0xFF, 0x30})));
  // In a tile-part's header; and behind a tile-part that is said to end before its packets begin.
  EXPECT_FALSE(d.is_allowed(d.usual_with(hidden, 0x93)));
  const Bytes tile_part = {0xFF, 0x90, 0, 10, 0, 0, 0, 0, 0, 12, 0, 2, 0xFF, 0x93};
  EXPECT_FALSE(d.is_allowed(d.usual_with(tile_part, 0x90)));
  // A second SIZ takes nothing back.
  const Bytes size = Disguise::segment(d.usual, 0x51);
  Bytes tiny = encoded(d.picture, parameters_of({.tile = 4}));
  tiny.insert(tiny.begin() + static_cast<std::ptrdiff_t>(find_segment(tiny, 0x93)), size.begin(), size.end());
  EXPECT_FALSE(d.is_allowed(tiny));
}

TEST(DicomJpeg2000Memory, WithoutItsSizeACodestreamHasNoBound) {
  const Disguise d;
  EXPECT_TRUE(d.is_allowed(d.usual));
  Bytes late = d.usual;
  late.insert(late.begin(), {0, 0});
  EXPECT_FALSE(d.is_allowed(late));
  EXPECT_FALSE(d.is_allowed(in_boxes({{"xml ", d.usual}})));
  EXPECT_FALSE(d.is_allowed({}));
  EXPECT_FALSE(d.is_allowed({0xFF, 0x4F}));
  EXPECT_LE(jpeg2000_working_bytes({}, d.picture.frame(), 1000), jpeg2000_most_bytes(d.picture.frame(), 1000));
}

TEST(DicomJpeg2000Memory, ATileOfMorePrecinctsAndBlocksThanASixteenthOfItsSamplesIsNotLaidOut) {
  // 512 x 512 samples in blocks of 4 x 4: 16384 blocks and, of 8 x 8 samples, 5440 precincts, or of 16 x 16, 1364. The
  // bound is 4096 + 262144 / 16 = 20480.
  std::mt19937 random(11);
  const Picture picture = make_picture(random, 512, 512, 1, 8, false);
  for (const int precinct : {8, 16}) {
    const Bytes codestream = encoded(picture, parameters_of({.block = 4, .precinct = precinct}));
    const auto markers = read_j2k_markers(codestream, 512, 512, 1);
    ASSERT_TRUE(markers.has_value());
    EXPECT_EQ(read_j2k_tile(*markers, 0).has_value(), precinct == 16) << precinct;
    Bytes decoded(picture.bytes());
    EXPECT_EQ(decode_jpeg2000_part1(codestream, picture.frame(), decoded), precinct == 16);
  }
}

/// An object whose frames are these codestreams.
std::string write_object(const std::filesystem::path& file, const Picture& picture, const std::vector<Bytes>& frames) {
  SyntheticSlice slice;
  slice.rows = picture.rows;
  slice.columns = picture.columns;
  write_slice(file, slice);
  DcmFileFormat format;
  EXPECT_TRUE(format.loadFile(OFFilename(file.c_str())).good());
  DcmDataset& dataset = *format.getDataset();
  dataset.putAndInsertString(DCM_NumberOfFrames, std::to_string(frames.size()).c_str());
  auto* sequence = new DcmPixelSequence(DCM_PixelSequenceTag);
  sequence->insert(new DcmPixelItem(DCM_PixelItemTag));
  for (const Bytes& frame : frames) {
    auto* item = new DcmPixelItem(DCM_PixelItemTag);
    Bytes even = frame;
    even.resize((frame.size() + 1) & ~std::size_t{1});
    item->putUint8Array(even.data(), even.size());
    sequence->insert(item);
  }
  auto* pixels = new DcmPixelData(DCM_PixelData);
  pixels->putOriginalRepresentation(EXS_JPEG2000LosslessOnly, nullptr, sequence);
  dataset.insert(pixels, OFTrue);
  EXPECT_TRUE(format.saveFile(OFFilename(file.c_str()), EXS_JPEG2000LosslessOnly).good());
  return file.string();
}

TEST(DicomJpeg2000Memory, APlanDeclaresWhatTheMostDemandingFrameAsksForWhereverItIs) {
  const ScratchFolder folder;
  std::mt19937 random(12);
  const Picture picture = make_picture(random, 400, 410, 1, 12, false);
  const Bytes usual = encoded(picture, parameters_of({})), small = encoded(picture, parameters_of({.block = 4}));
  const Image of_usual = open_image(write_object(folder / "usual.dcm", picture, {usual, usual}));
  for (const bool first : {true, false}) {
    const auto frames = first ? std::vector{small, usual} : std::vector{usual, usual, small};
    const Image image = open_image(write_object(folder / "mixed.dcm", picture, frames));
    const std::uint64_t declared = StoredFrameReader::working_bytes(image);
    EXPECT_GE(declared, jpeg2000_demand(small, picture.frame(), small.size()) + small.size() + picture.bytes());
    EXPECT_LT(2 * StoredFrameReader::working_bytes(of_usual), 3 * declared);
    StoredFrameReader reader;
    for (int frame = 0; frame < static_cast<int>(frames.size()); ++frame) {
      const StoredFrame stored = reader.read(image, frame);
      EXPECT_EQ(Bytes(stored.bytes.begin(), stored.bytes.end()), picture.stored()) << frame;
    }
  }
}

TEST(DicomJpeg2000Memory, AFrameThatAsksForMoreThanAnyMayIsRefusedAndTheOthersAreRead) {
  const ScratchFolder folder;
  std::mt19937 random(12);
  const Picture picture = make_picture(random, 400, 410, 1, 12, false);
  const Bytes usual = encoded(picture, parameters_of({}));
  const Bytes tiny = encoded(picture, parameters_of({.block = 4, .precinct = 4}));
  const Image image = open_image(write_object(folder / "tiny.dcm", picture, {usual, tiny}));
  StoredFrameReader reader;
  EXPECT_NO_THROW(reader.read(image, 0));
  try {
    reader.read(image, 1);
    FAIL() << "not refused";
  } catch (const isocenter::Failure& f) {
    EXPECT_THAT(f.what(), HasSubstr("'tiny.dcm', frame 2 cannot be read: the codestream's tiles, precincts and "));
  }
}

}  // namespace
