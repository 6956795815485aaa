// The container, parsed with libwebm's parser (Debian's libwebm has no writer's headers, so ours is held to its
// reader).
#include "io/webm_writer.hpp"

#include "io_test.hpp"

#ifdef ISOCENTER_TEST_WITH_LIBWEBM
#include <webm/callback.h>
#include <webm/file_reader.h>
#include <webm/status.h>
#include <webm/webm_parser.h>

namespace isocenter::detail::io {
namespace {
using namespace io_test;

/// What libwebm's parser saw.
struct Parsed : webm::Callback {
  struct Block {
    std::uint64_t cluster, time_ms;
    std::vector<std::uint8_t> bytes;
    bool is_key;
  };
  struct Cue {
    std::uint64_t time_ms, cluster;
  };
  webm::Ebml ebml;
  webm::Info info;
  webm::TrackEntry track;
  std::vector<Cue> cues;
  std::vector<Block> blocks;
  std::vector<std::pair<std::uint32_t, std::uint64_t>> seeks;
  std::uint64_t segment_begin = 0, cluster = 0, cluster_time = 0, cues_position = 0;
  bool is_key = false;
  std::uint64_t block_time = 0;

  webm::Status OnEbml(const webm::ElementMetadata&, const webm::Ebml& e) override {
    ebml = e;
    return webm::Status(webm::Status::kOkCompleted);
  }
  webm::Status OnSegmentBegin(const webm::ElementMetadata& m, webm::Action* action) override {
    segment_begin = m.position + m.header_size;
    *action = webm::Action::kRead;
    return webm::Status(webm::Status::kOkCompleted);
  }
  webm::Status OnSeek(const webm::ElementMetadata&, const webm::Seek& s) override {
    seeks.emplace_back(static_cast<std::uint32_t>(s.id.value()), s.position.value());
    return webm::Status(webm::Status::kOkCompleted);
  }
  webm::Status OnInfo(const webm::ElementMetadata&, const webm::Info& i) override {
    info = i;
    return webm::Status(webm::Status::kOkCompleted);
  }
  webm::Status OnTrackEntry(const webm::ElementMetadata&, const webm::TrackEntry& t) override {
    track = t;
    return webm::Status(webm::Status::kOkCompleted);
  }
  webm::Status OnClusterBegin(const webm::ElementMetadata& m, const webm::Cluster& c, webm::Action* action) override {
    cluster = m.position;
    cluster_time = c.timecode.value();
    *action = webm::Action::kRead;
    return webm::Status(webm::Status::kOkCompleted);
  }
  webm::Status OnSimpleBlockBegin(const webm::ElementMetadata&, const webm::SimpleBlock& b,
                                  webm::Action* action) override {
    is_key = b.is_key_frame;
    block_time = cluster_time + static_cast<std::uint64_t>(b.timecode);
    *action = webm::Action::kRead;
    return webm::Status(webm::Status::kOkCompleted);
  }
  webm::Status OnFrame(const webm::FrameMetadata&, webm::Reader* reader, std::uint64_t* remaining) override {
    Block block{cluster, block_time, std::vector<std::uint8_t>(*remaining), is_key};
    std::uint64_t read = 0;
    const auto status = reader->Read(block.bytes.size(), block.bytes.data(), &read);
    *remaining -= read;
    blocks.push_back(std::move(block));
    return status;
  }
  webm::Status OnCuePoint(const webm::ElementMetadata& m, const webm::CuePoint& c) override {
    if (cues.empty()) cues_position = m.position;
    cues.push_back({c.time.value(), c.cue_track_positions.at(0).value().cluster_position.value()});
    return webm::Status(webm::Status::kOkCompleted);
  }
};

void parse(const fs::path& path, Parsed& parsed) {
  FILE* file = std::fopen(path.c_str(), "rb");
  ASSERT_NE(file, nullptr);
  webm::FileReader reader(file);  // closes it
  webm::WebmParser parser;
  const webm::Status status = parser.Feed(&parsed, &reader);
  EXPECT_TRUE(status.completed_ok()) << status.code;
}

/// Frame n is n bytes of the value n; every `gap`-th is a key frame.
void write_frames(const fs::path& path, int count, int gap, double period_s) {
  WebmWriter writer(path, {64, 48, period_s});
  for (int n = 0; n < count; ++n) {
    const std::vector<std::byte> packet(static_cast<std::size_t>(1 + n % 300), static_cast<std::byte>(n));
    writer.add(packet, n % gap == 0);
  }
  writer.finish();
}

std::uint32_t id_at(const fs::path& path, std::uint64_t position) {
  const std::vector<char> bytes = bytes_of(path);
  std::uint32_t id = 0;
  for (std::size_t i = 0; i < 4; ++i) id = id << 8 | static_cast<unsigned char>(bytes.at(position + i));
  return id;
}

void expect_sound(const fs::path& path, int count, int gap, double period_s) {
  Parsed p;
  parse(path, p);
  EXPECT_EQ(p.ebml.doc_type.value(), "webm");
  EXPECT_EQ(p.info.timecode_scale.value(), 1000000U);
  EXPECT_DOUBLE_EQ(p.info.duration.value(), count * period_s * 1000);
  ASSERT_EQ(p.blocks.size(), static_cast<std::size_t>(count));
  for (int n = 0; n < count; ++n) {
    const auto& block = p.blocks[static_cast<std::size_t>(n)];
    EXPECT_NEAR(static_cast<double>(block.time_ms), n * period_s * 1000, 0.5);
    EXPECT_EQ(block.is_key, n % gap == 0);
    ASSERT_EQ(block.bytes,
              std::vector<std::uint8_t>(static_cast<std::size_t>(1 + n % 300), static_cast<std::uint8_t>(n)));
  }
  // Each cue leads to a cluster that begins with the key frame of its time.
  ASSERT_EQ(p.cues.size(), static_cast<std::size_t>((count + gap - 1) / gap));
  for (std::size_t i = 0; i < p.cues.size(); ++i) {
    const auto& key = p.blocks[i * static_cast<std::size_t>(gap)];
    EXPECT_EQ(p.cues[i].cluster + p.segment_begin, key.cluster);
    EXPECT_EQ(p.cues[i].time_ms, key.time_ms);
    EXPECT_EQ(id_at(path, p.cues[i].cluster + p.segment_begin), 0x1F43B675U);
  }
  ASSERT_EQ(p.seeks.size(), 3U);
  for (const auto& [id, position] : p.seeks) EXPECT_EQ(id_at(path, p.segment_begin + position), id);
}

TEST(WebmWriter, CuesDurationAndContentsLeadToWhatTheyName) {
  const TemporaryFolder folder;
  write_frames(folder / "a.webm", 120, 12, 0.04);
  expect_sound(folder / "a.webm", 120, 12, 0.04);
}

TEST(WebmWriter, CuesStandBeforeTheClusters) {
  const TemporaryFolder folder;
  write_frames(folder / "a.webm", 120, 12, 0.04);
  Parsed p;
  parse(folder / "a.webm", p);
  EXPECT_LT(p.cues_position, p.blocks.front().cluster);
}

TEST(WebmWriter, MoreCuesThanFitStandAfterTheClusters) {
  const TemporaryFolder folder;
  write_frames(folder / "a.webm", 1300, 2, 1.0 / 30);
  expect_sound(folder / "a.webm", 1300, 2, 1.0 / 30);
  Parsed p;
  parse(folder / "a.webm", p);
  EXPECT_GT(p.cues_position, p.blocks.back().cluster);
}

TEST(WebmWriter, SlowFramesStartClustersBeforeTheirTimeOverflows) {
  const TemporaryFolder folder;
  write_frames(folder / "a.webm", 9, 9, 20);
  expect_sound(folder / "a.webm", 9, 9, 20);
}

TEST(WebmWriter, OneFrameIsAVideo) {
  const TemporaryFolder folder;
  write_frames(folder / "a.webm", 1, 1, 0.04);
  expect_sound(folder / "a.webm", 1, 1, 0.04);
}

TEST(WebmWriter, StatesThePictureAndItsColours) {
  const TemporaryFolder folder;
  write_frames(folder / "a.webm", 2, 1, 0.04);
  Parsed p;
  parse(folder / "a.webm", p);
  EXPECT_EQ(p.track.codec_id.value(), "V_VP9");
  EXPECT_EQ(p.track.default_duration.value(), 40000000U);
  const webm::Video& video = p.track.video.value();
  EXPECT_EQ(video.pixel_width.value(), 64U);
  EXPECT_EQ(video.pixel_height.value(), 48U);
  const webm::Colour& colour = video.colour.value();
  EXPECT_EQ(colour.matrix_coefficients.value(), webm::MatrixCoefficients::kBt709);
  EXPECT_EQ(colour.range.value(), webm::Range::kBroadcast);
  EXPECT_EQ(colour.transfer_characteristics.value(), webm::TransferCharacteristics::kIec6196621);
  EXPECT_EQ(colour.primaries.value(), webm::Primaries::kBt709);
}

}  // namespace
}  // namespace isocenter::detail::io
#endif
