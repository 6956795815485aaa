// Documents in DICOM objects, held to the bytes that were put in.
#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dctk.h>
#include <gmock/gmock.h>

#include <fstream>
#include <isocenter/error.hpp>
#include <random>

#include "dicom/encapsulated_document.hpp"
#include "dicom/synthetic_series.hpp"

namespace {

namespace fs = std::filesystem;
using namespace isocenter::detail::dicom;
using namespace isocenter::testing;
using ::testing::HasSubstr;

const fs::path pdf_object = fs::path(ISOCENTER_TEST_DATA) / "values" / "document.dcm";  // make_samples.py

std::string bytes_of(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

/// An object with these bytes, padded, and a length where one is stated.
std::string object_with(const ScratchFolder& folder, std::string bytes, const char* mime_type,
                        std::optional<std::size_t> stated) {
  DcmFileFormat format;
  EXPECT_TRUE(format.loadFile(OFFilename(pdf_object.c_str())).good());
  DcmDataset& dataset = *format.getDataset();
  if (bytes.size() % 2 != 0) bytes += '\0';
  dataset.putAndInsertUint8Array(DCM_EncapsulatedDocument, reinterpret_cast<const Uint8*>(bytes.data()),
                                 static_cast<unsigned long>(bytes.size()));
  dataset.putAndInsertString(DCM_MIMETypeOfEncapsulatedDocument, mime_type);
  if (stated) dataset.putAndInsertUint32(DCM_EncapsulatedDocumentLength, static_cast<Uint32>(*stated));
  const fs::path file = folder / "object.dcm";
  EXPECT_TRUE(format.saveFile(OFFilename(file.c_str()), EXS_LittleEndianExplicit).good());
  return file.string();
}

std::string extracted(const ScratchFolder& folder, const std::string& object) {
  EncapsulatedDocument document(object);
  document.write((folder / "out").string(), [](double) {});
  return bytes_of(folder / "out");
}

template <class F>
std::string refusal_of(F&& f) {
  try {
    f();
  } catch (const isocenter::Error& e) {
    return e.what();
  }
  return "(not refused)";
}

TEST(DicomDocument, ComesOutByteForByteWithoutItsPadding) {
  const ScratchFolder folder;
  std::mt19937 random(7);
  for (const std::size_t size : {std::size_t{1}, std::size_t{4096}, std::size_t{3'000'001}}) {
    std::string bytes(size, '\0');
    for (char& c : bytes) c = static_cast<char>(random());
    bytes.back() = '\0';  // content, not padding
    EXPECT_EQ(extracted(folder, object_with(folder, bytes, "model/stl", size)), bytes) << size;
  }
}

TEST(DicomDocument, WithoutALengthOneZeroBehindAPdfIsPadding) {
  const ScratchFolder folder;
  EXPECT_EQ(extracted(folder, pdf_object.string()), "%PDF-1.4\n%%EOF\n");  // 15 bytes, padded to 16
  EXPECT_EQ(extracted(folder, object_with(folder, "<xml/>", "text/XML", {})), "<xml/>");
  EXPECT_EQ(extracted(folder, object_with(folder, std::string("st\0", 3), "model/stl", {})), std::string("st\0\0", 4));
}

TEST(DicomDocument, ALengthThatContradictsTheBytesIsRefused) {
  const ScratchFolder folder;
  for (const std::size_t stated : {std::size_t{5}, std::size_t{9}})
    EXPECT_THAT(refusal_of([&] { EncapsulatedDocument(object_with(folder, "12345678", "model/stl", stated)); }),
                HasSubstr("EncapsulatedDocumentLength (0042,0015) = " + std::to_string(stated) +
                          ", where EncapsulatedDocument (0042,0011) has 8 bytes"));
}

TEST(DicomDocument, TheEndingIsThatOfTheMimeType) {
  const ScratchFolder folder;
  const EncapsulatedDocument pdf(pdf_object.string());
  EXPECT_EQ(pdf.title(), "Findings");
  pdf.require_ending("a.pdf");
  pdf.require_ending("a.PDF");
  for (const char* other : {"a.stl", "a.txt", "a"})
    EXPECT_THAT(refusal_of([&] { pdf.require_ending(other); }), HasSubstr("Fix: let the name end with .pdf"));
  const EncapsulatedDocument unknown(object_with(folder, "1234", "application/x-own", 4));
  unknown.require_ending("a.own");
  EXPECT_THAT(refusal_of([&] { unknown.require_ending("a.pdf"); }),
              HasSubstr("MIMETypeOfEncapsulatedDocument (0042,0012) = application/x-own"));
}

TEST(DicomDocument, AnObjectWithoutOneIsRefused) {
  EXPECT_THAT(refusal_of([&] { EncapsulatedDocument((pdf_object.parent_path() / "enhanced_pet.dcm").string()); }),
              HasSubstr("holds no document: EncapsulatedDocument (0042,0011) is missing"));
}

}  // namespace
