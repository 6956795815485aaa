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
    Bytes boxed(40, 0);
    boxed.insert(boxed.end(), head.begin(), head.end());
    EXPECT_GT(jpeg2000_demand(head, picture.frame(), codestream.size()), most);
    EXPECT_GT(jpeg2000_demand(boxed, picture.frame(), codestream.size()), most);
    for (std::size_t n = 0; n < head.size(); ++n)
      EXPECT_LE(jpeg2000_working_bytes({head.data(), n}, picture.frame(), codestream.size()), most);
  }
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

TEST(DicomJpeg2000Memory, APlanDeclaresWhatTheFirstFrameAsksForAndFramesThatAskForMoreAreRefused) {
  const ScratchFolder folder;
  std::mt19937 random(12);
  const Picture picture = make_picture(random, 400, 410, 1, 12, false);
  const Bytes usual = encoded(picture, parameters_of({})), small = encoded(picture, parameters_of({.block = 4}));
  const Image fine = open_image(write_object(folder / "fine.dcm", picture, {small, usual}));
  const std::uint64_t declared = StoredFrameReader::working_bytes(fine);
  EXPECT_GE(declared, jpeg2000_demand(small, picture.frame(), small.size()) + small.size() + picture.bytes());
  StoredFrameReader reader;
  for (const int frame : {0, 1}) {
    const StoredFrame stored = reader.read(fine, frame);
    EXPECT_EQ(Bytes(stored.bytes.begin(), stored.bytes.end()), picture.stored());
  }
  const Image coarse = open_image(write_object(folder / "coarse.dcm", picture, {usual, small}));
  EXPECT_LT(2 * StoredFrameReader::working_bytes(coarse), 3 * declared);
  EXPECT_NO_THROW(reader.read(coarse, 0));
  try {
    reader.read(coarse, 1);
    FAIL() << "not refused";
  } catch (const isocenter::Failure& f) {
    EXPECT_THAT(f.what(), HasSubstr("'coarse.dcm', frame 2 cannot be read: the codestream's tiles, precincts and "));
  }
}

}  // namespace
