// Volumes whose axes are not the network's: the same patient in another order of voxels has the same labels.
#include "infer/orientation.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <isocenter/infer/network_inference.hpp>
#include <isocenter/infer/segment_volume.hpp>
#include <isocenter/isocenter.hpp>
#include <random>

#include "device_test.hpp"
#include "tiny_model.hpp"

namespace isocenter::testing {
namespace {

using namespace infer::test::tiny;
using infer::Orientation;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// Three scores of a 3 x 3 x 3 neighbourhood whose weights are the same in no two directions.
std::string lopsided(const std::string& more) {
  std::mt19937 random(11);
  std::normal_distribution<float> normal(0, 1);
  std::vector<float> weights(3 * 27);
  for (float& w : weights) w = normal(random);
  return model(node("Conv", {"x", "w", "b"}, "y", ints("pads", {1, 1, 1, 1, 1, 1})) +
               initialiser("w", {3, 1, 3, 3, 3}, floats(weights)) + initialiser("b", {3}, floats({0.1F, 0, -0.1F})) +
               port(11, "x", {1, 1, -1, -1, -1}) + port(12, "y", {1, 3, -1, -1, -1})) +
         more;
}

class OrientationTest : public DeviceTest {
 protected:
  OrientationTest()
      : folder_(std::filesystem::temp_directory_path() / ("isocenter_orientation_" + std::to_string(::getpid()))) {
    std::filesystem::create_directories(folder_);
  }
  ~OrientationTest() override { std::filesystem::remove_all(folder_); }
  std::string model_file(const std::string& bytes) const {
    const auto path = (folder_ / "model.onnx").string();
    std::ofstream(path, std::ios::binary) << bytes;
    return path;
  }

 private:
  std::filesystem::path folder_;
};

/// An axial volume, x, y, z to the left, the back and the head, 13 x 10 x 8 voxels of 1 x 1.5 x 2.2 mm.
constexpr std::array<std::int64_t, 3> size{13, 10, 8};
Geometry axial() { return Geometry({1, 1.5, 2.2}, {-30, 12, 400}); }
std::vector<float> noise() {
  std::mt19937 random(3);
  std::normal_distribution<float> normal(0, 1);
  std::vector<float> v(static_cast<std::size_t>(size[0] * size[1] * size[2]));
  for (float& x : v) x = normal(random);
  return v;
}
std::size_t at(std::int64_t x, std::int64_t y, std::int64_t z, const std::array<std::int64_t, 3>& n) {
  return static_cast<std::size_t>((z * n[1] + y) * n[0] + x);
}

/// The same voxels with axis k running along axis order[k], backwards where flip has bit k.
struct Presentation {
  std::array<int, 3> order;
  int flip;
  std::array<std::int64_t, 3> n{};
  Geometry geometry;
  std::vector<std::size_t> from;  ///< for each voxel its place in the axial volume

