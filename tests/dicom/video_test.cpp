// Video objects: pictures held to ffmpeg's (make_videos.py wrote both), colours to the pattern that was encoded, and
// what is wrong with a stream named. Where the build has no codec, the refusal.
#include <gmock/gmock.h>
#include <zlib.h>

#include <cmath>
#include <fstream>
#include <functional>
#include <isocenter/dicom/dicom_frames_source.hpp>
#include <isocenter/error.hpp>
#include <isocenter/isocenter.hpp>
#include <map>

#include "dicom/picture.hpp"
#include "dicom/single_object.hpp"
#include "dicom/synthetic_series.hpp"
#include "dicom/video/nal_source.hpp"
#include "dicom/video/picture_decoder.hpp"
#include "dicom/video/video_codec.hpp"
#include "dicom/video/video_reader.hpp"

namespace {

namespace ic = isocenter;
namespace fs = std::filesystem;
using namespace isocenter::detail::dicom;
using namespace isocenter::testing;
using isocenter::Failure;
using ::testing::HasSubstr;

const fs::path data = ISOCENTER_TEST_DATA;
const fs::path videos = data / "video";
constexpr int width = 64, height = 48, pictures = 10;

bool is_decoded(VideoCodec codec) { return has_decoder(codec); }
VideoCodec codec_in(const std::string& name) {
  return name.find("hevc") == std::string::npos ? VideoCodec::h264 : VideoCodec::hevc;
}
#define NEEDS_DECODER(codec) \
  if (!is_decoded(codec)) GTEST_SKIP() << "this build does not decode " << name_of(codec)

std::string hexadecimal(unsigned long crc) {
  char digits[16];
  std::snprintf(digits, sizeof digits, "%08lx", crc);
  return digits;
}

std::string sum_of(const VideoPicture& p) {
  unsigned long sum = crc32(0, nullptr, 0);
  for (int plane = 0; plane < 3; ++plane)
    for (int y = 0; y < (plane == 0 ? p.format.height : p.format.height / 2); ++y)
      sum = crc32(sum, p.plane[plane] + y * p.stride[plane],
                  static_cast<unsigned>((plane == 0 ? p.format.width : p.format.width / 2) * (p.bits > 8 ? 2 : 1)));
  return hexadecimal(sum);
}

std::string stream_error(const std::function<void()>& f) {
  try {
    f();
  } catch (const StreamError& e) {
    return e.what();
  } catch (const isocenter::Error& e) {
    return e.what();
  }
  return "(no error)";
}

TEST(DicomVideo, EveryPictureHasTheSamplesThatFfmpegDecodes) {
  std::ifstream in(data / "expected_video.txt");
  std::map<std::string, std::unique_ptr<VideoReader>> readers;
  std::string file, sum;
  int number = 0, compared = 0;
  while (in >> file >> number >> sum) {
    if (!is_decoded(codec_in(file))) continue;
    auto& reader = readers[file];
    if (reader == nullptr) reader = std::make_unique<VideoReader>(open_image((data / file).string()));
    EXPECT_EQ(sum_of(reader->picture(number)), sum) << file << ", picture " << number;
    ++compared;
  }
  EXPECT_EQ(compared, 30 * is_decoded(VideoCodec::h264) + 20 * is_decoded(VideoCodec::hevc));
}

/// Of frame t, see make_videos.py.
void expect_pattern(const std::uint8_t* rgb, int t, const std::string& name) {
  double sum = 0;
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x) {
      const bool square = x >= 2 * t && x < 2 * t + 12 && y >= 8 && y < 20;
      const double expected[3] = {square ? 220.0 : 40.0 + 2 * (x + t), square ? 60.0 : 40.0 + 3 * y,
                                  square ? 40.0 : 200.0 - 2 * (x + t)};
      const bool inside = square && x > 2 * t + 2 && x < 2 * t + 9 && y > 10 && y < 17;
      for (int c = 0; c < 3; ++c) {
        const double error = std::fabs(rgb[3 * (y * width + x) + c] - expected[c]);
        sum += error;
        EXPECT_LE(inside ? error : 0, 8) << name << ", frame " << t << ", (" << x << ", " << y << "), channel " << c;
      }
    }
  EXPECT_LT(sum / (3 * width * height), 2.5) << name << ", frame " << t;  // a wrong matrix or range: 5 to 15
}

