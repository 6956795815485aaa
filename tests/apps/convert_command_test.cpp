// isocenter convert: what the ending of OUT makes of a study, and what it refuses.
#include <gmock/gmock.h>

#include <cstring>

#include "command_process.hpp"

namespace isocenter::testing {
namespace {

using ::testing::HasSubstr;

class ConvertCommand : public CommandTest {
 protected:
  void SetUp() override {
    if (command({"describe", "image_sink"}).exit_code != 0 ||
        command({"describe", "dicom_frames_source"}).exit_code != 0)
      GTEST_SKIP() << "this build has no io or no dicom module";
  }
  static std::string data(const std::string& name) {
    return std::string(ISOCENTER_SOURCE_DIR) + "/tests/dicom/data/" + name;
  }
};

TEST_F(ConvertCommand, AnMhaHoldsTheValuesAfterRescale) {
  const Finished f = command({"convert", data("syntax/CT_small.dcm"), path("ct.mha")});
  ASSERT_EQ(f.exit_code, 0) << f.err;
  EXPECT_THAT(f.out, HasSubstr("ct.mha"));
  const std::string bytes = read(path("ct.mha"));
  EXPECT_THAT(bytes.substr(0, 600), HasSubstr("DimSize = 128 128 1"));
  std::vector<float> v(128 * 128);
  ASSERT_GT(bytes.size(), 4 * v.size());
  std::memcpy(v.data(), bytes.data() + bytes.size() - 4 * v.size(), 4 * v.size());
  EXPECT_EQ(*std::min_element(v.begin(), v.end()), -896);  // pydicom: tests/dicom/data/expected_values.txt
  EXPECT_EQ(*std::max_element(v.begin(), v.end()), 1167);
}

TEST_F(ConvertCommand, APngHoldsTheColoursOfAFile) {
  const Finished f = command({"convert", data("syntax/color-pl.dcm"), path("us.png")});
  ASSERT_EQ(f.exit_code, 0) << f.err;
  EXPECT_EQ(read(path("us.png")).substr(1, 3), "PNG");
}

TEST_F(ConvertCommand, AFolderGetsADicomSeries) {
  const Finished f = command({"convert", data("series_problems/mr_hitachi_oblique"), path("derived")});
  ASSERT_EQ(f.exit_code, 0) << f.err;
  EXPECT_EQ(command({"inspect", path("derived")}).exit_code, 0);
}

TEST_F(ConvertCommand, APdfIsTheDocumentInTheObject) {
  Finished f = command({"convert", data("values/document.dcm"), path("report.pdf")});
  ASSERT_EQ(f.exit_code, 0) << f.err;
  EXPECT_EQ(read(path("report.pdf")), "%PDF-1.4\n%%EOF\n");
  f = command({"convert", data("values/document.dcm"), path("report.stl")});
  EXPECT_EQ(f.exit_code, 2) << f.err;
  EXPECT_THAT(f.err, HasSubstr("MIMETypeOfEncapsulatedDocument (0042,0012) = application/pdf. Fix: let the name end"));
  f = command({"convert", data("syntax/CT_small.dcm"), path("ct.pdf")});
  EXPECT_EQ(f.exit_code, 3) << f.err;
  EXPECT_THAT(f.err, HasSubstr("EncapsulatedDocument (0042,0011) is missing"));
}

TEST_F(ConvertCommand, WhatCannotBeConvertedIsSaid) {
  Finished f = command({"convert", data("syntax/CT_small.dcm"), path("ct.jpg")});
  EXPECT_EQ(f.exit_code, 2);
  EXPECT_THAT(f.err, HasSubstr("has an unknown ending. Fix: "));
  f = command({"convert", path("nowhere"), path("ct.mha")});
  EXPECT_EQ(f.exit_code, 3);
  f = command({"convert", data("malformed/MR_truncated.dcm"), path("ct.mha")});
  EXPECT_EQ(f.exit_code, 3);
  EXPECT_THAT(f.err, HasSubstr("ends after 8130 of 8192 bytes"));
}

}  // namespace
}  // namespace isocenter::testing
