// Pipeline files, networks and resources that are wrong, as the user of the command meets them: one sentence and an
// exit code, before anything is written.
#include <gmock/gmock.h>

#include "command_process.hpp"
#include "infer/tiny_model.hpp"

namespace isocenter::testing {
namespace {

using namespace infer::test::tiny;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

struct BadFile {
  const char* name;
  const char* nodes;
  const char* place;    ///< line:column of what is wrong
  const char* message;  ///< what it is, with its value, and what to do
};

class BadPipeline : public CommandTest, public ::testing::WithParamInterface<BadFile> {};

TEST_P(BadPipeline, EndsWith2AndOneSentenceWithItsPlace) {
  const auto& p = GetParam();
  const std::string file = write("bad.yaml", std::string("isocenter: 1\nnodes:\n") + p.nodes);
  const Finished f = command({"run", file, "-o", path("out"), "--quiet"});
  EXPECT_EQ(f.exit_code, 2);
  EXPECT_THAT(f.err, AllOf(StartsWith("isocenter run: " + file + ":" + p.place + ": "), HasSubstr(p.message)));
  EXPECT_EQ(std::count(f.err.begin(), f.err.end(), '\n'), 1) << f.err;
  EXPECT_FALSE(fs::exists(path("out")));
}

const BadFile bad_files[] = {
    {"MisspeltKey", "  - name: a\n    operater: phase_sort\n", "4:5",
     "node 'a' has no key 'operater' (did you mean 'operator'?). Fix: "},
    {"MisspeltParameter",
     "  - {name: a, operator: phantom_volume, parameters: {nx: 4}}\n"
     "  - name: b\n    operator: test_text_sink\n    inputs: {input: a.output}\n    parameters: {pth: x}\n",
     "7:18", "test_text_sink 'b' has no parameter 'pth' (did you mean 'path'?). Fix: "},
    {"Cycle",
     "  - {name: a, operator: test_slow, inputs: {input: b.output}}\n  - {name: b, operator: test_slow, inputs: "
     "{input: a.output}}\n",
     "3:5", "the graph has a cycle: a -> b -> a. Fix: "},
    {"UnconnectedInput", "  - {name: s, operator: test_text_sink, parameters: {path: x}}\n", "3:5",
     "test_text_sink 's': input port 'input' is not connected. Fix: "},
    {"ParameterOutOfRange", "  - {name: a, operator: phantom_volume, parameters: {nx: 100000}}\n", "3:58",
     "phantom_volume 'a': nx = '100000' is outside [1, 8192] px. Fix: "},
};
INSTANTIATE_TEST_SUITE_P(Command, BadPipeline, ::testing::ValuesIn(bad_files),
                         [](const auto& info) { return info.param.name; });

/// A volume of 8^3 voxels, a network over it, its labels' end.
class BadModel : public CommandTest {
 protected:
  void SetUp() override {
    if (command({"describe", "segment_volume"}).exit_code != 0) GTEST_SKIP() << "this build has no infer module";
    if (command({"describe", "image_sink"}).exit_code != 0) GTEST_SKIP() << "this build has no io module";
  }
  Finished segment(const std::string& model_file, const std::vector<std::string>& more = {}) const {
    const std::string file = write("net.yaml", R"(isocenter: 1
nodes:
  - {name: grid, operator: phantom_volume, parameters: {nx: 8, ny: 8, nz: 8}}
  - name: labels
    operator: segment_volume
    inputs: {input: grid.output}
    parameters: {model: )" + model_file + R"(, window: [8, 8, 8]}
  - {name: write, operator: image_sink, inputs: {input: labels}, parameters: {path: "${output}/labels.mha"}}
)");
    std::vector<std::string> words = {"run", file, "-o", path("out"), "--quiet"};
    words.insert(words.end(), more.begin(), more.end());
    return command(words);
  }
  void expect_refused(const std::string& model_file, const std::string& message, int exit_code = 2) const {
    const Finished f = segment(model_file);
    EXPECT_EQ(f.exit_code, exit_code);
    EXPECT_THAT(f.err, AllOf(StartsWith("isocenter run: segment_volume 'labels': "), HasSubstr(path("net.onnx")),
                             HasSubstr(message), HasSubstr(" Fix: "), HasSubstr("net.yaml:4:5")));
    EXPECT_EQ(std::count(f.err.begin(), f.err.end(), '\n'), 1) << f.err;
    EXPECT_THAT(files("out"), ElementsAre("report.json"));
  }
};

TEST_F(BadModel, AnOperatorThatIsNotSupportedIsNamedWithItsNode) {
  expect_refused(write("net.onnx", model(node("Det", {"x"}, "y") + port(11, "x", {1, 1, -1, -1, -1}) +
                                         port(12, "y", {1, 1, -1, -1, -1}))),
                 "'the_Det' (Det)");
}

TEST_F(BadModel, TheWrongInputShapeIsNamedWithItsInput) {
  expect_refused(write("net.onnx", model(node("Relu", {"x"}, "y") + port(11, "x", {1, 3, -1, -1, -1}) +
                                         port(12, "y", {1, 3, -1, -1, -1}))),
                 "input 'x' has 3 channels");
  expect_refused(write("net.onnx", model(node("Relu", {"x"}, "y") + port(11, "x", {1, 8}) + port(12, "y", {1, 8}))),
                 "input 'x' has 2 axes");
  expect_refused(write("net.onnx", model(node("Relu", {"x"}, "y") + port(11, "x", {1, 1, 16, 16, 16}) +
                                         port(12, "y", {1, 1, 16, 16, 16}))),
                 "window is 8 along x");
}

TEST_F(BadModel, ATruncatedOneAndNoneAreNamed) {
  const std::string whole =
      model(node("Relu", {"x"}, "y") + port(11, "x", {1, 1, 8, 8, 8}) + port(12, "y", {1, 1, 8, 8, 8}));
  expect_refused(write("net.onnx", whole.substr(0, whole.size() - 9)), "net.onnx", 3);
  fs::remove(path("net.onnx"));
  expect_refused(path("net.onnx"), "no such model file");
}

}  // namespace
}  // namespace isocenter::testing
