#include <gmock/gmock.h>

#include <isocenter/render/slice_view.hpp>

#include "device_test.hpp"
#include "render/render_test_data.hpp"

namespace isocenter::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

/// Every point of a 5 × 4 × 3 lattice (left, posterior, head) has a value of its own, 0 to 234, and the window shows
/// values as bytes.
constexpr std::array<int, 3> lattice = {5, 4, 3};
double marker(std::array<double, 3> p) {
  return std::round((p[0] - 7.5) / 2) + 10 * std::round((p[1] + 31) / 2) + 100 * std::round((p[2] - 90) / 2);
}
int marker_at(int left, int posterior, int head) { return left + 10 * posterior + 100 * head; }
SliceView::Params as_bytes(AnatomicalPlane plane) {
  return {.plane = plane, .window_centre = 127.5, .window_width = 255};
}
Volume marked(const Storage& s) { return stored(s, lattice, {7.5, -31, 90}, {2, 2, 2}, marker); }

ISOCENTER_DEVICE_SUITE(SliceViewTest);

TEST_P(SliceViewTest, ShowsAxialSlicesFromTheFeetHoweverTheyAreStored) {
  for (const Storage& s : all_storages()) {
    const Picture p(rendered<SliceView>(context(), as_bytes(AnatomicalPlane::axial), marked(s), nullptr, options()));
    ASSERT_EQ((std::array{p.frames, p.height, p.width}), (std::array{3, 4, 5}));
    for (int k = 0; k < 3; ++k)
      for (int r = 0; r < 4; ++r)
        for (int c = 0; c < 5; ++c)  // patient's left on the right of the picture, the back below
          ASSERT_EQ(p.grey(k, r, c), marker_at(c, r, k)) << "order " << s.order[0] << s.order[1] << s.order[2];
  }
}

TEST_P(SliceViewTest, ShowsCoronalSlicesFromTheFrontHeadUp) {
  for (const Storage& s : all_storages()) {
    const Picture p(rendered<SliceView>(context(), as_bytes(AnatomicalPlane::coronal), marked(s), nullptr, options()));
    ASSERT_EQ((std::array{p.frames, p.height, p.width}), (std::array{4, 3, 5}));
    for (int k = 0; k < 4; ++k)
      for (int r = 0; r < 3; ++r)
        for (int c = 0; c < 5; ++c) ASSERT_EQ(p.grey(k, r, c), marker_at(c, k, 2 - r));
  }
}

TEST_P(SliceViewTest, ShowsSagittalSlicesFrontLeftHeadUp) {
  for (const Storage& s : all_storages()) {
    const Picture p(rendered<SliceView>(context(), as_bytes(AnatomicalPlane::sagittal), marked(s), nullptr, options()));
    ASSERT_EQ((std::array{p.frames, p.height, p.width}), (std::array{5, 3, 4}));
    for (int k = 0; k < 5; ++k)
      for (int r = 0; r < 3; ++r)
        for (int c = 0; c < 4; ++c) ASSERT_EQ(p.grey(k, r, c), marker_at(k, c, 2 - r));
  }
}

TEST_P(SliceViewTest, MakesPixelsSquareWhereVoxelsAreNot) {
  // 3 mm from slice to slice, 1 mm in them: three rows for each slice, and the value rises linearly between.
  const Volume v = stored({{0, 1, 2}, {}}, {6, 5, 4}, {0, 0, 0}, {1, 1, 3},
                          [](std::array<double, 3> p) { return 20 * p[2] + 2 * p[0]; });
  const Picture p(rendered<SliceView>(context(), as_bytes(AnatomicalPlane::coronal), v, nullptr, options()));
  ASSERT_EQ((std::array{p.frames, p.height, p.width}), (std::array{5, 10, 6}));
  for (int r = 0; r < 10; ++r)
    for (int c = 0; c < 6; ++c) EXPECT_EQ(p.grey(2, r, c), 20 * (9 - r) + 2 * c);
}

