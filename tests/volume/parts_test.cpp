// Connected parts and holes, held to a flood fill and to figures of SciPy (scipy.ndimage 1.15: label,
// binary_fill_holes).
#include "volume/parts.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <cstdlib>
#include <isocenter/volume/connected_components.hpp>
#include <isocenter/volume/fill_holes.hpp>
#include <isocenter/volume/largest_components.hpp>
#include <map>

#include "test_launcher.hpp"
#include "volume_test_data.hpp"

namespace isocenter::testing {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr int nx = 23, ny = 17, nz = 11;
constexpr std::size_t count = nx * ny * nz;

/// For each voxel the first voxel of its part, by a flood from there; -1 where `belongs` is false.
template <class Together>
std::vector<int> flooded(const std::vector<std::uint8_t>& labels, int connectivity, Together together) {
  const int steps = connectivity == 6 ? 1 : connectivity == 18 ? 2 : 3;
  std::vector<int> first(labels.size(), -1);
  for (int start = 0; start < static_cast<int>(labels.size()); ++start) {
    if (first[static_cast<std::size_t>(start)] >= 0 || labels[static_cast<std::size_t>(start)] == 0) continue;
    std::vector<int> open{start};
    first[static_cast<std::size_t>(start)] = start;
    while (!open.empty()) {
      const int i = open.back();
      open.pop_back();
      const int x = i % nx, y = i / nx % ny, z = i / nx / ny;
      for (int n = 0; n < 27; ++n) {
        const int dx = n % 3 - 1, dy = n / 3 % 3 - 1, dz = n / 9 - 1;
        if (std::abs(dx) + std::abs(dy) + std::abs(dz) > steps) continue;
        if (x + dx < 0 || x + dx >= nx || y + dy < 0 || y + dy >= ny || z + dz < 0 || z + dz >= nz) continue;
        const int j = i + dx + nx * (dy + ny * dz);
        if (first[static_cast<std::size_t>(j)] >= 0 ||
            !together(labels[static_cast<std::size_t>(i)], labels[static_cast<std::size_t>(j)]))
          continue;
        first[static_cast<std::size_t>(j)] = start;
        open.push_back(j);
      }
    }
  }
  return first;
}

constexpr auto equal = [](int a, int b) { return a == b; };
constexpr auto any = [](int, int b) { return b != 0; };

/// Parts as ConnectedComponents with order scan numbers them, when there are fewer than 256.
std::vector<std::uint8_t> numbered(const std::vector<int>& first, int smallest) {
  std::map<int, int> sizes;
  for (const int f : first)
    if (f >= 0) ++sizes[f];
  std::map<int, int> numbers;
  for (const auto& [f, size] : sizes)
    if (size >= smallest) numbers.emplace(f, static_cast<int>(numbers.size()) + 1);
  std::vector<std::uint8_t> out;
  for (const int f : first)
    out.push_back(static_cast<std::uint8_t>(f >= 0 && numbers.count(f) != 0 ? numbers.at(f) : 0));
  return out;
}

ISOCENTER_DEVICE_SUITE(LargestComponentsTest);
ISOCENTER_DEVICE_SUITE(FillHolesTest);

TEST(ConnectedComponentsTest, NumbersThePartsAFloodFindsInScanOrder) {
  for (const std::uint32_t percent : {8U, 25U, 60U})
    for (const bool by_label : {true, false})
      for (int c = 0; c < 3; ++c) {
        const auto map = scattered(count, percent, 3);
        const int connectivity = std::array{6, 18, 26}[static_cast<std::size_t>(c)];
        const auto first = by_label ? flooded(map, connectivity, equal) : flooded(map, connectivity, any);
        const auto result = apply<ConnectedComponents>(context(),
                                                       {.connectivity = static_cast<Connectivity>(c),
                                                        .min_volume_mm3 = 4,
                                                        .order = ComponentOrder::scan,
                                                        .by_label = by_label},
                                                       segmentation(map, nx, ny, nz));
        EXPECT_EQ(labels_of(result), numbered(first, 4)) << percent << " % " << connectivity << " " << by_label;
      }
}

TEST(ConnectedComponentsTest, CountsAsSciPyDoes) {
  const struct {
    Connectivity connectivity;
    int parts, largest, of_five;
  } expected[] = {
      {Connectivity::faces, 321, 148, 49}, {Connectivity::edges, 15, 1309, 1}, {Connectivity::corners, 4, 1325, 1}};
  for (const auto& e : expected) {
    const Segmentation map = segmentation(scattered(count, 30), nx, ny, nz);
    for (const double smallest : {0.0, 5.0}) {
      Pipeline pipeline(context());
      const auto in = pipeline.add_input("in", map);
      const auto node =
          pipeline.add<ConnectedComponents>("count", {.connectivity = e.connectivity, .min_volume_mm3 = smallest});
      pipeline.connect(in, node.input);
      pipeline.add_output("out", node.output);
      Session session = pipeline.prepare();
      session.start();
      session.push("in", map);
      session.end_input("in");
      const auto labels = labels_of(*session.pull("out"));
      EXPECT_EQ(std::count(labels.begin(), labels.end(), 1), e.largest);
      session.wait();
      EXPECT_THAT(session.report(), HasSubstr("\"parts\""));
      const int parts = smallest > 0 ? e.of_five : e.parts;
      EXPECT_EQ(*std::max_element(labels.begin(), labels.end()), std::min(parts, 255));
      if (parts > 255) {
        EXPECT_THAT(session.report(), HasSubstr("there are 321 parts, and the largest 255 are numbered"));
      }
    }
  }
}

TEST_P(LargestComponentsTest, KeepsTheLargestOfEachLabelAndDropsSmallOnes) {
  const auto map = scattered(count, 55, 2, 11);
  for (const int keep : {0, 1, 2, 5})
    for (const int smallest : {1, 6}) {
      if (keep == 0 && smallest == 1) continue;
      const auto first = flooded(map, 6, equal);
      std::map<int, int> sizes;
      for (const int f : first)
        if (f >= 0) ++sizes[f];
      std::vector<std::uint8_t> expected(count);
      for (int label = 1; label <= 2; ++label) {
        std::vector<std::pair<int, int>> order;  // larger first, then nearer to the beginning
        for (const auto& [f, size] : sizes)
          if (map[static_cast<std::size_t>(f)] == label && size >= smallest) order.emplace_back(-size, f);
        std::sort(order.begin(), order.end());
        if (keep > 0 && static_cast<int>(order.size()) > keep) order.resize(static_cast<std::size_t>(keep));
        for (const auto& [size, f] : order)
          for (std::size_t i = 0; i < count; ++i)
            if (first[i] == f) expected[i] = static_cast<std::uint8_t>(label);
      }
      const auto result = apply<LargestComponents>(
          context(), {.keep = keep, .min_volume_mm3 = 3.0 * (smallest - 0.5), .connectivity = Connectivity::faces},
          segmentation(map, nx, ny, nz, {1, 1.5, 2}), options());
      EXPECT_EQ(labels_of(result), expected) << keep << " " << smallest;
    }
}

TEST_P(LargestComponentsTest, KeepsEachFrameForItselfAndJoinsLabelsWhenAsked) {
  std::vector<std::uint8_t> frames = {3, 3, 0, 1, 2, 1, 0, 9, 9, 9, 0, 4, 0, 0, 0, 0};
  Segmentation map{Payload(ISOCENTER_SEGMENTATION)};
  map.set_tensor("labels", tensor(DType::uint8, "tzyx", {2, 1, 1, 8}, frames.data()));
  map.set_geometry(Geometry());
  EXPECT_THAT(labels_of(apply<LargestComponents>(context(), {.by_label = false}, map, options())),
              ElementsAre(0, 0, 0, 1, 2, 1, 0, 0, 9, 9, 0, 0, 0, 0, 0, 0));
}

TEST_P(LargestComponentsTest, TouchesByFacesOrCornersAsAsked) {
  const std::vector<std::uint8_t> map = {1, 0, 0, 1,   // z 0: a diagonal pair
                                         1, 0, 0, 0};  // z 1: below the first
  const auto kept = [&](Connectivity c) {
    return labels_of(apply<LargestComponents>(context(), {.connectivity = c}, segmentation(map, 2, 2, 2), options()));
  };
  EXPECT_THAT(kept(Connectivity::faces), ElementsAre(1, 0, 0, 0, 1, 0, 0, 0));
  EXPECT_EQ(kept(Connectivity::edges), map);
}

TEST_P(LargestComponentsTest, TakesAPartWhoseTeethMeetLateAsOne) {
  const int n = 33;
  std::vector<std::uint8_t> map(static_cast<std::size_t>(n * n));
  for (int y = 0; y < n; ++y)
    for (int x = 0; x < n; ++x)  // a comb: every second column, joined in the last row
      map[static_cast<std::size_t>(y * n + x)] = x % 2 == 0 || y == n - 1 ? 1 : 0;
  EXPECT_EQ(labels_of(apply<LargestComponents>(context(), {.connectivity = Connectivity::faces},
                                               segmentation(map, n, n, 1), options())),
            map);
}

TEST_P(FillHolesTest, FillsWhatSciPyFills) {
  const auto map = scattered(count, 75);
  const auto filled = [&](HoleShape in) {
    const auto labels = labels_of(apply<FillHoles>(context(), {.in = in}, segmentation(map, nx, ny, nz), options()));
    for (std::size_t i = 0; i < count; ++i) EXPECT_GE(labels[i], map[i]);
    return std::count(labels.begin(), labels.end(), 1);
  };
  EXPECT_EQ(std::count(map.begin(), map.end(), 1), 3261);
  EXPECT_EQ(filled(HoleShape::volume), 3657);
  EXPECT_EQ(filled(HoleShape::slices), 4009);
}

TEST_P(FillHolesTest, LeavesWhatLiesBetweenTwoLabels) {
  const std::vector<std::uint8_t> map = {5, 5, 5, 5, 6, 6,  //
                                         5, 0, 5, 0, 6, 6,  //
                                         5, 5, 5, 6, 6, 0,  //
                                         7, 7, 7, 0, 6, 6};
  EXPECT_THAT(labels_of(apply<FillHoles>(context(), {.in = HoleShape::slices}, segmentation(map, 6, 4, 1), options())),
              ElementsAre(5, 5, 5, 5, 6, 6, 5, 5, 5, 0, 6, 6, 5, 5, 5, 6, 6, 0, 7, 7, 7, 0, 6, 6));
}

TEST(Parts, AreTheSameOnEveryNumberOfThreads) {
  const auto map = scattered(count, 45, 2);
  std::vector<std::int32_t> one(count), many(count);
  const detail::PartGrid grid{nx, ny, nz, map.data(), detail::PartRule::equal_labels};
  detail::find_parts(launcher_with(1), grid, one.data(), 26, false);
  for (int repeat = 0; repeat < 20; ++repeat) {
    detail::find_parts(launcher_with(7), grid, many.data(), 26, false);
    ASSERT_EQ(one, many);
  }
}

TEST(PartErrors, NameParameterValueAndFix) {
  const Segmentation map = segmentation({0, 1}, 2, 1, 1);
  EXPECT_THAT(error_of([&] { apply<LargestComponents>(context(), {.keep = 0}, map); }),
              HasSubstr("keep = 0 and min_volume_mm3 = 0 leave every part where it is. Fix: set keep"));
  EXPECT_THAT(error_of([&] { apply<ConnectedComponents>(context(), {.most = 256}, map); }), HasSubstr("most"));
  Segmentation huge = Segmentation::describe(2048, 2048, 512, Geometry());
  EXPECT_THAT(error_of([&] { apply<FillHoles>(context(), {}, huge); }),
              HasSubstr("has 2147483648 voxels in a frame, and connected parts are found among at most 2147483646"));
  Segmentation moving{Payload(ISOCENTER_SEGMENTATION)};
  moving.set_tensor("labels", tensor(DType::uint8, "tzyx", {2, 1, 1, 1}));
  EXPECT_THAT(error_of([&] { apply<ConnectedComponents>(context(), {}, moving); }), HasSubstr("has a time axis"));
}

}  // namespace
}  // namespace isocenter::testing
