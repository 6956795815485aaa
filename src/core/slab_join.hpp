#pragma once
// The node that puts slabs together to a whole volume in host memory: those of this process, and on rank 0 those of all
// processes. Inserted by the planner (isocenter/slabs.hpp).
#include "core/session.hpp"

namespace isocenter::detail {

/// Whether a description is that of slabs.
bool find_slabs(const isocenter_payload& description);

/// Makes `node` the join of its one input, which gives `slabs`; describes `out`. Throws Failure for slabs that do not
/// make a volume.
void plan_slab_join(isocenter_session& session, SessionNode& node, const isocenter_payload& slabs, OutputPort& out);

}  // namespace isocenter::detail
