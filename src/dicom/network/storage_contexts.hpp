#pragma once
// The presentation contexts of a C-GET: an association carries 128, and each class in each transfer syntax that it may
// be stored in would be thousands.
#include <set>
#include <string>
#include <vector>

#include "association.hpp"

namespace isocenter::detail::dicom {

/// With the roles reversed: each storage class of DCMTK's long list uncompressed, and, first of all, those that series
/// of these modalities (0008,0060) have, each compressed syntax that is taken by a context of its own: the peer can
/// send such instances as they are stored. Where that is more than `most`, classes of other modalities are left out;
/// when there is a modality whose images are not known ("OT"), compressed syntaxes instead.
std::vector<ContextProposal> storage_contexts(const std::set<std::string>& modalities, std::size_t most);

}  // namespace isocenter::detail::dicom
