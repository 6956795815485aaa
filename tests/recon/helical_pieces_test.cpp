// A helix whose volume or projections do not fit: slabs along z, each from the half turns near it, are the whole to
// rounding, on the CPU where what is behind takes slabs, and on a device from projections in host memory.
#include <gmock/gmock.h>

#include <isocenter/recon/helical_reconstruction.hpp>
#include <isocenter/recon/orbits.hpp>
#include <isocenter/slabs.hpp>
#include <limits>
#include <mutex>
#include <numbers>

#include "device_test.hpp"
#include "helix_of_noise.hpp"
#include "recon_apart.hpp"

namespace isocenter::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr int nx = 31, ny = 29, nz = 37, rows = HelixOfNoise::rows, columns = HelixOfNoise::columns, views = 303;
constexpr std::int64_t slice = nx * ny;
constexpr std::uint64_t view_bytes = HelixOfNoise::view_bytes;
constexpr double slice_mm = 3;
constexpr double to_rounding = 2e-6;
// The corners of the grid lie beyond what all views see.
const NodeOnDevice node = {"helical_reconstruction",
                           {{"nx", "31"}, {"ny", "29"}, {"nz", "37"}, {"spacing_mm", "6.5, 6.5, 3"}, {"unit", "1/mm"}}};

/// 280 kB of views, of which a volume of 133 kB is made; the table moves, and the gantry turns, either way.
Payload scan(double way = 1, double turn = 1, PhantomDetector detector = PhantomDetector::flat) {
  return HelixOfNoise{.way = way, .turn = turn, .detector = detector, .views = views}.scan();
}

/// Takes slabs and puts them where they say that they lie.
struct SlabKeeper {
  static constexpr const char* name = "slab_keeper";
  static constexpr const char* module = "test";
  static constexpr const char* summary = "Keeps slabs.";
  static constexpr bool host_only = true, takes_slabs = true;
  struct Params {
    static constexpr auto describe() { return std::tuple{}; }
  };
  struct Ports {
    In<Volume> input{"input", "Slabs."};
    static constexpr auto describe() { return std::tuple{&Ports::input}; }
  };
};
std::vector<float> kept;
class SlabKeeperOperator : public OperatorBase<SlabKeeper> {
 public:
  void plan(PlanContext& plan) override {
    first_mm_ = plan.input("input").geometry().origin_mm[2];
    kept.assign(nz * slice, 0.0F);
  }
  void run(const RunContext& run) override {
    const PayloadRef input = run.input("input");
    const auto values = input.tensor("voxels").span<const float>();
    const auto z = std::lround((input.geometry().origin_mm[2] - first_mm_) / slice_mm);
    ASSERT_LE(z * slice + static_cast<std::int64_t>(values.size()), nz * slice);
    std::copy(values.begin(), values.end(), kept.begin() + z * slice);
  }

 private:
  double first_mm_ = 0;
};

/// Cancels a session when the node has said often enough how far it is.
struct Canceller {
  Session* session = nullptr;
  int words = 0, after = 0, said_later = 0;
  static void hears(void* user, const char* name, std::int64_t, double fraction) {
    auto& c = *static_cast<Canceller*>(user);
    if (std::string(name) != "node" || fraction >= 1.0) return;
    c.said_later += c.words >= c.after ? 1 : 0;
    if (++c.words == c.after) c.session->cancel();
  }
};

bool says(const Given& given, const char* words) { return given.report.find(words) != std::string::npos; }

/// The report; the volume is in `kept`.
std::string keep(const Payload& projections, std::uint64_t budget, Canceller* canceller = nullptr) {
  static std::once_flag once;
  std::call_once(once, [] { register_operator<SlabKeeperOperator>(context().get()); });
  Pipeline pipeline(context());
  pipeline.add("node", node.name);
  for (const auto& [key, value] : node.settings) pipeline.set("node", key, value);
  pipeline.add("keeper", "slab_keeper");
  pipeline.add_input("scan", projections);
  pipeline.connect("scan", "output", "node", "input");
  pipeline.connect("node", "output", "keeper", "input");
  SessionOptions options;
  options.memory_bytes = budget;
  options.in_flight = 1;
  if (canceller != nullptr) options.progress = Canceller::hears, options.progress_user = canceller;
  Session session = pipeline.prepare(options);
  if (canceller != nullptr) canceller->session = &session;
  session.start();
  session.push("scan", projections);
  session.end_input("scan");
  session.wait();
  return session.report();
}

