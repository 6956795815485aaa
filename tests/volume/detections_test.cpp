// Boxes of a detector: suppression held to a case worked out by hand and to the greedy definition, places to the
// patient's coordinates.
#include <gmock/gmock.h>

#include <algorithm>
#include <isocenter/volume/detections.hpp>

#include "device_test.hpp"
#include "volume/box_suppression.hpp"
#include "volume_test_data.hpp"

namespace isocenter::testing {
namespace {

using detail::box_overlap;
using detail::ScoredBox;
using detail::suppress_boxes;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

ScoredBox box(std::array<double, 3> low, std::array<double, 3> high, double score, int category, std::int64_t row) {
  ScoredBox b;
  b.low = low;
  b.high = high;
  b.score = score;
  b.category = category;
  b.row = row;
  return b;
}

std::vector<std::int64_t> rows_of(const std::vector<ScoredBox>& boxes) {
  std::vector<std::int64_t> rows;
  for (const ScoredBox& b : boxes) rows.push_back(b.row);
  return rows;
}

TEST(BoxSuppression, AgreesWithHandsOnIntersectionOverUnion) {
  const ScoredBox a = box({0, 0, 0}, {2, 2, 2}, 1, 0, 0);
  EXPECT_DOUBLE_EQ(box_overlap(a, a), 1);
  EXPECT_DOUBLE_EQ(box_overlap(a, box({1, 0, 0}, {3, 2, 2}, 1, 0, 1)), 4.0 / 12);
  EXPECT_DOUBLE_EQ(box_overlap(a, box({1, 1, 1}, {3, 3, 3}, 1, 0, 1)), 1.0 / 15);
  EXPECT_DOUBLE_EQ(box_overlap(a, box({2, 0, 0}, {4, 2, 2}, 1, 0, 1)), 0);  // they touch
  const ScoredBox within = box({0.5, 0.5, 0.5}, {1.5, 1.5, 1.5}, 1, 0, 1);
  EXPECT_DOUBLE_EQ(box_overlap(a, within), 1.0 / 8);
  EXPECT_DOUBLE_EQ(box_overlap(a, within, true), 1);
  EXPECT_DOUBLE_EQ(box_overlap(within, box({1, 0, 0}, {3, 2, 2}, 1, 0, 1), true), 0.5);
  std::vector<ScoredBox> boxes{within, a};
  suppress_boxes(boxes, 0.5, 10);
  EXPECT_EQ(boxes.size(), 2U);
  suppress_boxes(boxes, 0.5, 10, true);
  EXPECT_EQ(boxes.size(), 1U);
}

TEST(BoxSuppression, GivesTheExampleThatOnnxPublishes) {
  // The six boxes of ONNX's node test nonmaxsuppression_suppress_by_IOU_and_scores, y1 x1 y2 x2; it selects 3 and 0
  // with the limits 0.5 and 0.4; without a score's limit, 3, 0 and 5 (nonmaxsuppression_suppress_by_IOU).
  const double corners[6][4] = {{0, 0, 1, 1},   {0, 0.1, 1, 1.1},   {0, -0.1, 1, 0.9},
                                {0, 10, 1, 11}, {0, 10.1, 1, 11.1}, {0, 100, 1, 101}};
  const double scores[6] = {0.9, 0.75, 0.6, 0.95, 0.5, 0.3};
  for (const double least : {0.0, 0.4}) {
    std::vector<ScoredBox> boxes;
    for (std::size_t i = 0; i < 6; ++i)
      if (scores[i] > least)
        boxes.push_back(box({corners[i][1], corners[i][0], 0}, {corners[i][3], corners[i][2], 1}, scores[i], 0,
                            static_cast<std::int64_t>(i)));
    suppress_boxes(boxes, 0.5, 3);
    if (least == 0.0) {
      EXPECT_THAT(rows_of(boxes), ElementsAre(3, 0, 5));
    } else {
      EXPECT_THAT(rows_of(boxes), ElementsAre(3, 0));
    }
  }
}

TEST(BoxSuppression, KeepsEqualScoresInTheirOrderClassesApartAndNoMoreThanAsked) {
  std::vector<ScoredBox> boxes = {box({0, 0, 0}, {1, 1, 1}, 0.5, 0, 0), box({0, 0, 0}, {1, 1, 1}, 0.5, 1, 0),
                                  box({0, 0, 0}, {1, 1, 1}, 0.5, 0, 1), box({5, 5, 5}, {6, 6, 6}, 0.9, 1, 2),
                                  box({7, 7, 7}, {8, 8, 8}, 0.1, 1, 3)};
  std::vector<ScoredBox> three = boxes;
  suppress_boxes(boxes, 0.5, 100);
  EXPECT_THAT(rows_of(boxes), ElementsAre(2, 0, 0, 3));
  EXPECT_EQ(boxes[1].category, 0);
  suppress_boxes(three, 0.5, 3);
  EXPECT_THAT(rows_of(three), ElementsAre(2, 0, 0));
}

TEST(BoxSuppression, IsTheGreedyDefinitionOnRandomBoxes) {
  const auto random = congruential(7 * 300, 11);
  std::vector<ScoredBox> boxes;
  for (std::size_t i = 0; i < 300; ++i) {
    std::array<double, 3> low{}, high{};
    for (std::size_t k = 0; k < 3; ++k) {
      low[k] = random[7 * i + k] % 12;
      high[k] = low[k] + 1 + random[7 * i + 3 + k] % 20;
    }
    boxes.push_back(
        box(low, high, random[7 * i + 6] % 50 / 50.0, static_cast<int>(i % 3), static_cast<std::int64_t>(i)));
  }
  std::vector<ScoredBox> kept = boxes;
  suppress_boxes(kept, 0.2, 1000);
  const auto better = [](const ScoredBox& a, const ScoredBox& b) {
    return a.score > b.score || (a.score == b.score && a.row < b.row);
  };
  // Each candidate is kept exactly when no kept better one of its class covers it: that has one solution.
  for (const ScoredBox& b : boxes) {
    const bool covered = std::any_of(kept.begin(), kept.end(), [&](const ScoredBox& k) {
      return k.category == b.category && better(k, b) && box_overlap(k, b) > 0.2;
    });
    const bool found = std::any_of(kept.begin(), kept.end(), [&](const ScoredBox& k) { return k.row == b.row; });
    EXPECT_NE(covered, found) << b.row;
  }
  EXPECT_GT(kept.size(), 10U);
  EXPECT_LT(kept.size(), 200U);
}

TEST(BoxSuppression, OfManyCandidatesTheBestAreLookedAt) {
  const auto random = congruential(500, 3);
  std::vector<ScoredBox> all, best;
  for (std::size_t i = 0; i < 500; ++i) {
    all.push_back(box({0, 0, 0}, {1, 1, 1}, random[i] % 40, 0, static_cast<std::int64_t>(i)));
    detail::add_candidate(best, all.back(), 60);
  }
  std::stable_sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.score > b.score; });
  all.resize(60);
  std::sort(best.begin(), best.end(), detail::is_better);
  EXPECT_EQ(rows_of(best), rows_of(all));
}

