#pragma once
#include <filesystem>
#include <string>

namespace isocenter::testing {

/// The lines of dciodvfy (dicom3tools) that report an error in a file; "" when there is none, or no dciodvfy.
std::string validation_errors(const std::filesystem::path& file);

}  // namespace isocenter::testing