/// The budget that a refusal names, in five digits.
std::uint64_t named_budget(const std::string& refusal) {
  const std::string words = "raise the budget to ";
  const auto at = refusal.find(words);
  EXPECT_NE(at, std::string::npos) << refusal;
  return at == std::string::npos ? 0
                                 : static_cast<std::uint64_t>(std::stod(refusal.substr(at + words.size())) * 1e6) + 100;
}

TEST(HelicalPieces, OnTheCpuAreTheWholeDownToTheBudgetThatARefusalNames) {
  for (const double way : {1.0, -1.0})
    for (const double turn : {1.0, -1.0}) {
      const Payload projections = scan(way, turn, way * turn > 0 ? PhantomDetector::flat : PhantomDetector::curved);
      EXPECT_THAT(keep(projections, 0), Not(HasSubstr("helical.slabs")));
      const std::vector<float> whole = kept;
      const std::string refusal = error_of([&] { keep(projections, 300000); });
      EXPECT_THAT(refusal, AllOf(HasSubstr("even a slab of 31 x 29 x 1 voxels"), Not(HasSubstr("fewer slices"))));
      const std::uint64_t least = named_budget(refusal);
      for (const std::uint64_t budget : {least, least + 60000, least + 150000}) {
        EXPECT_THAT(keep(projections, budget), HasSubstr("helical.slabs")) << budget;
        EXPECT_LT(apart_by(kept, whole), to_rounding) << budget;
      }
      EXPECT_THAT(error_of([&] { keep(projections, least - 1000); }), HasSubstr("even a slab of"));
    }
}

TEST(HelicalPieces, AreAsManyAsTheyAreAskedFor) {
  const Payload projections = scan(-1);
  const Given whole = run_node(context(), "cpu", node, {{"input", projections}});
  for (const auto& [slabs, height] : {std::pair{"2", "19"}, {"5", "8"}, {"36", "2"}, {"37", "1"}, {"400", "1"}}) {
    NodeOnDevice cut = node;
    cut.settings.emplace_back("slabs", slabs);
    const Given pieces = run_node(context(), "cpu", cut, {{"input", projections}});
    EXPECT_LT(apart_by(pieces.values, whole.values), to_rounding) << slabs;
    EXPECT_TRUE(says(pieces, (std::string(" of ") + height + " of 37 slices, from slice 0 on, each from ").c_str()));
  }
}

TEST(HelicalPieces, EndWithinAPassWhenTheyAreCancelledAlsoInALaterSlab) {
  const Payload projections = scan();
  const std::uint64_t least = named_budget(error_of([&] { keep(projections, 300000); }));
  Canceller counts{.after = std::numeric_limits<int>::max()};
  keep(projections, least + 20000, &counts);
  ASSERT_GT(counts.words, 40);
  for (const int after : {1, counts.words / 2, counts.words - 3}) {
    Canceller canceller{.after = after};
    EXPECT_THAT(error_of([&] { keep(projections, least + 20000, &canceller); }), HasSubstr("cancelled"));
    EXPECT_EQ(canceller.said_later, 0) << after;
  }
}

Given on_device(Apart* apart, const Payload& projections, std::uint64_t budget = 0, const char* from = "cpu") {
  return run_node(*apart->context, "apart:0", node, {{"input", projections}}, budget, from);
}

TEST(HelicalPieces, OnADeviceAreTheWholeFromProjectionsInHostMemory) {
  bool eager = false;
  for (const double way : {1.0, -1.0}) {
    const Payload projections = scan(way, 1, way > 0 ? PhantomDetector::flat : PhantomDetector::curved);
    Apart large(ample);
    const Given whole = on_device(&large, projections);
    EXPECT_LT(apart_by(whole.values, run_node(context(), "cpu", node, {{"input", projections}}).values), 2e-5);
    EXPECT_FALSE(says(whole, "helical.projections"));
    int uncut = 0, cut = 0, refused = 0;
    for (std::uint64_t memory = 620000; memory > 80000; memory -= memory / 4) {
      Apart small(memory, eager = !eager);
      small.device.leave_host_open();  // with slabs, host nodes run beside kernels
      try {
        const Given pieces = on_device(&small, projections);
        EXPECT_LT(apart_by(pieces.values, whole.values), to_rounding) << memory;
        EXPECT_LE(small.device.most_memory(), memory / 10 * 9);
        EXPECT_TRUE(says(pieces, "brought to the device pass by pass")) << memory;
        (says(pieces, "helical.slabs") ? cut : uncut) += 1;
      } catch (const Error& e) {
        EXPECT_THAT(e.what(), HasSubstr("even a slab of 31 x 29 x 1 voxels")) << memory;
        ++refused;
      }
    }
    EXPECT_GE(uncut, 1);
    EXPECT_GE(cut, 2);
    EXPECT_GE(refused, 1);
  }
}