constexpr std::int64_t nx = 12, ny = 9, nz = 6;

Geometry oblique() {
  Geometry g({0.5, 0.75, 2}, {10, 20, 30});
  const double c = 0.8, s = 0.6, direction[9] = {c, -s, 0, s, c, 0, 0, 0, 1};
  std::copy(direction, direction + 9, g.direction);
  return g;
}

Volume volume(std::int64_t slices = nz) {
  Volume v = Volume::describe(nx, ny, slices, oblique(), "HU");
  v.set_text("dicom.Modality", "CT");
  context().allocate(v);
  std::fill(v.values().begin(), v.values().end(), 0.0F);
  return v;
}

Volume table(const std::vector<std::vector<float>>& rows) {
  Volume t{Payload(ISOCENTER_VOLUME)};
  t.set_tensor("voxels", tensor(DType::float32, "yx",
                                {static_cast<std::int64_t>(rows.size()), static_cast<std::int64_t>(rows[0].size())}));
  t.set_geometry(Geometry());
  context().allocate(t);
  auto* to = t.tensor("voxels").as<float>();
  for (const auto& row : rows) to = std::copy(row.begin(), row.end(), to);
  return t;
}

Segmentation detect(const Detections::Params& params, const Volume& image, const Volume& candidates) {
  Pipeline pipeline(context());
  const auto node = pipeline.add<Detections>("detections", params);
  pipeline.connect(pipeline.add_input("volume", Volume(image.description())), node.volume);
  pipeline.connect(pipeline.add_input("candidates", Volume(candidates.description())), node.candidates);
  pipeline.add_output("output", node.output);
  Session session = pipeline.prepare();
  session.start();
  session.push("volume", image);
  session.push("candidates", candidates);
  session.end_input("volume");
  session.end_input("candidates");
  auto item = session.pull("output");
  if (!item) session.wait();
  return Segmentation(context().copy_to(*item, "cpu"));
}

