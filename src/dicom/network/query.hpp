#pragma once
// C-FIND, C-MOVE and C-GET as user (PS3.4 annexes C and K).
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "association.hpp"
#include "inbox.hpp"

namespace isocenter::detail::dicom {

enum class QueryModel { study_root, patient_root, worklist };

/// One attribute of a query: "PatientName" or "0010,0010", and what it has to match; empty asks for its value.
struct QueryKey {
  std::string attribute;
  std::string value;
};

/// A query as a data set. `level` is PATIENT, STUDY, SERIES or IMAGE, and empty for the worklist. A key of the
/// worklist's sequence is "ScheduledProcedureStepSequence.Modality". Throws Failure(invalid_argument) for an unknown
/// attribute.
std::unique_ptr<DcmDataset> make_query(const std::string& level, const std::vector<QueryKey>& keys);

/// The peer's answers, each in the DICOM JSON model (PS3.18 annex F). Throws Failure for what the network or the peer
/// does; bad_data when there are more than `most` answers (the query is cancelled), or one is no JSON (a number is
/// NaN).
std::vector<std::string> find(Association& association, QueryModel model, DcmDataset& query, std::size_t most);
/// The query that find needs the peer to accept.
ContextProposal find_proposal(QueryModel model);

/// How many answers a query with these keys has: 0 or more.
std::size_t count_matches(Association& association, DcmDataset& query);

struct Retrieved {
  int completed = 0, failed = 0, warnings = 0;
  std::string complaint;  ///< one sentence when the peer did not deliver everything
};

/// Asks the peer to send what matches to the application entity `destination`, which the peer has to know.
Retrieved move(Association& association, QueryModel model, DcmDataset& query, const std::string& destination,
               const std::function<void(const Retrieved&)>& progress = {});
ContextProposal move_proposal(QueryModel model);

/// Asks the peer to send what matches over this association, into the inbox.
Retrieved get(Association& association, QueryModel model, DcmDataset& query, Inbox& inbox,
              const std::function<void(const Retrieved&)>& progress = {});
/// The query's context and, with the roles reversed, the storage classes of DCMTK's long list: an association cannot
/// carry all there are.
std::vector<ContextProposal> get_proposals(QueryModel model);

}  // namespace isocenter::detail::dicom
