// What is refused before anything runs, and how it is said.
#include <gmock/gmock.h>

#include "core/test_operators.hpp"
#include "device_test.hpp"

namespace isocenter::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

template <class From, class To>
concept Connects = requires(Pipeline& p, From from, To to) {
  p.connect(from, to);
};
static_assert(Connects<Out<Volume>, In<Volume>>);
static_assert(!Connects<Out<Segmentation>, In<Volume>>, "a wrong wire does not compile");
static_assert(Connects<Out<Segmentation>, In<AnyOf<Volume, Segmentation>>>);

class PipelineTest : public ::testing::Test {
 protected:
  Context context_ = test_context();
  Pipeline pipeline_{context_};
};

TEST_F(PipelineTest, NamesTheNearestOperatorWhenOneIsMisspelt) {
  EXPECT_THAT(
      error_of([&] { pipeline_.add("n", "test_summ"); }),
      AllOf(HasSubstr("node 'n'"), HasSubstr("'test_summ'"), HasSubstr("did you mean 'test_sum'"), HasSubstr("Fix:")));
}

TEST_F(PipelineTest, NamesTheNearestParameterWhenOneIsMisspelt) {
  pipeline_.add("n", "test_sum");
  EXPECT_THAT(error_of([&] { pipeline_.set("n", "ofset", "1"); }),
              AllOf(HasSubstr("test_sum 'n'"), HasSubstr("'ofset'"), HasSubstr("did you mean 'offset'")));
}

TEST_F(PipelineTest, RefusesEachKindOfWrongValueWithWhatIsAllowed) {
  pipeline_.add("n", "test_sum");
  const auto message = [&](const char* name, const char* value) {
    return error_of([&] { pipeline_.set("n", name, value); });
  };
  EXPECT_THAT(message("offset", "1001"), AllOf(HasSubstr("offset = '1001'"), HasSubstr("[-1000, 1000] HU")));
  EXPECT_THAT(message("offset", "nan"), HasSubstr("outside"));
  EXPECT_THAT(message("offset", "1.5x"), HasSubstr("is no number"));
  EXPECT_THAT(message("offset", ""), HasSubstr("is no number"));
  EXPECT_THAT(message("mode", "multiply"), HasSubstr("one of add, subtract"));
  EXPECT_THAT(message("flag", "yes"), HasSubstr("true or false"));
  EXPECT_THAT(message("weights", "1, 11"), HasSubstr("outside"));
  EXPECT_THAT(message("weights", "1, two"), HasSubstr("no number"));
}

TEST_F(PipelineTest, RefusesTwoNodesOfOneNameAndNamesThatAreNoNames) {
  pipeline_.add("n", "test_sum");
  EXPECT_THAT(error_of([&] { pipeline_.add("n", "test_sum"); }), HasSubstr("two nodes 'n'"));
  EXPECT_THAT(error_of([&] { pipeline_.add("a b", "test_sum"); }), HasSubstr("'a b' is no name"));
}

TEST_F(PipelineTest, RefusesWiresBetweenDifferentKinds) {
  const auto source = pipeline_.add<CountingSource>("source");
  const auto labels = pipeline_.add<Labeller>("labels");
  pipeline_.add<Sum>("sum");
  pipeline_.connect(source.output, labels.input);
  EXPECT_THAT(error_of([&] { pipeline_.connect("labels", "output", "sum", "a"); }),
              AllOf(HasSubstr("'labels.output' to 'sum.a'"), HasSubstr("gives segmentation, wanted is volume")));
}