  Presentation(const std::array<int, 3>& o, int f) : order(o), flip(f) {
    const Geometry g = axial();
    std::array<double, 3> first{};
    for (int k = 0; k < 3; ++k) {
      const int a = order[static_cast<std::size_t>(k)];
      const bool back = (flip >> k & 1) != 0;
      n[static_cast<std::size_t>(k)] = size[static_cast<std::size_t>(a)];
      geometry.spacing_mm[k] = g.spacing_mm[a];
      for (int r = 0; r < 3; ++r) geometry.direction[3 * r + k] = r == a ? (back ? -1 : 1) : 0;
      if (back) first[static_cast<std::size_t>(a)] = static_cast<double>(size[static_cast<std::size_t>(a)] - 1);
    }
    const auto origin = g.position_mm(first[0], first[1], first[2]);
    for (std::size_t r = 0; r < 3; ++r) geometry.origin_mm[r] = origin[r];
    for (std::int64_t z = 0; z < n[2]; ++z)
      for (std::int64_t y = 0; y < n[1]; ++y)
        for (std::int64_t x = 0; x < n[0]; ++x) {
          const auto p = geometry.position_mm(static_cast<double>(x), static_cast<double>(y), static_cast<double>(z));
          std::array<std::int64_t, 3> i{};
          for (int r = 0; r < 3; ++r)
            i[static_cast<std::size_t>(r)] =
                std::lround((p[static_cast<std::size_t>(r)] - g.origin_mm[r]) / g.spacing_mm[r]);
          from.push_back(at(i[0], i[1], i[2], size));
        }
  }
  Volume volume(const std::vector<float>& axial_voxels) const {
    std::vector<float> v;
    for (const std::size_t i : from) v.push_back(axial_voxels[i]);
    return Volume::own(std::move(v), n[0], n[1], n[2], geometry, "HU");
  }
};

std::vector<Presentation> all_presentations() {
  std::vector<Presentation> all;
  std::array<int, 3> order{0, 1, 2};
  do
    for (int flip = 0; flip < 8; ++flip) all.emplace_back(order, flip);
  while (std::next_permutation(order.begin(), order.end()));
  return all;
}

template <class T>
std::vector<T> values(const Payload& p, const char* tensor) {
  const auto s = p.tensor(tensor).span<T>();
  return {s.begin(), s.end()};
}

INSTANTIATE_TEST_SUITE_P(Devices, OrientationTest, ::testing::ValuesIn(devices()), test_name);

TEST_P(OrientationTest, EveryOrderAndSenseOfTheAxesGivesTheSameLabelsAtTheSamePlaces) {
  const auto file = model_file(lopsided(metadata("isocenter.spacing_mm", "1 1.5 1.7")));
  const auto v = noise();
  const SegmentVolume::Params params{.model = file, .window = {8, 6, 5}, .overlap = 0.3F};
  const auto truth = values<std::uint8_t>(
      apply<SegmentVolume>(context(), params, Presentation({0, 1, 2}, 0).volume(v), options()), "labels");
  for (const int label : {0, 1, 2}) ASSERT_GT(std::count(truth.begin(), truth.end(), label), 50);
  for (const Presentation& p : all_presentations()) {
    const Payload out = apply<SegmentVolume>(context(), params, p.volume(v), options());
    const auto labels = values<std::uint8_t>(out, "labels");
    for (std::size_t i = 0; i < labels.size(); ++i)
      ASSERT_EQ(labels[i], truth[p.from[i]]) << infer::nearest_axes(p.geometry) << ", voxel " << i;
    for (int i = 0; i < 3; ++i) {
      EXPECT_EQ(out.geometry().spacing_mm[i], p.geometry.spacing_mm[i]);
      EXPECT_EQ(out.geometry().origin_mm[i], p.geometry.origin_mm[i]);
    }
  }
}

TEST_P(OrientationTest, ScoresComeBackOntoTheVolumesGridToo) {
  const auto file = model_file(lopsided(metadata("isocenter.axes", "LPS")));
  const auto v = noise();
  const NetworkInference::Params params{.model = file, .window = {8, 6, 5}, .overlap = 0.3F, .intensity = ""};
  const auto truth = values<float>(
      apply<NetworkInference>(context(), params, Presentation({0, 1, 2}, 0).volume(v), options()), "voxels");
  for (const Presentation& p : all_presentations()) {
    const auto scores = values<float>(apply<NetworkInference>(context(), params, p.volume(v), options()), "voxels");
    for (std::size_t c = 0; c < 3; ++c)
      for (std::size_t i = 0; i < v.size(); ++i)
        ASSERT_EQ(scores[c * v.size() + i], truth[c * v.size() + p.from[i]])
            << infer::nearest_axes(p.geometry) << ", channel " << c << ", voxel " << i;
  }
}

TEST_P(OrientationTest, ANetworkForCoronalSlicesGetsThem) {
  const auto v = noise();
  const Presentation coronal({0, 2, 1}, 2);  // x left, y to the feet, z to the back
  EXPECT_EQ(infer::nearest_axes(coronal.geometry), "LIP");
  const SegmentVolume::Params as_asked{.model = model_file(lopsided(metadata("isocenter.axes", "LIP"))),
                                       .window = {13, 8, 10}};
  const auto asked = values<std::uint8_t>(
      apply<SegmentVolume>(context(), as_asked, Presentation({0, 1, 2}, 0).volume(v), options()), "labels");
  const SegmentVolume::Params as_it_comes{.model = model_file(lopsided("")), .window = {13, 8, 10}};
  const auto plain =
      values<std::uint8_t>(apply<SegmentVolume>(context(), as_it_comes, coronal.volume(v), options()), "labels");
  for (std::size_t i = 0; i < plain.size(); ++i) ASSERT_EQ(plain[i], asked[coronal.from[i]]) << i;
}

TEST_P(OrientationTest, FramesAreTurnedEachOnItsOwn) {
  const auto file = model_file(lopsided(metadata("isocenter.axes", "LPS")));
  const SegmentVolume::Params params{.model = file, .window = {8, 6, 5}};
  const Presentation sagittal({1, 2, 0}, 2);
  const auto v = noise();
  std::vector<float> frames;
  for (int t = 0; t < 2; ++t)
    for (const std::size_t i : sagittal.from) frames.push_back(t == 0 ? v[i] : -v[i]);
  Volume in = Volume::describe(sagittal.n[0], sagittal.n[1], sagittal.n[2], 2, sagittal.geometry, "HU");
  in.set_tensor("voxels",
                tensor(DType::float32, "tzyx", {2, sagittal.n[2], sagittal.n[1], sagittal.n[0]}, frames.data()));
  const auto labels = values<std::uint8_t>(apply<SegmentVolume>(context(), params, in, options()), "labels");
  std::vector<float> negative;
  for (const float x : v) negative.push_back(-x);
  for (int t = 0; t < 2; ++t) {
    const auto truth = values<std::uint8_t>(
        apply<SegmentVolume>(context(), params, Presentation({0, 1, 2}, 0).volume(t == 0 ? v : negative), options()),
        "labels");
    for (std::size_t i = 0; i < v.size(); ++i)
      ASSERT_EQ(labels[static_cast<std::size_t>(t) * v.size() + i], truth[sagittal.from[i]]) << t << ", " << i;
  }
}

/// An axial volume turned about the head axis.
Volume turned(double degrees) {
  Geometry g = axial();
  const double c = std::cos(degrees * M_PI / 180), s = std::sin(degrees * M_PI / 180);
  g.direction[0] = g.direction[4] = c;
  g.direction[1] = -s;
  g.direction[3] = s;
  return Volume::own(noise(), size[0], size[1], size[2], g, "HU");
}

TEST_P(OrientationTest, AnObliqueVolumeBetweenTwoAxesIsRefusedAndASlightlyTurnedOneIsNot) {
  const auto file = model_file(lopsided(metadata("isocenter.axes", "LPS")));
  const SegmentVolume::Params params{.model = file, .window = {8, 6, 5}};
  EXPECT_THAT(error_of([&] { apply<SegmentVolume>(context(), params, turned(44), options()); }),
              AllOf(HasSubstr("segment_volume"), HasSubstr("axes that are 44 degrees off the patient's (LPS)"),
                    HasSubstr("at most 40 degrees"), HasSubstr("Fix: resample the volume along the patient's axes")));
  for (const double degrees : {10.0, 35.0, 80.0, -100.0})
    EXPECT_NO_THROW(apply<SegmentVolume>(context(), params, turned(degrees), options())) << degrees;
}

TEST(Orientation, NamesWhichAxisStandsForWhich) {
  const Geometry g;
  EXPECT_EQ(infer::nearest_axes(g), "LPS");
  const Orientation o = infer::orient(g, "SRP");
  EXPECT_THAT(o.axis, ElementsAre(2, 0, 1));
  EXPECT_THAT(o.flipped, ElementsAre(false, true, false));
  EXPECT_TRUE(infer::are_axes("RAI"));
  for (const char* wrong : {"LL", "LPL", "XYZ", "lps", "LPSI", ""}) EXPECT_FALSE(infer::are_axes(wrong)) << wrong;
}

}  // namespace
}  // namespace isocenter::testing
