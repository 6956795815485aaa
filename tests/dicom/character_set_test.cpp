// Text turned to UTF-8 (PS3.3 C.12.1.1.2): all of it, or none.
#include "dicom/character_set.hpp"

#include <dcmtk/dcmdata/dcdatset.h>
#include <dcmtk/dcmdata/dcdeftag.h>
#include <gtest/gtest.h>

namespace isocenter::test {
namespace {

using namespace detail::dicom;

struct Patient {
  Patient(const char* character_set, const char* name, const char* comments = "") {
    item.putAndInsertString(DCM_SpecificCharacterSet, character_set);
    item.putAndInsertString(DCM_PatientName, name);
    item.putAndInsertString(DCM_PatientComments, comments);
  }
  std::string text(const DcmTagKey& key) {
    OFString value;
    item.findAndGetOFStringArray(key, value);
    return value.c_str();
  }
  DcmDataset item;
};

TEST(DicomCharacterSet, TextThatIsNotOfItsCharacterSetIsNotTurned) {
  struct Case {
    const char *set, *first, *turned, *broken;
  };
  for (const Case& c : {Case{"ISO_IR 126", "\xC1", "\xCE\x91", "\xD2"},  // no letter of ISO 8859-7
                        Case{"", "A", "A", "M\xFCller"},                 // ASCII
                        Case{"\\ISO 2022 IR 87", "\x1B$B;3\x1B(B", "\xE5\xB1\xB1", "\xFC"},
                        Case{"\\ISO 2022 IR 87", "A", "A", "\x1B$B;3E"},             // half a pair
                        Case{"\\ISO 2022 IR 87", "A", "A", "\x1B$B\x7E\x7E\x1B(B"},  // no character of JIS X 0208
                        Case{"\\ISO 2022 IR 87", "A", "A", "\x1B$)C\x1B(B"}}) {      // a set that is not named
    Patient good(c.set, c.first), bad(c.set, c.first, c.broken);
    EXPECT_TRUE(to_utf8(good.item)) << c.set;
    EXPECT_EQ(good.text(DCM_PatientName), c.turned);
    EXPECT_FALSE(to_utf8(bad.item)) << c.set << " " << c.broken;
    EXPECT_EQ(bad.text(DCM_PatientName), c.first) << "half turned";
    EXPECT_EQ(bad.text(DCM_PatientComments), c.broken);
    EXPECT_EQ(bad.text(DCM_SpecificCharacterSet), c.set);
  }
}

TEST(DicomCharacterSet, WhatIsShownHasAQuestionMarkForIt) {
  Patient p("\\ISO 2022 IR 87", "\x1B$B;3\x1B(B\xFC");
  EXPECT_TRUE(to_utf8(p.item, Undecodable::question_mark));
  EXPECT_EQ(p.text(DCM_PatientName), "\xE5\xB1\xB1?");
}

}  // namespace
}  // namespace isocenter::test
