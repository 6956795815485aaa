// Boxes against figures of deepbet 1.0.2's own get_bbox_with_margin and PyTorch's nearest-exact, and the way back.
#include <gmock/gmock.h>

#include <isocenter/volume/crop_volume.hpp>
#include <isocenter/volume/paste_volume.hpp>

#include "volume_test_data.hpp"

namespace isocenter::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

struct Cut {
  std::vector<float> values;
  std::vector<std::int32_t> box;
  std::vector<float> back;
  Geometry geometry;
};

Volume numbered(std::int64_t nx, std::int64_t ny, std::int64_t nz, const Geometry& g = Geometry()) {
  Volume v = Volume::describe(nx, ny, nz, g, "HU");
  context().allocate(v);
  for (std::size_t i = 0; i < v.values().size(); ++i) v.values()[i] = static_cast<float>(i);
  return v;
}

/// The crop, and what paste_volume makes of its values.
Cut cut(const Volume& volume, const Segmentation* around, const CropVolume::Params& params,
        const PasteVolume::Params& back = {}) {
  Pipeline pipeline(context());
  const auto crop = pipeline.add<CropVolume>("crop", params);
  const auto paste = pipeline.add<PasteVolume>("paste", back);
  const auto input = pipeline.add_input("volume", volume);
  pipeline.connect(input, crop.input);
  pipeline.connect(input, paste.reference);
  pipeline.connect(crop.output, paste.crop);
  pipeline.connect(crop.output, paste.input);
  if (around != nullptr) pipeline.connect(pipeline.add_input("labels", *around), crop.segmentation);
  pipeline.add_output("cut", crop.output);
  pipeline.add_output("back", paste.output);
  Session session = pipeline.prepare();
  session.start();
  session.push("volume", volume);
  if (around != nullptr) session.push("labels", *around);
  session.end_input("volume");
  if (around != nullptr) session.end_input("labels");
  const auto out = session.pull("cut"), pasted = session.pull("back");
  if (!out || !pasted) session.wait();
  Cut result;
  const auto values = out->tensor("voxels").span<float>();
  const auto box = out->tensor("box").span<std::int32_t>();
  const auto whole = pasted->tensor("voxels").span<float>();
  result.values.assign(values.begin(), values.end());
  result.box.assign(box.begin(), box.end());
  result.back.assign(whole.begin(), whole.end());
  result.geometry = out->geometry();
  return result;
}

CropVolume::Params to(std::vector<double> extent, Interpolation interpolation = Interpolation::nearest) {
  CropVolume::Params p;
  p.extent = std::move(extent);
  p.interpolation = interpolation;
  return p;
}

TEST(CropVolumeTest, TakesTheVoxelsThatPyTorchsNearestExactTakes) {
  // torch.nn.functional.interpolate(torch.arange(7.), size=..., mode="nearest-exact"), PyTorch 2.
  EXPECT_THAT(cut(numbered(7, 1, 1), nullptr, to({4, 1, 1})).values, ElementsAre(0, 2, 4, 6));
  EXPECT_THAT(cut(numbered(7, 1, 1), nullptr, to({10, 1, 1})).values, ElementsAre(0, 1, 1, 2, 3, 3, 4, 5, 5, 6));
  EXPECT_THAT(cut(numbered(6, 1, 1), nullptr, to({3, 1, 1})).values, ElementsAre(1, 3, 5)) << "halfway: the upper one";
}

TEST(CropVolumeTest, InterpolatesBetweenVoxelsAsPyTorchsLinearDoes) {
  // interpolate(torch.arange(4.), size=8, mode="linear", align_corners=False)
  EXPECT_THAT(cut(numbered(4, 1, 1), nullptr, to({8, 1, 1}, Interpolation::linear)).values,
              ElementsAre(0, 0.25F, 0.75F, 1.25F, 1.75F, 2.25F, 2.75F, 3));
}

TEST(CropVolumeTest, LaysTheBoxWhereDeepbetLaysIt) {
  // Labels 40 x 30 x 20 of a volume of 100 x 90 x 50. deepbet.bet.BrainExtraction.get_bbox_with_margin on them with
  // margin 0.1, slices above 2 %: slice(34, 73), slice(27, 63), slice(11, 29).
  std::vector<std::uint8_t> map(40 * 30 * 20, 0);
  for (std::size_t z = 5; z < 11; ++z)
    for (std::size_t y = 10; y < 20; ++y)
      for (std::size_t x = 15; x < 28; ++x) map[(z * 30 + y) * 40 + x] = 1;
  map[0] = 1;  // one voxel fills less than 2 % of its slices
  Segmentation labels = segmentation(map, 40, 30, 20, {2.5, 3, 2.5});
  Geometry field({2.5, 3, 2.5}, {0.75, 1, 0.75});  // the same borders
  labels.set_geometry(field);
  CropVolume::Params p = to({8, 8, 8});
  p.margin = 0.1;
  p.least_filled = 0.02;
  EXPECT_THAT(cut(numbered(100, 90, 50), &labels, p).box, ElementsAre(34, 27, 11, 39, 36, 18));
}

TEST(CropVolumeTest, HoldsTheBoxToTheVolume) {
  std::vector<std::uint8_t> map(6 * 5 * 4, 1);
  const Segmentation labels = segmentation(map, 6, 5, 4);
  CropVolume::Params p = to({3, 3, 3});
  p.margin = 1;
  EXPECT_THAT(cut(numbered(6, 5, 4), &labels, p).box, ElementsAre(0, 0, 0, 6, 5, 4));
}

