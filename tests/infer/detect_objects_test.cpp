// Detectors that give tables: places held to balls whose truth is known and to hands' arithmetic, what the network is
// given to the images' own numbers.
#include <gmock/gmock.h>

#include <cmath>
#include <functional>
#include <isocenter/infer/detect_objects.hpp>
#include <isocenter/isocenter.hpp>

#include "device_test.hpp"
#include "model_file.hpp"

namespace isocenter::testing {
namespace {

using namespace infer::test;
using namespace infer::test::tiny;
using ::testing::AllOf;
using ::testing::HasSubstr;
using Params = DetectObjects::Params;

struct Found {
  int label;
  double score;
  std::array<double, 3> low, high;  ///< opposite corners, mm
};

std::vector<Found> found_in(const Payload& p) {
  const auto v = p.numbers("detections.boxes");
  std::vector<Found> boxes;
  for (std::size_t i = 0; i < v.size(); i += 14) {
    Found f{static_cast<int>(v[i]), v[i + 1], {}, {}};
    for (std::size_t k = 0; k < 3; ++k) {
      const double a = v[i + 2 + k], b = a + v[i + 5 + k] + v[i + 8 + k] + v[i + 11 + k];
      f.low[k] = std::min(a, b);
      f.high[k] = std::max(a, b);
    }
    boxes.push_back(f);
  }
  return boxes;
}

ISOCENTER_DEVICE_SUITE(DetectObjectsTest);

// ---- Balls of 45 HU in -820 HU, the truth of models/sphere_detector.

struct Ball {
  std::array<double, 3> centre;
  double radius;
};
/// In the window's middle, where windows meet, near a border, small.
const std::vector<Ball> balls = {
    {{31, -22, 4}, 12}, {{-96.5, 41, -47}, 12}, {{-40, -78, 60.2}, 8}, {{118, 66, 33}, 14}, {{-55, 71, 78}, 9}};

/// The part of each voxel that the balls fill, by 3 x 3 x 3 samples.
Volume with_balls(Geometry g, std::int64_t nx, std::int64_t ny, std::int64_t nz) {
  const auto middle = g.position_mm(0.5 * static_cast<double>(nx - 1), 0.5 * static_cast<double>(ny - 1),
                                    0.5 * static_cast<double>(nz - 1));
  for (std::size_t i = 0; i < 3; ++i) g.origin_mm[i] -= middle[i];
  std::vector<float> v;
  for (std::int64_t k = 0; k < nz; ++k)
    for (std::int64_t j = 0; j < ny; ++j)
      for (std::int64_t i = 0; i < nx; ++i) {
        int inside = 0;
        for (const Ball& b : balls) {
          const auto p = g.position_mm(static_cast<double>(i), static_cast<double>(j), static_cast<double>(k));
          if (std::hypot(p[0] - b.centre[0], p[1] - b.centre[1], p[2] - b.centre[2]) > b.radius + 9) continue;
          for (int s = 0; s < 27; ++s) {
            const auto q = g.position_mm(static_cast<double>(i) + (s % 3 - 1) / 3.0,
                                         static_cast<double>(j) + (s / 3 % 3 - 1) / 3.0,
                                         static_cast<double>(k) + (s / 9 - 1) / 3.0);
            if (std::hypot(q[0] - b.centre[0], q[1] - b.centre[1], q[2] - b.centre[2]) <= b.radius) ++inside;
          }
        }
        v.push_back(static_cast<float>(-820 + 865 * inside / 27.0));
      }
  return Volume::own(std::move(v), nx, ny, nz, g, "HU");
}

Params sphere_detector() {
  Params params;
  params.model = std::string(ISOCENTER_SOURCE_DIR) + "/models/sphere_detector/sphere_detector.onnx";
  params.table = DetectorTable::label;
  params.overlap = 0.35F;
  params.score_above = 0.55;
  params.overlap_above = 0.2;
  params.overlap_of = BoxOverlap::of_smaller;
  return params;
}

TEST_P(DetectObjectsTest, BallsAreFoundWhereTheyLieInThePatientWhateverWayTheVolumeLies) {
  Geometry coronal({2.5, 5, 4}, {0, 0, 0});
  const double turned[9] = {-1, 0, 0, 0, 0, 1, 0, -1, 0};  // x to the right, y down, z to the back
  std::copy(turned, turned + 9, coronal.direction);
  const std::pair<Geometry, std::array<std::int64_t, 3>> grids[] = {{Geometry({5, 5, 5}, {0, 0, 0}), {61, 47, 45}},
                                                                    {coronal, {121, 45, 58}}};
  for (const auto& [geometry, n] : grids) {
    const auto found =
        found_in(apply<DetectObjects>(context(), sphere_detector(), with_balls(geometry, n[0], n[1], n[2]), options()));
    ASSERT_EQ(found.size(), balls.size());
    for (const Ball& b : balls) {
      const auto at = std::find_if(found.begin(), found.end(), [&](const Found& f) {
        return std::fabs(f.low[0] + f.high[0] - 2 * b.centre[0]) < 2 * b.radius &&
               std::fabs(f.low[2] + f.high[2] - 2 * b.centre[2]) < 2 * b.radius;
      });
      ASSERT_NE(at, found.end()) << b.centre[0];
      EXPECT_EQ(at->label, 1);
      for (std::size_t k = 0; k < 3; ++k) {
        EXPECT_NEAR(0.5 * (at->low[k] + at->high[k]), b.centre[k], 1) << b.centre[0] << ' ' << k;
        EXPECT_NEAR(at->high[k] - at->low[k], 2 * b.radius, 1.2) << b.centre[0] << ' ' << k;
      }
    }
  }
}

// ---- Tables of constants, which say the same in the ways that detectors say it.

std::string attribute(const std::string& name, std::int64_t value) {
  return field(5, field(1, name) + number(20, 2) + number(3, static_cast<std::uint64_t>(value)));
}
/// An output that holds `values` whatever the image is.
std::string constant_output(const std::string& name, const std::vector<std::uint64_t>& shape,
                            const std::vector<float>& values) {
  return node("Add", {"nothing", name + "_values"}, name) + initialiser(name + "_values", shape, floats(values));
}
std::string detector(const std::string& outputs, std::initializer_list<const char*> names,
                     const std::string& nodes = "") {
  std::string ports;
  for (const char* name : names) ports += port(12, name, {-1, -1, -1});
  return model(node("ReduceMean", {"x"}, "mean", attribute("keepdims", 0)) + node("Mul", {"mean", "zero"}, "nothing") +
               initialiser("zero", {1}, floats({0})) + outputs + nodes + port(11, "x", {1, 1, 16, 16}) + ports);
}

/// Two classes; the second box is the first one's worse double, the third is of the other class, the fourth too weak.
struct Row {
  float x, y, w, h, first, second;
};
const std::vector<Row> rows = {
    {5, 6, 4, 6, 0.8F, 0.1F}, {5.5F, 6, 4, 6, 0.7F, 0.1F}, {11, 10, 6, 4, 0.05F, 0.9F}, {3, 13, 2, 2, 0.3F, 0.2F}};

std::vector<float> table_of(const std::function<std::vector<float>(const Row&)>& row, bool columns = false) {
  std::vector<float> values;
  for (const Row& r : rows) {
    const auto v = row(r);
    values.insert(values.end(), v.begin(), v.end());
  }
  if (!columns) return values;
  const std::size_t width = values.size() / rows.size();
  std::vector<float> turned;
  for (std::size_t c = 0; c < width; ++c)
    for (std::size_t r = 0; r < rows.size(); ++r) turned.push_back(values[r * width + c]);
  return turned;
}

TEST_P(DetectObjectsTest, EveryTableSaysTheSameBoxes) {
  const Volume image = volume(noise(16 * 16), 16, 16, 1, {0.5, 2, 3});
  const auto box = [](const Row& r) { return std::vector<float>{r.x, r.y, r.w, r.h}; };
  const auto with = [](std::vector<float> v, std::initializer_list<float> more) {
    v.insert(v.end(), more);
    return v;
  };
  std::vector<std::pair<std::string, Params>> detectors;
  Params plain;
  plain.names = "lesion/nodule";
  const auto add = [&](const std::string& file, const std::function<void(Params&)>& change) {
    Params p = plain;
    change(p);
    detectors.emplace_back(file, p);
  };
  const auto scores = [&](const Row& r) { return with(box(r), {r.first, r.second}); };
  add(detector(constant_output("y", {1, 4, 6}, table_of(scores)), {"y"}), [](Params&) {});
  add(detector(constant_output("y", {1, 6, 4}, table_of(scores, true)), {"y"}), [](Params&) {});
  add(detector(constant_output("y", {4, 6}, table_of(scores)), {"y"}), [](Params&) {});
  add(detector(constant_output("y", {1, 4, 7}, table_of([&](const Row& r) {
                                 return with(box(r), {0.5F, 2 * r.first, 2 * r.second});
                               })),
               {"y"}),
      [](Params& p) { p.table = DetectorTable::objectness; });
  add(detector(constant_output("y", {1, 4, 6}, table_of([&](const Row& r) {
                                 const bool second = r.second > r.first;
                                 return with(box(r), {second ? r.second : r.first, second ? 2.0F : 1.0F});
                               })),
               {"y"}),
      [](Params& p) { p.table = DetectorTable::label, p.background = 0; });
  // Corners as parts of the window, y first; scores as logits beside the background, the last class.
  const auto corners = [](const Row& r) {
    return std::vector<float>{(r.y - r.h / 2) / 16, (r.x - r.w / 2) / 16, (r.y + r.h / 2) / 16, (r.x + r.w / 2) / 16};
  };
  const auto logits = [](const Row& r) {
    return std::vector<float>{std::log(r.first), std::log(r.second), std::log(1 - r.first - r.second)};
  };
  add(detector(constant_output("logits", {1, 4, 3}, table_of(logits)) +
                   constant_output("boxes", {1, 4, 4}, table_of(corners)),
               {"logits", "boxes"}),
      [](Params& p) {
        p.table = DetectorTable::apart, p.outputs = "boxes/logits", p.box = DetectorBox::corners;
        p.slowest_first = p.fractions = true, p.activation = DetectorScale::softmax, p.background = 2;
      });
  // ONNX's suppression in the model: it leaves the fourth row, too weak, and the second, which the first covers. Of
  // logits too, which the boxes' scores come from as everywhere.
  const auto selected = [&](DetectorScale scale, std::uint64_t classes, float least, const auto& given) {
    add(detector(constant_output("boxes", {1, 4, 4}, table_of(corners)) +
                     constant_output("scores", {1, classes, 4}, table_of(given, true)),
                 {"boxes", "scores", "selected"},
                 node("NonMaxSuppression", {"boxes", "scores", "most", "iou", "least"}, "selected") +
                     initialiser("most", {1}, std::string("\x64\0\0\0\0\0\0\0", 8), 7) +
                     initialiser("iou", {1}, floats({0.5F})) + initialiser("least", {1}, floats({least}))),
        [&](Params& p) {
          p.table = DetectorTable::selected, p.box = DetectorBox::corners, p.slowest_first = p.fractions = true;
          p.overlap_above = 1, p.activation = scale;
          if (scale == DetectorScale::softmax) p.background = 2;
        });
  };
  selected(DetectorScale::none, 2, 0.4F, [](const Row& r) { return std::vector<float>{r.first, r.second}; });
  selected(DetectorScale::sigmoid, 2, std::log(0.4F / 0.6F), [](const Row& r) {
    return std::vector<float>{std::log(r.first / (1 - r.first)), std::log(r.second / (1 - r.second))};
  });
  selected(DetectorScale::softmax, 3, std::log(0.4F), logits);
  for (std::size_t i = 0; i < detectors.size(); ++i) {
    const ModelFile file(detectors[i].first);
    detectors[i].second.model = file;
    const Payload out = apply<DetectObjects>(context(), detectors[i].second, image, options());
    const auto found = found_in(out);
    ASSERT_EQ(found.size(), 2U) << i;
    EXPECT_EQ(out.text("detections.names"), "background\\lesion\\nodule");
    EXPECT_EQ(out.numbers("detections.dimensions")[0], 2);
    const double origin[2] = {-7.5 * 0.5, -7.5 * 2};  // of the first pixel's centre: the grid is centred
    const Row* const expected[2] = {&rows[2], &rows[0]};
    for (std::size_t b = 0; b < 2; ++b) {
      const Row& r = *expected[b];
      EXPECT_EQ(found[b].label, b == 0 ? 2 : 1) << i;
      EXPECT_NEAR(found[b].score, b == 0 ? r.second : r.first, 1e-6) << i;
      EXPECT_NEAR(found[b].low[0], origin[0] + 0.5 * (r.x - r.w / 2 - 0.5), 1e-5) << i;
      EXPECT_NEAR(found[b].high[0], origin[0] + 0.5 * (r.x + r.w / 2 - 0.5), 1e-5) << i;
      EXPECT_NEAR(found[b].low[1], origin[1] + 2 * (r.y - r.h / 2 - 0.5), 1e-5) << i;
      EXPECT_NEAR(found[b].high[1], origin[1] + 2 * (r.y + r.h / 2 - 0.5), 1e-5) << i;
    }
  }
}

TEST_P(DetectObjectsTest, AModelsClassNameMayHoldASlash) {
  const auto scores = [](const Row& r) { return std::vector<float>{r.x, r.y, r.w, r.h, r.first, r.second}; };
  const ModelFile file(detector(constant_output("y", {1, 4, 6}, table_of(scores)), {"y"}) +
                       metadata("isocenter.class_names", "mass/nodule\\lesion"));
  Params params;
  params.model = file;
  const Payload out = apply<DetectObjects>(context(), params, volume(noise(16 * 16), 16, 16, 1), options());
  EXPECT_EQ(out.text("detections.names"), "background\\mass/nodule\\lesion");
}

// ---- What the network is given.

/// Each pixel of each channel is a box of its own around it, with the pixel's value as its score.
std::string shown_pixels(std::int64_t channels, std::int64_t height, std::int64_t width) {
  std::vector<float> boxes;
  for (std::int64_t i = 0; i < channels * height * width; ++i) {
    const std::int64_t x = i % width, y = i / width % height;
    boxes.insert(boxes.end(),
                 {static_cast<float>(x), static_cast<float>(y), static_cast<float>(x + 1), static_cast<float>(y + 1)});
  }
  const auto pixels = static_cast<std::uint64_t>(channels * height * width);
  const std::int64_t shape[3] = {-1, static_cast<std::int64_t>(pixels), 1};
  return model(node("Reshape", {"x", "shape"}, "v") +
               initialiser("shape", {3}, std::string(reinterpret_cast<const char*>(shape), 24), 7) +
               node("Mul", {"v", "zeros"}, "z") + initialiser("zeros", {1, 1, 4}, floats({0, 0, 0, 0})) +
               node("Add", {"z", "places"}, "boxes") + initialiser("places", {1, pixels, 4}, floats(boxes)) +
               node("Concat", {"boxes", "v"}, "y", attribute("axis", 2)) +
               port(11, "x", {-1, channels, height, width}) + port(12, "y", {-1, -1, 5}));
}
Params pixels(const std::string& file) {
  Params p;
  p.model = file;
  p.box = DetectorBox::corners;
  p.score_above = -1e6;
  p.overlap_above = 1;
  p.most = 10000;
  return p;
}

TEST_P(DetectObjectsTest, ALetterboxKeepsTheShapeAndPadsWithTheValueThatIsAskedFor) {
  // 8 x 4 pixels into 4 x 4: each of 4 x 2 is the mean of 2 x 2, between a row of padding above and one below.
  std::vector<float> v(32);
  for (std::size_t i = 0; i < 32; ++i) v[i] = static_cast<float>(i * i % 37);
  const ModelFile file(shown_pixels(1, 4, 4));
  Params p = pixels(file);
  p.fit = DetectorFit::letterbox;
  p.pad = 100;
  p.antialias = false;
  p.intensity = "clip 0 200 scale 0 2";
  p.mean = {0.5};
  p.deviation = {0.25};
  const auto found = found_in(apply<DetectObjects>(context(), p, volume(v, 8, 4, 1), options()));
  ASSERT_EQ(found.size(), 8U);  // boxes of the padding lie outside of the image
  for (const Found& f : found) {
    EXPECT_NEAR(f.high[0] - f.low[0], 2, 1e-9);
    const auto x = static_cast<std::size_t>(std::lround(f.low[0] + 4)),
               y = static_cast<std::size_t>(std::lround(f.low[1] + 2));
    const double mean = (v[y * 8 + x] + v[y * 8 + x + 1] + v[y * 8 + 8 + x] + v[y * 8 + 9 + x]) / 4.0;
    EXPECT_NEAR(f.score, (mean / 100 - 0.5) / 0.25, 1e-5);
  }
  // The padding's own numbers, seen by boxes that reach over the whole window.
  std::string wide = shown_pixels(1, 4, 4);
  std::vector<float> all;
  for (int i = 0; i < 16; ++i) all.insert(all.end(), {0, 0, 4, 4});
  std::vector<float> own;
  for (int i = 0; i < 16; ++i)
    own.insert(own.end(), {static_cast<float>(i % 4), static_cast<float>(i / 4), static_cast<float>(i % 4 + 1),
                           static_cast<float>(i / 4 + 1)});
  wide.replace(wide.find(floats(own)), floats(own).size(), floats(all));
  const ModelFile padded(wide);
  p.model = padded;
  const auto seen = found_in(apply<DetectObjects>(context(), p, volume(v, 8, 4, 1), options()));
  ASSERT_EQ(seen.size(), 16U);
  const auto of_padding = [](const Found& f) { return std::fabs(f.score - (100 / 100.0 - 0.5) / 0.25) < 1e-6; };
  EXPECT_EQ(std::count_if(seen.begin(), seen.end(), of_padding), 8);
  p = pixels(file);
  p.fit = DetectorFit::stretch;
  p.antialias = false;
  const auto stretched = found_in(apply<DetectObjects>(context(), p, volume(v, 8, 4, 1), options()));
  ASSERT_EQ(stretched.size(), 16U);
  for (const Found& f : stretched) {
    const auto x = static_cast<std::size_t>(std::lround(f.low[0] + 4)),
               y = static_cast<std::size_t>(std::lround(f.low[1] + 2));
    EXPECT_NEAR(f.score, (v[y * 8 + x] + v[y * 8 + x + 1]) / 2.0, 1e-5);
  }
}

TEST_P(DetectObjectsTest, WindowsOfSlicesSeeEachVoxelInItsPlaceOneByOneAndInBatches) {
  const std::vector<float> v = noise(9 * 7 * 3);
  const ModelFile file(shown_pixels(1, 4, 4));
  for (const int batch : {1, 5}) {
    Params p = pixels(file);
    p.batch = batch;
    p.overlap_above = 0.999;  // neighbours see the same voxel
    const auto found = found_in(apply<DetectObjects>(context(), p, volume(v, 9, 7, 3), options()));
    ASSERT_EQ(found.size(), v.size()) << batch;
    for (const Found& f : found) {
      const auto at = [&](std::size_t k, double n) { return static_cast<std::size_t>(std::lround(f.low[k] + n / 2)); };
      EXPECT_EQ(f.score, static_cast<double>(v[(at(2, 3) * 7 + at(1, 7)) * 9 + at(0, 9)])) << batch;
    }
  }
}

TEST_P(DetectObjectsTest, PicturesGiveTheirColoursAndOneChannelTheirLuma) {
  Frames frames = Frames::describe(2, 3, 4, 0.1);
  context().allocate(frames);
  const auto colour = frames.pixels().span<std::uint8_t>();
  for (std::size_t i = 0; i < colour.size(); ++i) colour[i] = static_cast<std::uint8_t>(i * 29 % 251);
  const ModelFile three(shown_pixels(3, 3, 4)), one(shown_pixels(1, 3, 4));
  auto seen = found_in(apply<DetectObjects>(context(), pixels(three), frames, options()));
  ASSERT_EQ(seen.size(), 72U);
  std::vector<double> scores, expected;
  for (const Found& f : seen) scores.push_back(f.score);
  for (const std::uint8_t c : colour) expected.push_back(c / 255.0);
  std::sort(expected.rbegin(), expected.rend());
  for (std::size_t i = 0; i < 72; ++i) EXPECT_NEAR(scores[i], expected[i], 1e-6);
  for (const Found& f : found_in(apply<DetectObjects>(context(), pixels(one), frames, options()))) {
    const auto g = frames.geometry();
    const auto x = static_cast<std::size_t>(std::lround(f.low[0] - g.origin_mm[0] + 0.5)),
               y = static_cast<std::size_t>(std::lround(f.low[1] - g.origin_mm[1] + 0.5)),
               n = static_cast<std::size_t>(std::lround(f.low[2] - g.origin_mm[2] + 0.5));
    const std::uint8_t* c = &colour[((n * 3 + y) * 4 + x) * 3];
    EXPECT_NEAR(f.score, (0.299 * c[0] + 0.587 * c[1] + 0.114 * c[2]) / 255, 1e-6);
  }
}

/// Five slices, then five pictures, two at once; the last one of each is left by the stream's end.
TEST_P(DetectObjectsTest, ItemsOfAStreamThatRunTogetherGiveTheirOwnBoxes) {
  const auto expect_the_same = [&](const Params& alone, const auto& items) {
    Params params = alone;
    params.stream_batch = 2;
    std::size_t came = 0;
    run_stream<DetectObjects>(context(), params, items, options(), [&](std::size_t i, const Payload& out) {
      const Payload expected = apply<DetectObjects>(context(), alone, items[i], options());
      const auto a = out.numbers("detections.boxes"), b = expected.numbers("detections.boxes");
      ASSERT_EQ(a.size(), b.size()) << i;
      ASSERT_GT(a.size(), 0U);
      for (std::size_t k = 0; k < a.size(); ++k) EXPECT_NEAR(a[k], b[k], 1e-5) << "item " << i << ", " << k;
      EXPECT_EQ(values<std::uint8_t>(out, "labels"), values<std::uint8_t>(expected, "labels"));
      ++came;
    });
    EXPECT_EQ(came, items.size());
  };
  const ModelFile grey(shown_pixels(1, 4, 4)), coloured(shown_pixels(3, 4, 4));
  std::vector<Volume> slices;
  std::vector<Frames> pictures;
  for (int i = 0; i < 5; ++i) {
    auto v = noise(32);
    for (float& x : v) x = x * static_cast<float>(i + 1) + static_cast<float>(10 * i);
    slices.push_back(volume(v, 8, 4, 1));
    pictures.push_back(Frames::describe(1, 4, 8, 0.1));
    context().allocate(pictures.back());
    std::size_t k = 0;
    for (std::uint8_t& c : pictures.back().pixels().span<std::uint8_t>())
      c = static_cast<std::uint8_t>((41 * k++ * static_cast<std::size_t>(i + 1)) % 251);
  }
  Params p = pixels(grey);
  p.fit = DetectorFit::letterbox;
  p.intensity = "z_score";
  expect_the_same(p, slices);
  p = pixels(coloured);
  p.fit = DetectorFit::stretch;
  expect_the_same(p, pictures);
  p.fit = DetectorFit::windows;
  p.stream_batch = 2;
  EXPECT_THAT(error_of([&] { apply<DetectObjects>(context(), p, pictures[0], options()); }),
              AllOf(HasSubstr("stream_batch = 2"), HasSubstr("set batch instead")));
}

TEST_P(DetectObjectsTest, SaysWhatIsWrong) {
  const Volume image = volume(noise(16 * 16), 16, 16, 1);
  const auto error = [&](const std::string& bytes, Params p) {
    const ModelFile file(bytes);
    p.model = file;
    return error_of([&] { apply<DetectObjects>(context(), p, image, options()); });
  };
  const auto table = [](std::uint64_t columns, float value) {
    return detector(constant_output("y", {1, 9, columns}, std::vector<float>(9 * columns, value)), {"y"});
  };
  Params p;
  p.names = "lesion";
  EXPECT_THAT(error(table(8, 1), p), HasSubstr("output 'y' is 1 x 9 x 8 of float32 for 1 window"));
  EXPECT_THAT(error(table(5, NAN), p),
              HasSubstr("output 'y', window 1, row 1: the score of the network's class 0 (counted from 0) is not a "
                        "number"));
  std::vector<float> no_box(9 * 5, 1);
  no_box[4 * 5 + 2] = INFINITY;
  EXPECT_THAT(error(detector(constant_output("y", {1, 9, 5}, no_box), {"y"}), p),
              HasSubstr("output 'y', window 1, row 5: number 3 of the box is infinite"));
  p.table = DetectorTable::apart;
  EXPECT_THAT(error(table(5, 1), p), HasSubstr("table = apart reads 2 outputs"));
  p.outputs = "y/scores";
  EXPECT_THAT(error(table(5, 1), p), HasSubstr("outputs names 'scores'"));
  p = {};
  p.table = DetectorTable::label;
  EXPECT_THAT(error(table(6, 1), p), HasSubstr("table = label does not count them"));
  p.names = "lesion";
  EXPECT_THAT(error(table(6, 1), p),
              HasSubstr("output 'y', window 1, row 1 holds class 1, and there are 1 classes and 9 boxes"));
  p.activation = DetectorScale::softmax;
  EXPECT_THAT(error(table(6, 1), p), HasSubstr("table = label has one score in a row"));
  p.activation = DetectorScale::none;
  p.table = DetectorTable::objectness;
  std::vector<float> row_of_none(9 * 6, 1);
  row_of_none[2 * 6 + 4] = NAN;
  EXPECT_THAT(error(detector(constant_output("y", {1, 9, 6}, row_of_none), {"y"}), p),
              HasSubstr("output 'y', window 1, row 3: the objectness is not a number"));
  p.table = DetectorTable::scores;
  p.mean = {1, 2, 3};
  EXPECT_THAT(error(table(5, 1), p), HasSubstr("mean has 3 numbers"));
  p = {};
  p.background = 7;
  EXPECT_THAT(error(table(6, 1), p), HasSubstr("background 7"));
}

}  // namespace
}  // namespace isocenter::testing
