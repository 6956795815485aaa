// A linear field in the patient frame stays itself on every grid; labels are those of the voxel that holds the
// position.
#include <gmock/gmock.h>

#include <cmath>
#include <isocenter/volume/match_grid.hpp>

#include "volume_test_data.hpp"

namespace isocenter::testing {
namespace {

using ::testing::HasSubstr;

/// A grid that lies askew: turned about z, its axes in another order.
Geometry askew() {
  Geometry g({1.5, 0.7, 2.0}, {-3, 2, 4});
  const double c = std::cos(0.4), s = std::sin(0.4);
  const double direction[9] = {0, c, -s, 0, s, c, 1, 0, 0};
  std::copy(direction, direction + 9, g.direction);
  return g;
}

double field(const std::array<double, 3>& p) { return 3 * p[0] - 2 * p[1] + 0.5 * p[2] + 7; }

Volume field_on(const Geometry& g, std::int64_t nx, std::int64_t ny, std::int64_t nz) {
  Volume v = Volume::describe(nx, ny, nz, g, "HU");
  context().allocate(v);
  for (std::int64_t i = 0; i < nx * ny * nz; ++i)
    v.values()[static_cast<std::size_t>(i)] = static_cast<float>(field(g.position_mm(
        static_cast<double>(i % nx), static_cast<double>(i / nx % ny), static_cast<double>(i / nx / ny))));
  return v;
}

struct Matched {
  std::vector<float> values;
  std::vector<std::uint8_t> labels;
};

Matched matched(const Volume& reference, const Volume& volume, const Segmentation& labels,
                const SessionOptions& options = {}) {
  Pipeline pipeline(context());
  const auto node = pipeline.add<MatchGrid>("match");
  pipeline.connect(pipeline.add_input("reference", reference), node.reference);
  pipeline.connect(pipeline.add_input("volume", volume), node.input);
  pipeline.connect(pipeline.add_input("labels", labels), node.segmentation);
  pipeline.add_output("values_out", node.output);
  pipeline.add_output("labels_out", node.labels);
  Session session = pipeline.prepare(options);
  session.start();
  session.push("reference", reference);
  session.push("volume", volume);
  session.push("labels", labels);
  for (const char* name : {"reference", "volume", "labels"}) session.end_input(name);
  const Volume out{context().copy_to(*session.pull("values_out"), "cpu")};
  return {{out.values().begin(), out.values().end()}, labels_of(context().copy_to(*session.pull("labels_out"), "cpu"))};
}

ISOCENTER_DEVICE_SUITE(MatchGridTest);

TEST_P(MatchGridTest, KeepsALinearFieldAndTheVoxelsLabels) {
  const Geometry source({1, 2, 1.5}, {-20, -20, -15});
  const Volume volume = field_on(source, 41, 21, 25);
  const auto map = scattered(41 * 21 * 25, 60, 5);
  Segmentation labels = segmentation(map, 41, 21, 25);
  labels.set_geometry(source);
  const Volume reference = field_on(askew(), 17, 19, 13);
  const Matched out = matched(reference, volume, labels, options());
  int inside = 0;
  for (int i = 0; i < 17 * 19 * 13; ++i) {
    const auto p = askew().position_mm(i % 17, i / 17 % 19, i / 17 / 19);
    const double v[3] = {p[0] + 20, (p[1] + 20) / 2, (p[2] + 15) / 1.5};  // voxels of the source
    const int n[3] = {41, 21, 25};
    bool in = true, well_in = true;
    for (int a = 0; a < 3; ++a) {
      in = in && v[a] >= -0.5 && v[a] < n[a] - 0.5;
      well_in = well_in && v[a] >= 0 && v[a] <= n[a] - 1;
    }
    const auto at = static_cast<std::size_t>(i);
    if (well_in) {
      ASSERT_NEAR(out.values[at], field(p), 1e-4) << i;
    }
    if (!in) {
      ASSERT_EQ(out.values[at], -1024) << i;
    }
    const auto nearest = [&](int a) { return static_cast<std::size_t>(std::floor(v[a] + 0.5)); };
    ASSERT_EQ(out.labels[at], in ? map[(nearest(2) * 21 + nearest(1)) * 41 + nearest(0)] : 0) << i;
    inside += in ? 1 : 0;
  }
  EXPECT_GT(inside, 1000);
  EXPECT_LT(inside, 17 * 19 * 13) << "some lie beyond";
}

TEST_P(MatchGridTest, ChangesNothingOnTheSameGrid) {
  const Volume volume = field_on(askew(), 9, 8, 7);
  const auto map = scattered(9 * 8 * 7, 60, 5);
  Segmentation labels = segmentation(map, 9, 8, 7);
  labels.set_geometry(askew());
  const Matched out = matched(volume, volume, labels, options());
  EXPECT_EQ(out.values, std::vector<float>(volume.values().begin(), volume.values().end()));
  EXPECT_EQ(out.labels, map);
}

TEST(MatchGridErrors, NameThePorts) {
  const Volume reference = field_on(Geometry(), 4, 4, 4);
  EXPECT_THAT(error_of([&] {
                Pipeline pipeline(context());
                const auto node = pipeline.add<MatchGrid>("match");
                pipeline.connect(pipeline.add_input("reference", reference), node.reference);
                pipeline.add_output("out", node.output);
                pipeline.prepare();
              }),
              HasSubstr("output 'output' is connected and input 'input' is not. Fix: connect both or none"));
}

}  // namespace
}  // namespace isocenter::testing