TEST(HelicalPieces, OfProjectionsThatLieOnTheDeviceAnywayLeaveThemThere) {
  const Payload projections = scan();
  Apart large(ample), apart(ample);
  apart.device.leave_host_open();
  const Given whole = on_device(&large, projections), pieces = on_device(&apart, projections, 230000, "apart:0");
  EXPECT_LT(apart_by(pieces.values, whole.values), to_rounding);
  EXPECT_TRUE(says(pieces, "helical.slabs"));
  EXPECT_FALSE(says(pieces, "helical.projections"));
}

TEST(HelicalPieces, OfTheNextPassAreOnTheirWayBeforeThisOneIsRebinnedAndComeOnce) {
  Apart apart(600000);
  watch<detail::HelicalRebin>(&apart);
  const Given given = on_device(&apart, scan());
  ASSERT_TRUE(says(given, "brought to the device pass by pass"));
  ASSERT_FALSE(says(given, "helical.slabs"));
  const std::vector<std::uint64_t>& copied = Watched::copied;
  ASSERT_GE(copied.size(), 5U);
  // Views come before each launch but the last one, fewer than at first, and all in all each not much more than once.
  for (std::size_t i = 1; i + 1 < copied.size(); ++i) EXPECT_GE(copied[i], copied[i - 1] + view_bytes) << i;
  EXPECT_EQ(copied.back(), copied[copied.size() - 2]);
  EXPECT_LT(copied.back() - copied.front(), 1.2 * views * view_bytes);
}

TEST(HelicalPieces, AreRefusedWhereARingHasMoreReadingsThanAKernelCounts) {
  HelicalOrbit orbit{.turn = {.views = 6000, .columns = 4000, .rows = 4000}, .pitch = 0.9};
  orbit.turn.arc_rad = 6 * std::numbers::pi;
  orbit.turn.column_step_mm = orbit.turn.row_step_mm = 0.2;
  Projections large = Projections::describe(6000, 4000, 4000);
  set_views(large, orbit.build());
  Apart apart(ample);
  Pipeline pipeline(*apart.context);
  const auto in = pipeline.add_input("in", large);
  const auto helix =
      pipeline.add<HelicalReconstruction>("helix", {.nx = 8, .ny = 8, .nz = 2, .unit = AttenuationUnit::per_mm});
  pipeline.connect(in, helix.input);
  pipeline.add_output("out", helix.output);
  SessionOptions options;
  options.device = "apart:0";
  EXPECT_THAT(error_of([&] { pipeline.prepare(options); }),
              AllOf(HasSubstr("views of 4000 x 4000 readings for each half turn, and 2147483647 readings are the most"),
                    HasSubstr("bin the detector's elements")));
}

TEST(HelicalPieces, NameTheReadingThatIsNoNumberAlsoInHostMemory) {
  Projections projections(scan());
  projections.views().span<float>()[(251 * rows + 5) * columns + 7] = std::numeric_limits<float>::quiet_NaN();
  const auto names_it = AllOf(HasSubstr("view 251 has nan at row 5, column 7"), HasSubstr("Fix: "));
  const std::uint64_t least = named_budget(error_of([&] { keep(projections, 300000); }));
  EXPECT_THAT(error_of([&] { keep(projections, least + 20000); }), names_it);
  for (const std::uint64_t memory : {600000, 300000}) {
    Apart apart(memory);
    apart.device.leave_host_open();
    EXPECT_THAT(error_of([&] { on_device(&apart, projections); }), names_it) << memory;
  }
}

}  // namespace
}  // namespace isocenter::testing
