#pragma once
// Runs of the same work on the same memory: enqueued once as they come, recorded at the second time, and replayed from
// there on.
#include <array>

#include "infer/cuda/device_queue.hpp"

namespace isocenter::infer {

class RecordedRuns {
 public:
  explicit RecordedRuns(std::unique_ptr<DeviceQueue> queue) : queue_(std::move(queue)) {}

  /// Calls enqueue(), or replays what it enqueued for this memory before. The first call of all is never recorded:
  /// libraries load what they need then. Where the stream takes no recording, enqueue() is called and the stream asked
  /// again next time; after most_failures recordings that failed, enqueue() is called each time. Recordings of
  /// most_recordings places are kept; the oldest goes first.
  template <class Enqueue>
  void run(const void* memory, void* stream, Enqueue&& enqueue) {
    queue_->make_current();
    if (Recording* recording = find(memory)) return recording->replay(stream);
    if (!warm_ || failures_ >= most_failures || !queue_->begin_recording(stream)) {
      enqueue();
      warm_ = true;
      return;
    }
    std::unique_ptr<Recording> recording;
    try {
      enqueue();
      recording = queue_->end_recording(stream);
    } catch (...) {  // what fails on its own account fails again below
      queue_->end_recording(stream);
    }
    if (recording == nullptr) {
      ++failures_;
      return enqueue();
    }
    keep(memory, std::move(recording))->replay(stream);
  }

  static constexpr std::size_t most_recordings = 4;  ///< a session has few arenas, for the items that overlap
  static constexpr int most_failures = 3;            ///< what else the process does on the device may spoil one

 private:
  struct Entry {
    const void* memory = nullptr;
    std::unique_ptr<Recording> recording;
  };
  Recording* find(const void* memory) const {
    for (const Entry& e : entries_)
      if (e.recording != nullptr && e.memory == memory) return e.recording.get();
    return nullptr;
  }
  Recording* keep(const void* memory, std::unique_ptr<Recording> recording) {
    Entry& entry = entries_[next_++ % most_recordings];
    entry = {memory, std::move(recording)};
    return entry.recording.get();
  }

  std::unique_ptr<DeviceQueue> queue_;
  std::array<Entry, most_recordings> entries_;
  std::size_t next_ = 0;
  int failures_ = 0;
  bool warm_ = false;
};

}  // namespace isocenter::infer
