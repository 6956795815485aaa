#include <gmock/gmock.h>

#include <isocenter/render/table_removal.hpp>

#include "device_test.hpp"
#include "render/render_test_data.hpp"

namespace isocenter::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

/// A body (an ellipse of 40 HU with a lung of -850 and, in it, a vessel of 20) that lies on a curved plate of 300 HU,
/// with a cloth of -600 between and one thin bridge from the body to the plate.
double scene(std::array<double, 3> p) {
  const double x = p[0] - 60, y = p[1] - 50;
  if (x * x / 1600 + y * y / 900 < 1) {
    if ((x - 12) * (x - 12) + y * y < 150) return (x - 12) * (x - 12) + y * y < 9 ? 20 : -850;
    return 40;
  }
  const double plate = 84 - 0.004 * x * x;
  if (p[1] > plate && p[1] < plate + 6) return 300;
  if (std::abs(x - 4) < 1.5 && p[1] > 70 && p[1] <= plate) return 100;  // the bridge
  return y > 0 && p[1] < plate ? -600 : -1000;
}
bool is_body(std::array<double, 3> p) {
  const double x = p[0] - 60, y = p[1] - 50;
  return x * x / 1600 + y * y / 900 < 1;
}

TEST(TableRemovalTest, KeepsThePatientWithTheAirInsideAndTakesTheTableAway) {
  const Volume in = stored({{0, 1, 2}, {}}, {120, 100, 9}, {0, 0, 0}, {1, 1, 3}, scene);
  const Volume out = apply<TableRemoval>(context(), {}, in);
  const Geometry g = in.geometry();
  int lost = 0, left = 0, far = 0;
  std::size_t i = 0;
  for (int z = 0; z < 9; ++z)
    for (int y = 0; y < 100; ++y)
      for (int x = 0; x < 120; ++x, ++i) {
        const auto p = g.position_mm(x, y, z);
        if (is_body(p)) {
          lost += out.values()[i] != in.values()[i] ? 1 : 0;
        } else {
          left += out.values()[i] > -300 ? 1 : 0;
          far += out.values()[i] != -1000 && p[1] > 84 ? 1 : 0;
        }
      }
  EXPECT_EQ(lost, 0) << "voxels of the body, the lung and its vessel that changed";
  EXPECT_LT(left, 9 * 40) << "the bridge's stump may stay";
  EXPECT_EQ(far, 0) << "voxels of the plate";
}

TEST(TableRemovalTest, KeepsABodyThatTheFieldOfViewCutsOff) {
  const Volume in = stored({{0, 1, 2}, {}}, {64, 100, 3}, {30, 0, 0}, {1, 1, 3}, scene);
  const Volume out = apply<TableRemoval>(context(), {}, in);
  const Geometry g = in.geometry();
  std::size_t i = 0;
  for (int z = 0; z < 3; ++z)
    for (int y = 0; y < 100; ++y)
      for (int x = 0; x < 64; ++x, ++i) {
        if (!is_body(g.position_mm(x, y, z))) continue;
        ASSERT_EQ(out.values()[i], in.values()[i]) << x << " " << y;
      }
}

TEST(TableRemovalTest, GivesTheSameOnAnyNumberOfThreads) {
  const Volume in = stored({{0, 1, 2}, {}}, {120, 100, 9}, {0, 0, 0}, {1, 1, 3}, scene);
  const Volume a = apply<TableRemoval>(context_with(1, false), {}, in),
               b = apply<TableRemoval>(context_with(4, false), {}, in);
  EXPECT_TRUE(std::equal(a.values().begin(), a.values().end(), b.values().begin()));
}

TEST(TableRemovalTest, MakesAirOfAFrameWithoutAPatientAndWarns) {
  const Volume in = Volume::own(std::vector<float>(5 * 4 * 3, -990.0F), 5, 4, 3, Geometry(), "HU");
  Pipeline pipeline(context());
  const auto node = pipeline.add<TableRemoval>("table");
  pipeline.connect(pipeline.add_input("in", in), node.input);
  pipeline.add_output("out", node.output);
  Session session = pipeline.prepare();
  session.start();
  session.push("in", in);
  session.end_input("in");
  const Volume out = context().copy_to(*session.pull("out"), "cpu");
  session.wait();
  for (const float v : out.values()) EXPECT_EQ(v, -1000);
  EXPECT_THAT(session.report(), HasSubstr("holds nothing denser than threshold_hu = -300"));
}

TEST(TableRemovalErrors, NameAUnitThatIsNotHu) {
  EXPECT_THAT(error_of([&] { apply<TableRemoval>(context(), {}, random_volume(4, 4, 4, 1)); }),
              AllOf(HasSubstr("'table_removal'"), HasSubstr("the unit '1', and HU is needed")));
}

}  // namespace
}  // namespace isocenter::testing
