// Multipart bodies, media types, addresses and the DICOM JSON model, without a network.
#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dcdeftag.h>

#include <algorithm>

#include "dicom/network/network_test.hpp"
#include "dicom/web/json_model.hpp"
#include "dicom/web/multipart.hpp"
#include "dicom/web/web_address.hpp"

namespace isocenter::test {
namespace {

using namespace detail::dicom;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

struct Collector : PartTaker {
  void begin_part(const MediaType& type) override {
    types.push_back(type.essence);
    bodies.emplace_back();
  }
  void part_data(std::span<const std::uint8_t> data) override { bodies.back().append(data.begin(), data.end()); }
  void end_part() override { ++ended; }
  std::vector<std::string> types, bodies;
  int ended = 0;
};

/// Read in pieces of `step` bytes.
Collector read(const std::string& body, std::size_t step, const std::string& boundary = "b") {
  Collector parts;
  MultipartReader reader(boundary, parts, "GET http://x");
  for (std::size_t at = 0; at < body.size(); at += step) {
    const std::string piece = body.substr(at, step);
    reader.feed({reinterpret_cast<const std::uint8_t*>(piece.data()), piece.size()});
  }
  reader.finish();
  return parts;
}

const std::string two_parts =
    "a preamble\r\n--b \t\r\nContent-Type: application/dicom\r\nX-Other: 1\r\n\r\none\r\n--bb\r\nstill\r\n--b"
    "\r\ncontent-type: text/plain; charset=\"utf-8\"\r\n\r\n\r\n--b--\r\nan epilogue --b";

TEST(Multipart, IsTheSameInPiecesOfAnySize) {
  for (std::size_t step = 1; step <= two_parts.size(); ++step) {
    const Collector parts = read(two_parts, step);
    EXPECT_THAT(parts.types, ElementsAre("application/dicom", "text/plain")) << step;
    EXPECT_THAT(parts.bodies, ElementsAre("one\r\n--bb\r\nstill", "")) << step;
    EXPECT_EQ(parts.ended, 2);
  }
}

TEST(Multipart, MayBeginWithItsBoundaryAndHaveNoPart) {
  EXPECT_THAT(read("--b\r\n\r\nx\r\n--b--", 100).bodies, ElementsAre("x"));
  EXPECT_THAT(read("--b--", 1).bodies, ElementsAre());
}

TEST(Multipart, BelievesAContentLengthThoughTheBoundaryIsInTheData) {
  const std::string body = "--b\r\nContent-Length: 11\r\n\r\nx\r\n--b--\r\ny\r\n--b--";
  for (std::size_t step = 1; step <= body.size(); ++step)
    EXPECT_THAT(read(body, step).bodies, ElementsAre("x\r\n--b--\r\ny")) << step;
}

TEST(Multipart, SaysWhatIsWrong) {
  const auto error = [](const std::string& body, const std::string& boundary = "b") {
    std::string all;
    for (const std::size_t step : {std::size_t{1}, std::size_t{1000}})
      all = error_of([&] { read(body, step, boundary); });
    return all;
  };
  EXPECT_EQ(
      error("--b\r\n\r\ndata without an end"),
      "GET http://x: the answer's multipart body is damaged: it ends within part 1, without its closing boundary. "
      "Fix: look into the server's log, and at what stands between it and us.");
  EXPECT_THAT(error("<html>"), HasSubstr("its boundary never came"));
  EXPECT_THAT(error("", ""), HasSubstr("its Content-Type gives no boundary"));
  EXPECT_THAT(error("", std::string(71, 'x')), HasSubstr("which is not 1 to 70 printable characters"));
  EXPECT_THAT(error("--b\r\n" + std::string(20000, 'x')), HasSubstr("part 1 has more than 16384 bytes of headers"));
  EXPECT_THAT(error("--b\r\nno header\r\n\r\n"), HasSubstr("part 1 has the line 'no header' among its headers"));
  EXPECT_THAT(error("--b\r\nContent-Length: -1\r\n\r\n"),
              HasSubstr("part 1 has Content-Length '-1', which is no number"));
  EXPECT_THAT(error("--b\r\nContent-Length: 99999999999\r\n\r\n"),
              HasSubstr("part 1 announces 99999999999 bytes, more"));
  EXPECT_THAT(error("--b\r\nContent-Length: 1\r\n\r\nxy\r\n--b--"),
              HasSubstr("part 1 does not end after the 1 bytes that its Content-Length gives"));
  EXPECT_THAT(error("--b\r\nContent-Length: 1\r\n\r\nx\r\n--bad\r\n--b--"),
              HasSubstr("does not end after the 1 bytes"));
}

TEST(MediaType, IsReadWithItsParameters) {
  const MediaType type = parse_media_type("Multipart/Related; Type=\"application/dicom\" ;boundary=\"a;\\\"b\"; x");
  EXPECT_EQ(type.essence, "multipart/related");
  EXPECT_EQ(type.parameter("type"), "application/dicom");
  EXPECT_EQ(type.parameter("boundary"), "a;\"b");
  EXPECT_EQ(type.parameter("x"), "");
}

TEST(WebAddress, IsCheckedBeforeItIsUsed) {
  EXPECT_EQ(base_address("https://pacs:8443/dicom-web/"), "https://pacs:8443/dicom-web");
  EXPECT_EQ(origin_of("HTTPS://Pacs/x"), "https://pacs:443");
  EXPECT_EQ(origin_of("https://pacs:443/x"), origin_of("https://pacs/y?z"));
  EXPECT_NE(origin_of("http://pacs:443/x"), origin_of("https://pacs/y"));
  EXPECT_EQ(resolve_address("https://pacs/a/b/metadata", "../c"), "https://pacs/a/c");
  EXPECT_EQ(query_encoded("A^B*é"), "A%5EB*%C3%A9");
  EXPECT_EQ(shown_address("https://pacs/studies?PatientID=1"), "https://pacs/studies");
  EXPECT_THAT(error_of([] { base_address("ftp://pacs/x"); }),
              HasSubstr("url = 'ftp://pacs/x' is no web address. Fix: "));
  EXPECT_THAT(error_of([] { base_address("https://me:secret@pacs/x"); }),
              HasSubstr("url holds a user name or a password"));
  EXPECT_THAT(error_of([] { base_address("https://me:secret@pacs/x"); }), ::testing::Not(HasSubstr("secret")));
  EXPECT_THAT(error_of([] { base_address("https://pacs/x?y=1"); }), HasSubstr("has a query or a fragment"));
  EXPECT_TRUE(is_loopback("http://127.0.0.1:1/x"));
  EXPECT_FALSE(is_loopback("http://127.evil.example/x"));
}

std::vector<std::unique_ptr<DcmDataset>> data_sets(const std::string& json, const BulkFetch& bulk = {},
                                                   const JsonLimits& limits = {}) {
  std::vector<std::unique_ptr<DcmDataset>> all;
  read_json_model(
      json, "GET http://x", [&](auto data_set) { all.push_back(std::move(data_set)); }, bulk, limits);
  return all;
}

std::string text_at(DcmItem& item, const DcmTagKey& key) {
  OFString text;
  item.findAndGetOFStringArray(key, text);
  return text.c_str();
}

/// One attribute of each value representation, its values as PS3.18 table F.2.3-1 has them.
const std::string every_vr = R"({
 "00080005": {"vr": "CS", "Value": ["ISO_IR 192"]},
 "00020010": {"vr": "UI", "Value": ["1.2"]},
 "00080008": {"vr": "CS", "Value": ["ORIGINAL", null, "AXIAL"]},
 "00080018": {"vr": "UI", "Value": ["1.2.3"]},
 "00080020": {"vr": "DA", "Value": ["20260101"]},
 "00080030": {"vr": "TM", "Value": ["120000.5"]},
 "0008002A": {"vr": "DT", "Value": ["20260101120000"]},
 "00080050": {"vr": "SH", "Value": ["A1"]},
 "00080054": {"vr": "AE", "Value": ["STORE"]},
 "00080119": {"vr": "UC", "Value": ["long", "code"]},
 "00080120": {"vr": "UR", "Value": ["http://x/a\\b"]},
 "00081190": {"vr": "UR"},
 "00081030": {"vr": "LO", "Value": ["Grüße"]},
 "00100010": {"vr": "PN", "Value": [{"Alphabetic": "Yamada^Tarou", "Ideographic": "山田^太郎", "Phonetic": "やまだ^たろう"},
                                    {"Alphabetic": "B"}, {"Ideographic": "山"}]},
 "00101010": {"vr": "AS", "Value": ["031Y"]},
 "001021B0": {"vr": "LT", "Value": ["one\\text"]},
 "00181063": {"vr": "DS", "Value": [1.5, "2.50", 0.12345678901234567]},
 "00189087": {"vr": "FD", "Value": [1e300, "NaN", "-Infinity"]},
 "00189098": {"vr": "FD", "Value": [0.1]},
 "00189219": {"vr": "SS", "Value": [-32768, 32767]},
 "00200013": {"vr": "IS", "Value": [7]},
 "00209165": {"vr": "AT", "Value": ["00181063"]},
 "00280010": {"vr": "US", "Value": [512]},
 "0040A160": {"vr": "UT", "Value": ["text"]},
 "00400275": {"vr": "SQ", "Value": [{"00321060": {"vr": "LO", "Value": ["step"]}}, {}, null]},
 "0040A30A": {"vr": "DS", "Value": []},
 "00420011": {"vr": "OB", "InlineBinary": "AQIDBA=="},
 "00480301": {"vr": "CS"},
 "00720070": {"vr": "UT"},
 "00720078": {"vr": "UL", "Value": [4294967295]},
 "0072007C": {"vr": "SL", "Value": [-2147483648]},
 "00720074": {"vr": "FL", "Value": [1.5]},
 "00720082": {"vr": "SV", "Value": ["-9223372036854775808", 5]},
 "00720083": {"vr": "UV", "Value": ["18446744073709551615"]},
 "00091001": {"vr": "UN", "InlineBinary": "YWI="},
 "00720065": {"vr": "OB"},
 "00720067": {"vr": "OF", "InlineBinary": "AADAPw=="},
 "00720073": {"vr": "OD", "InlineBinary": "AAAAAAAA8D8="},
 "00720075": {"vr": "OL", "InlineBinary": "AQAAAA=="},
 "00720081": {"vr": "OV", "InlineBinary": "AQAAAAAAAAA="},
 "7FE00010": {"vr": "OW", "BulkDataURI": "bulk/1"}})";