TEST_P(SliceViewTest, CutsObliqueSeriesInThePatientsPlanes) {
  // The voxel grid is turned by 30 degrees about z and 20 about x; the value is a linear function of the patient's
  // frame.
  const double a = 0.5236, b = 0.3491;
  Geometry g({1, 1, 1}, {-40, -40, -40});
  const double directions[] = {std::cos(a),
                               -std::sin(a) * std::cos(b),
                               std::sin(a) * std::sin(b),
                               std::sin(a),
                               std::cos(a) * std::cos(b),
                               -std::cos(a) * std::sin(b),
                               0,
                               std::sin(b),
                               std::cos(b)};
  std::copy(directions, directions + 9, g.direction);
  const auto field = [](std::array<double, 3> p) { return 128 + 0.9 * p[0] + 0.7 * p[1] - 0.5 * p[2]; };
  std::vector<float> voxels;
  for (int k = 0; k < 70; ++k)
    for (int j = 0; j < 75; ++j)
      for (int i = 0; i < 80; ++i) voxels.push_back(static_cast<float>(field(g.position_mm(i, j, k))));
  const Volume v = Volume::own(std::move(voxels), 80, 75, 70, g, "1");
  auto params = as_bytes(AnatomicalPlane::axial);
  params.show = ShownSlices::position;
  params.position_mm = 7.25;
  const Picture p(rendered<SliceView>(context(), params, v, nullptr, options()));
  // Neighbours along a row differ by 0.9, down a column by 0.7; black where the plane leaves the volume.
  int inside = 0;
  for (int r = 0; r + 10 < p.height; ++r)
    for (int c = 0; c + 10 < p.width; ++c) {
      if (p.grey(0, r, c) == 0 || p.grey(0, r + 10, c) == 0 || p.grey(0, r, c + 10) == 0) continue;
      ++inside;
      ASSERT_NEAR(p.grey(0, r, c + 10) - p.grey(0, r, c), 9, 1);
      ASSERT_NEAR(p.grey(0, r + 10, c) - p.grey(0, r, c), 7, 1);
    }
  EXPECT_GT(inside, 2000);
}

TEST_P(SliceViewTest, PaintsLabelsInTheirColours) {
  const Volume v = Volume::own(std::vector<float>(4 * 3 * 1, 100.0F), 4, 3, 1, Geometry(), "HU");
  std::vector<std::uint8_t> labels = {0, 1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 7};
  Segmentation s = segmentation_of(labels, v);
  const double colours[] = {0, 0, 0, 1, 0, 0, 0, 0.5, 1};
  s.set_numbers("labels.colours", colours);
  SliceView::Params params = as_bytes(AnatomicalPlane::axial);
  params.label_opacity = 0.5;
  const Picture p(rendered<SliceView>(context(), params, v, &s, options()));
  EXPECT_EQ(p.at(0, 0, 0), (std::array{100, 100, 100}));
  EXPECT_EQ(p.at(0, 0, 1), (std::array{178, 50, 50}));   // (100 + 255) / 2, 100 / 2
  EXPECT_EQ(p.at(0, 0, 2), (std::array{50, 114, 178}));  // the mean with 0, 127.5, 255
  EXPECT_NE(p.at(0, 2, 3), (std::array{100, 100, 100})) << "label 7 has a colour of the palette";
  params.hidden_labels = {1, 7};
  const Picture hidden(rendered<SliceView>(context(), params, v, &s, options()));
  EXPECT_EQ(hidden.at(0, 0, 1), (std::array{100, 100, 100}));
  EXPECT_EQ(hidden.at(0, 2, 3), (std::array{100, 100, 100}));
  EXPECT_EQ(hidden.at(0, 0, 2), p.at(0, 0, 2));
}

