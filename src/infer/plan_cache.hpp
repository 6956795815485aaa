#pragma once
// Plans of sessions that ended, for the next session of the same network and input shape: a process that sees volumes
// of many sizes plans each shape once.
#include <functional>
#include <memory>
#include <string>

#include "infer/executor.hpp"

namespace isocenter::infer {

/// At most so many plans wait for a session, whatever their bytes.
inline constexpr std::size_t most_kept_plans = 16;

/// The plan that waits under the key, else a new one of `make`. When it is destroyed it waits for the next session,
/// unless it was told to look into its values. What waits takes `most_bytes` of weights at most, shared ones counted
/// for each plan; the longest unused goes first. A larger plan is not kept. Safe from any thread.
std::unique_ptr<Executor> plan_or_kept(const std::string& key, std::int64_t most_bytes,
                                       const std::function<std::unique_ptr<Executor>()>& make);

}  // namespace isocenter::infer
