#include <gmock/gmock.h>

#include <isocenter/render/volume_render.hpp>

#include "device_test.hpp"
#include "render/render_test_data.hpp"

namespace isocenter::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

/// One unshaded orthographic frame from the front on black, white light, opacity of 1 mm as given.
VolumeRender::Params plain(double opacity) {
  return {.transfer_points = {0, opacity, 1, 1, 1},
          .width = 16,
          .height = 16,
          .frames = 1,
          .camera = CameraKind::orthographic,
          .shading = false,
          .background = {0, 0, 0}};
}
Volume cube(int n, float value, double spacing = 1) {
  return Volume::own(std::vector<float>(static_cast<std::size_t>(n) * n * n, value), n, n, n,
                     Geometry({spacing, spacing, spacing}, {0, 0, 0}), "1");
}

ISOCENTER_DEVICE_SUITE(VolumeRenderTest);

TEST_P(VolumeRenderTest, OfAHomogeneousSlabIsOneMinusTheExponentialOfItsDepth) {
  for (const double opacity : {0.001, 0.02, 0.1})
    for (const double spacing : {0.5, 1.0, 2.0})
      for (const double samples : {0.3, 1.0, 2.7}) {
        auto params = plain(opacity);
        params.samples_per_voxel = samples;
        const Picture p(rendered<VolumeRender>(context(), params, cube(12, 5, spacing), nullptr, options()));
        // Beer and Lambert: what comes through d mm is (1 - opacity)^d.
        const int expected = srgb_byte(1 - std::pow(1 - opacity, 12 * spacing));
        for (const int at : {1, 8, 14}) EXPECT_NEAR(p.grey(0, at, at), expected, 1) << opacity << " " << spacing;
      }
}

TEST_P(VolumeRenderTest, MixesLayersFromFrontToBackInLinearLight) {
  // The front half is red, the back half blue; the change lies between two slices.
  const Volume v = stored({{0, 1, 2}, {}}, {16, 16, 16}, {0, 0, 0}, {1, 1, 1},
                          [](std::array<double, 3> p) { return p[1] < 7.5 ? 0 : 100; });
  auto params = plain(0);
  params.transfer_points = {49.9, 0.1, 1, 0, 0, 50.1, 0.05, 0, 0, 1};
  params.samples_per_voxel = 10;
  const double front = 1 - std::pow(0.9, 8), back = std::pow(0.9, 8) * (1 - std::pow(0.95, 8));
  const auto seen = Picture(rendered<VolumeRender>(context(), params, v, nullptr, options())).at(0, 7, 9);
  EXPECT_NEAR(seen[0], srgb_byte(front), 1);
  EXPECT_EQ(seen[1], 0);
  EXPECT_NEAR(seen[2], srgb_byte(back), 1);
  params.turn_deg = 180;
  const auto behind = Picture(rendered<VolumeRender>(context(), params, v, nullptr, options())).at(0, 7, 9);
  EXPECT_NEAR(behind[2], srgb_byte(1 - std::pow(0.95, 8)), 1);
  EXPECT_NEAR(behind[0], srgb_byte(std::pow(0.95, 8) * front), 1);
}

TEST_P(VolumeRenderTest, ShowsTheBackgroundInTheColourThatWasAskedFor) {
  for (int code = 0; code < 256; code += 3) {
    auto params = plain(0);
    const double c = code / 255.0;
    params.background = {c, 1 - c, 0.5};
    const auto seen = Picture(rendered<VolumeRender>(context(), params, cube(3, 0), nullptr, options())).at(0, 3, 5);
    ASSERT_EQ(seen, (std::array{code, 255 - code, 128}));
  }
}

TEST_P(VolumeRenderTest, ShadesTheSideThatFacesTheLight) {
  // A ball, seen from the front with the light above the viewer's left shoulder.
  const Volume v = stored({{0, 1, 2}, {}}, {41, 41, 41}, {-20, -20, -20}, {1, 1, 1}, [](std::array<double, 3> p) {
    return 100 - 6 * std::sqrt(p[0] * p[0] + p[1] * p[1] + p[2] * p[2]);
  });
  auto params = plain(0);
  params.transfer_points = {18, 0, 0.8, 0.8, 0.8, 22, 0.99, 0.8, 0.8, 0.8};
  params.shading = true;
  params.width = params.height = 64;
  const Picture p(rendered<VolumeRender>(context(), params, v, nullptr, options()));
  EXPECT_GT(p.grey(0, 26, 26), p.grey(0, 38, 38) + 20) << "upper left against lower right";
  EXPECT_EQ(p.grey(0, 2, 2), 0);
}

