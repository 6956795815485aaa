// Nodes that take items of a stream in batches: each comes out at its place, whatever the batch that it ran in.
#include <gmock/gmock.h>

#include <thread>

#include "core/test_operators.hpp"
#include "device_test.hpp"

namespace isocenter::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// output = input + 100 * the number of items that ran together.
struct Together {
  static constexpr const char* name = "test_together";
  static constexpr const char* module = "test";
  static constexpr const char* summary = "Counts its batches.";
  struct Params {
    int batch = 4;
    int fail_at = -1;
    static constexpr auto describe() {
      return std::tuple{
          param(&Params::batch, "batch", Unit::none, 1, 100, "Items at once."),
          param(&Params::fail_at, "fail_at", Unit::none, -1, 100, "The item that fails when it is given.")};
    }
  };
  struct Ports {
    In<Volume> input{"input", "Any."};
    Out<Volume> output{"output", "With the count."};
    static constexpr auto describe() { return std::tuple{&Ports::input, &Ports::output}; }
  };
};

class TogetherOperator final : public OperatorBase<Together> {
 public:
  void plan(PlanContext& plan) override {
    plan.output("output").like(plan.input("input"));
    plan.gather(params.batch);
    plan.spread(params.batch);
  }
  void run(const RunContext& run) override {
    if (run.part() < 0) {
      if (given_) taken_.clear();
      given_ = false;
      return taken_.push_back(run.input("input").tensor("voxels").as<float>()[0]);
    }
    given_ = true;
    if (run.sequence() == params.fail_at) throw Failure(ErrorCode::bad_data, "this one is broken", "mend it");
    run.output("output").tensor("voxels").as<float>()[0] =
        taken_.at(static_cast<std::size_t>(run.part())) + 100.0F * static_cast<float>(taken_.size());
  }

 private:
  std::vector<float> taken_;
  bool given_ = false;
};

/// The last of every `count` items.
struct Gather {
  static constexpr const char* name = "test_gather";
  static constexpr const char* module = "test";
  static constexpr const char* summary = "Gathers.";
  struct Params {
    int count = 4;
    static constexpr auto describe() {
      return std::tuple{param(&Params::count, "count", Unit::none, 1, 100, "Items for one.")};
    }
  };
  using Ports = Together::Ports;
};

class GatherOperator final : public OperatorBase<Gather> {
 public:
  void plan(PlanContext& plan) override {
    plan.output("output").like(plan.input("input"));
    plan.gather(params.count);
  }
  void run(const RunContext& run) override {
    run.output("output").tensor("voxels").as<float>()[0] = run.input("input").tensor("voxels").as<float>()[0];
  }
};

/// Works in nine tenths of what the budget has left, and refuses less than 1000 bytes.
struct Roomy {
  static constexpr const char* name = "test_roomy";
  static constexpr const char* module = "test";
  static constexpr const char* summary = "Takes what is left.";
  struct Params {
    static constexpr auto describe() { return std::tuple{}; }
  };
  using Ports = Together::Ports;
};

class RoomyOperator final : public OperatorBase<Roomy> {
 public:
  void plan(PlanContext& plan) override {
    plan.output("output").like(plan.input("input"));
    const std::uint64_t bytes = plan.memory_left() / 10 * 9;
    if (bytes < 1000) throw Failure(ErrorCode::out_of_memory, "no room to work in", "raise the budget");
    plan.fact("works_in", std::to_string(bytes));
    plan.scratch(bytes);
  }
  void run(const RunContext& run) override {
    run.output("output").tensor("voxels").as<float>()[0] = run.input("input").tensor("voxels").as<float>()[0];
  }
};

class BatchTest : public ::testing::Test {
 protected:
  BatchTest() {
    register_operator<TogetherOperator>(context_.get());
    register_operator<GatherOperator>(context_.get());
    register_operator<RoomyOperator>(context_.get());
  }
  /// source -> together -> recorder.
  void run(const CountingSource::Params& source_params, const Together::Params& params) {
    const auto source = pipeline_.add<CountingSource>("source", source_params);
    const auto together = pipeline_.add<Together>("together", params);
    const auto recorder = pipeline_.add<Recorder>("recorder", {.path = "x"});
    pipeline_.connect(source.output, together.input);
    pipeline_.connect(together.output, recorder.input);
    Session session = pipeline_.prepare();
    session.run();
    report_ = session.report();
  }
  Context context_ = test_context();
  Pipeline pipeline_{context_};
  std::string report_;
};

