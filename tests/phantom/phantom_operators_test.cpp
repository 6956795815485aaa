// The operators: shapes, units, attributes, items, and every message.
#include <gmock/gmock.h>

#include <isocenter/phantom/phantom_projections.hpp>
#include <isocenter/phantom/phantom_volume.hpp>
#include <isocenter/recon/acquisition.hpp>

#include "device_test.hpp"
#include "phantom/raw_data.hpp"

namespace isocenter::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

/// Everything that a source's port gives.
template <class Op>
std::vector<Payload> all_of(const typename Op::Params& params, const char* port) {
  Pipeline pipeline(context());
  pipeline.add<Op>("phantom", params);
  pipeline.add_output("out", "phantom", port);
  Session session = pipeline.prepare();
  session.start();
  std::vector<Payload> items;
  while (auto item = session.pull("out")) items.push_back(context().copy_to(*item, "cpu"));
  session.wait();
  return items;
}

TEST(PhantomVolumeOperator, GivesHounsfieldUnitsOnTheAskedGrid) {
  const auto items = all_of<PhantomVolume>({.phantom = PhantomKind::water_cylinder,
                                            .radius_mm = 20,
                                            .height_mm = 30,
                                            .nx = 21,
                                            .ny = 19,
                                            .nz = 17,
                                            .spacing_mm = {2, 2, 3},
                                            .centre_mm = {10, 0, -5}},
                                           "output");
  ASSERT_EQ(items.size(), 1U);
  const Volume v(items[0]);
  EXPECT_EQ(v.unit(), "HU");
  EXPECT_EQ(v.nx(), 21);
  EXPECT_EQ(v.nz(), 17);
  EXPECT_DOUBLE_EQ(v.geometry().spacing_mm[2], 3);
  EXPECT_DOUBLE_EQ(v.geometry().origin_mm[0], 10 - 20);
  const auto at = [&](int x, int y, int z) { return v.values()[static_cast<std::size_t>((z * 19 + y) * 21 + x)]; };
  EXPECT_FLOAT_EQ(at(5, 9, 9), 0.0F) << "water";
  EXPECT_FLOAT_EQ(at(20, 9, 9), -1000.0F) << "30 mm from the axis";
  EXPECT_FLOAT_EQ(at(5, 9, 16), -1000.0F) << "19 mm above the middle";
}

TEST(PhantomVolumeOperator, GivesFramesOverOneBreath) {
  const PhantomVolume::Params params{.phantom = PhantomKind::moving_thorax,
                                     .breathing_period_s = 5,
                                     .nx = 40,
                                     .ny = 30,
                                     .nz = 30,
                                     .spacing_mm = {9},
                                     .frames = 4};
  const Volume v(all_of<PhantomVolume>(params, "output").at(0));
  EXPECT_EQ(v.nt(), 4);
  EXPECT_DOUBLE_EQ(v.geometry().time_step_s, 1.25);
  const auto values = v.values();
  const std::size_t frame = 40 * 30 * 30;
  EXPECT_FALSE(std::equal(values.begin(), values.begin() + frame, values.begin() + 2 * frame)) << "exhaled, inhaled";
  const Segmentation labels(all_of<PhantomVolume>(params, "labels").at(0));
  EXPECT_EQ(labels.labels().extent('t'), 4);
  EXPECT_THAT(labels.text("labels.names"), HasSubstr("background\\soft tissue\\lung"));
  EXPECT_EQ(labels.numbers("labels.colours").size(), 3 * detail::label_names.size());
}

TEST(PhantomVolumeOperator, GivesAnotherPatientWithEachItem) {
  const auto items = all_of<PhantomVolume>({.phantom = PhantomKind::moving_thorax,
                                            .seed = 100,
                                            .nx = 30,
                                            .ny = 24,
                                            .nz = 24,
                                            .spacing_mm = {12},
                                            .unit = PhantomUnit::per_mm,
                                            .count = 3},
                                           "output");
  ASSERT_EQ(items.size(), 3U);
  const Volume a(items[0]), b(items[1]);
  EXPECT_EQ(a.unit(), "1/mm");
  EXPECT_FALSE(std::equal(a.values().begin(), a.values().end(), b.values().begin()));
}