TEST(CropVolumeTest, TurnsAxesAndBackToTheBit) {
  Geometry coronal({1, 2, 3}, {-10, 5, 20});  // x to the left, y to the feet, z to the front
  const double direction[9] = {1, 0, 0, 0, 0, -1, 0, -1, 0};
  std::copy(direction, direction + 9, coronal.direction);
  const Volume volume = numbered(5, 4, 3, coronal);
  CropVolume::Params p = to({});
  p.axes = "RAS";
  const Cut out = cut(volume, nullptr, p, {.interpolation = Interpolation::nearest});
  for (std::size_t i = 0; i < 5; ++i)
    for (std::size_t j = 0; j < 3; ++j)
      for (std::size_t k = 0; k < 4; ++k)
        ASSERT_EQ(out.values[(k * 3 + j) * 5 + i], static_cast<float>((j * 4 + (3 - k)) * 5 + (4 - i)));
  EXPECT_EQ(out.back, std::vector<float>(volume.values().begin(), volume.values().end()));
  const auto first = out.geometry.position_mm(0, 0, 0), same = coronal.position_mm(4, 3, 0);
  EXPECT_THAT(first, ElementsAre(same[0], same[1], same[2]));
}

TEST(CropVolumeTest, PutsBackOnlyTheBox) {
  std::vector<std::uint8_t> map(8 * 7 * 6, 0);
  for (std::size_t z = 2; z < 4; ++z)
    for (std::size_t y = 1; y < 5; ++y)
      for (std::size_t x = 3; x < 7; ++x) map[(z * 7 + y) * 8 + x] = 3;
  const Segmentation labels = segmentation(map, 8, 7, 6);
  PasteVolume::Params back;
  back.interpolation = Interpolation::nearest;
  back.outside = -7;
  const Volume volume = numbered(8, 7, 6);
  const Cut out = cut(volume, &labels, to({8, 8, 8}), back);  // twice and four times as many: each voxel is hit
  EXPECT_THAT(out.box, ElementsAre(3, 1, 2, 4, 4, 2));
  EXPECT_THAT(out.geometry.position_mm(-0.5, -0.5, -0.5), ElementsAre(2.5, 0.5, 1.5));
  EXPECT_THAT(out.geometry.position_mm(7.5, 7.5, 7.5), ElementsAre(6.5, 4.5, 3.5));
  for (std::size_t i = 0; i < map.size(); ++i) ASSERT_EQ(out.back[i], map[i] == 0 ? -7 : volume.values()[i]) << i;
}

TEST(CropVolumeErrors, SayWhatDoesNotFit) {
  const Volume volume = numbered(6, 5, 4);
  const Segmentation none = segmentation(std::vector<std::uint8_t>(6 * 5 * 4, 0), 6, 5, 4);
  EXPECT_THAT(error_of([&] {
                cut(volume, &none, to({3, 3, 3}));
              }),
              HasSubstr("no slice across axis x of input 'segmentation' has labels in more than 0 of its voxels"));
  const Segmentation smaller = segmentation(std::vector<std::uint8_t>(5 * 5 * 4, 1), 5, 5, 4);
  EXPECT_THAT(error_of([&] {
                cut(volume, &smaller, to({3, 3, 3}));
              }),
              HasSubstr("have corners up to 1 mm apart. Fix: segment the volume that is cut"));
  EXPECT_THAT(error_of([&] { cut(volume, &none, to({})); }), HasSubstr("extent is empty, and with a segmentation"));
  EXPECT_THAT(error_of([&] { cut(volume, nullptr, to({3, 3})); }), HasSubstr("extent has 2 numbers"));
  CropVolume::Params p = to({3, 3, 3});
  p.axes = "LLS";
  EXPECT_THAT(error_of([&] { cut(volume, nullptr, p); }), HasSubstr("axes = 'LLS' names no three directions"));
}

TEST(PasteVolumeErrors, WantACropOfThisVolume) {
  const Volume volume = numbered(6, 5, 4), other = numbered(6, 5, 5);
  const auto planned = [&](bool from_crop, const Volume& reference) {
    Pipeline pipeline(context());
    const auto crop = pipeline.add<CropVolume>("crop", to({3, 3, 3}));
    const auto paste = pipeline.add<PasteVolume>("paste");
    const auto input = pipeline.add_input("volume", volume);
    pipeline.connect(input, crop.input);
    if (from_crop)
      pipeline.connect(crop.output, paste.crop);
    else
      pipeline.connect(input, paste.crop);
    pipeline.connect(pipeline.add_input("reference", reference), paste.reference);
    pipeline.connect(crop.output, paste.input);
    pipeline.add_output("out", paste.output);
    pipeline.prepare();
  };
  EXPECT_THAT(error_of([&] { planned(false, volume); }),
              HasSubstr("input 'crop' does not say where its box lies. Fix: connect an output of crop_volume"));
  EXPECT_THAT(error_of([&] { planned(true, other); }),
              HasSubstr("input 'reference' has 5 voxels along S, and crop_volume cut from 4"));
  const auto lying = [](const Geometry& g) { return numbered(6, 5, 4, g); };
  EXPECT_NO_THROW(planned(true, lying(Geometry({1, 1, 1}, {0.05, 0, 0}))));
  EXPECT_THAT(error_of([&] {
                planned(true, lying(Geometry({1, 1, 1}, {0, 3, 4})));
              }),
              HasSubstr("what crop_volume cut have corners up to 5 mm apart. Fix: connect the volume that was cut"));
  EXPECT_THAT(error_of([&] { planned(true, lying(Geometry({2, 1, 1}, {0.5, 0, 0}))); }), HasSubstr("6 mm apart"));
  Geometry backwards({1, 1, 1}, {5, 4, 0});
  backwards.direction[0] = backwards.direction[4] = -1;
  EXPECT_NO_THROW(planned(true, lying(backwards))) << "the same grid, counted from its other end";
}

}  // namespace
}  // namespace isocenter::testing