TEST(JsonModel, HoldsEveryValueRepresentation) {
  std::string asked;
  const auto all = data_sets("[" + every_vr + "]", [&](const std::string& uri) {
    asked += uri;
    return std::vector<std::uint8_t>{1, 2, 3, 4};
  });
  ASSERT_EQ(all.size(), 1U);
  DcmDataset& d = *all.front();
  EXPECT_EQ(asked, "bulk/1");
  EXPECT_FALSE(d.tagExists(DCM_TransferSyntaxUID));
  EXPECT_EQ(text_at(d, DCM_ImageType), "ORIGINAL\\\\AXIAL");
  EXPECT_EQ(text_at(d, DCM_PatientName), "Yamada^Tarou=山田^太郎=やまだ^たろう\\B\\=山");
  EXPECT_EQ(text_at(d, DCM_StudyDescription), "Grüße");
  EXPECT_EQ(text_at(d, DcmTagKey(0x0010, 0x21b0)), "one\\text");
  EXPECT_EQ(text_at(d, DCM_FrameTime), "1.5\\2.50\\0.12345678901235");
  Uint16 rows = 0;
  EXPECT_TRUE(d.findAndGetUint16(DCM_Rows, rows).good());
  EXPECT_EQ(rows, 512);
  Sint16 small = 0;
  EXPECT_TRUE(d.findAndGetSint16(DcmTagKey(0x0018, 0x9219), small, 0).good());
  EXPECT_EQ(small, -32768);
  Float64 real = 0;
  EXPECT_TRUE(d.findAndGetFloat64(DcmTagKey(0x0018, 0x9087), real, 2).good());
  EXPECT_LT(real, -1e308);
  Uint32 large = 0;
  EXPECT_TRUE(d.findAndGetUint32(DcmTagKey(0x0072, 0x0078), large).good());
  EXPECT_EQ(large, 4294967295U);
  const Uint8* bytes = nullptr;
  unsigned long count = 0;
  EXPECT_TRUE(d.findAndGetUint8Array(DcmTagKey(0x0042, 0x0011), bytes, &count).good());
  EXPECT_EQ(std::string(bytes, bytes + count), "\x01\x02\x03\x04");
  const Uint16* words = nullptr;
  EXPECT_TRUE(d.findAndGetUint16Array(DCM_PixelData, words, &count).good());
  ASSERT_EQ(count, 2U);
  EXPECT_EQ(words[1], 0x0403);
  DcmItem* item = nullptr;
  EXPECT_TRUE(d.findAndGetSequenceItem(DCM_RequestAttributesSequence, item, 0).good());
  EXPECT_EQ(text_at(*item, DCM_RequestedProcedureDescription), "step");
  EXPECT_TRUE(d.findAndGetSequenceItem(DCM_RequestAttributesSequence, item, 2).good());
}