TEST(PhantomProjectionsOperator, GivesViewsWithTheirGeometryAndTimes) {
  const Projections p(all_of<PhantomProjections>({.phantom = PhantomKind::water_cylinder,
                                                  .radius_mm = 50,
                                                  .height_mm = 1000,
                                                  .views = 8,
                                                  .columns = 33,
                                                  .rows = 5,
                                                  .column_step_mm = 6,
                                                  .time_s = 2,
                                                  .seconds = 16},
                                                 "output")
                          .at(0));
  EXPECT_EQ(p.views().extent('n'), 8);
  EXPECT_EQ(p.views().extent('v'), 5);
  EXPECT_EQ(p.views().extent('u'), 33);
  const auto views = views_of(p);
  ASSERT_EQ(views.size(), 8U);
  EXPECT_DOUBLE_EQ(views[3].time_s, 2 + 3 * 2.0);
  EXPECT_LT(views[3].phase, 0) << "not known yet";
  EXPECT_EQ(beam_of(p), Beam::cone);
  EXPECT_DOUBLE_EQ(p.numbers("mu_water_per_mm")[0], 0.02059);
  const auto values = p.views().span<float>();
  EXPECT_NEAR(values[2 * 33 + 16], 100 * 0.02059, 1e-6) << "the central ray goes through the whole diameter";
}

TEST(PhantomProjectionsOperator, NoiseIsTheSameEachTimeAndAnotherWithEachItem) {
  const PhantomProjections::Params params{
      .phantom = PhantomKind::shepp_logan, .views = 3, .columns = 20, .rows = 20, .photons = 1000, .count = 2};
  const auto first = all_of<PhantomProjections>(params, "output"),
             second = all_of<PhantomProjections>(params, "output");
  const auto values = [](const Payload& p) { return Projections(p).views().span<float>(); };
  EXPECT_TRUE(std::equal(values(first[0]).begin(), values(first[0]).end(), values(second[0]).begin()));
  EXPECT_FALSE(std::equal(values(first[0]).begin(), values(first[0]).end(), values(first[1]).begin()));
}

TEST(PhantomProjectionsOperator, CarriesTheBreathingSignalOfTheChest) {
  const Projections p(all_of<PhantomProjections>({.phantom = PhantomKind::moving_thorax,
                                                  .breathing_period_s = 4,
                                                  .views = 8,
                                                  .columns = 10,
                                                  .rows = 10,
                                                  .column_step_mm = 60,
                                                  .row_step_mm = 60,
                                                  .seconds = 8},
                                                 "output")
                          .at(0));
  const auto signal = p.numbers("motion.signal");
  ASSERT_EQ(signal.size(), 8U);
  EXPECT_NEAR(signal[0], 0, 1e-12);
  EXPECT_NEAR(signal[2], 1, 1e-12);
  EXPECT_NEAR(signal[6], 1, 1e-12);
}

template <class Op>
std::string refusal(const typename Op::Params& params) {
  return error_of([&] { all_of<Op>(params, "output"); });
}

TEST(PhantomOperators, SayWhatIsWrongAndWhatToDo) {
  EXPECT_THAT(refusal<PhantomVolume>({.spacing_mm = {1, 2}}),
              AllOf(HasSubstr("phantom_volume 'phantom'"), HasSubstr("spacing_mm has 2 numbers"), HasSubstr("Fix:")));
  EXPECT_THAT(refusal<PhantomVolume>({.centre_mm = {1}}), HasSubstr("centre_mm has 1 numbers"));
  EXPECT_THAT(refusal<PhantomProjections>({.source_to_detector_mm = 900}),
              AllOf(HasSubstr("phantom_projections 'phantom'"), HasSubstr("source_to_detector_mm = 900"),
                    HasSubstr("source_to_isocenter_mm = 1000"), HasSubstr("Fix:")));
  EXPECT_THAT(refusal<PhantomProjections>({.beam = PhantomBeam::fan, .rows = 2}), HasSubstr("a fan has one row"));
  EXPECT_THAT(refusal<PhantomProjections>({.radius_mm = 400, .source_to_isocenter_mm = 300}),
              AllOf(HasSubstr("source_to_isocenter_mm = 300"), HasSubstr("inside the phantom")));
  EXPECT_THAT(refusal<PhantomProjections>({.photons = -1}), HasSubstr("photons"));
}

}  // namespace
}  // namespace isocenter::testing
