#pragma once
// A header as the text from which isocenter/dicom/dicom_header.hpp is made.
#include <string>

namespace isocenter::detail::dicom {

/// A line for each element of the file's data set up to its pixels: path of tags, path of keywords, value
/// representation and value between tabulators, in UTF-8. Of the per-frame functional groups only item `frame` (from
/// 0). Binary values of more than 1024 bytes are their length. Throws Failure when the file cannot be read.
std::string header_text(const std::string& path, int frame);

}  // namespace isocenter::detail::dicom
