#pragma once
// Small operators that the tests of core build graphs from.
#include <atomic>
#include <chrono>
#include <isocenter/isocenter.hpp>
#include <isocenter/operator.hpp>
#include <thread>

namespace isocenter::testing {

/// Gives `count` volumes of nx x 1 x 1 whose voxels are all the item's number.
struct CountingSource {
  static constexpr const char* name = "test_counting_source";
  static constexpr const char* module = "test";
  static constexpr const char* summary = "Numbers as volumes.";
  static constexpr bool host_only = true;
  struct Params {
    int count = 5;
    int nx = 7;
    int fail_at = -1;
    double period_s = 0;
    static constexpr auto describe() {
      return std::tuple{param(&Params::count, "count", Unit::none, 0, 1e6, "How many items."),
                        param(&Params::nx, "nx", Unit::px, 1, 1e6, "Voxels of each."),
                        param(&Params::fail_at, "fail_at", Unit::none, -1, 1e6, "The item that fails."),
                        param(&Params::period_s, "period_s", Unit::s, 0, 10, "Wait before each item.")};
    }
  };
  struct Ports {
    Out<Volume> output{"output", "The number."};
    static constexpr auto describe() { return std::tuple{&Ports::output}; }
  };
};

class CountingSourceOperator final : public OperatorBase<CountingSource> {
 public:
  void plan(PlanContext& plan) override {
    PayloadRef out = plan.output("output");
    out.set_tensor("voxels", tensor(DType::float32, "zyx", {1, 1, params.nx}));
    out.set_text("unit", "HU");
    plan.items(params.count);
    plan.fact("source", "counting");
  }
  void run(const RunContext& run) override {
    if (params.period_s > 0) std::this_thread::sleep_for(std::chrono::duration<double>(params.period_s));
    if (run.sequence() == params.fail_at)
      throw Failure(ErrorCode::bad_data, "item " + std::to_string(run.sequence()) + " is broken", "mend it");
    const TensorView t = run.output("output").tensor("voxels");
    for (std::int64_t i = 0; i < t.count(); ++i) t.as<float>()[i] = static_cast<float>(run.sequence());
  }
};

/// output = a + b where b is optional; may be slow, to fill queues.
struct Sum {
  static constexpr const char* name = "test_sum";
  static constexpr const char* module = "test";
  static constexpr const char* summary = "Adds volumes.";
  enum class Mode { add, subtract };
  static constexpr const char* modes[] = {"add", "subtract"};
  struct Params {
    double delay_s = 0;
    float offset = 0;
    Mode mode = Mode::add;
    std::vector<double> weights{1.0, 1.0};
    bool flag = false;
    std::string label{};
    static constexpr auto describe() {
      return std::tuple{param(&Params::delay_s, "delay_s", Unit::s, 0, 10, "Time that each item takes."),
                        param(&Params::offset, "offset", Unit::hu, -1000, 1000, "Added to every voxel."),
                        choice(&Params::mode, "mode", modes, "What is done."),
                        param(&Params::weights, "weights", Unit::none, 0, 10, "Of a and b."),
                        param(&Params::flag, "flag", "A switch."),
                        param(&Params::label, "label", "A text.")};
    }
  };
  struct Ports {
    In<Volume> a{"a", "First."};
    In<Volume> b{"b", "Second.", optional_port};
    Out<Volume> output{"output", "The sum."};
    static constexpr auto describe() { return std::tuple{&Ports::a, &Ports::b, &Ports::output}; }
  };
};

class SumOperator final : public OperatorBase<Sum> {
 public:
  void plan(PlanContext& plan) override {
    plan.output("output").like(plan.input("a"));
    plan.scratch(1024);
    plan.metric("mean", "HU", 1);
  }
  void run(const RunContext& run) override {
    if (params.delay_s > 0) std::this_thread::sleep_for(std::chrono::duration<double>(params.delay_s));
    const TensorView a = run.input("a").tensor("voxels"), out = run.output("output").tensor("voxels");
    const bool two = run.has_input("b");
    const float* second = two ? run.input("b").tensor("voxels").as<float>() : nullptr;
    const float sign = params.mode == Sum::Mode::add ? 1.0F : -1.0F;
    run.parallel_for(a.count(), 16, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i)
        out.as<float>()[i] = static_cast<float>(params.weights[0]) * a.as<float>()[i] + params.offset +
                             (two ? sign * static_cast<float>(params.weights[1]) * second[i] : 0.0F);
    });
    run.metric("mean", static_cast<double>(out.as<float>()[0]));
    run.progress(0.5);
  }
};

/// Records the first voxel of what arrives.
struct Recorder {
  static constexpr const char* name = "test_recorder";
  static constexpr const char* module = "test";
  static constexpr const char* summary = "Records.";
  static constexpr bool host_only = true;
  struct Params {
    std::string path{};
    static constexpr auto describe() {
      return std::tuple{param(&Params::path, "path", "Needed, for the test of that.", required | isocenter::path)};
    }
  };
  struct Ports {
    In<Volume> input{"input", "Recorded."};
    static constexpr auto describe() { return std::tuple{&Ports::input}; }
  };
  static inline std::vector<float> seen;
  static inline std::atomic<int> finished_completed{0}, finished_cancelled{0};
};

class RecorderOperator final : public OperatorBase<Recorder> {
 public:
  void plan(PlanContext&) override {}
  void run(const RunContext& run) override {
    Recorder::seen.push_back(run.input("input").tensor("voxels").as<float>()[0]);
  }
  void finish(bool completed) override { ++(completed ? Recorder::finished_completed : Recorder::finished_cancelled); }
};

/// A segmentation out of a volume, to have another kind of port.
struct Labeller {
  static constexpr const char* name = "test_labeller";
  static constexpr const char* module = "test";
  static constexpr const char* summary = "Labels.";
  struct Params {
    static constexpr auto describe() { return std::tuple{}; }
  };
  struct Ports {
    In<Volume> input{"input", "Any."};
    Out<Segmentation> output{"output", "Labels."};
    static constexpr auto describe() { return std::tuple{&Ports::input, &Ports::output}; }
  };
};

class LabellerOperator final : public OperatorBase<Labeller> {
 public:
  void plan(PlanContext& plan) override {
    const TensorView v = plan.input("input").tensor("voxels");
    plan.output("output").set_tensor("labels",
                                     tensor(DType::uint8, "zyx", {v.extent('z'), v.extent('y'), v.extent('x')}));
  }
  void run(const RunContext& run) override {
    const TensorView v = run.input("input").tensor("voxels"), l = run.output("output").tensor("labels");
    for (std::int64_t i = 0; i < v.count(); ++i) l.as<std::uint8_t>()[i] = v.as<float>()[i] > 1.5F ? 1 : 0;
  }
};

inline Context test_context(isocenter_context_options options = {}) {
  options.struct_size = sizeof options;
  options.flags |= ISOCENTER_CONTEXT_NO_MODULES;
  Context context(options);
  register_operator<CountingSourceOperator>(context.get());
  register_operator<SumOperator>(context.get());
  register_operator<RecorderOperator>(context.get());
  register_operator<LabellerOperator>(context.get());
  Recorder::seen.clear();
  Recorder::finished_completed = Recorder::finished_cancelled = 0;
  return context;
}

}  // namespace isocenter::testing