TEST_P(SliceViewTest, GoesThroughTheTimeOfEachSlice) {
  std::vector<float> voxels;
  for (int i = 0; i < 3 * 2 * 2 * 2; ++i) voxels.push_back(static_cast<float>(10 * (i / 8) + (i / 4) % 2));
  Volume v = Volume::describe(2, 2, 2, 3, Geometry(), "1");
  v.set_tensor("voxels", tensor(DType::float32, "tzyx", {3, 2, 2, 2}, voxels.data()));
  const Picture p(rendered<SliceView>(context(), as_bytes(AnatomicalPlane::axial), v, nullptr, options()));
  ASSERT_EQ(p.frames, 6);
  for (int slice = 0; slice < 2; ++slice)
    for (int t = 0; t < 3; ++t) EXPECT_EQ(p.grey(slice * 3 + t, 1, 1), 10 * t + slice);
}

TEST_P(SliceViewTest, TakesAWindowAsDicomDefinesItsExactForm) {
  std::vector<float> values = {-1000, -161, -160, -100, 40, 140, 239.9F, 240, 3000, std::nanf("")};
  const Volume v = Volume::own(values, 10, 1, 1, Geometry(), "HU");
  const Picture p(rendered<SliceView>(context(), {.interpolation = Interpolation::nearest}, v, nullptr, options()));
  for (int i = 0; i < 9; ++i) {
    const double grey =
        std::clamp((static_cast<double>(values[static_cast<std::size_t>(i)]) - 40) / 400 + 0.5, 0.0, 1.0);
    EXPECT_EQ(p.grey(0, 0, i), static_cast<int>(255 * grey + 0.5)) << values[static_cast<std::size_t>(i)];
  }
  EXPECT_EQ(p.grey(0, 0, 9), 0) << "not a number is black";
}

TEST(SliceViewErrors, SayWhereTheVolumeIs) {
  SliceView::Params params{.show = ShownSlices::position, .position_mm = 97};
  EXPECT_THAT(error_of([&] {
                rendered<SliceView>(context(), params, marked({{0, 1, 2}, {}}), nullptr);
              }),
              AllOf(HasSubstr("'render'"), HasSubstr("position_mm = 97 is outside"), HasSubstr("from 90 to 94 mm")));
  params.plane = AnatomicalPlane::sagittal;
  EXPECT_THAT(error_of([&] {
                rendered<SliceView>(context(), params, marked({{0, 1, 2}, {}}), nullptr);
              }),
              HasSubstr("from 7.5 to 15.5 mm"));
}

TEST(SliceViewErrors, NameASegmentationThatDoesNotFit) {
  const Volume v = marked({{0, 1, 2}, {}});
  std::vector<std::uint8_t> labels(5 * 4 * 3);
  Segmentation s = segmentation_of(labels, v);
  Geometry moved = v.geometry();
  moved.origin_mm[1] += 3;
  s.set_geometry(moved);
  EXPECT_THAT(error_of([&] { rendered<SliceView>(context(), {}, v, &s); }), HasSubstr("lies 3 mm from the volume"));
  s = Segmentation::describe(5, 4, 2, v.geometry());
  s.set_tensor("labels", tensor(DType::uint8, "zyx", {2, 4, 5}, labels.data()));
  EXPECT_THAT(error_of([&] { rendered<SliceView>(context(), {}, v, &s); }),
              HasSubstr("5 x 4 x 2 voxels and the volume 5 x 4 x 3"));
}

TEST(SliceViewErrors, NameDirectionCosinesThatAreNotAtRightAngles) {
  Volume v = marked({{0, 1, 2}, {}});
  Geometry g = v.geometry();
  g.direction[1] = 0.2;
  v.set_geometry(g);
  EXPECT_THAT(error_of([&] { rendered<SliceView>(context(), {}, v, nullptr); }),
              AllOf(HasSubstr("axes x and y"), HasSubstr("ImageOrientationPatient (0020,0037)")));
}

TEST(SliceViewErrors, NameALabelThatIsNone) {
  const Volume v = marked({{0, 1, 2}, {}});
  std::vector<std::uint8_t> labels(60);
  const Segmentation s = segmentation_of(labels, v);
  EXPECT_THAT(error_of([&] { rendered<SliceView>(context(), {.hidden_labels = {1.5}}, v, &s); }),
              HasSubstr("hidden_labels holds 1.5"));
}

}  // namespace
}  // namespace isocenter::testing
