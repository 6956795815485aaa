// Pipelines from files: what a file may say, and the place of whatever is wrong in it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <isocenter/yaml.hpp>

#include "command_process.hpp"

namespace isocenter::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

const Context& context() {
  static const Context made = [] {
    isocenter_context_options options{};
    options.struct_size = sizeof options;
    options.flags = ISOCENTER_CONTEXT_NO_MODULES;
    Context c(options);
    c.load_module(ISOCENTER_TEST_MODULE);
    return c;
  }();
  return made;
}

std::string error_of(const std::function<void()>& f) {
  try {
    f();
  } catch (const Error& e) {
    return e.what();
  }
  ADD_FAILURE() << "no error was thrown";
  return "";
}

Pipeline build(const std::string& text, const PipelineFile::Variables& variables = {}) {
  Pipeline pipeline(context());
  PipelineFile::parse(text, variables, "file.yaml", "/home/of/file").build(pipeline);
  return pipeline;
}

std::string parameter(Pipeline& pipeline, const std::string& node, const std::string& name) {
  const auto report = nlohmann::json::parse(pipeline.prepare().report());
  for (const auto& n : report.at("nodes"))
    if (n.at("name") == node) return n.at("parameters").at(name);
  return "no such node";
}

constexpr const char* phantom_node = R"(
  - {name: phantom, operator: phantom_volume, parameters: {nx: 4, ny: 4, nz: 4}}
)";
constexpr const char* sink_node = R"(
  - {name: sink, operator: test_text_sink, inputs: {input: phantom.output}, parameters: {path: /x}}
)";
const std::string head = "isocenter: 1\nnodes:";

// ---- What a file may say ----

TEST(PipelineFile, TheOrderOfTheNodesDoesNotMatter) { build(head + sink_node + phantom_node).prepare(); }

TEST(PipelineFile, HasANameADescriptionAndNodesWithPlaces) {
  const auto file = PipelineFile::parse(
      "isocenter: 1\nname: study\ndescription: What it does.\nnodes:" + std::string(sink_node) + phantom_node);
  EXPECT_EQ(file.name(), "study");
  EXPECT_EQ(file.description(), "What it does.");
  ASSERT_EQ(file.nodes().size(), 2U);
  EXPECT_STREQ(file.nodes()[0].name, "sink");
  EXPECT_STREQ(file.nodes()[0].operator_name, "test_text_sink");
  EXPECT_STREQ(file.nodes()[0].place, "pipeline:5:5");
  EXPECT_EQ(file.nodes()[0].input_count, 1U);
}

TEST(PipelineFile, WithoutANameIsCalledAsItsFile) {
  EXPECT_EQ(PipelineFile::parse(head + phantom_node, {}, "folder/lung.yaml").name(), "lung");
}

TEST(PipelineFile, AReferenceWithoutAPortMeansTheOnlyOutput) {
  auto pipeline = build(head + R"(
  - {name: views, operator: phantom_projections, parameters: {views: 2, rows: 2, columns: 2}}
  - {name: sorted, operator: phase_sort, inputs: {input: views}, parameters: {source: period, period_s: 4}}
outputs: {phases: sorted}
)");
  EXPECT_EQ(parameter(pipeline, "sorted", "source"), "period");
}

TEST(PipelineFile, VariablesStandInTextValues) {
  auto pipeline = build(head + R"(
  - name: sink
    operator: test_text_sink
    inputs: {input: phantom.output}
    parameters: {path: "${folder}/${patient}_$${plain}_$5.txt"}
)" + phantom_node,
                        {{"folder", "/data/${patient}"}, {"patient", "7"}});
  EXPECT_EQ(parameter(pipeline, "sink", "path"), "/data/${patient}/7_${plain}_$5.txt");
}

TEST(PipelineFile, KnowsWhichVariablesItUses) {
  const auto file =
      PipelineFile::parse("isocenter: 1\nname: ${a}\nnodes:" + std::string(phantom_node), {{"a", "x"}, {"b", "y"}});
  EXPECT_TRUE(file.uses("a"));
  EXPECT_FALSE(file.uses("b"));
}

