// The time that DCMTK takes from a folder to one volume in memory, for dicom_read.py: each file parsed and decoded by
// the library, its rescaled values written into their slice, files dealt out to threads (the library has no loader of
// its own).
//   peer_dicom_read_dcmtk FOLDER REPEATS THREADS     prints the best time in s, then min, max and sum of the voxels
#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dcdeftag.h>
#include <dcmtk/dcmdata/dcfilefo.h>
#include <dcmtk/dcmdata/dcrledrg.h>
#include <dcmtk/dcmjpeg/djdecode.h>
#include <dcmtk/dcmjpls/djdecode.h>
#include <dcmtk/oflog/oflog.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <span>
#include <thread>
#include <vector>

namespace {

struct Series {
  std::vector<std::string> files;  ///< by position along z
  std::size_t slice = 0;           ///< values of one
};

/// Two passes, as for any loader: the positions, then the pixels.
Series sorted_series(const char* folder) {
  std::vector<std::pair<double, std::string>> found;
  Series series;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    DcmFileFormat file;
    if (file.loadFileUntilTag(entry.path().c_str(), EXS_Unknown, EGL_noChange, DCM_MaxReadLength, ERM_autoDetect,
                              DCM_PixelData)
            .bad())
      std::exit(1);
    Float64 z = 0;
    Uint16 rows = 0, columns = 0;
    file.getDataset()->findAndGetFloat64(DCM_ImagePositionPatient, z, 2);
    file.getDataset()->findAndGetUint16(DCM_Rows, rows);
    file.getDataset()->findAndGetUint16(DCM_Columns, columns);
    series.slice = static_cast<std::size_t>(rows) * columns;
    found.emplace_back(z, entry.path().string());
  }
  std::sort(found.begin(), found.end());
  for (auto& [z, path] : found) series.files.push_back(std::move(path));
  return series;
}

bool read_slice(const std::string& path, std::span<float> to) {
  DcmFileFormat file;
  if (file.loadFile(path.c_str()).bad()) return false;
  DcmDataset& dataset = *file.getDataset();
  Float64 slope = 1, intercept = 0;
  dataset.findAndGetFloat64(DCM_RescaleSlope, slope);
  dataset.findAndGetFloat64(DCM_RescaleIntercept, intercept);
  if (dataset.chooseRepresentation(EXS_LittleEndianExplicit, nullptr).bad()) return false;
  Uint16 is_signed = 0;
  dataset.findAndGetUint16(DCM_PixelRepresentation, is_signed);
  const Uint16* words = nullptr;
  unsigned long count = 0;
  if (dataset.findAndGetUint16Array(DCM_PixelData, words, &count).bad() || count < to.size()) return false;
  for (std::size_t i = 0; i < to.size(); ++i) {
    const double stored = is_signed != 0 ? static_cast<Sint16>(words[i]) : words[i];
    to[i] = static_cast<float>(slope * stored + intercept);
  }
  return true;
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 4) return 2;
  OFLog::configure(OFLogger::ERROR_LOG_LEVEL);
  DcmRLEDecoderRegistration::registerCodecs();
  DJLSDecoderRegistration::registerCodecs();
  DJDecoderRegistration::registerCodecs();
  double best = 1e30, sum = 0;
  float low = 0, high = 0;
  for (int i = 0; i < std::atoi(arguments[2]); ++i) {
    const auto begin = std::chrono::steady_clock::now();
    const Series series = sorted_series(arguments[1]);
    std::vector<float> voxels(series.files.size() * series.slice);
    std::atomic<std::size_t> next{0};
    std::atomic<bool> good{true};
    const auto work = [&] {
      for (std::size_t k = next++; k < series.files.size(); k = next++)
        if (!read_slice(series.files[k], {voxels.data() + k * series.slice, series.slice})) good = false;
    };
    std::vector<std::thread> others;
    for (int t = 1; t < std::atoi(arguments[3]); ++t) others.emplace_back(work);
    work();
    for (std::thread& t : others) t.join();
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
    if (!good) return 1;
    best = std::min(best, took.count());
    low = *std::min_element(voxels.begin(), voxels.end());
    high = *std::max_element(voxels.begin(), voxels.end());
    sum = 0;
    for (const float v : voxels) sum += static_cast<double>(v);
  }
  std::printf("%.6f %g %g %.0f\n", best, static_cast<double>(low), static_cast<double>(high), sum);
  return 0;
}
