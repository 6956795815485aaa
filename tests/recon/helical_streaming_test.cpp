// A helix that comes in blocks of views: the volume of the whole scan, whatever the blocks, ready with the last of
// them; what is kept does not grow with the scan; on a device too, from host memory and with little of its own.
#include <gmock/gmock.h>

#include <atomic>
#include <isocenter/recon/acquisition.hpp>
#include <isocenter/recon/helical_reconstruction.hpp>
#include <limits>

#include "helix_of_noise.hpp"
#include "recon_apart.hpp"

namespace isocenter::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr double to_rounding = 2e-6;
using Settings = std::vector<std::pair<const char*, std::string>>;
const Settings grid = {{"nx", "31"}, {"ny", "29"}, {"spacing_mm", "6.5, 6.5, 3"}, {"unit", "1/mm"}};

/// Block `n` of `count` of a scan.
Projections block_of(const Payload& scan, std::int64_t n, std::int64_t count) {
  const TensorView all = scan.tensor("views");
  const std::int64_t views = all.extent('n') / count;
  Projections block = Projections::describe(views, all.extent('v'), all.extent('u'));
  set_views(block, views_of(scan), Beam::cone, detector_of(scan));
  if (count > 1) set_view_blocks(block, count);
  context().allocate(block);
  const auto to = block.views().span<float>();
  std::copy_n(all.as<const float>() + n * static_cast<std::int64_t>(to.size()), to.size(), to.begin());
  return block;
}

/// A session that takes scans in blocks.
struct Stream {
  const Context* in = &context();
  const char* device = "cpu";
  const char* blocks_on = "cpu";
  std::uint64_t budget = 0;
  Settings settings = grid;
  int in_flight = 1;

  Session prepare(const Payload& scan, std::int64_t blocks) const {
    Pipeline pipeline(*in);
    pipeline.add("helix", "helical_reconstruction");
    for (const auto& [key, value] : settings) pipeline.set("helix", key, value);
    pipeline.add_input("in", in->copy_to(block_of(scan, 0, blocks), blocks_on));
    pipeline.connect("in", "output", "helix", "input");
    pipeline.add_output("out", "helix", "output");
    SessionOptions options;
    options.device = device;
    options.memory_bytes = budget;
    options.in_flight = in_flight;
    return pipeline.prepare(options);
  }
  /// The volumes of `scans` scans, one after the other; each is there when its last block is.
  std::vector<Given> volumes(const Payload& scan, std::int64_t blocks, int scans = 1) const {
    Session session = prepare(scan, blocks);
    session.start();
    std::vector<Given> given;
    for (int i = 0; i < scans; ++i) {
      for (std::int64_t n = 0; n < blocks; ++n) session.push("in", in->copy_to(block_of(scan, n, blocks), blocks_on));
      if (i + 1 == scans) session.end_input("in");
      const auto item = session.pull("out");
      if (!item) session.wait();
      const Payload result = in->copy_to(*item, "cpu");
      const auto values = result.tensor("voxels").span<const float>();
      given.push_back({{values.begin(), values.end()}, session.report()});
    }
    return given;
  }
};

TEST(HelicalStreaming, GivesTheVolumeOfTheWholeScanWhateverTheBlocks) {
  for (const double pitch : {0.8, 0.25, 1.3})
    for (const double way : {1.0, -1.0})
      for (const double turn : {1.0, -1.0}) {
        const auto detector = way * turn > 0 ? PhantomDetector::flat : PhantomDetector::curved;
        const Payload scan = HelixOfNoise{way, turn, detector, 300, pitch}.scan();
        const std::vector<float> whole = Stream().volumes(scan, 1)[0].values;
        for (const std::int64_t blocks : {2, 12, 300}) {
          const auto streamed = Stream().volumes(scan, blocks, 2);
          for (const Given& given : streamed)
            EXPECT_LT(apart_by(given.values, whole), to_rounding)
                << blocks << " blocks, pitch " << pitch << ", way " << way << ", turn " << turn;
        }
      }
}

TEST(HelicalStreaming, KeepsTheHalfTurnsThatASliceMeetsHoweverLongTheScan) {
  // All slices that the scan covers; the volume and the table of directions grow, what is kept does not.
  std::int64_t tables[2] = {};
  for (const int times : {2, 4}) {
    HelixOfNoise helix{.views = 300 * times};
    helix.turns *= times;
    const Given given = Stream().volumes(helix.scan(), 100 * times)[0];
    EXPECT_THAT(given.report, AllOf(HasSubstr("filtered views of 6 half turns, and "), HasSubstr(" 3 x 7 x 33")));
    const auto node = given.report.find("\"name\":\"helix\"");
    tables[times / 4] = std::stoll(given.report.substr(given.report.find("\"tables\":", node) + 9));
  }
  EXPECT_GT(tables[0], 1200000) << "the filtered views: 6 half turns of 24 views of 11 kB";
  EXPECT_LT(tables[1], 1.02 * static_cast<double>(tables[0]));
}