TEST(DetectionsTest, PutBoxesWhereTheirVoxelsLieAndLabelsInThem) {
  Detections::Params params;
  params.names = "lesion/nodule";
  // Of equal places the worse falls; the second reaches beyond the grid; the third scores too little.
  const Segmentation out = detect(params, volume(),
                                  table({{2, 3, 1, 6, 5, 4, 0.75F, 0.1F},
                                         {2, 3, 1, 6, 5, 4, 0.6F, 0.0F},
                                         {9, 7, 4, 20, 20, 20, 0.0F, 0.875F},
                                         {0, 0, 0, 1, 1, 1, 0.5F, 0.2F}}));
  EXPECT_EQ(out.text("detections.names"), "background\\lesion\\nodule");
  EXPECT_EQ(out.text("labels.names"), "background\\lesion\\nodule");
  EXPECT_EQ(out.text("dicom.Modality"), "CT");
  const auto boxes = out.numbers("detections.boxes");
  ASSERT_EQ(boxes.size(), 28U);
  EXPECT_EQ(boxes[0], 2);
  EXPECT_EQ(boxes[1], 0.875);
  EXPECT_EQ(boxes[14], 1);
  EXPECT_EQ(boxes[15], 0.75);
  // The corner of voxel (2, 3, 1) lies half a voxel below its centre: offsets 1.5 * 0.5, 2.5 * 0.75 and 0.5 * 2 mm.
  const double x = 0.75, y = 1.875;
  const double expected[12] = {
      10 + 0.8 * x - 0.6 * y, 20 + 0.6 * x + 0.8 * y, 31, 0.8 * 2, 0.6 * 2, 0, -0.6 * 1.5, 0.8 * 1.5, 0, 0, 0, 6};
  for (std::size_t i = 0; i < 12; ++i) EXPECT_NEAR(boxes[16 + i], expected[i], 1e-12) << i;
  EXPECT_NEAR(boxes[5], 0.8 * 1.5, 1e-12);  // cut to 3 voxels of 0.5 mm along x
  const auto labels = labels_of(out);
  for (std::int64_t k = 0; k < nz; ++k)
    for (std::int64_t j = 0; j < ny; ++j)
      for (std::int64_t i = 0; i < nx; ++i) {
        const bool first = i >= 2 && i < 6 && j >= 3 && j < 5 && k >= 1 && k < 4;
        const bool second = i >= 9 && j >= 7 && k >= 4;
        ASSERT_EQ(labels[static_cast<std::size_t>((k * ny + j) * nx + i)], first ? 1 : second ? 2 : 0);
      }
}

TEST(DetectionsTest, TakeCentresReversedAxesAResizedImageAndOneSlice) {
  const Volume image = volume();
  Detections::Params corners;
  corners.names = "lesion";
  const Segmentation expected = detect(corners, image, table({{2, 3, 1, 6, 5, 4, 0.75F}}));
  Detections::Params centre = corners;
  centre.form = BoxForm::centre;
  Detections::Params reversed = corners;
  reversed.slowest_first = true;
  Detections::Params resized = corners;
  resized.input_extent = {24, 36, 3};
  const std::pair<Detections::Params, std::vector<float>> same[] = {{centre, {4, 4, 2.5F, 4, 2, 3, 0.75F}},
                                                                    {reversed, {4, 5, 6, 1, 3, 2, 0.75F}},
                                                                    {resized, {4, 12, 0.5F, 12, 20, 2, 0.75F}}};
  const auto wanted = expected.numbers("detections.boxes");
  for (const auto& [params, row] : same) {
    const Segmentation out = detect(params, image, table({row}));
    const auto boxes = out.numbers("detections.boxes");
    ASSERT_EQ(boxes.size(), 14U);
    for (std::size_t i = 0; i < 14; ++i) EXPECT_NEAR(boxes[i], wanted[i], 1e-6) << i;
    EXPECT_EQ(labels_of(out), labels_of(expected));
  }
  Detections::Params planar = corners;
  planar.dimensions = 2;
  planar.slice = 3;
  const Segmentation flat = detect(planar, image, table({{2, 3, 6, 5, 0.75F}}));
  EXPECT_EQ(flat.numbers("detections.dimensions")[0], 2);
  EXPECT_NEAR(flat.numbers("detections.boxes")[4], 30 + 2.5 * 2, 1e-12);
  EXPECT_NEAR(flat.numbers("detections.boxes")[13], 2, 1e-12);
  const auto labels = labels_of(flat);
  EXPECT_EQ(std::count(labels.begin(), labels.end(), 1), 4 * 2);
  EXPECT_EQ(labels[static_cast<std::size_t>((3 * ny + 3) * nx + 2)], 1);
}

