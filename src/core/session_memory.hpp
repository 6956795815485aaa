#pragma once
// The memory of a session: counted for each device while its nodes are planned, compared with the budget, allocated.
#include "core/session.hpp"

namespace isocenter::detail {

/// Buffers of an output that these queues take from: as many as items in flight; as many as a longer queue holds and
/// one to fill; and where a queue may lose items, enough that its producer never waits: what it holds, what is
/// consumed, what is filled.
std::uint64_t slots_for(const std::vector<Queue*>& queues, int in_flight);

/// What the budget has left on a device, also for the copies that the inputs of `planned` (may be null) will need
/// there; without a budget nine tenths of the device's memory have, and on the CPU it is UINT64_MAX.
std::uint64_t memory_left(const isocenter_session& session, const Device& device, const SessionNode* planned);
/// By how much what is planned and these copies are beyond that; 0 where something is left.
std::uint64_t memory_over(const isocenter_session& session, const Device& device, const SessionNode* planned);

/// Thrown where a plan is over the budget and another may not be, in which nodes that size themselves by what is left
/// leave room: for the nodes behind them, and (`beside`) for the items that wait beside batches.
class NoRoom : public Failure {
 public:
  NoRoom(const Failure& refusal, HeldRoom held, bool beside)
      : Failure(refusal), held(std::move(held)), beside(beside) {}
  HeldRoom held;
  bool beside;
};

/// How many items are between two nodes at once: what was asked for, or what fits. Throws Failure when not even that
/// fits into the budget; NoRoom at most once for a session.
void choose_in_flight(isocenter_session& session);

void allocate_memory(isocenter_session& session);

}  // namespace isocenter::detail