TEST(DicomVideo, ColoursFollowTheMatrixAndTheRangeThatTheStreamDeclares) {
  for (const char* name : {"h264_mp4", "h264_ts_fragments", "h264_bytes_full_range", "hevc_mp4", "hevc_ts_10bit"}) {
    if (!is_decoded(codec_in(name))) continue;
    const Image image = open_image((videos / (std::string(name) + ".dcm")).string());
    ASSERT_EQ(image.frames.size(), static_cast<std::size_t>(pictures));
    PictureReader reader;
    std::vector<std::uint8_t> rgb(3 * width * height);
    for (int t = 0; t < pictures; ++t) {
      reader.read(image, t, {}, rgb);
      expect_pattern(rgb.data(), t, name);
    }
    reader.require_end(image);
  }
}

/// A module's source over one file; collects what its items hold.
struct Items {
  std::vector<std::vector<std::uint8_t>> pixels;
  double time_step_s = 0;
  std::string report;
};
Items frames_of(const ic::DicomFramesSource::Params& params) {
  isocenter_context_options options{};
  options.struct_size = sizeof options;
  options.flags = ISOCENTER_CONTEXT_NO_MODULES;
  ic::Context context(options);
  context.load_module(std::string(ISOCENTER_MODULE_DIR) + "/isocenter_dicom.so");
  ic::Pipeline pipeline(context);
  const auto source = pipeline.add<ic::DicomFramesSource>("video", params);
  pipeline.add_output("frames", source.output);
  ic::Session session = pipeline.prepare();
  Items items;
  items.report = session.report();
  session.start();
  while (const auto taken = session.pull("frames")) {
    const auto span = taken->tensor("pixels").span<const std::uint8_t>();
    items.pixels.emplace_back(span.begin(), span.end());
    items.time_step_s = taken->geometry().time_step_s;
  }
  session.wait();
  return items;
}

TEST(DicomVideo, FramesComeTogetherOrOneByOne) {
  NEEDS_DECODER(VideoCodec::h264);
  const std::string path = (videos / "h264_mp4.dcm").string();
  const Items together = frames_of({.path = path});
  const Items single = frames_of({.path = path, .first_frame = 4, .frames = 5, .frames_per_item = 1});
  ASSERT_EQ(together.pixels.size(), 1U);
  ASSERT_EQ(single.pixels.size(), 5U);
  EXPECT_NEAR(together.time_step_s, 0.04, 1e-12);
  constexpr std::size_t each = 3 * width * height;
  for (std::size_t i = 0; i < 5; ++i)
    EXPECT_TRUE(std::equal(single.pixels[i].begin(), single.pixels[i].end(),
                           together.pixels[0].begin() + static_cast<std::ptrdiff_t>((i + 3) * each)))
        << i;
  EXPECT_THAT(together.report, HasSubstr("H.264"));
  EXPECT_THAT(stream_error([&] { frames_of({.path = path, .frames = 9, .frames_per_item = 2}); }),
              HasSubstr("frames_per_item = 2 does not divide the 9 frames asked for"));
}

TEST(DicomVideo, APictureBeforeTheLastOneIsFoundAgain) {
  NEEDS_DECODER(VideoCodec::hevc);
  VideoReader reader(open_image((videos / "hevc_mp4.dcm").string()));
  const std::string third = sum_of(reader.picture(2)), ninth = sum_of(reader.picture(8));
  EXPECT_NE(third, ninth);
  EXPECT_EQ(sum_of(reader.picture(2)), third);
}

/// The file with NumberOfFrames (0028,0008), which has two digits, changed.
fs::path with_frames(const ScratchFolder& folder, const std::string& name, const std::string& digits) {
  std::ifstream in(videos / name, std::ios::binary);
  std::string bytes((std::istreambuf_iterator<char>(in)), {});
  const std::size_t at = bytes.find(std::string("\x28\0\x08\0IS\x02\0", 8));
  EXPECT_NE(at, std::string::npos);
  bytes.replace(at + 8, 2, digits);
  std::ofstream(folder / name, std::ios::binary) << bytes;
  return folder / name;
}

