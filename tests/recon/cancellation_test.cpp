// A session that is cancelled while a stage works: a stage of many passes leaves the item that it is at, one of a
// single pass over its data begins no other item.
#include <gmock/gmock.h>

#include <isocenter/phantom/phantom_motion.hpp>
#include <isocenter/phantom/phantom_projections.hpp>
#include <isocenter/phantom/phantom_volume.hpp>

#include "one_of.hpp"

namespace isocenter::testing {
namespace {

using ::testing::HasSubstr;

PhantomProjections::Params scan() {
  return {.views = 80, .columns = 40, .rows = 24, .column_step_mm = 8, .row_step_mm = 8};
}
Payload circle() { return one_of<PhantomProjections>(scan()); }
Payload helix() {
  auto p = scan();
  p.orbit = PhantomOrbit::helix;
  p.views = 320;
  p.arc_deg = 1440;
  return one_of<PhantomProjections>(p);
}
Payload breathing() {
  auto p = scan();
  p.phantom = PhantomKind::moving_thorax;
  p.rows = 96;
  p.row_step_mm = 4;
  p.views = 240;
  p.detector_offset_v_mm = -90;
  return one_of<PhantomProjections>(p);
}
Payload sorted() {
  Pipeline p(context());
  auto thorax = scan();
  thorax.phantom = PhantomKind::moving_thorax;
  p.add<PhantomProjections>("scan", thorax);
  p.add("node", "phase_sort");
  p.connect("scan", "output", "node", "input");
  p.add_output("out", "node", "output");
  Session session = p.prepare();
  session.start();
  return context().copy_to(*session.pull("out"), "cpu");
}
template <char axis>
Payload motion() {
  constexpr char port[] = {axis, 0};
  return one_of<PhantomMotion>({.frames = 8, .nx = 12, .ny = 10, .nz = 10, .spacing_mm = {40}}, port);
}
Payload volume() { return one_of<PhantomVolume>({.nx = 24, .ny = 24, .nz = 16, .spacing_mm = {9}}); }

using Settings = std::vector<std::pair<const char*, const char*>>;

const Settings cube = {{"nx", "24"}, {"ny", "24"}, {"nz", "16"}, {"spacing_mm", "9"}};

struct Stage {
  const char* name;
  std::vector<std::pair<const char*, Payload (*)()>> inputs;
  Settings settings = {};
  bool many_passes = true;
  const char* output = "output";
  friend std::ostream& operator<<(std::ostream& out, const Stage& s) { return out << s.name; }
};
const Stage stages[] = {
    {"fdk_reconstruction", {{"input", circle}}, cube},
    {"helical_reconstruction", {{"input", helix}}, cube},
    {"motion_compensated_reconstruction",
     {{"input", sorted}, {"motion_x", motion<'x'>}, {"motion_y", motion<'y'>}, {"motion_z", motion<'z'>}},
     cube},
    {"forward_projection", {{"input", volume}, {"geometry", circle}}},
    {"back_projection", {{"input", circle}}, cube},
    {"compare_volumes", {{"input", motion<'x'>}, {"truth", motion<'z'>}}, {}, true, nullptr},
    {"metal_prior", {{"input", volume}}, {}, false, "prior"},
    {"metal_artefact_reduction", {{"input", circle}, {"metal", circle}}, {}, false},
    {"hounsfield_calibration", {{"input", volume}}, {{"water_centre_mm", "0, 0, 0"}, {"water_radius_mm", "20"}}, false},
    {"amsterdam_shroud", {{"input", breathing}}, {}, false, "signal"},
    {"phase_sort", {{"input", breathing}}, {}, false},
};

/// Cancels its session at the first word of the node's progress.
struct Watch {
  Session* session = nullptr;
  bool cancels = true, cancelled = false;
  int finished = 0;  ///< items of the node
  static void hears(void* user, const char* node, std::int64_t, double fraction) {
    auto& w = *static_cast<Watch*>(user);
    if (std::string(node) != "node") return;
    if (fraction >= 1.0) ++w.finished;
    if (w.cancels && !w.cancelled) w.session->cancel();
    w.cancelled = w.cancels;
  }
};

class Cancellation : public ::testing::TestWithParam<Stage> {
 protected:
  /// Gives the stage `items` items; what wait() says.
  static std::string run(Watch* watch, int items) {
    const Stage& stage = GetParam();
    Pipeline p(context());
    p.add("node", stage.name);
    for (const auto& [key, value] : stage.settings) p.set("node", key, value);
    std::vector<std::pair<std::string, Payload>> inputs;
    for (const auto& [port, make] : stage.inputs) {
      inputs.emplace_back(std::string("for_") + port, make());
      p.add_input(inputs.back().first.c_str(), inputs.back().second);
      p.connect(inputs.back().first.c_str(), "output", "node", port);
    }
    if (stage.output != nullptr) p.add_output("out", "node", stage.output);
    SessionOptions options;
    options.in_flight = items;
    options.progress = Watch::hears;
    options.progress_user = watch;
    Session session = p.prepare(options);
    watch->session = &session;
    session.start();
    const auto work = [&] {
      for (int i = 0; i < items; ++i)
        for (const auto& [name, payload] : inputs) session.push(name.c_str(), payload);
      for (const auto& [name, payload] : inputs) session.end_input(name.c_str());
      while (!watch->cancels && stage.output != nullptr && session.pull("out")) continue;
      session.wait();
    };
    if (watch->cancels) return error_of(work);
    work();
    return "";
  }
};

TEST_P(Cancellation, EndsTheItemInWorkOrTheStreamBehindIt) {
  Watch watch;
  EXPECT_THAT(run(&watch, 2), HasSubstr("cancelled"));
  EXPECT_TRUE(watch.cancelled);
  EXPECT_EQ(watch.finished, GetParam().many_passes ? 0 : 1);
}

TEST_P(Cancellation, WithoutItEveryItemIsFinished) {
  Watch watch{.cancels = false};
  EXPECT_EQ(run(&watch, 2), "");
  EXPECT_GE(watch.finished, 2);
}

INSTANTIATE_TEST_SUITE_P(Recon, Cancellation, ::testing::ValuesIn(stages),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace isocenter::testing
