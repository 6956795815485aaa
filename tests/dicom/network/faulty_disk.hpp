#pragma once
// The C library's calls that change the disk or talk to a peer, in its place for all of a test program: they can kill
// the process; those that change the disk can fail and wait, too, and write down what a machine that loses its power
// would not have.
#include <functional>
#include <string>

namespace isocenter::test {

/// What the next calls do; they do as they always do when all is as here.
struct DiskFaults {
  int calls_until_kill = -1;      ///< negative: never
  int error = 0;                  ///< of flushes and of writes past the cache, as ENOSPC
  int folder_error = 0;           ///< of flushes of folders alone
  long room = -1;                 ///< bytes that files can still take before ENOSPC; negative: as many as there are
  int threads = -1;               ///< how many can still be started; negative: as many as there are
  bool no_direct_writes = false;  ///< such writes are EINVAL, as on file systems that have none
  bool file_system_flush_waits = false;
  bool pretend_to_flush = false;   ///< quicker, and no loss where the machine does not really lose its power
  int flush_ms = 0;                ///< a flush takes so much longer
  bool write_back_failed = false;  ///< told once to flushes of a file system by each descriptor open now: Linux
};
void set_faults(const DiskFaults& faults);
/// Flushes of a file's data since the program started.
int data_flushes();

/// ThreadSanitizer has read, write, recv, send and pthread_create itself: there, no room and no threads are without
/// effect, and conversations are not counted.
#ifdef __SANITIZE_THREAD__
inline constexpr bool has_all_faults = false;
#else
inline constexpr bool has_all_faults = true;
#endif

/// Runs work in a process that is killed before its n-th change of the disk or piece of a conversation with a peer;
/// whether it came to its end. With a log, what it changed is written there (at its end, when it has something).
bool survives(int n, const std::function<void()>& work, const std::string& log = "");

enum class Lost { contents, half };  ///< of a file whose contents were not flushed: all of it, or its second half
/// Does to the disk what a loss of power may do that happened when the process ended that wrote the log: files that
/// were not flushed with their file system, and writes past the cache that no flush followed.
void lose_power(const std::string& log, Lost lost);

}  // namespace isocenter::test