TEST(DicomVideo, AStreamWithFewerOrMorePicturesThanNumberOfFramesIsRefusedUnlessFramesAreAskedFor) {
  NEEDS_DECODER(VideoCodec::h264);
  const ScratchFolder folder;
  const std::string more = with_frames(folder, "h264_mp4.dcm", "12").string();
  EXPECT_THAT(
      stream_error([&] { frames_of({.path = more}); }),
      HasSubstr("NumberOfFrames (0028,0008) = 12, the video's container holds 10. Fix: set frames to as many as "
                "you need, at most 10"));
  EXPECT_EQ(frames_of({.path = more, .frames = 10}).pixels.size(), 1U);
  const std::string stream = with_frames(folder, "h264_ts_fragments.dcm", "12").string();
  EXPECT_THAT(stream_error([&] { frames_of({.path = stream}); }),
              HasSubstr("frame 11 cannot be read: the stream ends after 10 pictures"));
  const std::string fewer = with_frames(folder, "h264_ts_fragments.dcm", "8 ").string();
  EXPECT_THAT(stream_error([&] { frames_of({.path = fewer}); }),
              HasSubstr("the stream holds more pictures than NumberOfFrames (0028,0008) = 8"));
  EXPECT_EQ(frames_of({.path = fewer, .frames = 8}).pixels.size(), 1U);
}

Image image_of(const char* name) { return open_image((videos / name).string()); }

std::string decoding_error(const Image& image) {
  return stream_error([&] {
    VideoReader reader(image);
    for (int i = 0; i < pictures; ++i) reader.picture(i);
  });
}

TEST(DicomVideo, ATruncatedStreamIsAnErrorAndNoPicture) {
  NEEDS_DECODER(VideoCodec::h264);
  Image mp4 = image_of("h264_mp4.dcm");
  mp4.pixels.fragments.back().length /= 2;
  EXPECT_THAT(decoding_error(mp4), HasSubstr("MP4 box"));  // its tables stand at the end
  Image transport = image_of("h264_ts_fragments.dcm");
  transport.pixels.fragments.pop_back();
  transport.pixels.fragments.back().length -= 100;
  EXPECT_THAT(decoding_error(transport), HasSubstr("ends inside a packet"));
  Image bytes = image_of("h264_bytes_full_range.dcm");
  bytes.pixels.fragments.back().length -= 300;
  EXPECT_THAT(decoding_error(bytes), AnyOf(HasSubstr("OpenH264 cannot decode"), HasSubstr("the stream ends after")));
}

TEST(DicomVideo, ALostPacketOfATransportStreamIsAnError) {
  NEEDS_DECODER(VideoCodec::hevc);
  Image image = image_of("hevc_ts_10bit.dcm");
  const ByteRange whole = image.pixels.fragments.front();
  image.pixels.fragments = {{whole.offset, 5 * 188}, {whole.offset + 6 * 188, whole.length - 6 * 188}};
  EXPECT_THAT(decoding_error(image), HasSubstr("packets of the video are missing"));
}

using Bytes = std::vector<std::uint8_t>;

Bytes box(const char* type, const Bytes& contents) {
  Bytes to;
  for (int shift = 24; shift >= 0; shift -= 8) to.push_back(static_cast<std::uint8_t>((contents.size() + 8) >> shift));
  for (const char* c = type; *c != 0; ++c) to.push_back(static_cast<std::uint8_t>(*c));
  for (const std::uint8_t b : contents) to.push_back(b);
  return to;
}

