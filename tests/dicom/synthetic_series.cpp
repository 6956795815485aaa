#include "synthetic_series.hpp"

#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dctk.h>
#include <unistd.h>

#include <fstream>
#include <stdexcept>

#include "dicom/toolkit.hpp"
#include "dicom/uid.hpp"

namespace isocenter::testing {
namespace {

std::string number(double v) {
  char text[40];
  std::snprintf(text, sizeof text, "%.10g", v);
  return text;
}

void check(const OFCondition& status) {
  if (status.bad()) throw std::runtime_error(std::string("synthetic slice: ") + status.text());
}

DcmTagKey tag(std::uint32_t t) { return {static_cast<Uint16>(t >> 16U), static_cast<Uint16>(t & 0xFFFFU)}; }

}  // namespace

int stored_value(const SyntheticSlice& s, int x, int y) {
  if (s.pixels.empty()) return (7 * x + 13 * y + 31 * s.instance_number) % 2048;
  return s.pixels[static_cast<std::size_t>(y * s.columns + x)];
}

std::string write_slice(const std::filesystem::path& file, const SyntheticSlice& s) {
  detail::dicom::use_dcmtk();
  DcmFileFormat format;
  DcmDataset& d = *format.getDataset();
  const std::string uid = detail::dicom::new_uid();
  const bool ct = s.modality == "CT";
  const auto text = [&](const DcmTagKey& key, const std::string& value) {
    check(d.putAndInsertString(key, value.c_str()));
  };
  const auto word = [&](const DcmTagKey& key, int value) {
    check(d.putAndInsertUint16(key, static_cast<Uint16>(value)));
  };
  text(DCM_SOPClassUID, ct ? UID_CTImageStorage : UID_MRImageStorage);
  text(DCM_SOPInstanceUID, uid);
  text(DCM_StudyInstanceUID, "1.2.3");
  text(DCM_SeriesInstanceUID, s.series_uid);
  text(DCM_SeriesNumber, s.series_number);
  text(DCM_Modality, s.modality);
  text(DCM_PatientName, "Phantom^Test");
  text(DCM_PatientID, "T1");
  text(DCM_ImageType, "ORIGINAL\\PRIMARY\\AXIAL");
  text(DCM_FrameOfReferenceUID, "1.2.3.9");
  text(DCM_InstanceNumber, std::to_string(s.instance_number));
  text(DCM_SliceThickness, "2");
  std::string point, directions;
  for (const double v : s.position) point += (point.empty() ? "" : "\\") + number(v);
  for (const double v : s.orientation) directions += (directions.empty() ? "" : "\\") + number(v);
  text(DCM_ImagePositionPatient, point);
  text(DCM_ImageOrientationPatient, directions);
  text(DCM_PixelSpacing, number(s.row_spacing) + "\\" + number(s.column_spacing));
  if (ct) {
    text(DCM_RescaleSlope, number(s.slope));
    text(DCM_RescaleIntercept, number(s.intercept));
  }
  text(DCM_PhotometricInterpretation, "MONOCHROME2");
  word(DCM_SamplesPerPixel, 1);
  word(DCM_Rows, s.rows);
  word(DCM_Columns, s.columns);
  word(DCM_BitsAllocated, s.bits_allocated);
  word(DCM_BitsStored, s.bits_stored);
  word(DCM_HighBit, s.bits_stored - 1);
  word(DCM_PixelRepresentation, s.is_signed ? 1 : 0);
  std::vector<Uint16> pixels;
  for (int y = 0; y < s.rows; ++y)
    for (int x = 0; x < s.columns; ++x) pixels.push_back(static_cast<Uint16>(stored_value(s, x, y)));
  const std::vector<Uint8> bytes(pixels.begin(), pixels.end());
  if (s.bits_allocated == 8)
    check(d.putAndInsertUint8Array(DCM_PixelData, bytes.data(), static_cast<unsigned long>(bytes.size())));
  else
    check(d.putAndInsertUint16Array(DCM_PixelData, pixels.data(), static_cast<unsigned long>(pixels.size())));
  for (const std::uint32_t t : s.remove) d.findAndDeleteElement(tag(t));
  const auto set = [&](const std::vector<TagText>& values) {
    for (const auto& [t, value] : values) {
      DcmTag named(tag(t));
      if (named.getEVR() == EVR_US)
        check(d.putAndInsertUint16(named, static_cast<Uint16>(std::stoi(value))));
      else
        check(d.putAndInsertString(named, value.c_str()));
    }
  };
  set(s.set);
  const DcmXfer syntax(s.transfer_syntax.c_str());
  check(d.chooseRepresentation(syntax.getXfer(), nullptr));
  set(s.set_after_compression);
  check(format.saveFile(OFFilename(file.c_str()), syntax.getXfer()));
  return uid;
}

void write_series(const std::filesystem::path& folder, int count, double first, double step,
                  const SyntheticSlice& like) {
  std::filesystem::create_directories(folder);
  for (int i = 0; i < count; ++i) {
    SyntheticSlice s = like;
    s.position[2] = first + i * step;
    s.instance_number = count - i;
    char name[24];
    std::snprintf(name, sizeof name, "s%03d.dcm", i);
    write_slice(folder / name, s);
  }
}

void cut_file(const std::filesystem::path& file, std::int64_t bytes) {
  const auto size = static_cast<std::int64_t>(std::filesystem::file_size(file));
  std::filesystem::resize_file(file, static_cast<std::uintmax_t>(bytes < 0 ? size + bytes : bytes));
}

ScratchFolder::ScratchFolder() {
  std::string pattern = (std::filesystem::temp_directory_path() / "isocenter-dicom-XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("no temporary folder can be made");
  path_ = pattern;
}

ScratchFolder::~ScratchFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace isocenter::testing

#if defined(__SANITIZE_ADDRESS__)
/// DCMTK's log keeps a block for each thread that ever logged, and takes the way to free it down before the threads.
extern "C" __attribute__((visibility("default"))) const char* __lsan_default_suppressions() {
  return "leak:liboflog\n";
}
#endif