TEST_F(BatchTest, FullOnesRunTogetherAndTheStreamsEndGivesTheRest) {
  run({.count = 10, .nx = 1}, {.batch = 4});
  EXPECT_THAT(Recorder::seen, ElementsAre(400, 401, 402, 403, 404, 405, 406, 407, 208, 209));
}

TEST_F(BatchTest, AStreamThatEndsWithAFullOneOrHasNoItemLeavesNone) {
  run({.count = 4, .nx = 1}, {.batch = 4});
  EXPECT_THAT(Recorder::seen, ElementsAre(400, 401, 402, 403));
}

TEST_F(BatchTest, AnItemThatFailedBeforeIsMissingFromItsOwnAlone) {
  EXPECT_THAT(error_of([&] { run({.count = 9, .nx = 1, .fail_at = 5}, {.batch = 4}); }), HasSubstr("item 5 is broken"));
  EXPECT_THAT(Recorder::seen, ElementsAre(400, 401, 402, 403, 304, 306, 307, 108));
}

TEST_F(BatchTest, AnItemThatFailsWhenItIsGivenFailsAlone) {
  EXPECT_THAT(error_of([&] { run({.count = 9, .nx = 1}, {.batch = 4, .fail_at = 5}); }),
              HasSubstr("'together': this one is broken"));
  EXPECT_THAT(Recorder::seen, ElementsAre(400, 401, 402, 403, 404, 406, 407, 108));
}

TEST_F(BatchTest, TheirNodeIsTimedForEachItemThatItGives) {
  run({.count = 10, .nx = 1}, {.batch = 4});
  const std::size_t node = report_.find("\"test_together\"");
  EXPECT_THAT(report_.substr(report_.find("\"time_s\"", node)), ::testing::StartsWith("\"time_s\":{\"count\":10,"));
}

/// The other branch holds what the batch holds back; without room for it the join would wait for ever.
TEST_F(BatchTest, MeetTheOtherBranchOfTheirStreamInAJoin) {
  const auto source = pipeline_.add<CountingSource>("source", {.count = 11, .nx = 1});
  const auto plain = pipeline_.add<Sum>("plain", {.offset = 1000});
  const auto together = pipeline_.add<Together>("together", {.batch = 4});
  const auto join = pipeline_.add<Sum>("join");
  pipeline_.connect(source.output, plain.a);
  pipeline_.connect(source.output, together.input);
  pipeline_.connect(plain.output, join.a);
  pipeline_.connect(together.output, join.b);
  pipeline_.add_output("sum", join.output);
  Session session = pipeline_.prepare();
  session.start();
  for (int i = 0; i < 11; ++i) {
    auto sum = session.try_pull("sum", 10);
    ASSERT_TRUE(static_cast<bool>(sum)) << "item " << i;
    EXPECT_EQ(sum->tensor("voxels").as<float>()[0], static_cast<float>(1000 + 2 * i + (i < 8 ? 400 : 300)));
    EXPECT_EQ(sum->sequence(), i);
  }
  EXPECT_FALSE(session.pull("sum"));
}

/// One thread pushes to both inputs in turn while the batch holds the first items of one of them.
TEST_F(BatchTest, MeetAnotherInputThatTheSameThreadFeeds) {
  const Volume item = Volume::own({1.0F}, 1, 1, 1, Geometry(), "HU");
  const auto a = pipeline_.add_input("a", item), b = pipeline_.add_input("b", item);
  const auto together = pipeline_.add<Together>("together", {.batch = 4});
  const auto join = pipeline_.add<Sum>("join");
  pipeline_.connect(a, together.input);
  pipeline_.connect(together.output, join.a);
  pipeline_.connect(b, join.b);
  pipeline_.add_output("sum", join.output);
  Session session = pipeline_.prepare();
  session.start();
  std::jthread pushes([&] {
    try {
      for (int i = 0; i < 8; ++i)
        for (const char* input : {"a", "b"}) session.push(input, item);
    } catch (const Error&) {  // cancelled below
    }
  });
  int came = 0;
  while (came < 8 && session.try_pull("sum", 5)) ++came;
  session.cancel();
  EXPECT_EQ(came, 8);
}

