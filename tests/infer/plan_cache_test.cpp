// Plans of sessions that ended wait for the next session of the same network and shape, within their bytes and number.
#include "infer/plan_cache.hpp"

#include <gmock/gmock.h>

#include <isocenter/infer/network_inference.hpp>
#include <isocenter/isocenter.hpp>

#include "device_test.hpp"
#include "fixture.hpp"
#include "model_file.hpp"

namespace isocenter::infer::test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr std::int64_t enough = std::int64_t{1} << 40;

/// A plan that only weighs something, and how many of them were made.
class Weight final : public Executor {
 public:
  explicit Weight(std::int64_t bytes) { summary_.constant_bytes = bytes; }
  const std::vector<Port>& inputs() const override { return ports_; }
  const std::vector<Port>& outputs() const override { return ports_; }
  const PlanSummary& summary() const override { return summary_; }
  void bind(std::byte*) override {}
  void run(void*) override {}
  void check_numbers() override {}

 private:
  std::vector<Port> ports_;
  PlanSummary summary_;
};

/// Empty before each test.
class KeptPlans : public ::testing::Test {
 protected:
  void SetUp() override { take("nothing", 0, 0); }
  std::unique_ptr<Executor> take(const std::string& key, std::int64_t bytes, std::int64_t most = enough) {
    return plan_or_kept(key, most, [&] { return std::make_unique<Weight>(bytes); });
  }
  bool waits(const std::string& key) { return take(key, 1)->summary().kept; }
};

TEST_F(KeptPlans, OneIsUsedAgainForItsKeyAloneAndByOneSessionAtATime) {
  EXPECT_FALSE(take("a", 10)->summary().kept);
  const auto first = take("a", 10), second = take("a", 10), other = take("b", 10);
  EXPECT_TRUE(first->summary().kept);
  EXPECT_FALSE(second->summary().kept) << "the first one is in use";
  EXPECT_FALSE(other->summary().kept);
}

TEST_F(KeptPlans, TheLongestUnusedGoesFirstWhereTheBytesDoNotSuffice) {
  take("a", 40, 100);
  take("b", 40, 100);
  take("a", 40, 100);  // now b is the one that was used longest ago
  take("c", 40, 100);
  EXPECT_TRUE(waits("a"));
  EXPECT_FALSE(waits("b"));
  EXPECT_TRUE(waits("c"));
}

TEST_F(KeptPlans, OneThatIsLargerThanTheLimitIsNotKeptAndSendsNoOtherAway) {
  take("a", 40, 100);
  take("b", 101, 100);
  EXPECT_FALSE(waits("b"));
  EXPECT_TRUE(waits("a"));
}

TEST_F(KeptPlans, ASmallerLimitHoldsAsSoonAsASessionStatesIt) {
  take("a", 40, 100);
  take("b", 40, 100);
  const auto session = take("c", 10, 50);
  EXPECT_FALSE(waits("a"));
  EXPECT_TRUE(waits("b"));
}

TEST_F(KeptPlans, AreAtMostSixteen) {
  for (int i = 0; i < 20; ++i) take(std::to_string(i), 1);
  EXPECT_FALSE(waits("3"));
  EXPECT_TRUE(waits("19"));
}

TEST_F(KeptPlans, OneThatLooksIntoItsValuesIsNotForOthers) {
  take("a", 10)->check_numbers();
  EXPECT_FALSE(waits("a"));
}

/// Two sessions one after the other, of volumes of different sizes: the window is the same, and so is the result of the
/// plan that was kept as that of a new one.
TEST_F(KeptPlans, AVolumeOfAnotherSizeIsPlannedFasterAndComesOutTheSame) {
  const auto run = [](int n, int keep_plans_mb, std::string& report) {
    Pipeline pipeline(isocenter::testing::context());
    const Volume in = volume(noise(16 * 16 * n), 16, 16, n);
    const auto input = pipeline.add_input("input", in);
    NetworkInference::Params params{.model = data_path("unet3d.onnx"), .window = {16, 16, 8}};
    params.keep_plans_mb = keep_plans_mb;
    const auto network = pipeline.add<NetworkInference>("network", params);
    pipeline.connect(input, network.input);
    pipeline.add_output("output", network.output);
    Session session = pipeline.prepare();
    report = session.report();
    session.start();
    session.push("input", in);
    return values<float>(*session.pull("output"), "voxels");
  };
  std::string first, second, unkept;
  run(8, 64, first);
  const auto again = run(13, 64, second), anew = run(13, 0, unkept);
  EXPECT_THAT(first, Not(HasSubstr("kept from a session that ended")));
  EXPECT_THAT(second, HasSubstr("kept from a session that ended"));
  EXPECT_THAT(unkept, Not(HasSubstr("kept from a session that ended")));
  EXPECT_EQ(again, anew);
  const auto declared = [](const std::string& report) {
    const std::string key = "\"declared_host\":";
    long long sum = 0;
    for (std::size_t at = report.find(key); at != std::string::npos; at = report.find(key, at + 1))
      sum += std::stoll(report.substr(at + key.size()));
    return sum;
  };
  EXPECT_EQ(declared(second) - declared(unkept), 64 << 20) << "the session states what the process may keep";
}

}  // namespace
}  // namespace isocenter::infer::test
