#pragma once
// Functional groups and dimensions that the multi-frame objects share: PS3.3 C.7.6.16 and C.7.6.17. Includes DCMTK.
#include <isocenter/payload.hpp>

#include "object_builder.hpp"

namespace isocenter::detail::dicom {

/// Dimensions of a stack: StackID, then InStackPositionNumber.
void add_stack_dimensions(const ItemWriter& object);

/// Pixel measures and plane orientation of a volume's slices.
void add_plane_groups(const ItemWriter& shared, const Geometry& geometry);

/// Frame anatomy: the source's BodyPartExamined (0018,0015) as a code of PS3.16 annex L, the entire body where there is
/// none.
void add_frame_anatomy(const ItemWriter& shared, DcmItem& context);

/// Frame content (stack 1, position slice + 1), plane position, and what the frame is derived from.
void add_frame_groups(const ItemWriter& frame, const Geometry& geometry, int slice, const SourceMetadata& source,
                      const OutputDescription& description, const std::vector<int>& near);

/// SourceImageEvidenceSequence (0008,9154): what the frames' derivations refer to.
void add_source_evidence(const ItemWriter& object, const SourceMetadata& source, const std::vector<int>& slices);

/// Acquisition context (empty) and multi-frame attributes with the number of frames: C.7.6.14, C.7.6.16.
void add_multi_frame(const ItemWriter& object, int frames);

}  // namespace isocenter::detail::dicom