TEST_P(VolumeRenderTest, LooksTheSameHoweverTheVolumeIsStored) {
  const auto field = [](std::array<double, 3> p) {
    return 100 * std::exp(-0.02 * ((p[0] - 4) * (p[0] - 4) + p[1] * p[1] + (p[2] + 6) * (p[2] + 6)));
  };
  VolumeRender::Params params{.transfer_points = {10, 0, 0.9, 0.4, 0.3, 60, 0.5, 1, 0.9, 0.8},
                              .width = 40,
                              .height = 32,
                              .frames = 3,
                              .elevation_deg = 15};
  const auto show = [&](const Storage& s) {
    return Picture(rendered<VolumeRender>(context(), params, stored(s, {24, 20, 17}, {-12, -10, -16}, {1, 1, 2}, field),
                                          nullptr, options()));
  };
  const Picture first = show({{0, 1, 2}, {}});
  for (const Storage& s : all_storages()) EXPECT_LE(difference(first, show(s))[0], 2);
}

TEST_P(VolumeRenderTest, ShowsLabelsInTheirColoursAndHidesThoseNamed) {
  const Volume v = cube(24, 0);
  std::vector<std::uint8_t> labels(24 * 24 * 24, 0);
  for (int z = 14; z < 22; ++z)  // label 1 on the patient's left at the head, label 2 on the right at the feet
    for (int y = 8; y < 16; ++y)
      for (int x = 14; x < 22; ++x) {
        labels[static_cast<std::size_t>((z * 24 + y) * 24 + x)] = 1;
        labels[static_cast<std::size_t>(((23 - z) * 24 + y) * 24 + 23 - x)] = 2;
      }
  Segmentation s = segmentation_of(labels, v);
  const double colours[] = {0, 0, 0, 1, 0, 0, 0, 1, 0};
  s.set_numbers("labels.colours", colours);
  auto params = plain(0);
  params.width = params.height = 24;
  params.label_opacity = 0.9;
  const Picture p(rendered<VolumeRender>(context(), params, v, &s, options()));
  EXPECT_EQ(p.at(0, 5, 18), (std::array{255, 0, 0}));
  EXPECT_EQ(p.at(0, 18, 5), (std::array{0, 255, 0}));
  EXPECT_EQ(p.at(0, 5, 5), (std::array{0, 0, 0}));
  params.hidden_labels = {1};
  EXPECT_EQ(Picture(rendered<VolumeRender>(context(), params, v, &s, options())).at(0, 5, 18), (std::array{0, 0, 0}));
}

TEST_P(VolumeRenderTest, PlaysTimeAndOrbitAtOnce) {
  std::vector<float> voxels;
  for (int t = 0; t < 2; ++t) voxels.insert(voxels.end(), 10 * 10 * 10, static_cast<float>(t));
  Volume v = Volume::describe(10, 10, 10, 2, Geometry(), "1");
  v.set_tensor("voxels", tensor(DType::float32, "tzyx", {2, 10, 10, 10}, voxels.data()));
  auto params = plain(0);
  params.transfer_points = {0, 0.05, 1, 0, 0, 1, 0.05, 0, 1, 0};
  params.frames = 8;
  params.time_cycles = 2;
  params.frames_per_second = 4;
  const Payload out = rendered<VolumeRender>(context(), params, v, nullptr, options());
  EXPECT_EQ(out.geometry().time_step_s, 0.25);
  const Picture p(out);
  for (int frame = 0; frame < 8; ++frame) {
    const auto seen = p.at(frame, 8, 8);
    EXPECT_EQ(seen[frame / 2 % 2 == 0 ? 1 : 0], 0) << frame;
    EXPECT_GT(seen[frame / 2 % 2 == 0 ? 0 : 1], 100) << frame;
  }
}

TEST_P(VolumeRenderTest, TakesVolumesOfOneVoxelAcross) {
  for (const auto& n : {std::array{1, 9, 7}, std::array{9, 1, 7}, std::array{9, 7, 1}, std::array{1, 1, 1}}) {
    const Volume v = random_volume(n[0], n[1], n[2], 3);
    const Picture p(rendered<VolumeRender>(context(), plain(0.5), v, nullptr, options()));
    EXPECT_GT(p.grey(0, 8, 8), 0);
  }
}

