#pragma once
// A look at a file's bare structure before DCMTK parses it. DCMTK calls itself for each level of nested sequences and
// keeps whole values of deflated data sets in memory; a file may ask for more of either than there is.
#include <string>

#include "input_file.hpp"

namespace isocenter::detail::dicom {

/// Deepest nesting of sequences that is read: real objects stay below ten.
inline constexpr int deepest_nesting = 64;
/// Longest deflated header, inflated: real ones stay below a megabyte.
inline constexpr std::uint64_t longest_deflated_header = 64U << 20U;

struct Structure {
  std::string problem;                     ///< what speaks against parsing the file; "" when nothing does
  std::uint64_t deflated_pixel_bytes = 0;  ///< length of the pixel data of a deflated data set, as announced
  std::string transfer_syntax;             ///< TransferSyntaxUID (0002,0010) as it stands in the file; "" without one
};

/// Walks tags and lengths up to the pixel data without reading values. What the walk does not understand is left to the
/// parser to judge. `part10`: preamble and file meta information stand before the data set; without a preamble, file
/// meta information is known by its group.
Structure check_structure(const InputFile& file, bool part10);

}  // namespace isocenter::detail::dicom
