// A maker's run-time module, as tests of the command need it: a step that takes its time, a step that fails, a sink
// that writes a text file slowly.
#include <chrono>
#include <isocenter/operator.hpp>
#include <thread>

#include "io/staged_file.hpp"

namespace isocenter::testing {
namespace {

struct TestSlow {
  static constexpr const char* name = "test_slow";
  static constexpr const char* module = "test";
  static constexpr const char* summary = "Passes a volume on after some time.";
  static constexpr bool host_only = true;
  struct Params {
    double seconds = 0.1;
    static constexpr auto describe() {
      return std::tuple{param(&Params::seconds, "seconds", Unit::s, 0, 3600, "How long an item takes.")};
    }
  };
  struct Ports {
    In<Volume> input{"input", "Any volume."};
    Out<Volume> output{"output", "The same."};
    Out<Volume> second{"second", "The same once more."};
    static constexpr auto describe() { return std::tuple{&Ports::input, &Ports::output, &Ports::second}; }
  };
};

/// Sleeps in 100 steps that see a cancelled session and say how far they are.
void work(const RunContext& run, double seconds) {
  for (int i = 0; i < 100; ++i) {
    std::this_thread::sleep_for(std::chrono::duration<double>(seconds / 100));
    run.check_cancelled();
    run.progress((i + 1) / 100.0);
  }
}

class TestSlowOperator : public OperatorBase<TestSlow> {
 public:
  void plan(PlanContext& plan) override {
    for (const char* port : {"output", "second"}) plan.output(port).like(plan.input("input"));
  }
  void run(const RunContext& run) override {
    work(run, params.seconds);
    const TensorView in = run.input("input").tensor("voxels");
    for (const char* port : {"output", "second"})
      std::memcpy(run.output(port).tensor("voxels").data, in.data, in.bytes());
  }
};

enum class When { never, plan, run };

struct TestFail {
  static constexpr const char* name = "test_fail";
  static constexpr const char* module = "test";
  static constexpr const char* summary = "Fails when it is told to.";
  static constexpr bool host_only = true;
  struct Params {
    When when = When::run;
    std::int64_t code = ISOCENTER_BAD_DATA;
    std::string must_be_set;
    static constexpr const char* whens[] = {"never", "plan", "run"};
    static constexpr auto describe() {
      return std::tuple{choice(&Params::when, "when", whens, "When it fails."),
                        param(&Params::code, "code", Unit::none, 1, 12, "With which status."),
                        param(&Params::must_be_set, "must_be_set", "Any text.", required)};
    }
  };
  struct Ports {
    Out<Volume> output{"output", "A volume of 8 voxels, value 1."};
    static constexpr auto describe() { return std::tuple{&Ports::output}; }
  };
};

class TestFailOperator : public OperatorBase<TestFail> {
 public:
  void plan(PlanContext& plan) override {
    plan.items(1);
    plan.output("output").set_tensor("voxels", tensor(DType::float32, "zyx", {2, 2, 2}));
    plan.warn("this operator only tests", "use another");
    fail(When::plan);
  }
  void run(const RunContext& run) override {
    fail(When::run);
    for (float& v : Volume(run.output("output")).values()) v = 1;
  }

 private:
  void fail(When now) const {
    if (params.when == now)
      throw Failure(static_cast<ErrorCode>(params.code), "it failed with status " + std::to_string(params.code),
                    "set when to never");
  }
};

struct TestTextSink {
  static constexpr const char* name = "test_text_sink";
  static constexpr const char* module = "test";
  static constexpr const char* summary = "Writes the sum of a volume into a text file.";
  static constexpr bool host_only = true;
  struct Params {
    std::string path;
    double seconds = 0;
    static constexpr auto describe() {
      return std::tuple{param(&Params::path, "path", "The file; %d in it is the item's number.",
                              isocenter::required | isocenter::path),
                        param(&Params::seconds, "seconds", Unit::s, 0, 3600, "How long the writing takes.")};
    }
  };
  struct Ports {
    In<Volume> input{"input", "Any volume."};
    static constexpr auto describe() { return std::tuple{&Ports::input}; }
  };
};

class TestTextSinkOperator : public OperatorBase<TestTextSink> {
 public:
  void plan(PlanContext& plan) override {
    plan.metric("sum", "", 1);
    plan.fact("file", params.path);
  }
  void run(const RunContext& run) override {
    double sum = 0;
    for (const float v : Volume(run.input("input")).values()) sum += static_cast<double>(v);
    run.metric("sum", sum);
    std::string path = params.path;
    if (const auto at = path.find("%d"); at != std::string::npos) path.replace(at, 2, std::to_string(run.sequence()));
    detail::io::StagedFile file(path);
    file.write("the sum is ");
    work(run, params.seconds);
    file.write(std::to_string(sum) + "\n");
    file.commit();
  }
};

}  // namespace
}  // namespace isocenter::testing

ISOCENTER_MODULE(isocenter::testing::TestSlowOperator, isocenter::testing::TestFailOperator,
                 isocenter::testing::TestTextSinkOperator)
