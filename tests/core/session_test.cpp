// Streams: order, fan-out, joins, several in flight, policies, errors of items, cancelling, reports, and that the
// steady state allocates nothing.
#include <gmock/gmock.h>

#include "core/test_operators.hpp"
#include "counted_allocations.hpp"
#include "device_test.hpp"

namespace isocenter::testing {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class SessionTest : public ::testing::Test {
 protected:
  Context context_ = test_context();
  Pipeline pipeline_{context_};
};

TEST_F(SessionTest, KeepsTheOrderThroughAFanOutAndAJoin) {
  const auto source = pipeline_.add<CountingSource>("source", {.count = 6});
  const auto slow = pipeline_.add<Sum>("slow", {.delay_s = 0.003, .offset = 10});
  const auto join = pipeline_.add<Sum>("join");
  const auto recorder = pipeline_.add<Recorder>("recorder", {.path = "x"});
  pipeline_.connect(source.output, slow.a);
  pipeline_.connect(source.output, join.a);
  pipeline_.connect(slow.output, join.b);
  pipeline_.connect(join.output, recorder.input);
  for (const int in_flight : {1, 2, 5}) {
    Recorder::seen.clear();
    Session session = pipeline_.prepare({.in_flight = in_flight});
    session.run();
    EXPECT_THAT(Recorder::seen, ElementsAre(10, 12, 14, 16, 18, 20)) << in_flight << " in flight";
  }
  EXPECT_EQ(Recorder::finished_completed, 3);
}

TEST_F(SessionTest, EndsWhenTheShorterOfTwoSourcesEnds) {
  const auto a = pipeline_.add<CountingSource>("a", {.count = 2}),
             b = pipeline_.add<CountingSource>("b", {.count = 100});
  const auto sum = pipeline_.add<Sum>("sum");
  const auto recorder = pipeline_.add<Recorder>("recorder", {.path = "x"});
  pipeline_.connect(a.output, sum.a);
  pipeline_.connect(b.output, sum.b);
  pipeline_.connect(sum.output, recorder.input);
  Session session = pipeline_.prepare();
  session.run();
  EXPECT_THAT(Recorder::seen, ElementsAre(0, 2));
}

TEST_F(SessionTest, OneBadItemIsReportedAndTheStreamGoesOn) {
  const auto source = pipeline_.add<CountingSource>("source", {.count = 4, .fail_at = 2});
  const auto sum = pipeline_.add<Sum>("sum");
  const auto recorder = pipeline_.add<Recorder>("recorder", {.path = "x"});
  pipeline_.connect(source.output, sum.a);
  pipeline_.connect(source.output, sum.b);
  pipeline_.connect(sum.output, recorder.input);
  Session session = pipeline_.prepare();
  EXPECT_THAT(error_of([&] { session.run(); }),
              AllOf(HasSubstr("'source'"), HasSubstr("item 2 is broken. Fix: mend it")));
  EXPECT_THAT(Recorder::seen, ElementsAre(0, 2, 6));
  const auto error = session.next_error();
  ASSERT_TRUE(error.has_value());
  EXPECT_STREQ(error->node, "source");
  EXPECT_EQ(error->sequence, 2);
  EXPECT_FALSE(session.next_error().has_value());
}

TEST_F(SessionTest, DropsTheOldestItemsWhereTheEdgeSaysSo) {
  const auto source = pipeline_.add<CountingSource>("source", {.count = 40, .period_s = 0.001});
  const auto slow = pipeline_.add<Sum>("slow", {.delay_s = 0.01});
  const auto recorder = pipeline_.add<Recorder>("recorder", {.path = "x"});
  pipeline_.connect(source.output, slow.a);
  pipeline_.connect(slow.output, recorder.input);
  pipeline_.set_edge("slow", "a", ISOCENTER_EDGE_LATEST, 1);
  Session session = pipeline_.prepare();
  session.run();
  EXPECT_LT(Recorder::seen.size(), 30U);
  EXPECT_GT(Recorder::seen.size(), 2U);
  EXPECT_EQ(Recorder::seen.back(), 39.0F);  // the newest is never lost
  EXPECT_TRUE(std::is_sorted(Recorder::seen.begin(), Recorder::seen.end()));
}

TEST_F(SessionTest, AJoinMeetsTheSameItemsWhereOneBranchLosesSome) {
  const auto source = pipeline_.add<CountingSource>("source", {.count = 60, .period_s = 0.0005});
  const auto slow = pipeline_.add<Sum>("slow", {.delay_s = 0.004});
  const auto join = pipeline_.add<Sum>("join", {.mode = Sum::Mode::subtract});
  const auto recorder = pipeline_.add<Recorder>("recorder", {.path = "x"});
  pipeline_.connect(source.output, slow.a);
  pipeline_.connect(source.output, join.a);
  pipeline_.connect(slow.output, join.b);
  pipeline_.connect(join.output, recorder.input);
  pipeline_.set_edge("slow", "a", ISOCENTER_EDGE_DROP_OLDEST, 1);
  pipeline_.set_edge("join", "a", ISOCENTER_EDGE_DROP_OLDEST, 8);
  Session session = pipeline_.prepare();
  session.run();
  EXPECT_GT(Recorder::seen.size(), 2U);
  EXPECT_LT(Recorder::seen.size(), 60U);
  for (const float difference : Recorder::seen) EXPECT_EQ(difference, 0.0F);
}

TEST_F(SessionTest, PushesAndPullsThroughWaysInAndOut) {
  std::vector<float> voxels = {1, 2, 3};
  const Volume in = Volume::wrap(voxels.data(), 3, 1, 1, Geometry(), "HU");
  const auto way_in = pipeline_.add_input("frames", in);
  const auto sum = pipeline_.add<Sum>("sum", {.offset = 0.5F});
  pipeline_.connect(way_in, sum.a);
  pipeline_.add_output("result", sum.output);
  Session session = pipeline_.prepare();
  session.start();
  for (int i = 0; i < 10; ++i) {
    voxels[0] = static_cast<float>(i);
    session.push("frames", in);
    const auto out = session.pull("result");
    ASSERT_TRUE(out.has_value());
    EXPECT_EQ(Volume(*out).values()[0], static_cast<float>(i) + 0.5F);
    EXPECT_EQ(out->sequence(), i);
  }
  session.end_input("frames");
  EXPECT_FALSE(session.pull("result").has_value());
  session.wait();
}

TEST_F(SessionTest, RefusesAPushedPayloadOfAnotherShape) {
  std::vector<float> voxels(8);
  const Volume planned = Volume::wrap(voxels.data(), 3, 1, 1, Geometry(), "HU");
  const auto way_in = pipeline_.add_input("frames", planned);
  const auto sum = pipeline_.add<Sum>("sum");
  pipeline_.connect(way_in, sum.a);
  pipeline_.add_output("result", sum.output);
  Session session = pipeline_.prepare();
  session.start();
  const Volume other = Volume::wrap(voxels.data(), 4, 1, 1, Geometry(), "HU");
  EXPECT_THAT(error_of([&] { session.push("frames", other); }),
              AllOf(HasSubstr("input 'frames'"), HasSubstr("float32 1 x 1 x 4 (zyx)"), HasSubstr("1 x 1 x 3")));
}

TEST_F(SessionTest, PullTimesOutAndDoesNotHang) {
  std::vector<float> voxels(3);
  const auto way_in = pipeline_.add_input("frames", Volume::wrap(voxels.data(), 3, 1, 1, Geometry(), "HU"));
  const auto sum = pipeline_.add<Sum>("sum");
  pipeline_.connect(way_in, sum.a);
  pipeline_.add_output("result", sum.output);
  Session session = pipeline_.prepare();
  session.start();
  EXPECT_EQ(session.try_pull("result", 0.01).code(), ErrorCode::timeout);
}

TEST_F(SessionTest, CancelEndsSoonAndSaysSo) {
  const auto source = pipeline_.add<CountingSource>("source", {.count = 1000000});
  const auto slow = pipeline_.add<Sum>("slow", {.delay_s = 0.002});
  const auto recorder = pipeline_.add<Recorder>("recorder", {.path = "x"});
  pipeline_.connect(source.output, slow.a);
  pipeline_.connect(slow.output, recorder.input);
  Session session = pipeline_.prepare();
  session.start();
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  session.cancel();
  EXPECT_THAT(error_of([&] { session.wait(); }), HasSubstr("cancelled"));
  EXPECT_EQ(Recorder::finished_cancelled, 1);
  EXPECT_THAT(session.report(), HasSubstr("\"status\":\"cancelled\""));
}

TEST_F(SessionTest, ASessionThatIsLetGoWhileItRunsEndsCleanly) {
  const auto source = pipeline_.add<CountingSource>("source", {.count = 1000000});
  const auto sum = pipeline_.add<Sum>("sum");
  pipeline_.connect(source.output, sum.a);
  pipeline_.add_output("result", sum.output);
  std::optional<Payload> kept;
  {
    Session session = pipeline_.prepare();
    session.start();
    kept = session.pull("result");
  }
  EXPECT_EQ(Volume(*kept).values()[0], 0.0F);  // what was pulled outlives the session's handle
}

TEST_F(SessionTest, TheSteadyStateAllocatesNothing) {
  std::vector<float> voxels(1000);
  const Volume in = Volume::wrap(voxels.data(), 1000, 1, 1, Geometry(), "HU");
  const auto way_in = pipeline_.add_input("frames", in);
  const auto one = pipeline_.add<Sum>("one", {.offset = 1}), two = pipeline_.add<Sum>("two", {.offset = 1});
  const auto join = pipeline_.add<Sum>("join");
  pipeline_.connect(way_in, one.a);
  pipeline_.connect(one.output, two.a);
  pipeline_.connect(one.output, join.a);
  pipeline_.connect(two.output, join.b);
  pipeline_.add_output("result", join.output);
  Session session = pipeline_.prepare();
  session.start();
  const auto frame = [&] {
    session.push("frames", in);
    (void)session.pull("result");
  };
  for (int i = 0; i < 50; ++i) frame();  // threads and oneTBB's own pools are made here
  allocations = 0;
  counting = true;
  for (int i = 0; i < 200; ++i) frame();
  counting = false;
  EXPECT_EQ(allocations, 0);
}

TEST_F(SessionTest, TheReportSaysWhatRan) {
  const auto source = pipeline_.add<CountingSource>("source", {.count = 3});
  const auto sum = pipeline_.add<Sum>("sum", {.offset = 2});
  const auto recorder = pipeline_.add<Recorder>("recorder", {.path = "x"});
  pipeline_.connect(source.output, sum.a);
  pipeline_.connect(sum.output, recorder.input);
  Session session = pipeline_.prepare({.deadline_s = 1e-9});
  session.run();
  const std::string report = session.report();
  EXPECT_THAT(report,
              AllOf(HasSubstr("\"status\":\"completed\""), HasSubstr("\"offset\":\"2\""), HasSubstr("\"items\":3"),
                    HasSubstr("\"mean\":{\"unit\":\"HU\",\"values\":[4]}"), HasSubstr("\"source\":\"counting\""),
                    HasSubstr("\"deadline_misses\":3"), HasSubstr("\"scratch\":1024")));
  EXPECT_THAT(session.trace(), HasSubstr("\"ph\":\"X\""));
}

TEST_F(SessionTest, EveryPayloadCarriesWhereItCameFrom) {
  const auto source = pipeline_.add<CountingSource>("source", {.count = 1});
  const auto sum = pipeline_.add<Sum>("sum", {.label = "say \"hi\""});
  pipeline_.connect(source.output, sum.a);
  pipeline_.add_output("result", sum.output);
  Session session = pipeline_.prepare();
  session.start();
  const auto out = session.pull("result");
  ASSERT_TRUE(out.has_value());
  EXPECT_THAT(out->text("provenance"), AllOf(HasSubstr("\"node\":\"source\""), HasSubstr("\"source\":\"counting\""),
                                             HasSubstr("\"operator\":\"test_sum\""), HasSubstr("say \\\"hi\\\"")));
  EXPECT_EQ(out->text("unit"), "HU");
}

TEST_F(SessionTest, ApplyRunsOneOperatorInOneCall) {
  const Volume in = Volume::own({1, 2, 3}, 3, 1, 1, Geometry({2, 2, 2}, {0, 0, 0}), "HU");
  Pipeline pipeline(context_);
  const auto way_in = pipeline.add_input("input", in);
  const auto labels = pipeline.add<Labeller>("labels");
  pipeline.connect(way_in, labels.input);
  const Segmentation out = apply<Labeller>(context_, {}, in);
  EXPECT_THAT(out.labels().span<std::uint8_t>(), ElementsAre(0, 1, 1));
}

TEST(ContextTest, BringsTheEmbeddersAllocatorThreadsAndLog) {
  struct Embedder {
    std::atomic<std::int64_t> bytes{0};
    std::atomic<int> calls{0};
  } embedder;
  const isocenter_allocator allocator{sizeof allocator, &embedder,
                                      [](void* u, std::size_t n, std::size_t align) {
                                        static_cast<Embedder*>(u)->bytes += static_cast<std::int64_t>(n);
                                        return std::aligned_alloc(align, (n + align - 1) / align * align);
                                      },
                                      [](void* u, void* p, std::size_t n) {
                                        static_cast<Embedder*>(u)->bytes -= static_cast<std::int64_t>(n);
                                        std::free(p);
                                      }};
  const isocenter_threads threads{
      sizeof threads, &embedder, 1,
      [](void* u, std::int64_t n, std::int64_t, void (*body)(void*, std::int64_t, std::int64_t), void* data) {
        ++static_cast<Embedder*>(u)->calls;
        body(data, 0, n);
      }};
  isocenter_context_options options{};
  options.allocator = &allocator;
  options.threads = &threads;
  {
    const Context context = test_context(options);
    const Volume in = Volume::own(std::vector<float>(100, 1.0F), 100, 1, 1, Geometry(), "HU");
    Pipeline pipeline(context);
    const auto way_in = pipeline.add_input("input", in);
    const auto sum = pipeline.add<Sum>("sum");
    pipeline.connect(way_in, sum.a);
    pipeline.add_output("output", sum.output);
    Session session = pipeline.prepare();
    EXPECT_GE(embedder.bytes, 2 * 400);  // two buffers of 100 floats
    session.start();
    session.push("input", in);
    EXPECT_TRUE(session.pull("output").has_value());
    EXPECT_EQ(embedder.calls, 1);
  }
  EXPECT_EQ(embedder.bytes, 0);  // every byte came back
}

TEST(ContextTest, BestSaysWhatItChoseAndWhyNotTheRest) {
  const Context context = test_context();
  isocenter_report_missing_device(context.get(), "cuda", "no driver in this test");
  std::string why;
  EXPECT_STREQ(context.find_device("best", &why).name, "cpu");
  EXPECT_THAT(why, AllOf(HasSubstr("best is cpu"), HasSubstr("no driver in this test")));
}

TEST(ContextTest, SaysWhyAModuleWasNotLoaded) {
  Context context = test_context();
  EXPECT_THAT(error_of([&] { context.load_module("no_such_file.so"); }), HasSubstr("no_such_file.so"));
}

}  // namespace
}  // namespace isocenter::testing
