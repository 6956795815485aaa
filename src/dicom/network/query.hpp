#pragma once
// C-FIND, C-MOVE and C-GET as user (PS3.4 annexes C and K).
#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "association.hpp"
#include "inbox.hpp"
#include "stored_instance.hpp"

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

struct Answers {
  std::vector<std::string> json;  ///< each in the DICOM JSON model (PS3.18 annex F)
  std::string complaint;          ///< one sentence when text is not of its character set, and shows '?' for it
};

/// Longest answers of a query all together, in JSON.
inline constexpr std::uint64_t longest_answers = std::uint64_t{256} << 20U;

/// What the peer answers. Throws Failure for what the network or the peer does; bad_data when there are more than
/// `most` answers or they are longer than `longest_answers` (the query is cancelled then, and the association of no
/// further use), and when one is nested too deeply or is no JSON (a number is NaN).
Answers find(Association& association, QueryModel model, DcmDataset& query, std::size_t most);
/// The query that find needs the peer to accept.
ContextProposal find_proposal(QueryModel model);

/// Whether the peer names this instance when it is asked for it; other answers do not count. Throws as find().
bool has_instance(Association& association, const InstanceName& name);

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
/// The query's context and those of storage_contexts.hpp: with compressed syntaxes for the modalities that are known.
std::vector<ContextProposal> get_proposals(QueryModel model, const std::set<std::string>& modalities);

struct Modalities {
  std::set<std::string> known;
  std::string complaint;  ///< one sentence when the peer did not say
};
/// Asks the peer, by C-FIND over an association of its own, for the Modality (0008,0060) of each series that a query of
/// C-GET names. Throws Failure(io_error) when the peer cannot be reached.
Modalities ask_modalities(const Peer& peer, DcmDataset& query);

}  // namespace isocenter::detail::dicom