TEST(HelicalStreaming, IsRefusedWhereTheBudgetDoesNotHoldWhatIsKeptAndWorksWithTheOneThatIsNamed) {
  const Payload scan = HelixOfNoise{.views = 300}.scan();
  const std::vector<float> whole = Stream().volumes(scan, 1)[0].values;
  Stream small;
  small.budget = 500000;
  const std::string refusal = error_of([&] { small.volumes(scan, 100); });
  EXPECT_THAT(refusal, AllOf(HasSubstr("a volume of 31 x 29 x "), HasSubstr("raise the budget to "),
                             HasSubstr("give the scan as one item")));
  small.budget = static_cast<std::uint64_t>(std::stod(refusal.substr(refusal.find("budget to ") + 10)) * 1e6) + 100;
  EXPECT_LT(apart_by(small.volumes(scan, 100)[0].values, whole), to_rounding);
  small.budget -= 5000;
  EXPECT_THAT(error_of([&] { small.volumes(scan, 100); }), HasSubstr("raise the budget to "));
}

TEST(HelicalStreaming, IsNotCutIntoSlabs) {
  Stream stream;
  stream.settings.emplace_back("slabs", "3");
  EXPECT_THAT(error_of([&] { stream.volumes(HelixOfNoise{.views = 300}.scan(), 4); }),
              AllOf(HasSubstr("slabs = 3, and the scan comes in 4 blocks"), HasSubstr("set slabs to 0")));
}

/// Of a session of `stream` that gets blocks of which number `bad` is spoiled, and then a whole scan: its error.
std::string error_of_spoiled(Stream stream, const Payload& scan, std::int64_t blocks, std::int64_t bad, int view,
                             float value) {
  // In Hounsfield units, so that a large reading is too large.
  stream.settings.back().second = "HU";
  stream.settings.emplace_back("mu_water_per_mm", "0.02");
  stream.in_flight = 2;
  const std::vector<float> whole = Stream{.settings = stream.settings}.volumes(scan, 1)[0].values;
  Session session = stream.prepare(scan, blocks);
  session.start();
  for (std::int64_t n = 0; n < 2 * blocks; ++n) {
    Projections block = block_of(scan, n % blocks, blocks);
    if (n == bad)
      block.views().span<float>()[static_cast<std::size_t>((view * HelixOfNoise::rows + 5) * 33 + 32)] = value;
    session.push("in", stream.in->copy_to(block, stream.blocks_on));
  }
  session.end_input("in");
  const auto item = session.pull("out");
  if (!item) return "no volume";
  EXPECT_EQ(item->sequence(), 1) << "the second scan";
  const Payload result = stream.in->copy_to(*item, "cpu");
  const auto values = result.tensor("voxels").span<const float>();
  EXPECT_LT(apart_by({values.begin(), values.end()}, whole), 2e-5);
  return error_of([&] { session.wait(); });
}

TEST(HelicalStreaming, OfABadReadingSaysWhichAndTheNextScanIsWhole) {
  const Payload scan = HelixOfNoise{.views = 300}.scan();
  const float nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_THAT(error_of_spoiled({}, scan, 12, 7, 3, nan), HasSubstr("view 178 has nan at row 5, column 32"));
  EXPECT_THAT(error_of_spoiled({}, scan, 300, 178, 0, nan), HasSubstr("view 178 has nan at row 5, column 32"));
  EXPECT_THAT(error_of_spoiled({}, scan, 2, 1, 28, 3e38F),
              AllOf(HasSubstr("view 178 has "), HasSubstr("so much that its filtered row")));
}

TEST(HelicalStreaming, SaysThatTheLastBlocksDidNotCome) {
  const Payload scan = HelixOfNoise{.views = 300}.scan();
  Session session = Stream().prepare(scan, 6);
  session.start();
  for (int n = 0; n < 4; ++n) session.push("in", block_of(scan, n, 6));
  session.end_input("in");
  EXPECT_FALSE(session.pull("out"));
  EXPECT_THAT(error_of([&] { session.wait(); }), HasSubstr("ended after block 3 of a scan of 6 blocks"));
}

TEST(HelicalStreaming, EndsWithinAStepWhenItIsCancelled) {
  const Payload scan = HelixOfNoise{.views = 300}.scan();
  struct Listener {
    Session* session = nullptr;
    int words = 0, later = 0;
    static void hears(void* user, const char* name, std::int64_t, double fraction) {
      auto& l = *static_cast<Listener*>(user);
      if (std::string(name) != "helix" || fraction >= 1.0) return;
      l.later += l.words >= 5 ? 1 : 0;
      if (++l.words == 5) l.session->cancel();
    }
  } listener;
  Pipeline pipeline(context());
  pipeline.add("helix", "helical_reconstruction");
  for (const auto& [key, value] : grid) pipeline.set("helix", key, value);
  pipeline.add_input("in", block_of(scan, 0, 2));
  pipeline.connect("in", "output", "helix", "input");
  pipeline.add_output("out", "helix", "output");
  SessionOptions options;
  options.progress = Listener::hears;
  options.progress_user = &listener;
  Session session = pipeline.prepare(options);
  listener.session = &session;
  session.start();
  session.push("in", block_of(scan, 0, 2));
  EXPECT_FALSE(session.pull("out"));
  EXPECT_THAT(error_of([&] { session.wait(); }), HasSubstr("cancelled"));
  EXPECT_EQ(listener.words, 5);
}

