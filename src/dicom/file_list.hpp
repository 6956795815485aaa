#pragma once
// Files named by a DICOMDIR (PS3.3 F.3) or by a text file.
#include <filesystem>
#include <optional>
#include <vector>

#include "finding.hpp"

namespace isocenter::detail::dicom {

struct FileList {
  std::filesystem::path root;  ///< what the names are relative to
  std::vector<std::filesystem::path> files;
  std::vector<Finding> findings;  ///< names that lead nowhere or out of the folder
};

/// A file named DICOMDIR: the images that its directory records refer to. A file ending in .txt: one path a line,
/// relative to the text file's folder unless absolute. Nothing for any other file.
/// Throws Failure(bad_data) when a DICOMDIR cannot be parsed or holds no directory.
std::optional<FileList> read_file_list(const std::filesystem::path& file);

}  // namespace isocenter::detail::dicom
