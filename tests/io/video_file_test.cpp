// Videos, decoded by a player that is not ours: ffprobe and ffmpeg where they are installed.
#include "io/video_file.hpp"

#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>

#include <array>
#include <cmath>
#include <sstream>

#include "io_test.hpp"

namespace isocenter::detail::io {
namespace {
using namespace io_test;

using Colour = std::array<std::uint8_t, 3>;

VideoFormat format(int width, int height, double period_s = 0.04) {
  VideoFormat f;
  f.width = width;
  f.height = height;
  f.period_s = period_s;
  f.threads = 2;
  return f;
}

std::vector<std::uint8_t> flat(const VideoFormat& f, Colour colour) {
  std::vector<std::uint8_t> rgb;
  for (int i = 0; i < f.width * f.height; ++i)
    for (const std::uint8_t v : colour) rgb.push_back(v);
  return rgb;
}

/// A bright disc that moves over a gradient.
std::vector<std::uint8_t> moving(const VideoFormat& f, int n) {
  std::vector<std::uint8_t> rgb;
  for (int y = 0; y < f.height; ++y)
    for (int x = 0; x < f.width; ++x) {
      const bool in_disc = std::hypot(x - 20 - 3 * n, y - f.height / 2) < f.height / 4;
      rgb.push_back(static_cast<std::uint8_t>(in_disc ? 230 : x * 200 / f.width));
      rgb.push_back(static_cast<std::uint8_t>(in_disc ? 120 : y * 200 / f.height));
      rgb.push_back(static_cast<std::uint8_t>(in_disc ? 40 : 60));
    }
  return rgb;
}

void write_moving(const fs::path& path, const VideoFormat& f, int frames) {
  VideoFile video(path, f);
  for (int n = 0; n < frames; ++n) video.add(moving(f, n).data(), 3 * f.width);
  video.finish();
}

std::string output_of(const std::string& command) {
  std::string out;
  FILE* pipe = ::popen((command + " 2>/dev/null").c_str(), "r");
  if (pipe == nullptr) return out;
  std::array<char, 65536> part;
  while (const std::size_t n = std::fread(part.data(), 1, part.size(), pipe)) out.append(part.data(), n);
  ::pclose(pipe);
  return out;
}

bool has_ffmpeg() { return !output_of("ffprobe -version").empty() && !output_of("ffmpeg -version").empty(); }
#define NEEDS_FFMPEG() \
  if (!has_ffmpeg()) GTEST_SKIP() << "ffmpeg and ffprobe are not installed"

std::string probe(const fs::path& path, const std::string& entries, const std::string& more = "") {
  std::string text = output_of("ffprobe -v error -select_streams v " + more + " -show_entries " + entries +
                               " -of csv=p=0 '" + path.string() + "'");
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

/// All frames as ffmpeg shows them: RGB bytes.
std::string decoded(const fs::path& path, const std::string& before = "") {
  return output_of("ffmpeg -v error " + before + " -i '" + path.string() +
                   "' -vf scale=sws_flags=accurate_rnd+full_chroma_int -f rawvideo -pix_fmt rgb24 -");
}

TEST(VideoFile, AnotherPlayerSeesEveryFrameTheSizeTheDurationAndTheRate) {
  NEEDS_FFMPEG();
  const TemporaryFolder folder;
  for (const VideoEffort effort : {VideoEffort::fast, VideoEffort::small}) {
    VideoFormat f = format(96, 64);
    f.effort = effort;
    write_moving(folder / "a.webm", f, 50);
    EXPECT_EQ(probe(folder / "a.webm", "stream=codec_name,profile,width,height,pix_fmt"),
              "vp9,Profile 0,96,64,yuv420p");
    EXPECT_EQ(probe(folder / "a.webm", "stream=nb_read_frames", "-count_frames"), "50");
    EXPECT_EQ(probe(folder / "a.webm", "stream=r_frame_rate"), "25/1");
    EXPECT_EQ(probe(folder / "a.webm", "format=duration"), "2.000000");
    EXPECT_EQ(probe(folder / "a.webm", "stream=color_range,color_space,color_transfer,color_primaries"),
              "tv,bt709,iec61966-2-1,bt709");
  }
}

TEST(VideoFile, FlatColoursComeBack) {
  NEEDS_FFMPEG();
  const TemporaryFolder folder;
  const VideoFormat f = format(64, 48);
  const std::array<Colour, 7> colours{
      {{0, 0, 0}, {255, 255, 255}, {128, 128, 128}, {200, 30, 40}, {20, 180, 60}, {10, 20, 220}, {230, 200, 170}}};
  VideoFile video(folder / "flat.webm", f);
  for (const Colour& colour : colours)
    for (int n = 0; n < 5; ++n) video.add(flat(f, colour).data(), 3 * f.width);
  video.finish();
  const std::string pixels = decoded(folder / "flat.webm");
  const auto frame_bytes = static_cast<std::size_t>(3 * f.width * f.height);
  ASSERT_EQ(pixels.size(), frame_bytes * 35);
  for (std::size_t c = 0; c < colours.size(); ++c) {
    const std::size_t middle = frame_bytes * (5 * c + 4) + frame_bytes / 2 + 3 * 32;
    for (std::size_t k = 0; k < 3; ++k)
      EXPECT_NEAR(static_cast<unsigned char>(pixels[middle + k]), colours[c][k], 4)
          << "colour " << c << " channel " << k;
  }
}

TEST(VideoFile, MovingPicturesComeBackWithinTheirQuality) {
  NEEDS_FFMPEG();
  const TemporaryFolder folder;
  const auto psnr = [&](int quality) {
    VideoFormat f = format(160, 96);
    f.quality = quality;
    write_moving(folder / "a.webm", f, 20);
    const std::string pixels = decoded(folder / "a.webm");
    double error = 0;
    for (int n = 0; n < 20; ++n) {
      const auto truth = moving(f, n);
      for (std::size_t i = 0; i < truth.size(); ++i) {
        const double d = static_cast<unsigned char>(pixels.at(truth.size() * static_cast<std::size_t>(n) + i)) -
                         double{1} * truth[i];
        error += d * d / static_cast<double>(truth.size()) / 20;
      }
    }
    return 10 * std::log10(255.0 * 255.0 / error);
  };
  const double low = psnr(20), usual = psnr(75);
  EXPECT_GT(usual, 34);  // chroma at half resolution round the disc's edge is most of it
  EXPECT_GT(usual, low + 2);
}

TEST(VideoFile, OddSizesArePaddedByTheirEdge) {
  NEEDS_FFMPEG();
  const TemporaryFolder folder;
  const VideoFormat f = format(33, 17);
  VideoFile video(folder / "odd.webm", f);
  for (int n = 0; n < 3; ++n) video.add(flat(f, {90, 160, 70}).data(), 3 * f.width);
  video.finish();
  EXPECT_EQ(probe(folder / "odd.webm", "stream=width,height"), "34,18");
  const std::string pixels = decoded(folder / "odd.webm");
  ASSERT_EQ(pixels.size(), 34U * 18U * 3U * 3U);
  for (std::size_t i = 0; i < pixels.size(); i += 3) EXPECT_NEAR(static_cast<unsigned char>(pixels[i + 1]), 160, 4);
}

TEST(VideoFile, ItCanBeEnteredInTheMiddle) {
  NEEDS_FFMPEG();
  const TemporaryFolder folder;
  const VideoFormat f = format(96, 64);
  write_moving(folder / "a.webm", f, 100);
  const std::string all = decoded(folder / "a.webm"), rest = decoded(folder / "a.webm", "-ss 3.2");
  const auto frame_bytes = static_cast<std::size_t>(3 * 96 * 64);
  ASSERT_EQ(all.size(), 100 * frame_bytes);
  EXPECT_EQ(rest, all.substr(80 * frame_bytes));
}

TEST(VideoFile, AKeyFrameComesAtLeastEveryHalfSecond) {
  NEEDS_FFMPEG();
  const TemporaryFolder folder;
  write_moving(folder / "a.webm", format(96, 64), 60);
  std::istringstream flags(probe(folder / "a.webm", "packet=flags"));
  std::string flag;
  int since = 0, longest = 0, packets = 0;
  while (std::getline(flags, flag)) {
    since = flag.find('K') != std::string::npos ? 1 : since + 1;
    longest = std::max(longest, since);
    ++packets;
  }
  EXPECT_EQ(packets, 60);
  EXPECT_LE(longest, 13);
}

TEST(VideoFile, TheBytesDependNeitherOnTheThreadsNorOnTheRun) {
  const TemporaryFolder folder;
  for (const VideoEffort effort : {VideoEffort::fast, VideoEffort::small}) {
    std::vector<char> first;
    for (const int count : {1, 2, 3, 8, 8}) {
      VideoFormat f = format(528, 144);
      f.threads = count;
      f.effort = effort;
      write_moving(folder / "a.webm", f, 8);
      const std::vector<char> bytes = bytes_of(folder / "a.webm");
      if (first.empty()) first = bytes;
      EXPECT_TRUE(bytes == first) << count << " threads";
    }
  }
}

TEST(VideoFile, WithoutFinishNothingIsLeft) {
  const TemporaryFolder folder;
  {
    VideoFile video(folder / "a.webm", format(32, 32));
    video.add(flat(format(32, 32), {1, 2, 3}).data(), 96);
  }
  EXPECT_THAT(folder.names(), ::testing::IsEmpty());
}

TEST(VideoFile, RefusesSizesAndRatesThatCannotBePlayed) {
  expect_failure([] { require_encodable(format(0, 32)); }, ErrorCode::bad_data, {"0 x 32", "1 to 16384"});
  expect_failure([] { require_encodable(format(32, 20000)); }, ErrorCode::bad_data, {"32 x 20000"});
  expect_failure([] { require_encodable(format(32, 32, 0)); }, ErrorCode::bad_data, {"0 s", "frames_per_second"});
  expect_failure([] { require_encodable(format(32, 32, 0.0001)); }, ErrorCode::bad_data, {"1e-04 s", "1/240"});
  require_encodable(format(1, 1, 1.0 / 240));
}

TEST(VideoFile, AFullDiskIsAnErrorAndLeavesNothing) {
  const TemporaryFolder folder;
  signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  const rlimit small{12000, before.rlim_max};
  setrlimit(RLIMIT_FSIZE, &small);
  expect_failure([&] { write_moving(folder / "a.webm", format(160, 96), 60); }, ErrorCode::io_error,
                 {"a.webm", "File too large", "free space"});
  setrlimit(RLIMIT_FSIZE, &before);
  EXPECT_THAT(folder.names(), ::testing::IsEmpty());
}

}  // namespace
}  // namespace isocenter::detail::io
