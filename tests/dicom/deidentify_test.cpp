// De-identification: every attribute of PS3.15 table E.1-1, nested too; mapping by key; pixels; the report.
#include "dicom/deidentify.hpp"

#include <gmock/gmock.h>

#include <isocenter/error.hpp>
#include <random>

#include "dicom/deidentification_table.hpp"
#include "dicom/deidentify_folder.hpp"
#include "dicom/keyed_hash.hpp"
#include "dicom/synthetic_series.hpp"
#include "dicom/toolkit.hpp"
#include "dicom/validate.hpp"
#include "dicom/written_objects.hpp"

namespace {

using namespace isocenter::testing;
using isocenter::Failure;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* secret = "SECRET";

std::string hex(const Digest& d) {
  std::string text;
  char two[4];
  for (const auto byte : d) {
    std::snprintf(two, sizeof two, "%02x", byte);
    text += two;
  }
  return text;
}

TEST(DicomDeidentify, TheHashIsThatOfItsPublishedVectors) {
  // FIPS 180-4 examples ("abc", two blocks) and RFC 4231 test cases 2 and 6.
  EXPECT_EQ(hex(sha256("abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(hex(sha256("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(hex(keyed_hash("Jefe", "what do ya want for nothing?")),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  EXPECT_EQ(hex(keyed_hash(std::string(131, '\xaa'), "Test Using Larger Than Block-Size Key - Hash Key First")),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

/// A value of an attribute's representation that must not survive.
void put_secret(DcmItem& to, const DcmTagKey& key) {
  const DcmTag tag(key);
  switch (tag.getEVR()) {
    case EVR_SQ: {
      DcmItem* item = nullptr;
      to.findOrCreateSequenceItem(tag, item, 0);
      item->putAndInsertString(DCM_TextValue, secret);
      item->putAndInsertString(DCM_PatientName, secret);
      break;
    }
    case EVR_DA:
      to.putAndInsertString(tag, "20190317");
      break;
    case EVR_DT:
      to.putAndInsertString(tag, "20190317112233");
      break;
    case EVR_TM:
      to.putAndInsertString(tag, "112233");
      break;
    case EVR_UI:
      to.putAndInsertString(tag, "1.2.3.999.7");
      break;
    case EVR_AS:
      to.putAndInsertString(tag, "087Y");
      break;
    case EVR_IS:
    case EVR_DS:
      to.putAndInsertString(tag, "20190317");
      break;
    case EVR_OB:
    case EVR_ox:
    case EVR_OW:
    case EVR_UN:
    case EVR_UNKNOWN:
      to.putAndInsertUint8Array(tag, reinterpret_cast<const Uint8*>(secret), 6);
      break;
    default:
      to.putAndInsertString(tag, secret);
  }
}

/// All attributes of the table at the top, and in an item two levels below.
DcmDataset everything() {
  use_dcmtk();
  DcmDataset d;
  DcmItem *outer = nullptr, *inner = nullptr;
  d.findOrCreateSequenceItem(DCM_ReferencedStudySequence, outer, 0);  // X in the table: gone with what it holds
  d.putAndInsertString(DCM_SOPClassUID, UID_CTImageStorage);
  d.findOrCreateSequenceItem(DCM_SharedFunctionalGroupsSequence, outer, 0);
  outer->findOrCreateSequenceItem(DCM_FrameContentSequence, inner, 0);
  for (const ProfileRow& row : profile_rows()) {
    const DcmTagKey key(static_cast<Uint16>(row.tag >> 16U), static_cast<Uint16>(row.tag & 0xFFFFU));
    if (key == DCM_EncapsulatedDocument) continue;
    put_secret(d, key);
    put_secret(*inner, key);
  }
  d.putAndInsertString(DcmTag(0x0009, 0x0010, EVR_LO), secret);
  d.putAndInsertString(DcmTag(0x0009, 0x1001, EVR_LO), secret);
  inner->putAndInsertString(DcmTag(0x0029, 0x0010, EVR_LO), secret);
  inner->putAndInsertString(DcmTag(0x0029, 0x1001, EVR_LO), secret);
  d.putAndInsertUint8Array(DcmTag(0x5000, 0x3000, EVR_OB), reinterpret_cast<const Uint8*>(secret), 6);
  d.putAndInsertUint8Array(DcmTag(0x6002, 0x3000, EVR_OB), reinterpret_cast<const Uint8*>(secret), 6);
  d.putAndInsertString(DcmTag(0x6002, 0x4000, EVR_LT), secret);
  return d;
}

std::string bytes_of(DcmDataset& d) {
  std::ostringstream text;
  d.print(text, DCMTypes::PF_convertToMarkup);
  return text.str();
}

TEST(DicomDeidentify, NothingOfAnyAttributeOfTheTableIsLeftAnywhere) {
  DcmDataset d = everything();
  EXPECT_THAT(bytes_of(d), HasSubstr(secret));
  DeidentificationRecord record;
  DeidentificationOptions options;
  options.key = "k";
  deidentify(d, options, record);
  const std::string text = bytes_of(d);
  EXPECT_THAT(text, Not(HasSubstr(secret)));
  EXPECT_THAT(text, Not(HasSubstr("5345435245"))) << "the bytes of " << secret;
  EXPECT_THAT(text, Not(HasSubstr("20190317")));
  EXPECT_THAT(text, Not(HasSubstr("112233")));
  EXPECT_THAT(text, Not(HasSubstr("1.2.3.999.7")));
  EXPECT_THAT(text, Not(HasSubstr("087Y")));
  EXPECT_EQ(record.private_attributes, 4);
  EXPECT_GT(record.attributes.size(), 600U);
}

TEST(DicomDeidentify, EachActionOfTheTableIsTaken) {
  DcmDataset d = everything();
  DeidentificationRecord record;
  DeidentificationOptions options;
  options.key = "k";
  deidentify(d, options, record);
  for (const ProfileRow& row : profile_rows()) {
    const DcmTagKey key(static_cast<Uint16>(row.tag >> 16U), static_cast<Uint16>(row.tag & 0xFFFFU));
    if (key == DCM_PatientName || key == DCM_PatientID || key == DCM_EncapsulatedDocument) continue;
    if (key.getGroup() == 0x0012 && (key == DCM_DeidentificationMethod)) continue;
    const bool there = d.tagExists(key), filled = d.tagExistsWithValue(key);
    EXPECT_TRUE(row.basic != ProfileAction::x || !there) << key.toString();
    EXPECT_TRUE(row.basic != ProfileAction::z || (there && !filled)) << key.toString();
    const bool is_uid = DcmTag(key).getEVR() == EVR_UI;  // what this DCMTK's dictionary lacks is UN here
    EXPECT_TRUE(row.basic != ProfileAction::u || !is_uid || filled) << key.toString();
  }
  OFString value;
  d.findAndGetOFString(DCM_PatientIdentityRemoved, value);
  EXPECT_EQ(value, "YES");
}

TEST(DicomDeidentify, TheOptionsKeepWhatTheirColumnsSay) {
  const auto with = [](const auto& set) {
    DcmDataset d = everything();
    DeidentificationRecord record;
    DeidentificationOptions options;
    options.key = "k";
    set(options);
    deidentify(d, options, record);
    return bytes_of(d);
  };
  EXPECT_THAT(with([](auto& o) { o.retain_uids = true; }), HasSubstr("1.2.3.999.7"));
  EXPECT_THAT(with([](auto& o) { o.dates = DateRetention::keep; }), HasSubstr("20190317"));
  const std::string shifted = with([](auto& o) { o.dates = DateRetention::shifted; });
  EXPECT_THAT(shifted, Not(HasSubstr("20190317")));
  EXPECT_THAT(shifted, HasSubstr("112233"));
  DcmDataset d = everything();
  DeidentificationRecord record;
  DeidentificationOptions device;
  device.key = "k";
  device.retain_device = true;
  deidentify(d, device, record);
  OFString value;
  d.findAndGetOFString(DCM_DeviceSerialNumber, value);
  EXPECT_EQ(value, secret);
  d.findAndGetOFString(DCM_StationName, value);
  EXPECT_EQ(value, secret);
  EXPECT_FALSE(d.tagExistsWithValue(DCM_ReferringPhysicianName));
}

TEST(DicomDeidentify, AStudyStaysTogetherAndDatesKeepTheirDistance) {
  const auto one = [](const char* instance, const char* date, const char* key) {
    DcmDataset d;
    d.putAndInsertString(DCM_SOPClassUID, UID_CTImageStorage);
    d.putAndInsertString(DCM_SOPInstanceUID, instance);
    d.putAndInsertString(DCM_StudyInstanceUID, "1.2.3.4");
    d.putAndInsertString(DCM_PatientID, "P1");
    d.putAndInsertString(DCM_StudyDate, date);
    DeidentificationRecord record;
    DeidentificationOptions o;
    o.key = key;
    o.dates = DateRetention::shifted;
    deidentify(d, o, record);
    std::array<std::string, 5> values;
    const DcmTagKey tags[] = {DCM_SOPInstanceUID, DCM_StudyInstanceUID, DCM_StudyDate, DCM_PatientID, DCM_SOPClassUID};
    for (std::size_t i = 0; i < 5; ++i) {
      OFString v;
      d.findAndGetOFString(tags[i], v);
      values[i] = v.c_str();
    }
    return values;
  };
  const auto a = one("1.2.3.4.1", "20200228", "k"), b = one("1.2.3.4.2", "20200301", "k");
  EXPECT_NE(a[0], b[0]);
  EXPECT_EQ(a[1], b[1]);
  EXPECT_EQ(a[3], b[3]);
  EXPECT_EQ(a[4], UID_CTImageStorage);
  EXPECT_EQ(shifted_date(a[2], 2), b[2]);  // 2020 was a leap year
  EXPECT_EQ(one("1.2.3.4.1", "20200228", "k"), a);
  EXPECT_NE(one("1.2.3.4.1", "20200228", "other")[1], a[1]);
  EXPECT_EQ(a[0].rfind("2.25.", 0), 0U);
  EXPECT_LE(a[0].size(), 64U);
}

TEST(DicomDeidentify, DatesAndTextsAreCleanedByTheirRules) {
  EXPECT_EQ(shifted_date("20240301", -1), "20240229");
  EXPECT_EQ(shifted_date("20240101112233.5+0100", -1), "20231231112233.5+0100");
  EXPECT_EQ(shifted_date("20241350", -1), "");
  EXPECT_EQ(shifted_date("yesterday", -1), "");
  EXPECT_EQ(cleaned_text("CT Thorax with contrast, Mr. Miller 4711"), "CT Thorax with contrast Mr");
  EXPECT_EQ(cleaned_text("M\xC3\xBCller"), "");
}

DcmDataset ultrasound() {
  DcmDataset d;
  d.putAndInsertString(DCM_SOPClassUID, UID_UltrasoundMultiframeImageStorage);
  d.putAndInsertString(DCM_SOPInstanceUID, "1.2.3");
  d.putAndInsertString(DCM_Modality, "US");
  d.putAndInsertString(DCM_PhotometricInterpretation, "RGB");
  d.putAndInsertString(DCM_NumberOfFrames, "2");
  for (const auto& [tag, v] : {std::pair{DCM_SamplesPerPixel, 3},
                               {DCM_PlanarConfiguration, 0},
                               {DCM_Rows, 5},
                               {DCM_Columns, 7},
                               {DCM_BitsAllocated, 8},
                               {DCM_BitsStored, 8},
                               {DCM_HighBit, 7},
                               {DCM_PixelRepresentation, 0}})
    d.putAndInsertUint16(tag, static_cast<Uint16>(v));
  const std::vector<Uint8> white(2 * 5 * 7 * 3, 255);
  d.putAndInsertUint8Array(DCM_PixelData, white.data(), static_cast<unsigned long>(white.size()));
  DcmItem* region = nullptr;
  d.findOrCreateSequenceItem(DCM_SequenceOfUltrasoundRegions, region, 0);
  region->putAndInsertUint32(DCM_RegionLocationMinX0, 1);
  region->putAndInsertUint32(DCM_RegionLocationMinY0, 2);
  region->putAndInsertUint32(DCM_RegionLocationMaxX1, 4);
  region->putAndInsertUint32(DCM_RegionLocationMaxY1, 3);
  return d;
}

TEST(DicomDeidentify, UltrasoundIsBlankedOutsideOfItsRegionsInEveryFrame) {
  for (const bool compressed : {false, true}) {
    use_dcmtk();
    DcmDataset d = ultrasound();
    ASSERT_TRUE(d.chooseRepresentation(compressed ? EXS_RLELossless : EXS_LittleEndianExplicit, nullptr).good());
    DeidentificationRecord record;
    DeidentificationOptions o;
    o.key = "k";
    o.clean_ultrasound = true;
    deidentify(d, o, record);
    const Uint8* p = nullptr;
    ASSERT_TRUE(d.findAndGetUint8Array(DCM_PixelData, p).good());
    for (int f = 0; f < 2; ++f)
      for (int y = 0; y < 5; ++y)
        for (int x = 0; x < 7; ++x)
          for (int s = 0; s < 3; ++s)
            EXPECT_EQ(p[((f * 5 + y) * 7 + x) * 3 + s], x >= 1 && x <= 4 && y >= 2 && y <= 3 ? 255 : 0);
    EXPECT_TRUE(record.warnings.empty());
    OFString burned;
    d.findAndGetOFString(DCM_BurnedInAnnotation, burned);
    EXPECT_EQ(burned, "NO");
  }
}

TEST(DicomDeidentify, TextInPixelsIsWarnedOfAndRectanglesOutsideAreRefused) {
  DcmDataset d = ultrasound();
  DeidentificationRecord record;
  DeidentificationOptions o;
  o.key = "k";
  deidentify(d, o, record);
  ASSERT_EQ(record.warnings.size(), 1U);
  EXPECT_THAT(record.warnings[0], HasSubstr("BurnedInAnnotation (0028,0301) is absent"));
  o.blank = {{100, 0, 5, 5}};
  DcmDataset again = ultrasound();
  EXPECT_THROW(deidentify(again, o, record), Failure);
}

TEST(DicomDeidentify, AFolderIsRewrittenWithAReportThatTellsNoSecret) {
  const ScratchFolder folder;
  SyntheticSlice s;
  s.set = {{0x00100010, secret}, {0x00080090, secret}, {0x00081030, secret}, {0x00080020, "20190317"}};
  write_series(folder / "in", 3, 0, 2, s);
  std::FILE* f = std::fopen((folder / "in" / "readme.txt").c_str(), "w");
  std::fputs(secret, f);
  std::fclose(f);
  DeidentificationOptions o;
  o.key = "k";
  const std::string report = deidentify_folder((folder / "in").string(), (folder / "out").string(), o, Workers());
  EXPECT_THAT(report, HasSubstr("\"files_written\": 3"));
  EXPECT_THAT(report, HasSubstr("\"StudyDescription (0008,1030)\": {\"removed\": 3}"));
  EXPECT_THAT(report, HasSubstr("readme.txt"));
  EXPECT_THAT(report, Not(HasSubstr(secret)));
  const Source before(folder / "in"), after(folder / "out");
  EXPECT_EQ(before.voxels, after.voxels);
  for (const auto& entry : fs::directory_iterator(folder / "out")) {
    EXPECT_EQ(value(entry.path(), DCM_ReferringPhysicianName), "");
    EXPECT_EQ(value(entry.path(), DCM_StudyInstanceUID), mapped_uid("1.2.3", "k"));
    DcmFileFormat format;
    ASSERT_TRUE(format.loadFile(OFFilename(entry.path().c_str())).good());
    OFString meta, inside;
    format.getMetaInfo()->findAndGetOFString(DCM_MediaStorageSOPInstanceUID, meta);
    format.getDataset()->findAndGetOFString(DCM_SOPInstanceUID, inside);
    EXPECT_EQ(meta, inside);
  }
  EXPECT_THROW(deidentify_folder((folder / "none").string(), (folder / "o2").string(), o, Workers()), Failure);
}

}  // namespace