TEST(HelicalStreaming, OnADeviceIsTheWholeAlsoFromBlocksInHostMemory) {
  const Payload scan = HelixOfNoise{-1, 1, PhantomDetector::curved, 300}.scan();
  const std::vector<float> whole = Stream().volumes(scan, 1)[0].values;
  int from_host = 0, refused = 0;
  struct Case {
    std::uint64_t memory;
    const char* blocks_on;
    std::int64_t blocks;
    bool eager;
  };
  for (const Case& c : {Case{ample, "cpu", 60, false},
                        {ample, "apart:0", 3, true},
                        {1590000, "cpu", 12, true},
                        {1650000, "cpu", 3, false},
                        {1050000, "cpu", 3, false}}) {
    Apart apart(c.memory, c.eager);
    apart.device.leave_host_open();  // blocks are pushed while kernels run
    try {
      const Given given = Stream{&*apart.context, "apart:0", c.blocks_on}.volumes(scan, c.blocks)[0];
      EXPECT_LT(apart_by(given.values, whole), 2e-5) << c.memory << ", " << c.blocks;
      EXPECT_LE(apart.device.most_memory(), c.memory / 10 * 9);
      from_host += given.report.find("brought to the device pass by pass") != std::string::npos ? 1 : 0;
    } catch (const Error& e) {
      EXPECT_THAT(e.what(), HasSubstr("a volume of 31 x 29 x ")) << c.memory;
      ++refused;
    }
  }
  EXPECT_EQ(from_host, 2);
  EXPECT_EQ(refused, 1);
}

TEST(HelicalStreaming, OnADeviceNamesABadReadingToo) {
  const Payload scan = HelixOfNoise{.views = 300}.scan();
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (const std::int64_t blocks : {2, 12}) {
    Apart apart(ample);
    apart.device.leave_host_open();
    const Stream stream{&*apart.context, "apart:0"};
    const std::int64_t views = 300 / blocks;
    EXPECT_THAT(error_of_spoiled(stream, scan, blocks, 178 / views, static_cast<int>(178 % views), nan),
                HasSubstr("view 178 has nan at row 5, column 32"));
    EXPECT_THAT(error_of_spoiled(stream, scan, blocks, 178 / views, static_cast<int>(178 % views), 3e38F),
                AllOf(HasSubstr("view 178 has "), HasSubstr("so much that its filtered row")));
  }
}

/// What was back-projected: voxels times directions times half turns.
struct Projected {
  static inline std::atomic<double> all = 0;  ///< written by the node's thread alone
  static int launch(const void* args, std::int64_t nx, std::int64_t ny, std::int64_t nz, void* stream) {
    const auto& job = *static_cast<const detail::HelicalBackProject*>(args);
    all = all + static_cast<double>(nx * ny * nz) * job.direction_count;
    return enqueue_apart<detail::HelicalBackProject>(args, nx, ny, nz, stream);
  }
};

TEST(HelicalStreaming, LeavesLittleToDoAfterTheLastView) {
  const Payload scan = HelixOfNoise{.views = 300}.scan();
  Apart apart(ample);
  apart.device.leave_host_open();
  for (auto& k : *apart.device.kernels())
    if (std::string(k.name) == detail::HelicalBackProject::name) k.enqueue = &Projected::launch;
  const Stream stream{&*apart.context, "apart:0"};
  Session session = stream.prepare(scan, 300);
  Projected::all = 0;
  session.start();
  double before_last = 0;
  for (std::int64_t n = 0; n < 300; ++n) {
    if (n == 299) {
      // The block before was taken when the queue of one item has room again, and done some time later.
      for (double seen = -1; seen != Projected::all; std::this_thread::sleep_for(std::chrono::milliseconds(300)))
        seen = Projected::all;
      before_last = Projected::all;
    }
    session.push("in", stream.in->copy_to(block_of(scan, n, 300), "cpu"));
  }
  session.end_input("in");
  const auto item = session.pull("out");
  ASSERT_TRUE(item);
  const std::int64_t nz = item->tensor("voxels").extent('z');
  EXPECT_EQ(Projected::all, 31.0 * 29 * static_cast<double>(nz) * 24) << "each voxel once for each direction";
  EXPECT_GT(before_last, 0.8 * Projected::all);
}

}  // namespace
}  // namespace isocenter::testing
