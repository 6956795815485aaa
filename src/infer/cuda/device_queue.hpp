#pragma once
// What the executor asks of the CUDA runtime. Tests stand in for it.
#include <cstdint>
#include <memory>
#include <mutex>

namespace isocenter::infer {

/// Work that was noted once, with all its addresses, and is enqueued as a whole.
class Recording {
 public:
  virtual ~Recording() = default;
  /// Throws device_lost.
  virtual void replay(void* stream) = 0;
};

/// Held while this process records a stream, and while it times plans: CUDA forbids to synchronise a device of which a
/// stream is recorded.
inline std::mutex& recording_mutex() {
  static std::mutex mutex;
  return mutex;
}

class DeviceQueue {
 public:
  virtual ~DeviceQueue() = default;
  /// The calling thread works with this device from here on.
  virtual void make_current() = 0;
  /// From here to end_recording, what this thread enqueues on `stream` is noted and not run. False where the stream
  /// takes no recording: it is the device's default stream, an embedder records it, or another thread records.
  virtual bool begin_recording(void* stream) = 0;
  /// Null when something was enqueued that cannot be recorded; nothing of it has run then.
  virtual std::unique_ptr<Recording> end_recording(void* stream) = 0;
};

/// The runtime's own, for the device of this index.
std::unique_ptr<DeviceQueue> cuda_queue(int device_index);

}  // namespace isocenter::infer
