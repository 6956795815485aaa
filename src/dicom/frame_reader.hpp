#pragma once
// The frames of an image out of its header: attributes of the image itself, or the functional groups of an enhanced
// multi-frame object (PS3.3 C.7.6.16). Includes DCMTK.
#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dcitem.h>

#include <vector>

#include "finding.hpp"
#include "image.hpp"

namespace isocenter::detail::dicom {

/// Fills image.frames with `count` frames. What is wrong with a value that is needed goes to `findings` (without file
/// and series) and into image.unusable.
void read_frames(DcmItem& dataset, int count, Image& image, std::vector<Finding>& findings);

}  // namespace isocenter::detail::dicom