/// source -> gather -> together -> behind, and past them source -> past; what is behind a batch parts without need.
TEST_F(BatchTest, WidenTheWaysPastThemByWhatTheyHoldAndNoOthers) {
  const auto source = pipeline_.add<CountingSource>("source", {.count = 64, .nx = 1});
  const auto gather = pipeline_.add<Gather>("gather", {.count = 4});
  const auto together = pipeline_.add<Together>("together", {.batch = 8});
  const auto behind = pipeline_.add<Sum>("behind");
  const auto past = pipeline_.add<Recorder>("past", {.path = "x"});
  pipeline_.connect(source.output, gather.input);
  pipeline_.connect(gather.output, together.input);
  pipeline_.connect(together.output, behind.a);
  pipeline_.connect(together.output, behind.b);
  pipeline_.connect(source.output, past.input);
  pipeline_.add_output("sum", behind.output);
  const std::string report = pipeline_.prepare().report();
  const auto capacity = [&](const std::string& node) {
    const std::string inputs = report.substr(report.find("\"name\":\"" + node + "\""));
    return std::stoi(inputs.substr(inputs.find("\"capacity\":") + 11));
  };
  EXPECT_EQ(capacity("past"), 1 + 4 * 8);
  EXPECT_EQ(capacity("gather"), 1);
  EXPECT_EQ(capacity("together"), 1);
  EXPECT_EQ(capacity("behind"), 1);
}

/// source -> roomy -> together -> join, and past them source -> join, where 50 items of 4000 bytes wait.
TEST_F(BatchTest, ANodeThatTakesWhatIsLeftLeavesRoomForWhatWaitsBesideABatch) {
  const auto source = pipeline_.add<CountingSource>("source", {.count = 64, .nx = 1000});
  const auto roomy = pipeline_.add<Roomy>("roomy", {});
  const auto together = pipeline_.add<Together>("together", {.batch = 50});
  const auto join = pipeline_.add<Sum>("join");
  pipeline_.connect(source.output, roomy.input);
  pipeline_.connect(roomy.output, together.input);
  pipeline_.connect(together.output, join.a);
  pipeline_.connect(source.output, join.b);
  pipeline_.add_output("sum", join.output);
  SessionOptions options;
  options.memory_bytes = 600000;
  Session session = pipeline_.prepare(options);
  const std::string report = session.report();
  const int works_in = std::stoi(report.substr(report.find("\"works_in\":\"") + 12));
  EXPECT_GT(works_in, 300000);
  EXPECT_LT(works_in, 600000 - 50 * 4000);
  session.start();
  int came = 0;
  while (session.try_pull("sum", 10)) ++came;
  EXPECT_EQ(came, 64);
  options.memory_bytes = 150000;
  EXPECT_THAT(error_of([&] { pipeline_.prepare(options); }), HasSubstr("beside the batches of 'together' items wait"));
}

/// source -> roomy -> join: the join's 40000 bytes are planned after roomy took nine tenths of what was left.
TEST_F(BatchTest, ANodeThatTakesWhatIsLeftLeavesRoomForTheNodesBehindIt) {
  const auto source = pipeline_.add<CountingSource>("source", {.count = 1, .nx = 10000});
  const auto roomy = pipeline_.add<Roomy>("roomy", {});
  const auto join = pipeline_.add<Sum>("join");
  pipeline_.connect(source.output, roomy.input);
  pipeline_.connect(roomy.output, join.a);
  pipeline_.connect(source.output, join.b);
  pipeline_.add_output("sum", join.output);
  const auto works_in = [&](std::uint64_t budget) {
    const std::string report = pipeline_.prepare({.memory_bytes = budget}).report();
    return std::stoi(report.substr(report.find("\"works_in\":\"") + 12));
  };
  EXPECT_EQ(works_in(1000000), (1000000 - 40000) / 10 * 9);  // beside it 120000 bytes fit
  EXPECT_NEAR(works_in(600000), (600000 - 40000 - 40000) / 10 * 9, 2000);
  EXPECT_THAT(error_of([&] { works_in(81000); }), HasSubstr("no room to work in"));
}

TEST_F(BatchTest, ARefusedBudgetNamesTheBatchThatOtherItemsWaitFor) {
  const auto source = pipeline_.add<CountingSource>("source", {.count = 64, .nx = 1000});
  const auto together = pipeline_.add<Together>("together", {.batch = 50});
  const auto join = pipeline_.add<Sum>("join");
  pipeline_.connect(source.output, together.input);
  pipeline_.connect(together.output, join.a);
  pipeline_.connect(source.output, join.b);
  pipeline_.add_output("sum", join.output);
  SessionOptions options;
  options.memory_bytes = 100000;
  EXPECT_THAT(error_of([&] { pipeline_.prepare(options); }),
              ::testing::AllOf(HasSubstr("'source'"), HasSubstr("beside the batches of 'together' items wait")));
}

}  // namespace
}  // namespace isocenter::testing