Bytes operator+(Bytes a, const Bytes& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

/// An MP4 file that has no tables behind its description, which has `count` parameter sets of `bytes` bytes.
Bytes mp4_with_sets(unsigned count, unsigned bytes) {
  const auto byte = [](unsigned v) { return static_cast<std::uint8_t>(v & 0xFFU); };
  Bytes configuration(22);
  configuration.insert(configuration.end(), {1, 0x20, byte(count >> 8U), byte(count)});
  for (unsigned i = 0; i < count; ++i)
    configuration = configuration + Bytes{byte(bytes >> 8U), byte(bytes)} + Bytes(bytes);
  const Bytes entry = box("hvc1", Bytes(78) + box("hvcC", configuration));
  const Bytes samples = box("stbl", box("stsd", Bytes{0, 0, 0, 0, 0, 0, 0, 1} + entry));
  const Bytes handler = box("hdlr", Bytes(8) + Bytes{'v', 'i', 'd', 'e'});
  return box("moov", box("trak", box("mdia", handler + box("minf", samples))));
}

TEST(DicomVideo, MoreParameterSetsThanAStreamCanTellApartAreRefused) {
  const ScratchFolder folder;
  const std::string path = (folder.path() / "sets.mp4").string();
  const auto error_of_sets = [&](unsigned count, unsigned bytes) {
    const Bytes file = mp4_with_sets(count, bytes);
    std::ofstream(path, std::ios::binary)
        .write(reinterpret_cast<const char*>(file.data()), static_cast<std::streamsize>(file.size()));
    StreamBytes stream(path, {{0, file.size()}});
    return stream_error([&] { open_nal_source(stream, 100000); });
  };
  EXPECT_EQ(error_of_sets(512, 100), "the MP4 box 'stbl' holds no 'stsz'");
  EXPECT_EQ(error_of_sets(513, 1), "the MP4 file's parameter sets are more than 512 or, together, 100000 bytes");
  EXPECT_EQ(error_of_sets(2, 50001), error_of_sets(513, 1));
  NEEDS_DECODER(VideoCodec::hevc);
  Bytes set(65537, 1);
  set[0] = 0x40;  // a video parameter set
  EXPECT_EQ(stream_error([&] { make_decoder(VideoCodec::hevc, width, height)->push(set); }),
            "the HEVC stream has a parameter set of 65537 bytes, more than 65536");
}

TEST(DicomVideo, WhatTheDecodersDoNotDecodeRightIsRefusedByName) {
  NEEDS_DECODER(VideoCodec::h264);
  EXPECT_THAT(stream_error([&] { frames_of({.path = (videos / "h264_b_slices.dcm").string()}); }),
              HasSubstr("the video in 'h264_b_slices.dcm' cannot be decoded: the H.264 stream has B slices"));
  EXPECT_THAT(stream_error([&] { frames_of({.path = (videos / "h264_interlaced.dcm").string()}); }),
              HasSubstr("may be interlaced (frame_mbs_only_flag = 0)"));
  NEEDS_DECODER(VideoCodec::hevc);
  EXPECT_THAT(stream_error([&] { frames_of({.path = (videos / "hevc_wpp_slices.dcm").string()}); }),
              HasSubstr("several slices in a picture with entropy_coding_sync_enabled_flag = 1"));
}

TEST(DicomVideo, AStreamOfAnotherSizeOrCodecThanTheObjectSaysIsRefused) {
  NEEDS_DECODER(VideoCodec::h264);
  Image image = image_of("h264_mp4.dcm");
  image.format.rows = 50;
  EXPECT_THAT(decoding_error(image), HasSubstr("64 x 48 pixels, Columns (0028,0011) x Rows (0028,0010) = 64 x 50"));
  image = image_of("h264_mp4.dcm");
  image.transfer_syntax = "1.2.840.10008.1.2.4.107";
  EXPECT_THAT(stream_error([&] { probe_video(image); }),
              HasSubstr("the container holds H.264 (ISO/IEC 14496-10), the transfer syntax says HEVC"));
}

TEST(DicomVideo, ABuildWithoutTheCodecNamesTheSyntax) {
  for (const char* name : {"h264_mp4.dcm", "hevc_mp4.dcm"}) {
    if (is_decoded(codec_in(name))) continue;
    EXPECT_THAT(stream_error([&] { image_of(name); }), HasSubstr("is a video, which this build does not decode"));
  }
  EXPECT_THAT(
      stream_error([&] { open_image((data / "values" / "video_mpeg2.dcm").string()); }),
      HasSubstr("TransferSyntaxUID (0002,0010) = 1.2.840.10008.1.2.4.100 (MPEG2 Main Profile @ Main Level) is a "
                "video, which this build does not decode"));
}

TEST(DicomVideo, TransferSyntaxesNameTheirCodec) {
  const std::string root = "1.2.840.10008.1.2.4.10";
  for (const char* h264 : {"2", "3", "4", "5", "6", "2.1", "6.1"})
    EXPECT_EQ(video_codec_of(root + h264), VideoCodec::h264) << h264;
  for (const char* hevc : {"7", "8"}) EXPECT_EQ(video_codec_of(root + hevc), VideoCodec::hevc) << hevc;
  for (const char* other : {"", "0", "1", "0.1", "9", "2.2", "20"})
    EXPECT_EQ(video_codec_of(root + other), std::nullopt) << other;
}

}  // namespace
