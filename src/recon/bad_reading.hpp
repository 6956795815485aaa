#pragma once
// Readings that no reconstruction can use, named in one sentence wherever they lie. On a device kernels note the first
// one (kernels/recon/reading_check.hpp), and a run looks at the note when it ends.
#include <functional>
#include <isocenter/operator.hpp>

namespace isocenter::detail {

/// Throws Failure for the reading at `place` of views × rows × columns, whose filtered row is not finite.
[[noreturn]] void refuse_reading(std::int64_t place, float value, int rows, int columns);

/// The same for a reading somewhere in `count` views, the first of them view `first` of the scan: the first that is not
/// finite, or the largest. `readings` may lie on the device.
[[noreturn]] void refuse_reading_among(const RunContext& run, const float* readings, std::int64_t first,
                                       std::int64_t count, int rows, int columns);

/// The same where `view` says where each of them lies; null: nowhere any more.
[[noreturn]] void refuse_reading_among(const RunContext& run, std::int64_t first, std::int64_t count, int rows,
                                       int columns, const std::function<const float*(std::int64_t)>& view);

/// The note, in the memory of the device that runs: made no_reading before kernels lower it, and read, which waits.
void clear_note(const RunContext& run, std::int64_t* note);
std::int64_t read_note(const RunContext& run, const std::int64_t* note);

}  // namespace isocenter::detail