TEST_F(PipelineTest, RefusesASecondWireIntoOnePortAndUnknownPorts) {
  const auto source = pipeline_.add<CountingSource>("source");
  const auto sum = pipeline_.add<Sum>("sum");
  pipeline_.connect(source.output, sum.a);
  EXPECT_THAT(error_of([&] { pipeline_.connect(source.output, sum.a); }), HasSubstr("connected there already"));
  EXPECT_THAT(error_of([&] { pipeline_.connect("source", "out", "sum", "b"); }), HasSubstr("no output port 'out'"));
  EXPECT_THAT(error_of([&] { pipeline_.connect("sorce", "output", "sum", "b"); }), HasSubstr("did you mean 'source'"));
  EXPECT_THAT(error_of([&] { pipeline_.connect("sum", "output", "sum", "b"); }), HasSubstr("cannot feed itself"));
}

TEST_F(PipelineTest, NamesAnUnconnectedInputAndAnUnusedOutput) {
  const auto source = pipeline_.add<CountingSource>("source");
  EXPECT_THAT(error_of([&] { pipeline_.check(); }),
              AllOf(HasSubstr("'source'"), HasSubstr("nothing takes what it gives")));
  const auto recorder = pipeline_.add<Recorder>("recorder", {.path = "x"});
  const auto sum = pipeline_.add<Sum>("sum");
  pipeline_.connect(sum.output, recorder.input);
  pipeline_.connect(source.output, sum.b);
  EXPECT_THAT(error_of([&] { pipeline_.check(); }),
              AllOf(HasSubstr("test_sum 'sum'"), HasSubstr("'a' is not connected")));
}

TEST_F(PipelineTest, NamesARequiredParameterThatIsNotSet) {
  const auto source = pipeline_.add<CountingSource>("source");
  const auto recorder = pipeline_.add<Recorder>("recorder");
  pipeline_.connect(source.output, recorder.input);
  EXPECT_THAT(error_of([&] { pipeline_.check(); }), HasSubstr("test_recorder 'recorder': path is not set"));
}

TEST_F(PipelineTest, ShowsTheWayAroundACycle) {
  const auto source = pipeline_.add<CountingSource>("source");
  const auto one = pipeline_.add<Sum>("one"), two = pipeline_.add<Sum>("two");
  pipeline_.connect(source.output, one.a);
  pipeline_.connect(two.output, one.b);
  pipeline_.connect(one.output, two.a);
  EXPECT_THAT(error_of([&] { pipeline_.check(); }), AllOf(HasSubstr("cycle"), HasSubstr("one -> two -> one")));
}

TEST_F(PipelineTest, RefusesADeviceThatIsNotThere) {
  pipeline_.add("n", "test_sum");
  EXPECT_THAT(error_of([&] { pipeline_.set_device("n", "cuda:7"); }),
              AllOf(HasSubstr("no device 'cuda:7'"), HasSubstr("cpu")));
}

TEST_F(PipelineTest, RefusesABudgetThatIsTooSmallAndNamesTheLargestNodes) {
  const auto source = pipeline_.add<CountingSource>("source", {.count = 1, .nx = 1000000});
  const auto recorder = pipeline_.add<Recorder>("recorder", {.path = "x"});
  pipeline_.connect(source.output, recorder.input);
  EXPECT_THAT(error_of([&] { pipeline_.prepare({.memory_bytes = 1000000}); }),
              AllOf(HasSubstr("needs 3.8 MiB"), HasSubstr("budget is 976.6 KiB"), HasSubstr("'source' 3.8 MiB")));
  EXPECT_NO_THROW(pipeline_.prepare({.memory_bytes = 5000000}));
}

TEST_F(PipelineTest, AnItemInFlightLessIsPlannedWhenTheBudgetAsksForIt) {
  const auto source = pipeline_.add<CountingSource>("source", {.count = 9, .nx = 1000000});
  const auto recorder = pipeline_.add<Recorder>("recorder", {.path = "x"});
  pipeline_.connect(source.output, recorder.input);
  EXPECT_THAT(pipeline_.prepare().footprint(), HasSubstr("\"in_flight\":2"));
  EXPECT_THAT(pipeline_.prepare({.memory_bytes = 5000000}).footprint(), HasSubstr("\"in_flight\":1"));
}

}  // namespace
}  // namespace isocenter::testing
