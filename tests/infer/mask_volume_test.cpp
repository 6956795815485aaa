#include <gmock/gmock.h>

#include <isocenter/infer/mask_volume.hpp>
#include <numeric>

#include "device_test.hpp"

namespace isocenter::testing {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// A row of voxels with the values 1, 2, 3, ... and frames of such rows; labels of one row for all frames, or for each.
std::vector<float> masked(const MaskVolume::Params& params, std::vector<std::uint8_t> labels, std::int64_t voxels,
                          std::int64_t frames = 1, double shift_mm = 0, const std::string& device = "cpu") {
  Geometry geometry;
  Volume volume = frames == 1 ? Volume::describe(voxels, 1, 1, geometry, "HU")
                              : Volume::describe(voxels, 1, 1, frames, geometry, "HU");
  context().allocate(volume);
  std::iota(volume.values().begin(), volume.values().end(), 1.0F);
  const auto n = static_cast<std::int64_t>(labels.size());
  geometry.origin_mm[1] = shift_mm;
  Segmentation mask{Payload(ISOCENTER_SEGMENTATION)};
  mask.set_tensor("labels", n > voxels ? tensor(DType::uint8, "tzyx", {n / voxels, 1, 1, voxels}, labels.data())
                                       : tensor(DType::uint8, "zyx", {1, 1, n}, labels.data()));
  mask.set_geometry(geometry);
  Pipeline pipeline(context());
  const auto in = pipeline.add_input("in", volume);
  const auto mask_in = pipeline.add_input("mask_in", mask);
  const auto node = pipeline.add<MaskVolume>("mask", params);
  pipeline.connect(in, node.input);
  pipeline.connect(mask_in, node.mask);
  pipeline.add_output("out", node.output);
  Session session = pipeline.prepare({.device = device});
  session.start();
  session.push("in", volume);
  session.push("mask_in", mask);
  for (const char* way : {"in", "mask_in"}) session.end_input(way);
  const auto result = session.pull("out");
  EXPECT_EQ(Volume(*result).unit(), "HU");
  const auto values = Volume(*result).values();
  return {values.begin(), values.end()};
}

TEST(MaskVolume, KeepsWhereALabelIs) {
  EXPECT_THAT(masked({}, {0, 1, 0, 7, 255}, 5), ElementsAre(-1024, 2, -1024, 4, 5));
}

TEST(MaskVolume, KeepsOnlyTheLabelsThatAreNamed) {
  EXPECT_THAT(masked({.labels = {7, 2}, .outside = 0}, {0, 1, 2, 7, 255}, 5), ElementsAre(0, 0, 3, 4, 0));
}

TEST(MaskVolume, KeepsTheLargestConnectedPartWhateverItsLabels) {
  EXPECT_THAT(masked({.outside = 0, .largest_component = true}, {3, 3, 0, 1, 2, 1, 0, 9}, 8),
              ElementsAre(0, 0, 0, 4, 5, 6, 0, 0));
}

TEST(MaskVolume, TakesOneMaskForAllFramesOrOneForEach) {
  EXPECT_THAT(masked({.outside = 0}, {0, 1}, 2, 3), ElementsAre(0, 2, 0, 4, 0, 6));
  EXPECT_THAT(masked({.outside = 0}, {0, 1, 1, 0, 0, 0}, 2, 3), ElementsAre(0, 2, 3, 0, 0, 0));
  EXPECT_THAT(masked({.outside = 0, .largest_component = true}, {1, 0, 1, 1, 0, 0, 0, 1, 1}, 3, 3),
              ElementsAre(1, 0, 0, 4, 0, 0, 0, 8, 9));
}

TEST(MaskVolume, RefusesAMaskOnAnotherGrid) {
  EXPECT_THAT(error_of([] {
                masked({}, {0, 1, 0}, 5);
              }),
              AllOf(HasSubstr("the mask has 3 x 1 x 1 x 1 voxels (x, y, z, t) and the volume 5 x 1 x 1 x 1"),
                    HasSubstr("Fix: segment the volume that is masked")));
  EXPECT_THAT(error_of([] { masked({}, {0, 1}, 2, 1, 0.5); }), HasSubstr("the mask lies 0.5 mm from the volume"));
  EXPECT_THAT(error_of([] { masked({}, {0, 1, 0, 1}, 2, 3); }), HasSubstr("the mask has 2 x 1 x 1 x 2"));
}

TEST(MaskVolume, RefusesALabelThatIsNone) {
  EXPECT_THAT(error_of([] { masked({.labels = {1.5}}, {0, 1}, 2); }), HasSubstr("labels holds 1.5, which is no label"));
}

}  // namespace
}  // namespace isocenter::testing