TEST(JsonModel, ComesBackAsItWas) {
  std::string text;
  read_json_texts(every_vr, "x", [&](const std::string& one) { text = one; });
  EXPECT_THAT(text, HasSubstr("\"NaN\""));
  EXPECT_THAT(text, HasSubstr("bulk/1"));
  EXPECT_THAT(text, HasSubstr("山田^太郎"));
  const auto from_text = data_sets(text), from_source = data_sets(every_vr);
  EXPECT_EQ(from_text.front()->compare(*from_source.front()), 0);
  // DCMTK's writer, whose words are read back: it has none for NaN.
  EXPECT_THAT(error_of([&] { json_text(*from_text.front()); }), HasSubstr("a data set cannot be written as JSON: "));
  from_text.front()->findAndDeleteElement(DcmTagKey(0x0018, 0x9087));
  const std::string written = json_text(*data_sets(json_text(*from_text.front())).front());  // 2.50 is 2.5 by then
  EXPECT_EQ(json_text(*data_sets(written).front()), written);
}

TEST(JsonModel, IsUtf8InItemsThatNameAnotherCharacterSet) {
  const std::string object =
      R"({"00400275": {"vr": "SQ", "Value": [{"00080005": {"vr": "CS", "Value": ["ISO_IR 100"]},
          "00321060": {"vr": "LO", "Value": ["Grüße"]}}]}})";
  const auto all = data_sets(object);
  ASSERT_EQ(all.size(), 1U);
  EXPECT_THAT(json_text(*all[0]), AllOf(HasSubstr("\"Grüße\""), Not(HasSubstr("ISO_IR 100"))));
  read_json_texts(object, "GET http://x", [](const std::string& text) {
    EXPECT_THAT(text, AllOf(HasSubstr("Grüße"), Not(HasSubstr("ISO_IR 100"))));
  });
}