TEST(PipelineFile, RelativePathsAreRelativeToTheFile) {
  const auto with_path = [&](const std::string& path) {
    auto pipeline = build(head + R"(
  - {name: sink, operator: test_text_sink, inputs: {input: phantom.output}, parameters: {path: ")" +
                              path + R"("}}
)" + phantom_node,
                          {{"output", "out"}});
    return parameter(pipeline, "sink", "path");
  };
  EXPECT_EQ(with_path("../models/x.onnx"), "/home/of/models/x.onnx");
  EXPECT_EQ(with_path("/absolute"), "/absolute");
  EXPECT_EQ(with_path("${output}/x"), "out/x") << "what a variable begins is the caller's own";
}

TEST(PipelineFile, AListBecomesNumbers) {
  auto pipeline = build(head + R"(
  - {name: phantom, operator: phantom_volume, parameters: {spacing_mm: [1, 1.5, 2e0], nx: 4, ny: 4, nz: 4}}
outputs: {volume: phantom.output}
)");
  EXPECT_EQ(parameter(pipeline, "phantom", "spacing_mm"), "1, 1.5, 2e0");
}

TEST(PipelineFile, QueuesHaveAPolicyAndACapacity) {
  auto pipeline = build(head + R"(
  - name: sink
    operator: test_text_sink
    inputs: {input: phantom.output}
    parameters: {path: /x}
    queue: {input: {policy: drop_oldest, capacity: 7}}
)" + phantom_node);
  EXPECT_THAT(pipeline.prepare().report(), HasSubstr(R"("capacity":7)"));
}

TEST(PipelineFile, WaysInAndOutServeAProgram) {
  const auto file = PipelineFile::parse(R"(isocenter: 1
inputs: [scan]
nodes:
  - {name: slow, operator: test_slow, inputs: {input: scan}, parameters: {seconds: 0}}
outputs: {result: slow.output}
)");
  EXPECT_EQ(file.inputs(), std::vector<std::string>{"scan"});
  EXPECT_EQ(file.outputs(), std::vector<std::string>{"result"});
  const Volume volume = Volume::own({1, 2, 3, 4, 5, 6, 7, 8}, 2, 2, 2, Geometry{}, "HU");
  Pipeline pipeline(context());
  pipeline.add_input("scan", volume);
  file.build(pipeline);
  Session session = pipeline.prepare();
  session.start();
  session.push("scan", volume);
  session.end_input("scan");
  EXPECT_EQ(Volume(*session.pull("result")).values()[7], 8.0F);
}

TEST(PipelineFile, ASetValueGoesBeforeTheOneInTheFile) {
  auto file = PipelineFile::parse(head + sink_node + phantom_node);
  file.set("phantom", "nx", "6");
  Pipeline pipeline(context());
  file.build(pipeline);
  EXPECT_EQ(parameter(pipeline, "phantom", "nx"), "6");
}

TEST(PipelineFile, EveryBundledPipelineIsWellFormed) {
  for (const auto& entry : fs::directory_iterator(ISOCENTER_SOURCE_DIR "/examples/pipelines"))
    if (entry.path().extension() == ".yaml")
      PipelineFile(entry.path().string(), {{"input", "/in"}, {"output", "/out"}, {"first_seed", "1"}, {"count", "2"}});
}

// ---- What is refused ----

struct Refused {
  const char* name;
  const char* text;
  const char* place;    ///< the message begins with it
  const char* message;  ///< and has this in it
};

class RefusedFile : public ::testing::TestWithParam<Refused> {};

TEST_P(RefusedFile, NamesThePlaceWhatIsWrongAndAFix) {
  const auto& p = GetParam();
  const std::string message = error_of([&] { build(p.text, {{"input", "/in"}}); });
  EXPECT_THAT(message,
              AllOf(StartsWith(std::string("file.yaml:") + p.place + ": "), HasSubstr(p.message), HasSubstr("Fix: ")));
}

