#pragma once
// Pixels made black where text may stand. Includes DCMTK.
#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dcdatset.h>

#include <vector>

#include "deidentify.hpp"

namespace isocenter::detail::dicom {

/// Blanks rectangles, and for an object with SequenceOfUltrasoundRegions (0018,6011), where that is asked for, all that
/// lies outside of every region; in every frame and colour. Compressed pixels are decompressed for it and stay so
/// (explicit little endian). False when there was nothing to blank.
/// Throws Failure: bad_data for a rectangle that lies outside of the image, unsupported for pixels that cannot be
/// decoded.
bool blank_pixels(DcmDataset& dataset, bool outside_of_regions, const std::vector<Rectangle>& rectangles);

}  // namespace isocenter::detail::dicom