TEST(DetectionsTest, AnOutlineIsTheOutermostVoxelsOfABox) {
  Detections::Params params;
  params.names = "lesion";
  params.outline = true;
  const auto labels = labels_of(detect(params, volume(), table({{2, 3, 0, 8, 8, 5, 0.75F}})));
  for (std::int64_t k = 0; k < nz; ++k)
    for (std::int64_t j = 0; j < ny; ++j)
      for (std::int64_t i = 0; i < nx; ++i) {
        const bool in = i >= 2 && i < 8 && j >= 3 && j < 8 && k < 5;
        const bool deep = i > 2 && i < 7 && j > 3 && j < 7 && k > 0 && k < 4;
        ASSERT_EQ(labels[static_cast<std::size_t>((k * ny + j) * nx + i)], in && !deep ? 1 : 0);
      }
  params.dimensions = 2;
  params.slice = 4;
  const auto flat = labels_of(detect(params, volume(), table({{2, 3, 8, 8, 0.75F}})));
  EXPECT_EQ(std::count(flat.begin(), flat.end(), 1), 6 * 5 - 4 * 3);
}

/// Channels czyx of a dense detector: nothing anywhere but in one voxel.
Volume dense(const std::vector<float>& numbers, std::int64_t i, std::int64_t j, std::int64_t k) {
  Volume v{Payload(ISOCENTER_VOLUME)};
  v.set_tensor("voxels", tensor(DType::float32, "czyx", {static_cast<std::int64_t>(numbers.size()), nz, ny, nx}));
  v.set_geometry(oblique());
  context().allocate(v);
  std::fill(v.values().begin(), v.values().end(), 0.0F);
  for (std::size_t c = 0; c < numbers.size(); ++c)
    v.values()[((c * nz + static_cast<std::size_t>(k)) * ny + static_cast<std::size_t>(j)) * nx +
               static_cast<std::size_t>(i)] = numbers[c];
  return v;
}

TEST(DetectionsTest, TakeTheDistancesThatADenseDetectorGivesForEachVoxel) {
  const Volume image = volume();
  Detections::Params params;
  params.names = "lesion";
  const Segmentation expected = detect(params, image, table({{2, 3, 1, 6, 5, 4, 0.75F}}));
  params.form = BoxForm::distances;
  // From the centre of voxel (3, 4, 1): 3.5, 4.5, 1.5.
  const Segmentation out = detect(params, image, dense({1.5F, 1.5F, 0.5F, 2.5F, 0.5F, 2.5F, 0.75F}, 3, 4, 1));
  const auto boxes = out.numbers("detections.boxes"), wanted = expected.numbers("detections.boxes");
  ASSERT_EQ(boxes.size(), 14U);
  for (std::size_t i = 0; i < 14; ++i) EXPECT_NEAR(boxes[i], wanted[i], 1e-12) << i;
  EXPECT_EQ(labels_of(out), labels_of(expected));
  params.dimensions = 2;
  const Segmentation flat = detect(params, image, dense({1.5F, 1.5F, 2.5F, 0.5F, 0.75F}, 3, 4, 1));
  EXPECT_NEAR(flat.numbers("detections.boxes")[4], 30 + 0.5 * 2, 1e-12);
  const Segmentation none = detect(params, image, dense({-9, -9, 2.5F, 0.5F, 0.75F}, 3, 4, 1));
  EXPECT_TRUE(none.numbers("detections.boxes").empty());
  EXPECT_THAT(error_of([&] {
                detect(params, image, dense({1, 1, 1, INFINITY, 1}, 3, 4, 1));
              }),
              HasSubstr("number 4 of voxel (3, 4, 1) is infinite"));
  EXPECT_THAT(error_of([&] { detect(params, volume(5), dense({1, 1, 1, 1, 1}, 3, 4, 1)); }), HasSubstr("another grid"));
  EXPECT_THAT(error_of([&] { detect(params, image, table({{1, 1, 1, 1, 1}})); }), HasSubstr("'czyx' are needed"));
  params.slice = 2;
  EXPECT_THAT(error_of([&] { detect(params, image, dense({1, 1, 1, 1, 1}, 3, 4, 1)); }), HasSubstr("has its own"));
}

