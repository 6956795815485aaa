// The operators in pipelines, through the run-time module: what they read, write, refuse and leave behind.
#include <isocenter/io/image_sink.hpp>
#include <isocenter/io/image_source.hpp>
#include <isocenter/io/label_source.hpp>
#include <isocenter/io/png_sink.hpp>
#include <isocenter/io/video_sink.hpp>

#include "io/png_file.hpp"
#include "operator_runs.hpp"

namespace isocenter {
namespace {
using namespace io_test;
using testing::context;

Volume volume(std::int64_t nx, std::int64_t ny, std::int64_t nz) {
  std::vector<float> values(static_cast<std::size_t>(nx * ny * nz));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i) - 100.5F;
  return Volume::own(std::move(values), nx, ny, nz, {{0.5, 0.75, 2}, {-10, 20, 30}}, "HU");
}

/// Frames that keep their bytes: pixel (x, y) of frame n is (n * 20, x, y).
struct Pictures {
  Pictures(std::int64_t count, std::int64_t height, std::int64_t width, double period_s = 0.04)
      : frames(Frames::describe(count, height, width, period_s)) {
    for (std::int64_t n = 0; n < count; ++n)
      for (std::int64_t y = 0; y < height; ++y)
        for (std::int64_t x = 0; x < width; ++x)
          for (const std::int64_t v : {n * 20, x, y}) pixels.push_back(static_cast<std::uint8_t>(v));
    frames.set_tensor("pixels", tensor(DType::uint8, "nyxc", {count, height, width, 3}, pixels.data()));
  }
  std::vector<std::uint8_t> pixels;
  Frames frames;
};

TEST(ImageSource, GivesTheFilesValuesGeometryAndTheUnitAskedFor) {
  const Volume v = read<ImageSource>({.path = fixture("series_float.nrrd").string(), .unit = "HU"});
  EXPECT_STREQ(v.voxels().axes, "tzyx");
  EXPECT_EQ(v.nt(), 2);
  EXPECT_EQ(v.unit(), "HU");
  EXPECT_DOUBLE_EQ(v.geometry().time_origin_s, 0.5);
  EXPECT_DOUBLE_EQ(v.geometry().time_step_s, 0.04);
  EXPECT_EQ(v.values()[4 + 5 * (3 + 4 * (2 + 3 * 1))], 1234);
}

TEST(ImageSource, AGreyPngIsOneSlice) {
  const Volume deep = read<ImageSource>({.path = fixture("grey16.png").string()});
  EXPECT_EQ(deep.nx(), 7);
  EXPECT_EQ(deep.ny(), 4);
  EXPECT_EQ(deep.nz(), 1);
  EXPECT_EQ(deep.values()[7 * 3 + 6], 3006);
  const Volume sized = read<ImageSource>({.path = fixture("grey8.png").string()});
  EXPECT_DOUBLE_EQ(sized.geometry().spacing_mm[0], 0.5);
  EXPECT_DOUBLE_EQ(sized.geometry().spacing_mm[1], 1.0);
  EXPECT_EQ(sized.values()[7 * 3 + 6], 36);
}

TEST(ImageSource, ErrorsNameTheNodeAndTheFile) {
  expect_failure([] { read<ImageSource>({.path = "/none/scan.nii"}); }, ErrorCode::not_found,
                 {"'read'", "/none/scan.nii"});
  expect_failure([] { read<ImageSource>({.path = "scan.dcm"}); }, ErrorCode::unsupported,
                 {"'read'", "scan.dcm", ".nii.gz"});
  expect_failure([] { read<ImageSource>({.path = fixture("rgb8.png").string()}); }, ErrorCode::unsupported,
                 {"rgb8.png", "grey"});
  expect_failure([] { read<ImageSource>({}); }, ErrorCode::invalid_argument, {"'read'", "path"});
}

TEST(ImageSource, ATruncatedFileIsTheItemsError) {
  const TemporaryFolder folder;
  std::vector<char> bytes = bytes_of(fixture("oblique_float.mha"));
  bytes.resize(bytes.size() - 3);
  write_bytes(folder / "cut.mha", bytes);
  expect_failure([&] { read<ImageSource>({.path = (folder / "cut.mha").string()}); }, ErrorCode::bad_data,
                 {"'read'", "cut.mha", "truncated"});
}

TEST(ImageSource, WarnsOfAFileWithoutOrientation) {
  Pipeline pipeline(context());
  pipeline.add_output("result",
                      pipeline.add<ImageSource>("read", {.path = fixture("no_orientation.nii").string()}).output);
  EXPECT_THAT(pipeline.prepare().report(), ::testing::HasSubstr("does not say how it lies in the patient"));
}

TEST(LabelSource, GivesLabelsAndTheirNames) {
  const Segmentation s = read<LabelSource>({.path = fixture("quaternion_only_uint8.nii").string(), .names = "a\\b"});
  EXPECT_EQ(s.labels().as<std::uint8_t>()[4 + 5 * (3 + 4 * 2)], 234);
  EXPECT_EQ(s.text("labels.names"), "a\\b");
}

TEST(ImageSink, WhatItWritesReadsBackTheSame) {
  const TemporaryFolder folder;
  const Volume before = volume(9, 7, 5);
  for (const char* name : {"v.nii", "v.nii.gz", "v.mha", "v.mhd", "v.nrrd"}) {
    write<ImageSink>({.path = (folder / name).string()}, std::vector{before});
    const Volume after = read<ImageSource>({.path = (folder / name).string()});
    EXPECT_TRUE(std::ranges::equal(after.values(), before.values())) << name;
    for (int i = 0; i < 3; ++i) {
      EXPECT_EQ(after.geometry().origin_mm[i], before.geometry().origin_mm[i]) << name;
      EXPECT_EQ(after.geometry().spacing_mm[i], before.geometry().spacing_mm[i]) << name;
    }
  }
}

TEST(ImageSink, NumbersItemsWhereThePathSaysSo) {
  const TemporaryFolder folder;
  write<ImageSink>({.path = (folder / "phase_%02d.mha").string()}, std::vector{volume(2, 2, 2), volume(2, 2, 2)});
  EXPECT_EQ(folder.names(), (std::vector<std::string>{"phase_00.mha", "phase_01.mha"}));
  expect_failure(
      [&] {
        write<ImageSink>({.path = (folder / "one.mha").string()}, std::vector{volume(2, 2, 2), volume(2, 2, 2)});
      },
      ErrorCode::invalid_argument, {"'write'", "one.mha", "second item", "%04d"});
}

TEST(ImageSink, WritesSegmentations) {
  const TemporaryFolder folder;
  std::vector<std::uint8_t> labels{0, 1, 2, 3, 4, 5};
  Segmentation s = Segmentation::describe(3, 2, 1, {{1, 1, 1}, {0, 0, 0}});
  s.set_tensor("labels", tensor(DType::uint8, "zyx", {1, 2, 3}, labels.data()));
  write<ImageSink>({.path = (folder / "s.nrrd").string(), .compress = true}, std::vector{s});
  const Segmentation back = read<LabelSource>({.path = (folder / "s.nrrd").string()});
  EXPECT_TRUE(std::equal(labels.begin(), labels.end(), back.labels().as<std::uint8_t>()));
  expect_failure(
      [&] {
        write<ImageSink>({.path = (folder / "t.nrrd").string(), .voxel_type = StoredVoxels::int16}, std::vector{s});
      },
      ErrorCode::invalid_argument, {"voxel_type = int16", "labels are stored as they are"});
}

TEST(ImageSink, RefusesWhilePlanning) {
  const TemporaryFolder folder;
  const auto refused = [&](const ImageSink::Params& params, ErrorCode code, const std::vector<std::string>& parts) {
    Pipeline pipeline(context());
    const auto in = pipeline.add_input("in", volume(2, 2, 2));
    pipeline.connect(in, pipeline.add<ImageSink>("write", params).input);
    expect_failure([&] { pipeline.prepare(); }, code, parts);
  };
  refused({.path = (folder / "v.stl").string()}, ErrorCode::unsupported, {"'write'", "v.stl", ".nrrd"});
  const TemporaryFolder other;
  write_bytes(other / "file", {'x'});
  refused({.path = (other / "file/v.nii").string()}, ErrorCode::io_error, {"'write'", "file/v.nii", "Not a directory"});
  refused({.path = (folder / "v.nii").string(), .compress = true}, ErrorCode::invalid_argument,
          {"compress = true", ".nii.gz"});
  refused({.path = (folder / "50%.nii").string()}, ErrorCode::invalid_argument, {"percent"});
  EXPECT_THAT(folder.names(), ::testing::IsEmpty());
}

TEST(ImageSink, WarnsWhenRoundingWouldLoseTheValues) {
  const TemporaryFolder folder;
  Pipeline pipeline(context());
  Volume attenuation = volume(2, 2, 2);
  attenuation.set_text("unit", "1/mm");
  const auto in = pipeline.add_input("in", attenuation);
  pipeline.connect(
      in,
      pipeline.add<ImageSink>("write", {.path = (folder / "v.nii").string(), .voxel_type = StoredVoxels::int16}).input);
  EXPECT_THAT(pipeline.prepare().report(), ::testing::HasSubstr("int16 rounds them to whole numbers"));
}

TEST(PngSink, WritesOneFrameOrNumberedOnes) {
  const TemporaryFolder folder;
  Pictures one(1, 5, 7), several(3, 5, 7);
  one.frames.set_numbers("pixel_size_mm", std::array{0.5, 0.25});
  write<PngSink>({.path = (folder / "one.png").string()}, std::vector{one.frames});
  write<PngSink>({.path = (folder / "f_%03d.png").string()}, std::vector{several.frames, several.frames});
  EXPECT_EQ(folder.names(), (std::vector<std::string>{"f_000.png", "f_001.png", "f_002.png", "f_003.png", "f_004.png",
                                                      "f_005.png", "one.png"}));
  const auto info = detail::io::read_png_info(folder / "one.png");
  EXPECT_DOUBLE_EQ(info.pixel_width_mm, 0.5);
  EXPECT_DOUBLE_EQ(info.pixel_height_mm, 0.25);
  std::vector<std::byte> pixels(5 * 7 * 3);
  detail::io::read_png(folder / "f_005.png", detail::io::read_png_info(folder / "f_005.png"), pixels);
  EXPECT_EQ(std::memcmp(pixels.data(), several.pixels.data() + 2 * pixels.size(), pixels.size()), 0);
}

TEST(PngSink, RefusesSeveralFramesWithoutANumberAndNone) {
  const TemporaryFolder folder;
  const std::string path = (folder / "one.png").string();
  expect_failure([&] { write<PngSink>({.path = path}, std::vector{Pictures(3, 5, 7).frames}); },
                 ErrorCode::invalid_argument, {"'write'", "3 frames", "%04d"});
  const Pictures one(1, 5, 7);
  expect_failure(
      [&] {
        write<PngSink>({.path = path}, std::vector{one.frames, one.frames});
      },
      ErrorCode::invalid_argument, {"second frame", "one.png"});
  expect_failure([&] { write<PngSink>({.path = (folder / "one.jpg").string()}, std::vector{one.frames}); },
                 ErrorCode::unsupported, {"one.jpg", ".png"});
}

TEST(VideoSink, WritesAllItemsIntoOneVideo) {
  const TemporaryFolder folder;
  const Pictures p(5, 48, 64);
  write<VideoSink>({.path = (folder / "v.webm").string()}, std::vector{p.frames, p.frames, p.frames});
  EXPECT_EQ(folder.names(), std::vector<std::string>{"v.webm"});
  const std::vector<char> bytes = bytes_of(folder / "v.webm");
  EXPECT_EQ(std::string(bytes.begin(), bytes.begin() + 4), "\x1A\x45\xDF\xA3");
}

TEST(VideoSink, RefusesFramesWithoutARateUnlessItIsGiven) {
  const TemporaryFolder folder;
  const Pictures p(2, 48, 64, 0);
  const std::string path = (folder / "v.webm").string();
  expect_failure([&] { write<VideoSink>({.path = path}, std::vector{p.frames}); }, ErrorCode::bad_data,
                 {"'write'", "no time step", "frames_per_second"});
  write<VideoSink>({.path = path, .frames_per_second = 10}, std::vector{p.frames});
  EXPECT_TRUE(fs::exists(path));
}

TEST(VideoSink, RefusesAStreamWithoutItems) {
  const TemporaryFolder folder;
  Pipeline pipeline(context());
  const auto in = pipeline.add_input("in", Frames::describe(1, 48, 64, 0.04));
  pipeline.connect(in, pipeline.add<VideoSink>("write", {.path = (folder / "v.webm").string()}).input);
  Session session = pipeline.prepare();
  session.start();
  session.end_input("in");
  expect_failure([&] { session.wait(); }, ErrorCode::bad_data, {"no frame came", "v.webm"});
  EXPECT_THAT(folder.names(), ::testing::IsEmpty());
}

TEST(VideoSink, ACancelledSessionLeavesNoFile) {
  const TemporaryFolder folder;
  const Pictures p(2, 48, 64);
  Pipeline pipeline(context());
  const auto in = pipeline.add_input("in", p.frames);
  pipeline.connect(in, pipeline.add<VideoSink>("write", {.path = (folder / "v.webm").string()}).input);
  {
    Session session = pipeline.prepare();
    session.start();
    session.push("in", p.frames);
    session.cancel();
    EXPECT_THROW(session.wait(), Error);
  }
  EXPECT_THAT(folder.names(), ::testing::IsEmpty());
}

}  // namespace
}  // namespace isocenter
