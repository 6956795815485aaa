// isocenter run, as scripts and people see it: what it writes, what it says, how it ends.
#include <gmock/gmock.h>

#include <regex>

#include "command_process.hpp"

namespace isocenter::testing {
namespace {

using ::testing::AllOf;
using ::testing::AnyOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

class RunCommand : public CommandTest {};

// ---- What it writes and says ----

TEST_F(RunCommand, WritesTheResultsAndAReportAndNamesThem) {
  const Finished f = command({"run", small_pipeline(), "--output", path("a/b/out")});
  EXPECT_EQ(f.exit_code, 0) << f.err;
  EXPECT_EQ(f.out, path("a/b/out/report.json") + "\n" + path("a/b/out/sum.txt") + "\n");
  EXPECT_THAT(files("a/b/out"), ElementsAre("report.json", "sum.txt"));
  // The phantom's disc has 52 voxel centres within 4 mm in each of 8 slices.
  EXPECT_EQ(read(path("a/b/out/sum.txt")), "the sum is 416.000000\n");
  EXPECT_THAT(f.err, AllOf(HasSubstr("small: best is cpu"), HasSubstr("phantom done"), HasSubstr("write done"),
                           HasSubstr("sum 416"), HasSubstr("written:"), HasSubstr("report.json")));
}

TEST_F(RunCommand, TheReportSaysWhatRanAndFromWhat) {
  const std::string file = small_pipeline();
  command({"run", file, "--output", path("out"), "--set", "slow.seconds=0.01", "--memory", "64MiB"});
  const auto report = read_json(path("out/report.json"));
  EXPECT_EQ(report.at("status"), "completed");
  EXPECT_EQ(report.at("exit_code"), 0);
  EXPECT_EQ(report.at("pipeline").at("file"), file);
  EXPECT_EQ(report.at("pipeline").at("name"), "small");
  EXPECT_EQ(report.at("variables").at("output"), path("out"));
  EXPECT_EQ(report.at("settings"), nlohmann::json::array({"slow.seconds=0.01"}));
  EXPECT_EQ(report.at("memory_budget_bytes"), 64 << 20);
  EXPECT_TRUE(std::regex_match(report.at("started").get<std::string>(),
                               std::regex("\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\dZ")));
  ASSERT_EQ(report.at("nodes").size(), 3U);
  EXPECT_EQ(report.at("nodes").back().at("metrics").at("sum").at("values"), nlohmann::json::array({416.0}));
  EXPECT_EQ(report.at("written").at(0).at("path"), path("out/sum.txt"));
}

TEST_F(RunCommand, WritesACopyOfTheReportAndATraceWhereAsked) {
  const Finished f = command({"run", small_pipeline(), "--output", path("out"), "--report", path("copy.json"),
                              "--trace", path("trace.json"), "--quiet"});
  EXPECT_EQ(f.exit_code, 0);
  EXPECT_EQ(f.err, "");
  EXPECT_EQ(read_json(path("copy.json")), read_json(path("out/report.json")));
  EXPECT_GE(read_json(path("trace.json")).at("traceEvents").size(), 6U);
}

TEST_F(RunCommand, ThreadsAndItemsInFlightAreAsMany) {
  const Finished f = command({"run", small_pipeline(), "-o", path("out"), "--threads", "1", "--in-flight", "3", "--set",
                              "phantom.count=5", "--set", "write.path=" + path("out/%d.txt")});
  EXPECT_EQ(f.exit_code, 0) << f.err;
  const auto report = read_json(path("out/report.json"));
  EXPECT_EQ(report.at("threads"), 1);
  EXPECT_EQ(report.at("in_flight"), 3);
}

TEST_F(RunCommand, SettingsGoBeforeTheFile) {
  const Finished f = command(
      {"run", small_pipeline(), "-o", path("out"), "--set", "phantom.nz=4", "--set", "phantom.spacing_mm=1,1,1"});
  EXPECT_EQ(f.exit_code, 0) << f.err;
  EXPECT_EQ(read(path("out/sum.txt")), "the sum is 208.000000\n");
}

TEST_F(RunCommand, InputOutputAndDefinesAreVariables) {
  write("in/some.txt", "x");
  const std::string file = write("a.yaml", R"(isocenter: 1
nodes:
  - {name: source, operator: test_fail, parameters: {when: never, must_be_set: "${input}:${word}"}}
  - {name: write, operator: test_text_sink, inputs: {input: source}, parameters: {path: "${output}/x.txt"}}
)");
  Process::Options here;
  here.folder = folder_.string();
  const Finished f = command({"run", file, "-i", "in", "-o", "out", "--define", "word=w"}, here);
  EXPECT_EQ(f.exit_code, 0) << f.err;
  const auto report = read_json(path("out/report.json"));
  EXPECT_EQ(report.at("nodes").at(0).at("parameters").at("must_be_set"), path("in") + ":w");
  EXPECT_THAT(f.err, HasSubstr("warning: test_fail 'source': this operator only tests. Fix: use another."));
  EXPECT_THAT(report.at("nodes").at(0).at("warnings").dump(), HasSubstr("this operator only tests"));
}

TEST_F(RunCommand, OnATerminalBarsAreRedrawnInPlace) {
  Process::Options terminal;
  terminal.terminal = true;
  const Finished f = command({"run", small_pipeline(), "-o", path("out"), "--set", "slow.seconds=0.5"}, terminal);
  EXPECT_EQ(f.exit_code, 0) << f.err;
  EXPECT_THAT(f.err, AllOf(HasSubstr("\x1b[3A"), HasSubstr("waiting"),
                           HasSubstr("[==============================] 100 %"), HasSubstr("==   ")));
  EXPECT_THAT(f.err, Not(HasSubstr("slow done")));
}

TEST_F(RunCommand, ElsewhereItSaysAtMostALineInTwoSecondsForEachNode) {
  const Finished f = command({"run", small_pipeline(), "-o", path("out"), "--set", "slow.seconds=5"});
  EXPECT_THAT(f.err, Not(HasSubstr("\x1b")));
  std::size_t lines = 0;
  for (std::size_t at = f.err.find("] slow"); at != std::string::npos; at = f.err.find("] slow", at + 1)) ++lines;
  EXPECT_GE(lines, 3U) << f.err;
  EXPECT_LE(lines, 4U) << f.err;
  EXPECT_THAT(f.err, HasSubstr("] slow done"));
}

TEST_F(RunCommand, WithManyItemsTheLastOnesEndIsSaid) {
  const Finished f = command({"run", small_pipeline(), "-o", path("out"), "--set", "phantom.count=5", "--set",
                              "write.path=" + path("out/%d.txt")});
  EXPECT_EQ(f.exit_code, 0) << f.err;
  EXPECT_THAT(files("out"), ElementsAre("0.txt", "1.txt", "2.txt", "3.txt", "4.txt", "report.json"));
  EXPECT_THAT(f.err, AllOf(HasSubstr("write done\n"), HasSubstr("write done  item 4\n")));
}

// ---- The output folder ----

TEST_F(RunCommand, RefusesAFolderThatIsNotEmptyUnlessForced) {
  write("out/mine.txt", "keep");
  const Finished refused = command({"run", small_pipeline(), "-o", path("out")});
  EXPECT_EQ(refused.exit_code, 2);
  EXPECT_THAT(refused.err, AllOf(HasSubstr("'" + path("out") + "' is not empty: it holds 'mine.txt'"),
                                 HasSubstr("Fix: "), HasSubstr("--force")));
  EXPECT_THAT(files("out"), ElementsAre("mine.txt"));
  const Finished forced = command({"run", small_pipeline(), "-o", path("out"), "--force"});
  EXPECT_EQ(forced.exit_code, 0) << forced.err;
  EXPECT_THAT(forced.out, Not(HasSubstr("mine.txt"))) << "only what this run wrote is listed";
  EXPECT_EQ(read(path("out/mine.txt")), "keep");
}

TEST_F(RunCommand, RunsAgainAfterAFailureWithoutForce) {
  const std::string file = small_pipeline();
  EXPECT_EQ(command({"run", file, "-o", path("out"), "--memory", "1kB"}).exit_code, 4);
  EXPECT_THAT(files("out"), ElementsAre("report.json"));
  EXPECT_EQ(command({"run", file, "-o", path("out")}).exit_code, 0);
  EXPECT_EQ(command({"run", file, "-o", path("out")}).exit_code, 2) << "now it holds results";
}

TEST_F(RunCommand, RefusesAFileAsItsOutput) {
  const std::string file = write("out", "x");
  const Finished f = command({"run", small_pipeline(), "-o", file});
  EXPECT_EQ(f.exit_code, 2);
  EXPECT_THAT(f.err, HasSubstr("--output '" + file + "' is a file"));
  const Finished below = command({"run", small_pipeline(), "-o", file + "/deeper"});
  EXPECT_EQ(below.exit_code, 2);
  EXPECT_THAT(below.err, HasSubstr("cannot be used: Not a directory"));
}

// ---- How it ends ----

TEST_F(RunCommand, ANodeThatFailsEndsWith1AndAReport) {
  const std::string file = write("a.yaml", R"(isocenter: 1
nodes:
  - {name: source, operator: phantom_volume, parameters: {nx: 2, ny: 2, nz: 2}}
  - {name: write, operator: test_text_sink, inputs: {input: source.output}, parameters: {path: "${output}/x.txt"}}
  - {name: bad, operator: test_text_sink, inputs: {input: source.output}, parameters: {path: /proc/none/x}}
)");
  const Finished f = command({"run", file, "-o", path("out")});
  EXPECT_EQ(f.exit_code, 1);
  EXPECT_THAT(f.err, AllOf(HasSubstr("test_text_sink 'bad': cannot write '/proc/none/x'"), HasSubstr("Fix: ")));
  const auto report = read_json(path("out/report.json"));
  EXPECT_EQ(report.at("status"), "failed");
  EXPECT_EQ(report.at("exit_code"), 1);
  EXPECT_THAT(report.at("error").get<std::string>(), HasSubstr("'bad'"));
  EXPECT_EQ(report.at("errors").at(0).at("node"), "bad");
  EXPECT_EQ(read(path("out/x.txt")).substr(0, 10), "the sum is") << "what can be used is not lost";
}

struct FailingSource {
  const char* name;
  const char* when;
  int status;
  int exit_code;
};
class ExitCodes : public RunCommand, public ::testing::WithParamInterface<FailingSource> {};

TEST_P(ExitCodes, TellScriptsWhatWentWrong) {
  const auto& p = GetParam();
  const std::string file =
      write("a.yaml", R"(isocenter: 1
nodes:
  - {name: source, operator: test_fail, parameters: {when: )" +
                          std::string(p.when) + ", code: " + std::to_string(p.status) + R"(, must_be_set: x}}
  - {name: write, operator: test_text_sink, inputs: {input: source}, parameters: {path: "${output}/x.txt"}}
)");
  const Finished f = command({"run", file, "-o", path("out")});
  EXPECT_EQ(f.exit_code, p.exit_code);
  EXPECT_THAT(f.err, AllOf(HasSubstr("test_fail 'source': it failed with status " + std::to_string(p.status)),
                           HasSubstr("Fix: set when to never.")));
  EXPECT_EQ(read_json(path("out/report.json")).at("exit_code"), p.exit_code);
}

const FailingSource failing_sources[] = {
    {"WrongParameterInPlan", "plan", 1, 2}, {"InputMissingInPlan", "plan", 3, 3}, {"BadInputInPlan", "plan", 4, 3},
    {"NoMemoryInPlan", "plan", 5, 4},       {"UnreadableInPlan", "plan", 7, 3},   {"NoFileInPlan", "plan", 9, 3},
    {"BadInputInRun", "run", 4, 3},         {"NoMemoryInRun", "run", 5, 4},       {"DeviceLostInRun", "run", 6, 5},
    {"CancelledByItself", "run", 8, 1},     {"UnreadableInRun", "run", 9, 3},     {"InternalInRun", "run", 12, 1},
};
INSTANTIATE_TEST_SUITE_P(RunCommand, ExitCodes, ::testing::ValuesIn(failing_sources),
                         [](const auto& info) { return info.param.name; });

TEST_F(RunCommand, AWrongFileEndsWith2AndTheNodesPlace) {
  const std::string file = write("a.yaml", "isocenter: 1\nnodes:\n  - name: a\n    operater: x\n");
  const Finished f = command({"run", file, "-o", path("out")});
  EXPECT_EQ(f.exit_code, 2);
  EXPECT_THAT(f.err, HasSubstr("isocenter run: " + file + ":4:5: node 'a' has no key 'operater'"));
  EXPECT_FALSE(fs::exists(path("out"))) << "nothing is made before the pipeline is known to be good";
}

TEST_F(RunCommand, AnErrorOfThePlanNamesThePlaceOfItsNode) {
  const std::string file = write("a.yaml", R"(isocenter: 1
nodes:
  - {name: grid, operator: phantom_volume, parameters: {spacing_mm: [1, 2], nx: 4, ny: 4, nz: 4}}
  - {name: write, operator: test_text_sink, inputs: {input: grid.output}, parameters: {path: "${output}/x.txt"}}
)");
  const Finished f = command({"run", file, "-o", path("out")});
  EXPECT_EQ(f.exit_code, 2);
  EXPECT_THAT(f.err, AllOf(HasSubstr("spacing_mm"), HasSubstr("(The node stands at " + file + ":3:5.)")));
  const auto report = read_json(path("out/report.json"));
  EXPECT_EQ(report.at("status"), "failed");
  EXPECT_THAT(report.at("error").get<std::string>(), HasSubstr("spacing_mm"));
}

TEST_F(RunCommand, AMissingPipelineFileEndsWith2) {
  EXPECT_EQ(command({"run", path("none.yaml"), "-o", path("out")}).exit_code, 2);
  EXPECT_EQ(command({"run", folder_.string(), "-o", path("out")}).exit_code, 2);
  EXPECT_EQ(command({"run", write("zero.yaml", std::string(5, '\0')), "-o", path("out")}).exit_code, 2);
}

TEST_F(RunCommand, AMissingInputEndsWith3) {
  const std::string file = write("a.yaml", R"(isocenter: 1
nodes:
  - {name: source, operator: test_fail, parameters: {when: never, must_be_set: "${input}"}}
  - {name: write, operator: test_text_sink, inputs: {input: source}, parameters: {path: "${output}/x.txt"}}
)");
  const Finished missing = command({"run", file, "-i", path("scan"), "-o", path("out")});
  EXPECT_EQ(missing.exit_code, 3);
  EXPECT_THAT(missing.err, HasSubstr("there is no input '" + path("scan") + "'. Fix: "));
  const Finished not_given = command({"run", file, "-o", path("out")});
  EXPECT_EQ(not_given.exit_code, 2);
  EXPECT_THAT(not_given.err, AllOf(HasSubstr("the variable ${input} has no value"), HasSubstr("--input PATH")));
}

TEST_F(RunCommand, ATooSmallBudgetEndsWith4AndNamesTheLargestNodes) {
  const Finished f = command({"run", small_pipeline(), "-o", path("out"), "--memory", "10KiB"});
  EXPECT_EQ(f.exit_code, 4);
  EXPECT_THAT(f.err, AllOf(HasSubstr("the budget is 10.0 KiB"), HasSubstr("'slow' 16.0 KiB"), HasSubstr("Fix: ")));
}

TEST_F(RunCommand, AnImpossibleVolumeIsRefusedByTheMemoryOfThisMachine) {
  const Finished f = command({"run", small_pipeline(), "-o", path("out"), "--set", "phantom.nx=8192", "--set",
                              "phantom.ny=8192", "--set", "phantom.nz=8192"});
  EXPECT_EQ(f.exit_code, 4);
  EXPECT_THAT(f.err, HasSubstr("and the budget is"));
}

TEST_F(RunCommand, AFullDiskEndsWith4AndLeavesNoPartOfAFile) {
  Process::Options full;
  full.environment = {{"LD_PRELOAD", ISOCENTER_FULL_DISK}, {"FULL_DISK_AFTER", "15"}};
  const Finished f = command({"run", small_pipeline(), "-o", path("out")}, full);
  EXPECT_EQ(f.exit_code, 4);
  EXPECT_THAT(f.err, AllOf(HasSubstr("test_text_sink 'write': cannot write '" + path("out/sum.txt") +
                                     "': No space left on device"),
                           HasSubstr("Fix: free space on that disk")));
  EXPECT_THAT(files("out"), ElementsAre());
}

TEST_F(RunCommand, AMissingDeviceEndsWith5) {
  const Finished f = command({"run", small_pipeline(), "-o", path("out"), "--device", "cuda:77"});
  EXPECT_EQ(f.exit_code, 5);
  EXPECT_THAT(f.err, AllOf(HasSubstr("there is no device 'cuda:77'"), HasSubstr("Fix: use one of: cpu")));
  const std::string file = write("a.yaml", R"(isocenter: 1
nodes:
  - {name: v, operator: phantom_projections, parameters: {views: 2, rows: 2, columns: 2}}
  - {name: r, operator: fdk_reconstruction, inputs: {input: v}, device: cuda:77}
)");
  const Finished node = command({"run", file, "-o", path("out")});
  EXPECT_EQ(node.exit_code, 5);
  EXPECT_THAT(node.err, HasSubstr(file + ":4:73: node 'r': there is no device 'cuda:77'"));
}

TEST_F(RunCommand, WhatWouldBeIgnoredIsRefused) {
  const std::string file = small_pipeline();
  const auto refused = [&](const std::vector<std::string>& more) {
    std::vector<std::string> words = {"run", file, "-o", path("out")};
    words.insert(words.end(), more.begin(), more.end());
    const Finished f = command(words);
    EXPECT_EQ(f.exit_code, 2) << f.err;
    EXPECT_THAT(f.err, HasSubstr("Fix: "));
    EXPECT_FALSE(fs::exists(path("out")));
    return f.err;
  };
  EXPECT_THAT(refused({"--input", file}), HasSubstr("has no ${input}, so that --input would be ignored"));
  EXPECT_THAT(refused({"--define", "x=1"}), HasSubstr("has no ${x}"));
  EXPECT_THAT(refused({"--define", "output=1"}), HasSubstr("the variable 'output' is given twice"));
  EXPECT_THAT(refused({"--define", "x"}), HasSubstr("--define x has no '='"));
  EXPECT_THAT(refused({"--set", "slow.seconds"}), HasSubstr("--set slow.seconds has no '='"));
  EXPECT_THAT(refused({"--set", "seconds=1"}), HasSubstr("--set seconds=1 names no node"));
  EXPECT_THAT(refused({"--set", "slw.seconds=1"}), HasSubstr("no node 'slw' (did you mean 'slow'?)"));
  EXPECT_THAT(refused({"--set", "slow.second=1"}), HasSubstr("no parameter 'second' (did you mean 'seconds'?)"));
  EXPECT_THAT(refused({"--set", "slow.seconds=-1"}), HasSubstr("seconds = '-1' is outside [0, 3600] s"));
  EXPECT_THAT(refused({"--threads", "0"}), HasSubstr("--threads"));
  EXPECT_THAT(refused({"--in-flight", "100"}), HasSubstr("--in-flight"));
  EXPECT_THAT(refused({"--colour"}), HasSubstr("--colour"));
}

TEST_F(RunCommand, AmountsOfMemoryHaveUnits) {
  for (const char* amount : {"64MiB", "64 MiB", "0.1GiB", "64MB", "67108864", "1TiB"})
    EXPECT_EQ(command({"run", small_pipeline(), "-o", path(amount), "--memory", amount}).exit_code, 0) << amount;
  for (const char* amount : {"4G", "much", "-1GiB", "0", "nanGiB", "4 GiB more", ""}) {
    const Finished f = command({"run", small_pipeline(), "-o", path("out"), "--force", "--memory", amount});
    EXPECT_EQ(f.exit_code, 2) << amount;
    EXPECT_THAT(f.err, HasSubstr("Fix: ")) << amount;
  }
}

TEST_F(RunCommand, APipelineForAProgramIsRefused) {
  const std::string file = write("a.yaml", R"(isocenter: 1
nodes:
  - {name: p, operator: phantom_volume}
outputs: {volume: p.output}
)");
  const Finished f = command({"run", file, "-o", path("out")});
  EXPECT_EQ(f.exit_code, 2);
  EXPECT_THAT(f.err, HasSubstr("has ways in or out for a program ('volume')"));
}

// ---- Ctrl-C ----

class CtrlC : public RunCommand, public ::testing::WithParamInterface<int> {};

TEST_P(CtrlC, StopsCleanlyAndKeepsWhatIsFinished) {
  const std::string file = write("a.yaml", R"(isocenter: 1
nodes:
  - {name: source, operator: phantom_volume, parameters: {nx: 2, ny: 2, nz: 2}}
  - {name: first, operator: test_text_sink, inputs: {input: source.output}, parameters: {path: "${output}/first.txt"}}
  - name: second
    operator: test_text_sink
    inputs: {input: source.output}
    parameters: {path: "${output}/second.txt", seconds: 60}
)");
  Process process({"run", file, "-o", path("out")});
  ASSERT_TRUE(process.says("first done"));
  ASSERT_TRUE(process.says("second   1 %"));
  EXPECT_THAT(files("out"), ::testing::SizeIs(2)) << "one file is whole, of one there is a part";
  const auto begin = std::chrono::steady_clock::now();
  process.signal(GetParam());
  const Finished f = process.wait();
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(5));
  EXPECT_EQ(f.exit_code, 130);
  EXPECT_THAT(f.err, HasSubstr("cancelled; what was finished is kept."));
  EXPECT_THAT(files("out"), ElementsAre("first.txt", "report.json"));
  EXPECT_EQ(read_json(path("out/report.json")).at("status"), "cancelled");
  EXPECT_EQ(read_json(path("out/report.json")).at("exit_code"), 130);
}
INSTANTIATE_TEST_SUITE_P(RunCommand, CtrlC, ::testing::Values(SIGINT, SIGTERM));

TEST_F(RunCommand, ASecondCtrlCEndsAtOnce) {
  // The node looks at the session once in 36 s.
  Process process({"run", small_pipeline(), "-o", path("out"), "--set", "slow.seconds=3600"});
  ASSERT_TRUE(process.says("phantom done"));
  const auto begin = std::chrono::steady_clock::now();
  process.signal(SIGINT);
  ASSERT_TRUE(process.says("Once more ends at once."));
  process.signal(SIGINT);
  const Finished f = process.wait();
  EXPECT_EQ(f.exit_code, 130) << f.err;
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(5));
  // Under a thread sanitizer the first signal ends the node's sleep: then the report is being written, or is whole.
  EXPECT_THAT(files("out"), AnyOf(ElementsAre(), ElementsAre("report.json")));
}

}  // namespace
}  // namespace isocenter::testing
