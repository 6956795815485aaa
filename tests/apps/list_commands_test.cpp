// The other subcommands: what this installation has, phantoms, series.
#include <gmock/gmock.h>

#include <regex>

#include "command_process.hpp"

namespace isocenter::testing {
namespace {

using ::testing::AllOf;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;

class Command : public CommandTest {};

bool has_operator(const std::string& name) {
  const auto all = nlohmann::json::parse(command({"operators", "--json"}).out);
  return std::any_of(all.begin(), all.end(), [&](const auto& o) { return o.at("name") == name; });
}

TEST_F(Command, SaysItsVersion) {
  const Finished f = command({"--version"});
  EXPECT_EQ(f.exit_code, 0);
  EXPECT_EQ(f.out, "isocenter 1.0.0\n");
}

TEST_F(Command, HelpHasExamplesEverywhere) {
  EXPECT_THAT(command({"--help"}).out, AllOf(HasSubstr("Examples:"), HasSubstr("Exit codes:"), HasSubstr("run")));
  for (const char* sub : {"run", "inspect", "operators", "describe", "phantom", "devices", "modules"}) {
    const Finished f = command({sub, "--help"});
    EXPECT_EQ(f.exit_code, 0) << sub;
    EXPECT_THAT(f.out, AllOf(HasSubstr("Example"), HasSubstr(std::string("isocenter ") + sub))) << sub;
  }
}

TEST_F(Command, AMisspeltSubcommandIsCorrected) {
  const Finished f = command({"describ", "x"});
  EXPECT_EQ(f.exit_code, 2);
  EXPECT_THAT(f.err, HasSubstr("there is no subcommand 'describ' (did you mean 'describe'?). Fix: use one of: run"));
  EXPECT_EQ(command({}).exit_code, 2);
  EXPECT_EQ(command({"--colour"}).exit_code, 2);
  EXPECT_EQ(command({"describe"}).exit_code, 2);
}

TEST_F(Command, AModuleThatCannotBeLoadedIsRefused) {
  const Finished f = command({"--module", path("none.so"), "operators"});
  EXPECT_EQ(f.exit_code, 2);
  EXPECT_THAT(f.err, AllOf(HasSubstr("module '" + path("none.so") + "' was not loaded"), HasSubstr("Fix: ")));
}

TEST_F(Command, ListsOperatorsByModule) {
  const Finished f = command({"operators"});
  EXPECT_EQ(f.exit_code, 0);
  EXPECT_THAT(f.out, AllOf(ContainsRegex("\nphantom\n(  [^\n]*\n)*  phantom_projections +Exact projections"),
                           ContainsRegex("\nrecon\n(  [^\n]*\n)*  compare_volumes +Error"),
                           ContainsRegex("\ntest\n  test_fail +")));
}

TEST_F(Command, DescribesAnOperatorFromItsOneDescription) {
  const Finished f = command({"describe", "test_fail"});
  EXPECT_EQ(f.exit_code, 0);
  EXPECT_EQ(f.out, R"(test_fail  (module test, version 1.0.0)
  Fails when it is told to.

Inputs:
  none

Outputs:
  output  (volume)
      A volume of 8 voxels, value 1.

Parameters:
  when = run  (one of never, plan, run)
      When it fails.
  code = 4  (whole number in [1, 12])
      With which status.
  must_be_set = required  (text)
      Any text.

In a pipeline file:
  - name: test_fail
    operator: test_fail
    parameters:
      must_be_set: ...
)");
}

TEST_F(Command, DescribesAnOperatorAsJson) {
  const auto json = nlohmann::json::parse(command({"describe", "phantom_volume", "--json"}).out);
  EXPECT_EQ(json.at("module"), "phantom");
  EXPECT_EQ(json.at("outputs").at(1).at("kinds"), nlohmann::json::array({"segmentation"}));
  const auto& parameters = json.at("parameters");
  const auto nx = std::find_if(parameters.begin(), parameters.end(), [](const auto& p) { return p["name"] == "nx"; });
  EXPECT_EQ((*nx)["type"], "integer");
  EXPECT_EQ((*nx)["unit"], "px");
  EXPECT_EQ((*nx)["default"], "256");
  EXPECT_EQ((*nx)["maximum"], 8192);
}

TEST_F(Command, DescribesAnOperatorAsAPage) {
  const Finished f = command({"describe", "test_text_sink", "--markdown"});
  EXPECT_THAT(f.out, AllOf(HasSubstr("# test_text_sink\n"), HasSubstr("| `input` | in | volume | Any volume. |"),
                           HasSubstr("| `seconds` | 0 | [0, 3600] s | How long the writing takes. |"),
                           HasSubstr("```yaml\n- name: test_text_sink\n")));
}

TEST_F(Command, AMisspeltOperatorIsCorrected) {
  const Finished f = command({"describe", "phantom_volum"});
  EXPECT_EQ(f.exit_code, 2);
  EXPECT_THAT(f.err, HasSubstr("there is no operator 'phantom_volum' (did you mean 'phantom_volume'?)"));
}

TEST_F(Command, ListsDevicesAndSaysWhatBestIs) {
  const Finished f = command({"devices"});
  EXPECT_EQ(f.exit_code, 0);
  EXPECT_THAT(f.out, AllOf(HasSubstr("cpu  "), HasSubstr(" threads"), HasSubstr("best is ")));
  // The memory of this machine as the kernel states it (proc(5), /proc/meminfo: MemTotal in kB).
  std::smatch memory;
  const std::string kernel = read("/proc/meminfo");
  ASSERT_TRUE(std::regex_search(kernel, memory, std::regex("MemTotal: +(\\d+) kB")));
  const double bytes = std::stod(memory[1]) * 1024;
  ASSERT_TRUE(std::regex_search(f.out, memory, std::regex("cpu  .*, (\\d+\\.\\d) ([MGT])iB\n"))) << f.out;
  const double unit = memory[2] == "M" ? 0x1p20 : (memory[2] == "G" ? 0x1p30 : 0x1p40);
  EXPECT_NEAR(std::stod(memory[1]), bytes / unit, 0.06);
}

TEST_F(Command, ListsModules) {
  const Finished f = command({"modules"});
  EXPECT_EQ(f.exit_code, 0);
  EXPECT_THAT(f.out, AllOf(HasSubstr("phantom  built in\n"), HasSubstr("loaded from " ISOCENTER_TEST_MODULE)));
}

TEST_F(Command, WritesAPhantomItsLabelsAndItsProjections) {
  if (!has_operator("image_sink")) GTEST_SKIP() << "this build has no io module";
  const Finished f = command({"phantom", "thorax", "--output", path("chest.mha"), "--labels", path("labels.mha"),
                              "--set", "nx=32", "--set", "ny=24", "--set", "nz=16", "--set", "spacing_mm=12"});
  EXPECT_EQ(f.exit_code, 0) << f.err;
  EXPECT_EQ(f.out, path("chest.mha") + "\n" + path("labels.mha") + "\n");
  EXPECT_THAT(read(path("chest.mha")).substr(0, 400), AllOf(HasSubstr("DimSize = 32 24 16"), HasSubstr("MET_FLOAT")));
  EXPECT_THAT(read(path("labels.mha")).substr(0, 400), HasSubstr("MET_UCHAR"));
  const Finished again = command({"phantom", "thorax", "--output", path("chest.mha")});
  EXPECT_EQ(again.exit_code, 2);
  EXPECT_THAT(again.err, HasSubstr("exists. Fix: give another path, or add --force"));
  const Finished views = command({"phantom", "shepp_logan", "--projections", "-o", path("views.mha"), "--set",
                                  "views=5", "--set", "rows=6", "--set", "columns=7", "--set", "row_step_mm=3"});
  EXPECT_EQ(views.exit_code, 0) << views.err;
  EXPECT_THAT(read(path("views.mha")).substr(0, 400),
              AllOf(HasSubstr("DimSize = 7 6 5"), HasSubstr("ElementSpacing = 2 3 1")));
}

TEST_F(Command, RefusesAPhantomThatIsNone) {
  if (!has_operator("image_sink")) GTEST_SKIP() << "this build has no io module";
  const Finished f = command({"phantom", "thorx", "-o", path("a.mha")});
  EXPECT_EQ(f.exit_code, 2);
  EXPECT_THAT(f.err, AllOf(HasSubstr("phantom = 'thorx' is not known"), HasSubstr("moving_thorax")));
  EXPECT_EQ(command({"phantom", "thorax", "-o", path("a.xyz"), "--set", "nx=4"}).exit_code, 2);
  EXPECT_EQ(command({"phantom", "thorax", "-o", path("a.mha"), "--set", "nz=0"}).exit_code, 2);
  EXPECT_FALSE(fs::exists(path("a.mha")));
}

TEST_F(Command, InspectOfNothingEndsWith3) {
  const Finished f = command({"inspect", path("none")});
  if (f.err.find("has no dicom module") != std::string::npos) GTEST_SKIP() << "this build has no dicom module";
  EXPECT_EQ(f.exit_code, 3);
  EXPECT_THAT(f.err, HasSubstr("there is no '" + path("none") + "'"));
  write("empty/readme.txt", "no image");
  const Finished empty = command({"inspect", path("empty"), "--json"});
  EXPECT_EQ(empty.exit_code, 3);
  EXPECT_EQ(nlohmann::json::parse(empty.out).at("dicom_files"), 0);
}

}  // namespace
}  // namespace isocenter::testing