TEST(DetectionsTest, StateTheMemoryOfTheBoxesThatTheyGive) {
  const auto declared = [](int most) {
    Detections::Params params;
    params.names = "lesion";
    params.most = most;
    Pipeline pipeline(context());
    const auto node = pipeline.add<Detections>("detections", params);
    const Volume image = volume(), candidates = table({{2, 3, 1, 6, 5, 4, 0.5F}});
    pipeline.connect(pipeline.add_input("volume", Volume(image.description())), node.volume);
    pipeline.connect(pipeline.add_input("candidates", Volume(candidates.description())), node.candidates);
    pipeline.add_output("output", node.output);
    const std::string report = pipeline.prepare().report(), key = "\"declared_host\":";
    const std::size_t at = report.find(key, report.find("\"detections\""));
    return std::stoll(report.substr(at + key.size() + (report[at + key.size()] == '"' ? 1 : 0)));
  };
  EXPECT_EQ(declared(10000) - declared(100), 9900 * 14 * 8);  // 14 numbers for each box
}

TEST(DetectionsTest, FindNothingWhereNoScoreIsHighEnough) {
  Detections::Params params;
  params.names = "lesion";
  const Segmentation out = detect(params, volume(), table({{2, 3, 1, 6, 5, 4, 0.5F}, {50, 50, 50, 60, 60, 60, 0.9F}}));
  Detections::Params centre = params;
  centre.form = BoxForm::centre;  // two negative extents make no volume
  EXPECT_TRUE(detect(centre, volume(), table({{4, 4, 2, -3, -3, 2, 0.9F}})).numbers("detections.boxes").empty());
  EXPECT_TRUE(out.numbers("detections.boxes").empty());
  const auto labels = labels_of(out);
  EXPECT_EQ(std::count(labels.begin(), labels.end(), 0), static_cast<std::ptrdiff_t>(labels.size()));
}

TEST(DetectionsTest, SayWhatIsWrong) {
  Detections::Params params;
  params.names = "lesion";
  const Volume image = volume();
  const auto error = [&](const Detections::Params& p, const std::vector<float>& row) {
    return error_of([&] { detect(p, image, table({row})); });
  };
  EXPECT_THAT(error(params, {1, 2, 3, 4, 5, 6}), HasSubstr("rows of 6 numbers"));
  EXPECT_THAT(error(params, {1, 2, 3, 4, NAN, 6, 0.9F}), HasSubstr("number 5 of row 1 is not a number"));
  Detections::Params p = params;
  p.dimensions = 2;
  EXPECT_THAT(error(p, {1, 2, 3, 4, 0.9F}), HasSubstr("slice = -1 for 2-D boxes in a volume of 6 slices"));
  p.slice = 6;
  EXPECT_THAT(error(p, {1, 2, 3, 4, 0.9F}), HasSubstr("0 ... 5"));
  p = params;
  p.slice = 2;
  EXPECT_THAT(error(p, {1, 2, 3, 4, 5, 6, 0.9F}), HasSubstr("is for 2-D boxes"));
  p = params;
  p.input_extent = {640, 640};
  EXPECT_THAT(error(p, {1, 2, 3, 4, 5, 6, 0.9F}), HasSubstr("input_extent has 2 numbers"));
  EXPECT_THAT(error_of([&] { detect(params, image, image); }), HasSubstr("a row for each box"));
}

}  // namespace
}  // namespace isocenter::testing
