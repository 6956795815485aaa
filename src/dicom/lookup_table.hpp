#pragma once
// Lookup tables of DICOM: Modality LUT (PS3.3 C.11.1.1.1), VOI LUT (C.11.2.1.1), palette colour (C.7.6.3.1.5, .6).
#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dcitem.h>

#include <optional>
#include <string>

#include "attribute.hpp"
#include "image.hpp"

namespace isocenter::detail::dicom {

/// The table that a descriptor and its data make. `is_signed`: the descriptor's second value counts stored values that
/// are signed. Nothing when the descriptor is absent; `problem` says what is wrong with a table that is there.
std::optional<LookupTable> read_lookup_table(DcmItem& item, const Attribute& descriptor, const Attribute& data,
                                             bool is_signed, std::string& problem);

/// The three tables of a PALETTE COLOR image, segmented ones (PS3.3 C.7.9.2) expanded.
std::optional<Palette> read_palette(DcmItem& dataset, bool is_signed, std::string& problem);

}  // namespace isocenter::detail::dicom