const Refused refused[] = {
    {"NoVersion", "name: x\nnodes: []\n", "1:1", "has no 'isocenter'"},
    {"AnotherVersion", "isocenter: 2\nnodes: []\n", "1:12", "isocenter: 2 is no version of the format"},
    {"MisspeltTopKey", "isocenter: 1\nnode:\n  - {}\n", "2:1", "no key 'node' (did you mean 'nodes'?)"},
    {"DoubleTopKey", "isocenter: 1\nname: a\nname: b\nnodes: []\n", "3:1", "the key 'name' stands twice"},
    {"NoNodes", "isocenter: 1\nname: a\n", "1:1", "has no 'nodes'"},
    {"EmptyNodes", "isocenter: 1\nnodes: []\n", "2:1", "'nodes' is empty"},
    {"NodesAreAMap", "isocenter: 1\nnodes:\n  a: b\n", "2:1", "'nodes' is a map"},
    {"NodeIsAText", "isocenter: 1\nnodes:\n  - phantom\n", "3:5", "an entry of 'nodes' is a text, wanted is a map"},
    {"ListAtTheTop", "- a\n- b\n", "1:1", "the pipeline file is a list, wanted is a map"},
    {"NoName", "isocenter: 1\nnodes:\n  - operator: phase_sort\n", "3:5", "has no 'name'"},
    {"NoOperator", "isocenter: 1\nnodes:\n  - name: a\n", "3:5", "node 'a' has no 'operator'"},
    {"MisspeltNodeKey", "isocenter: 1\nnodes:\n  - name: a\n    operater: x\n", "4:5",
     "node 'a' has no key 'operater' (did you mean 'operator'?)"},
    {"DoubleNodeKey", "isocenter: 1\nnodes:\n  - name: a\n    operator: x\n    name: b\n", "5:5",
     "the key 'name' stands twice in node 'a'"},
    {"EmptyKey", "isocenter: 1\nnodes:\n  - name: a\n    operator:\n", "4:5", "'operator' in node 'a' has no value"},
    {"NameIsAList", "isocenter: 1\nnodes:\n  - name: [a]\n    operator: x\n", "3:11", "is a list, wanted is a text"},
    {"MisspeltOperator", "isocenter: 1\nnodes:\n  - name: a\n    operator: phantom_volum\n", "4:15",
     "no operator 'phantom_volum' (did you mean 'phantom_volume'?)"},
    {"BadNodeName", "isocenter: 1\nnodes:\n  - name: a b\n    operator: phantom_volume\n", "3:11",
     "'a b' is no name for a node"},
    {"DoubleNodeName",
     "isocenter: 1\nnodes:\n  - {name: a, operator: phantom_volume}\n  - {name: a, operator: phase_sort}\n", "4:12",
     "there are two nodes 'a'"},
    {"MisspeltParameter",
     "isocenter: 1\nnodes:\n  - name: a\n    operator: phantom_volume\n    parameters:\n      radius_m: 3\n", "6:7",
     "phantom_volume 'a' has no parameter 'radius_m' (did you mean 'radius_mm'?)"},
    {"ParameterOutOfRange",
     "isocenter: 1\nnodes:\n  - name: a\n    operator: phantom_volume\n    parameters:\n      nx: 100000\n", "6:11",
     "nx = '100000' is outside [1, 8192]"},
    {"ParameterOfAnotherType",
     "isocenter: 1\nnodes:\n  - name: a\n    operator: phantom_volume\n    parameters:\n      nx: many\n", "6:11",
     "nx = 'many' is no whole number"},
    {"UnknownChoice",
     "isocenter: 1\nnodes:\n  - name: a\n    operator: phantom_volume\n    parameters:\n      unit: Hu\n", "6:13",
     "unit = 'Hu' is not known. Fix: give one of HU, 1/mm, relative"},
    {"ListForOneValue",
     "isocenter: 1\nnodes:\n  - name: a\n    operator: phantom_volume\n    parameters:\n      nx: [1, 2]\n", "6:11",
     "nx is a list, wanted is one value"},
    {"MapForAValue",
     "isocenter: 1\nnodes:\n  - name: a\n    operator: phantom_volume\n    parameters:\n      nx: {a: 1}\n", "6:11",
     "parameter 'nx' of node 'a' is a map, wanted is a text"},
    {"DoubleParameter",
     "isocenter: 1\nnodes:\n  - name: a\n    operator: phantom_volume\n    parameters:\n      nx: 1\n      nx: 2\n",
     "7:7", "the key 'nx' stands twice in 'parameters' in node 'a'"},
    {"RequiredParameterMissing",
     "isocenter: 1\nnodes:\n  - {name: p, operator: phantom_volume}\n"
     "  - {name: s, operator: test_text_sink, inputs: {input: p.output}}\n",
     "4:5", "test_text_sink 's': path is not set"},
    {"UnknownVariable",
     "isocenter: 1\nnodes:\n  - name: a\n    operator: test_fail\n    parameters:\n      must_be_set: ${inptu}/x\n",
     "6:20", "the variable ${inptu} has no value (did you mean 'input'?)"},
    {"UnfinishedVariable",
     "isocenter: 1\nnodes:\n  - name: a\n    operator: test_fail\n    parameters:\n      must_be_set: ${input\n",
     "6:20", "'${input' begins no ${variable}"},
    {"UnknownNode", "isocenter: 1\nnodes:\n  - {name: a, operator: phase_sort, inputs: {input: b}}\n", "3:53",
     "there is no node 'b'"},
    {"MisspeltInputPort",
     "isocenter: 1\nnodes:\n  - {name: v, operator: phantom_projections}\n"
     "  - {name: a, operator: phase_sort, inputs: {inptu: v}}\n",
     "4:46", "has no input port 'inptu' (did you mean 'input'?)"},
    {"MisspeltOutputPort",
     "isocenter: 1\nnodes:\n  - {name: v, operator: phantom_projections}\n"
     "  - {name: a, operator: phase_sort, inputs: {input: v.outptu}}\n",
     "4:53", "has no output port 'outptu' (did you mean 'output'?)"},
    {"AmbiguousReference",
     "isocenter: 1\nnodes:\n  - {name: p, operator: phantom_volume}\n"
     "  - {name: s, operator: test_text_sink, inputs: {input: p}}\n",
     "4:57", "'p' is ambiguous: phantom_volume has 2 outputs. Fix: write one of: p.output, p.labels"},
    {"ReferenceToASink",
     "isocenter: 1\nnodes:\n  - {name: s, operator: test_text_sink}\n"
     "  - {name: t, operator: test_text_sink, inputs: {input: s}}\n",
     "4:57", "node 's' (test_text_sink) has no outputs"},
    {"AnotherKindOfPayload",
     "isocenter: 1\nnodes:\n  - {name: v, operator: phantom_projections}\n"
     "  - {name: s, operator: test_text_sink, inputs: {input: v}, parameters: {path: x}}\n",
     "4:57", "cannot connect 'v.output' to 's.input'"},
    {"UnconnectedPort",
     "isocenter: 1\nnodes:\n  - {name: p, operator: phantom_volume}\n  - {name: slow, operator: test_slow}\n", "3:5",
     "nothing takes what it gives"},
    {"UnconnectedInput", "isocenter: 1\nnodes:\n  - {name: s, operator: test_text_sink, parameters: {path: x}}\n",
     "3:5", "input port 'input' is not connected"},
    {"Cycle",
     "isocenter: 1\nnodes:\n  - {name: a, operator: test_slow, inputs: {input: b.output}}\n"
     "  - {name: b, operator: test_slow, inputs: {input: a.output}}\n",
     "3:5", "the graph has a cycle: "},
    {"InputsAreAList", "isocenter: 1\nnodes:\n  - {name: a, operator: phase_sort, inputs: [b]}\n", "3:37",
     "'inputs' in node 'a' is a list, wanted is a map"},
    {"UnknownPolicy",
     "isocenter: 1\nnodes:\n  - name: a\n    operator: phase_sort\n    queue:\n      input: {policy: newest}\n", "6:23",
     "no policy 'newest'"},
    {"UnknownQueueKey",
     "isocenter: 1\nnodes:\n  - name: a\n    operator: phase_sort\n    queue:\n      input: {polcy: latest}\n", "6:15",
     "no key 'polcy' (did you mean 'policy'?)"},
    {"CapacityOutOfRange",
     "isocenter: 1\nnodes:\n  - name: a\n    operator: phase_sort\n    queue:\n      input: {capacity: 0}\n", "6:25",
     "has capacity '0', allowed is 1 to 4096"},
    {"CapacityOfLatest",
     "isocenter: 1\nnodes:\n  - name: a\n    operator: phase_sort\n    queue:\n"
     "      input: {policy: latest, capacity: 3}\n",
     "6:41", "holds one item with the policy 'latest', not 3"},
    {"QueueWithoutAWire",
     "isocenter: 1\nnodes:\n  - name: a\n    operator: phase_sort\n    queue:\n      input: {policy: latest}\n", "6:7",
     "nothing is connected to 'a.input'"},
    {"UnknownDevice", "isocenter: 1\nnodes:\n  - {name: a, operator: phase_sort, device: cuda:77}\n", "3:45",
     "there is no device 'cuda:77'"},
    {"MissingWayIn",
     "isocenter: 1\ninputs: [scan]\nnodes:\n  - {name: s, operator: test_text_sink, inputs: {input: scan}}\n", "4:57",
     "the way in 'scan' is not there"},
    {"NodeCalledAsAWayIn", "isocenter: 1\ninputs: [a]\nnodes:\n  - {name: a, operator: phase_sort}\n", "4:12",
     "there are a node and an input 'a'"},
    {"Tab", "isocenter: 1\nnodes:\n\t- name: a\n", "3:2", "this is no valid YAML"},
    {"OpenBracket", "isocenter: 1\nnodes: [\n", "3:1", "this is no valid YAML"},
    {"SecondDocument", "isocenter: 1\nnodes: []\n---\nisocenter: 1\n", "3:1", "a second document begins here"},
};
INSTANTIATE_TEST_SUITE_P(PipelineFile, RefusedFile, ::testing::ValuesIn(refused),
                         [](const auto& info) { return info.param.name; });