VolumeRender::Params rich() {
  return {.transfer_points = {8, 0, 0.9, 0.5, 0.3, 30, 0.1, 0.9, 0.5, 0.3, 60, 0.7, 1, 1, 0.9},
          .width = 77,
          .height = 53,
          .frames = 3,
          .zoom = 1.3,
          .elevation_deg = 25};
}

TEST(VolumeRenderOnCpu, IsTheReferenceBitForBitOnAnyNumberOfThreads) {
  const Volume v = Volume::own(blobs(61, 47, 33), 61, 47, 33, Geometry({1, 1.1, 1.6}, {0, 0, 0}), "1");
  std::vector<std::uint8_t> labels(61 * 47 * 33, 0);
  for (int i = 0; i < 61 * 47 * 33; ++i)
    if (i % 61 > 40 && i % 61 < 50 && i / 61 % 47 > 10 && i / 61 % 47 < 21 && i / 61 / 47 > 3 && i / 61 / 47 < 9)
      labels[static_cast<std::size_t>(i)] = static_cast<std::uint8_t>(1 + i % 2);
  const Segmentation s = segmentation_of(labels, v);
  for (const Segmentation* with : {static_cast<const Segmentation*>(nullptr), &s})
    for (const auto camera : {CameraKind::perspective, CameraKind::orthographic}) {
      auto params = rich();
      params.camera = camera;
      const Picture reference(rendered<VolumeRender>(context_with(1, true), params, v, with));
      for (const int threads : {1, 3})
        EXPECT_EQ(difference(Picture(rendered<VolumeRender>(context_with(threads, false), params, v, with)), reference),
                  (std::array{0, 0}));
    }
}

TEST(VolumeRenderOnCpu, ClearsNothingAwayWhenLabelsStandStillAndTheVolumeMoves) {
  std::vector<float> voxels(2 * 16 * 16 * 16, 0.0F);
  Volume v = Volume::describe(16, 16, 16, 2, Geometry(), "1");
  v.set_tensor("voxels", tensor(DType::float32, "tzyx", {2, 16, 16, 16}, voxels.data()));
  std::vector<std::uint8_t> labels(16 * 16 * 16, 0);
  for (int z = 5; z < 11; ++z)
    for (int y = 5; y < 11; ++y)
      for (int x = 5; x < 11; ++x) labels[static_cast<std::size_t>((z * 16 + y) * 16 + x)] = 1;
  const Segmentation s = segmentation_of(labels, v);
  auto params = plain(0);
  params.frames = 2;
  const Picture p(rendered<VolumeRender>(context(), params, v, &s));
  for (int frame = 0; frame < 2; ++frame) EXPECT_GT(p.grey(frame, 8, 8), 100) << frame;
}

TEST(VolumeRenderErrors, NameWhatIsWrongWithATransferFunction) {
  const Volume v = cube(3, 0);
  const auto message = [&](std::vector<double> points) {
    return error_of([&] { rendered<VolumeRender>(context(), {.transfer_points = points}, v, nullptr); });
  };
  EXPECT_THAT(message({0, 0.1, 1, 1}), AllOf(HasSubstr("transfer_points has 4 numbers"), HasSubstr("five for each")));
  EXPECT_THAT(message({0, 1.5, 1, 1, 1}), HasSubstr("point 1: opacity or colour 1.5 is outside [0, 1]"));
  EXPECT_THAT(message({9, 0.5, 1, 1, 1, 9, 0.5, 1, 1, 1}), HasSubstr("point 2: value 9 does not come after 9"));
}

TEST(VolumeRenderErrors, NameABackgroundThatIsNoColour) {
  EXPECT_THAT(error_of([&] { rendered<VolumeRender>(context(), {.background = {0.5}}, cube(3, 0), nullptr); }),
              HasSubstr("background has 1 numbers"));
}

TEST(VolumeRenderErrors, NameASegmentationOfAnotherType) {
  const Volume v = cube(3, 0);
  std::vector<std::uint16_t> labels(27);
  Segmentation s = Segmentation::describe(3, 3, 3, v.geometry());
  s.set_tensor("labels", tensor(DType::uint16, "zyx", {3, 3, 3}, labels.data()));
  EXPECT_THAT(error_of([&] { rendered<VolumeRender>(context(), {}, v, &s); }),
              HasSubstr("input 'segmentation' holds uint16, and uint8 is needed"));
}

}  // namespace
}  // namespace isocenter::testing