TEST(JsonModel, IsReadOneDataSetAfterTheOther) {
  EXPECT_EQ(data_sets("[]").size(), 0U);
  EXPECT_EQ(data_sets("[{}, {}, {}]").size(), 3U);
  EXPECT_EQ(data_sets("{}").size(), 1U);
}

TEST(JsonModel, SaysWhichAttributeIsWrong) {
  const auto error = [](const std::string& json, const JsonLimits& limits = {}) {
    return error_of([&] { data_sets(json, {}, limits); });
  };
  const std::string start = "GET http://x: the answer is no DICOM JSON: ";
  EXPECT_EQ(error("<html>"),
            start + "it is no JSON in UTF-8. Fix: look into the server's log; PS3.18 annex F has the format.");
  EXPECT_THAT(error("[{\"00100010\": "), HasSubstr("it is no JSON"));
  EXPECT_THAT(error("[1]"), HasSubstr("it is no array of objects"));
  EXPECT_THAT(error("[[{}]]"), HasSubstr("it is no array of objects"));
  EXPECT_THAT(error("7"), HasSubstr("it is no array of objects"));
  EXPECT_THAT(error("[{\"0010001\": {}}]"), HasSubstr("'0010001' is no tag of eight hexadecimal digits"));
  const auto at = [&](const std::string& tag, const std::string& attribute) {
    return error("[{\"" + tag + "\": " + attribute + "}]");
  };
  EXPECT_THAT(at("00100010", "1"), HasSubstr(start + "PatientName (0010,0010): it is no object"));
  EXPECT_THAT(at("00100010", "{}"), HasSubstr("it has no vr"));
  EXPECT_THAT(at("00100010", R"({"vr": "XY"})"), HasSubstr("vr = 'XY' is none of PS3.5"));
  EXPECT_THAT(at("00100010", R"({"vr": "PN", "Value": ["x"]})"), HasSubstr("a person's name is no object"));
  EXPECT_THAT(at("00100010", R"({"vr": "PN", "Value": 1})"), HasSubstr("its Value is no array"));
  EXPECT_THAT(at("00100020", R"({"vr": "LO", "Value": ["a\\b"]})"),
              HasSubstr("PatientID (0010,0020): a value holds a back"));
  EXPECT_THAT(at("00100020", R"({"vr": "LO", "Value": [1]})"), HasSubstr("a value is no text"));
  EXPECT_THAT(at("00280010", R"({"vr": "US", "Value": [65536]})"), HasSubstr("no whole number that its vr holds"));
  EXPECT_THAT(at("00280010", R"({"vr": "US", "Value": [-1]})"), HasSubstr("no whole number that its vr holds"));
  EXPECT_THAT(at("00280010", R"({"vr": "US", "Value": ["[[[["]})"), HasSubstr("no whole number that its vr holds"));
  EXPECT_THAT(at("00280010", R"({"vr": "US", "InlineBinary": "AQID"})"),
              HasSubstr("it has 3 bytes, and its vr needs a"));
  EXPECT_THAT(at("7FE00010", R"({"vr": "OW", "InlineBinary": "A"})"), HasSubstr("its InlineBinary is no base64"));
  EXPECT_THAT(at("7FE00010", R"({"vr": "OW", "Value": [1]})"), HasSubstr("its vr needs InlineBinary or BulkDataURI"));
  EXPECT_THAT(at("7FE00010", R"({"vr": "OW", "Value": [], "InlineBinary": ""})"), HasSubstr("more than one of Value"));
  EXPECT_THAT(at("FFFEE000", R"({"vr": "OW"})"), HasSubstr("such an attribute cannot stand in a data set"));
  EXPECT_THAT(at("00080005", "{\"vr\": \"CS\", \"Value\": [\"\xff\"]}"), HasSubstr("it is no JSON in UTF-8"));
  EXPECT_THAT(at("00100020", R"({"vr": "LO", "Value": [")" + std::string(65536, 'x') + "\"]}"), HasSubstr("too long"));
  EXPECT_THAT(error("[{\"0008000C\": {\"vr\": \"LO\"}, \"0008000c\": {\"vr\": \"LO\"}}]"),
              HasSubstr("it is there twice"));
  std::string deep = "[", end = "]";
  for (int i = 0; i < 50; ++i) {
    deep += R"({"00400275": {"vr": "SQ", "Value": [)";
    end = "]}}" + end;
  }
  EXPECT_THAT(error(deep + end), HasSubstr("it is nested deeper than 100 levels"));
  EXPECT_THAT(error(every_vr, {100, 20, 10}), HasSubstr("a data set has more than 20 values"));
  EXPECT_THAT(error("[{},{},{}]", {100, 20, 2}), HasSubstr("it has more than 2 data sets"));
}

}  // namespace
}  // namespace isocenter::test
