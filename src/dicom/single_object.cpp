#include "single_object.hpp"

#include <dcmtk/dcmdata/dcdeftag.h>

#include <filesystem>
#include <isocenter/error.hpp>
#include <stdexcept>

#include "header_reader.hpp"
#include "input_file.hpp"
#include "structure_check.hpp"
#include "toolkit.hpp"

namespace isocenter::detail::dicom {
namespace {

void require_file(const std::string& path) {
  std::error_code error;
  if (!std::filesystem::exists(path, error))
    throw Failure(ErrorCode::not_found, "'" + path + "' does not exist", "name a DICOM file");
  if (std::filesystem::is_directory(path, error))
    throw Failure(ErrorCode::invalid_argument, "'" + path + "' is a folder", "name one DICOM file in it");
}

}  // namespace

Image open_image(const std::string& path) {
  use_dcmtk();
  require_file(path);
  ScannedFile scanned = read_header(path, std::filesystem::path(path).filename().string());
  if (scanned.image && scanned.image->unusable.empty() && !scanned.image->frames.empty())
    return std::move(*scanned.image);
  for (const Finding& f : scanned.findings)
    if (scanned.image && f.what == scanned.image->unusable)
      throw Failure(ErrorCode::bad_data, "'" + path + "': " + f.what, f.fix);
  for (const Finding& f : scanned.findings)
    if (f.severity != Severity::note || !scanned.image)
      throw Failure(ErrorCode::bad_data, "'" + path + "': " + f.what, f.fix);
  throw Failure(ErrorCode::bad_data, "'" + path + "' holds no picture", "name a DICOM file with pixels");
}

void open_header(const std::string& path, DcmFileFormat& to) {
  use_dcmtk();
  require_file(path);
  const InputFile file(path);
  if (!file.is_open())
    throw Failure(ErrorCode::io_error, "'" + path + "' cannot be opened: " + file.error(), "check its permissions");
  std::uint8_t mark[4] = {};
  const bool part10 = file.read(128, mark) && mark[0] == 'D' && mark[1] == 'I' && mark[2] == 'C' && mark[3] == 'M';
  const Structure structure = check_structure(file, part10);
  if (!structure.problem.empty())
    throw Failure(ErrorCode::bad_data, "'" + path + "' cannot be parsed: " + structure.problem,
                  "copy or export the file again from where it came");
  DcmtkLog log;
  std::string problem;
  try {
    const OFCondition status = to.loadFileUntilTag(OFFilename(path.c_str()), EXS_Unknown, EGL_noChange,
                                                   DCM_MaxReadLength, ERM_autoDetect, DCM_FloatPixelData);
    if (status.bad()) problem = log.first().empty() ? status.text() : log.first();
  } catch (const std::logic_error& e) {  // DCMTK 3.6.7 cuts texts of directory records beyond their ends
    problem = e.what();
  }
  if (!problem.empty())
    throw Failure(ErrorCode::bad_data, "'" + path + "' cannot be parsed: " + problem,
                  "copy or export the file again from where it came");
}

}  // namespace isocenter::detail::dicom
