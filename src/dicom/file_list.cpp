#include "file_list.hpp"

#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dcdeftag.h>

#include <fstream>
#include <isocenter/error.hpp>

#include "dataset_values.hpp"
#include "single_object.hpp"

namespace isocenter::detail::dicom {
namespace {

namespace fs = std::filesystem;

constexpr Attribute referenced_file_id{0x0004, 0x1500, "ReferencedFileID"};

void add(FileList& list, const fs::path& path, const std::string& named_by) {
  std::error_code error;
  if (fs::is_regular_file(path, error)) {
    list.files.push_back(path);
    return;
  }
  list.findings.push_back(
      {FindingCode::unreadable, Severity::error, "the file that " + named_by + " names is not there",
       "copy the whole medium, or correct the list", path.lexically_relative(list.root).string(), "", "", "", 0});
}

FileList read_dicomdir(const fs::path& file) {
  DcmFileFormat format;
  open_header(file.string(), format);
  DcmItem& dataset = *format.getDataset();
  if (!dataset.tagExists(DCM_DirectoryRecordSequence))
    throw Failure(ErrorCode::bad_data, "'" + file.string() + "' has no DirectoryRecordSequence (0004,1220)",
                  "name the folder instead");
  FileList list{file.parent_path(), {}, {}};
  DcmSequenceOfItems* records = nullptr;
  dataset.findAndGetSequence(DCM_DirectoryRecordSequence, records);
  DcmObject* record = nullptr;
  while (records != nullptr && (record = records->nextInContainer(record)) != nullptr) {
    const std::string id = text_value(*static_cast<DcmItem*>(record), referenced_file_id);
    if (id.empty()) continue;
    fs::path path = list.root;
    bool inside = true;
    for (const std::string& part : split_values(id)) {
      inside = inside && part != ".." && part.find('/') == std::string::npos;
      path /= part;
    }
    if (inside)
      add(list, path, text(referenced_file_id) + " = " + id);
    else
      list.findings.push_back({FindingCode::bad_value, Severity::error,
                               text(referenced_file_id) + " = '" + id + "' leads out of the medium",
                               "make the DICOMDIR again", file.filename().string(), text(referenced_file_id), id, "",
                               0});
  }
  return list;
}

FileList read_text_list(const fs::path& file) {
  FileList list{file.parent_path(), {}, {}};
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line.pop_back();
    if (!line.empty()) add(list, list.root / line, "'" + file.filename().string() + "'");
  }
  return list;
}

}  // namespace

std::optional<FileList> read_file_list(const fs::path& file) {
  if (file.filename() == "DICOMDIR") return read_dicomdir(file);
  if (file.extension() == ".txt") return read_text_list(file);
  return std::nullopt;
}

}  // namespace isocenter::detail::dicom