TEST(PipelineFile, ThatIsEmptyIsRefused) {
  for (const char* text : {"", "\n\n", "# only words\n"})
    EXPECT_THAT(error_of([&] { PipelineFile::parse(text); }), HasSubstr("the file is empty"));
}

TEST(PipelineFile, ASettingNamesItsNodeAndParameter) {
  auto file = PipelineFile::parse(head + sink_node + phantom_node);
  EXPECT_THAT(error_of([&] { file.set("fantom", "nx", "6"); }),
              HasSubstr("has no node 'fantom' (did you mean 'phantom'?)"));
  file.set("phantom", "nx", "-1");
  Pipeline pipeline(context());
  EXPECT_THAT(error_of([&] { file.build(pipeline); }),
              AllOf(StartsWith("setting phantom.nx: "), HasSubstr("outside [1, 8192]")));
}

TEST(PipelineFile, DeepNestingIsRefused) {
  EXPECT_THAT(error_of([] { PipelineFile::parse("isocenter: 1\nnodes: " + std::string(100000, '[')); }),
              HasSubstr("this is no valid YAML"));
}

TEST(PipelineFile, AnyBytesAreReadOrRefusedButNeverCrash) {
  const std::string good =
      "isocenter: 1\nname: ${input}\nnodes:" + std::string(sink_node) + phantom_node + "outputs: {a: phantom.labels}\n";
  std::uint64_t state = 1;
  const auto random = [&](std::size_t n) {
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    return static_cast<std::size_t>(state >> 33U) % n;
  };
  constexpr std::string_view pieces = "{}[]:,-&*!|>'\"%@`#?~\t\n ${}.a1\xff";
  for (int i = 0; i < 3000; ++i) {
    std::string text = good;
    for (std::size_t n = 1 + random(4); n > 0; --n) {
      const std::size_t at = random(text.size());
      if (random(2) == 0)
        text[at] = pieces[random(pieces.size())];
      else
        text.erase(at, 1 + random(10));
    }
    try {
      build(text, {{"input", "/in"}});
    } catch (const Error& e) {
      EXPECT_THAT(e.what(), HasSubstr("Fix: ")) << text;
    }
  }
}

}  // namespace
}  // namespace isocenter::testing
