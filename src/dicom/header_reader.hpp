#pragma once
// One file's header, up to the pixel data: an Image, or findings that say why there is none.
#include <optional>
#include <string>
#include <vector>

#include "finding.hpp"
#include "image.hpp"

namespace isocenter::detail::dicom {

struct ScannedFile {
  std::optional<Image> image;  ///< also when its pixels cannot be used: Image::unusable says why
  std::vector<Finding> findings;
};

/// Reads no pixels. `name` is what findings call the file. Never throws for what is in the file.
ScannedFile read_header(const std::string& path, const std::string& name);

}  // namespace isocenter::detail::dicom
