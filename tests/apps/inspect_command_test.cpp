// isocenter inspect: the header on request.
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "command_process.hpp"

namespace isocenter::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class InspectCommand : public CommandTest {
 protected:
  void SetUp() override {
    if (command({"describe", "dicom_inspect"}).exit_code != 0) GTEST_SKIP() << "this build has no dicom module";
  }
  const std::string ct = std::string(ISOCENTER_SOURCE_DIR) + "/tests/dicom/data/syntax/CT_small.dcm";
};

TEST_F(InspectCommand, TheHeaderAndAttributesAreShownWhereAskedFor) {
  EXPECT_THAT(command({"inspect", ct}).out, Not(HasSubstr("CompressedSamples")));
  const Finished typed = command({"inspect", ct, "--header"});
  EXPECT_EQ(typed.exit_code, 0) << typed.err;
  EXPECT_THAT(typed.out, HasSubstr("patient: name CompressedSamples^CT1"));  // pydicom: expected_headers.txt
  EXPECT_THAT(typed.out, HasSubstr("tube_voltage_kv 120"));
  const Finished named = command({"inspect", ct, "--attribute", "KVP", "--attribute", "0008,0070"});
  EXPECT_THAT(named.out, HasSubstr("KVP (00180060) = 120"));
  EXPECT_THAT(named.out, HasSubstr("0008,0070 (00080070) = GE MEDICAL SYSTEMS"));
  const auto series = nlohmann::json::parse(command({"inspect", ct, "--header", "--json"}).out).at("series").at(0);
  EXPECT_EQ(series.at("header").at("acquisition").at("tube_voltage_kv"), 120);
  EXPECT_EQ(series.at("header").at("equipment").at("manufacturer"), "GE MEDICAL SYSTEMS");
}

}  // namespace
}  // namespace isocenter::testing
