#pragma once
// One DICOM object by its path, for the operators that take one: its image, checked, and its header. Includes DCMTK.
#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dcfilefo.h>

#include <string>

#include "image.hpp"

namespace isocenter::detail::dicom {

/// The image in the file. Throws Failure (not_found, bad_data) when there is none or it cannot be decoded.
Image open_image(const std::string& path);

/// The header up to the pixels, after its structure was checked. Throws Failure (not_found, io_error, bad_data).
void open_header(const std::string& path, DcmFileFormat& to);

}  // namespace isocenter::detail::dicom
