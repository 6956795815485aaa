#pragma once
// A PDF file as a DICOM object: PS3.3 A.45.1.
#include <string>

#include "output_description.hpp"
#include "source_metadata.hpp"

namespace isocenter::detail::dicom {

/// Wraps the file `pdf`. Throws Failure: not_found or io_error when it cannot be read, bad_data when it does not begin
/// as a PDF does (ISO 32000-1 section 7.5.2), unsupported when it is longer than one element holds.
void write_encapsulated_pdf(const std::string& path, const std::string& pdf, const std::string& title,
                            const SourceMetadata& source, const OutputDescription& description);

}  // namespace isocenter::detail::dicom
