#pragma once
// A device for tests, "apart:0", that runs kernels on the CPU as a card with its own memory would: while a kernel runs,
// host memory cannot be touched, and outside of kernels and copies the device's memory cannot. Whoever mixes them up is
// ended by the processor. Nothing that is enqueued runs before somebody waits for it (or, with `eager_copies`, copies
// on another stream run as soon as they may), so that an order that is missing shows in the results.
//
// For a pipeline whose nodes run one after the other: protection is the whole process's. Host memory is what the
// context allocates; its context must be made with host_allocator().
#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <functional>
#include <isocenter/isocenter.hpp>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "core/launch.hpp"
#include "core/streams.hpp"

namespace isocenter::testing {

/// Pages that are open or shut together. Blocks begin at a page's start and end at its end or less than 256 bytes
/// before it, so that running over the end is caught.
class Arena {
 public:
  static constexpr std::size_t most = std::size_t{1} << 36U, page = 4096;

  /// `limit`: no more than so many bytes at once.
  explicit Arena(std::size_t limit = most) : limit_(limit) {
    base_ = static_cast<char*>(mmap(nullptr, most, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
    if (base_ == MAP_FAILED) std::abort();
  }
  ~Arena() { munmap(base_, most); }
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  void* allocate(std::size_t bytes) {
    const std::lock_guard lock(mutex_);
    const std::size_t pages = (bytes + page - 1) / page * page;
    if (used_ + pages + page > most || now_ + bytes > limit_) return nullptr;
    char* begin = base_ + used_ + pages - (bytes + 255) / 256 * 256;
    used_ += pages + page;  // a page in between stays shut for ever
    blocks_[begin] = bytes;
    now_ += bytes;
    most_at_once_ = std::max(most_at_once_, now_);
    protect(begin, bytes, open_);
    return begin;
  }
  void release(void* memory) {
    const std::lock_guard lock(mutex_);
    const auto at = blocks_.find(static_cast<char*>(memory));
    if (at == blocks_.end()) return;
    protect(at->first, at->second, false);
    now_ -= at->second;
    blocks_.erase(at);
  }
  void open(bool open) {
    const std::lock_guard lock(mutex_);
    open_ = open;
    for (const auto& [begin, bytes] : blocks_) protect(begin, bytes, open);
  }
  bool holds(const void* p, std::size_t bytes) const {
    const std::lock_guard lock(mutex_);
    const auto* at = static_cast<const char*>(p);
    auto block = blocks_.upper_bound(const_cast<char*>(at));
    if (block == blocks_.begin()) return false;
    --block;
    return at >= block->first && at + bytes <= block->first + block->second;
  }
  std::size_t most_at_once() const { return most_at_once_; }

 private:
  static void protect(char* begin, std::size_t bytes, bool open) {
    char* first = begin - reinterpret_cast<std::uintptr_t>(begin) % page;
    if (mprotect(first, static_cast<std::size_t>(begin - first) + bytes, open ? PROT_READ | PROT_WRITE : PROT_NONE) !=
        0)
      std::abort();
  }
  char* base_;
  std::size_t limit_, used_ = 0, now_ = 0, most_at_once_ = 0;
  bool open_ = true;
  std::map<char*, std::size_t> blocks_;
  mutable std::mutex mutex_;
};

/// What a kernel's functor is on this device.
template <class K>
int enqueue_apart(const void* args, std::int64_t nx, std::int64_t ny, std::int64_t nz, void* stream);

template <class K>
detail::DeviceKernel kernel_apart(const char* name = K::name) {
  return {name, sizeof(K), &enqueue_apart<K>};
}

class SeparateDevice {
 public:
  SeparateDevice(std::uint64_t memory_bytes, std::vector<detail::DeviceKernel> kernels, bool eager_copies,
                 std::map<std::string, const void*> services = {})
      : device_(memory_bytes),
        kernels_(std::move(kernels)),
        services_(std::move(services)),
        memory_bytes_(memory_bytes),
        eager_(eager_copies) {
    device_.open(false);
  }

  isocenter_allocator host_allocator() {
    return {sizeof(isocenter_allocator), this,
            [](void* user, std::size_t bytes, std::size_t) { return self(user).host_.allocate(bytes); },
            [](void* user, void* memory, std::size_t) { self(user).host_.release(memory); }};
  }

  void add_to(isocenter_context* context) {
    isocenter_device_type t{};
    t.struct_size = sizeof t;
    t.name = "apart:0";
    t.type = "apart";
    t.description = "the CPU with memory of its own";
    t.memory_bytes = memory_bytes_;
    t.user = this;
    t.allocate = [](void* user, std::uint64_t bytes, void** memory) {
      *memory = self(user).device_.allocate(bytes);
      return *memory == nullptr ? 1 : 0;
    };
    t.release = [](void* user, void* memory) { self(user).device_.release(memory); };
    t.allocate_host = [](void* user, std::uint64_t bytes, void** memory) {
      *memory = self(user).host_.allocate(bytes);
      return *memory == nullptr ? 1 : 0;
    };
    t.release_host = [](void* user, void* memory) { self(user).host_.release(memory); };
    t.stream_create = [](void* user, void** stream) {
      auto made = std::make_unique<Stream>();
      made->device = &self(user);
      *stream = made.get();
      self(user).streams_.push_back(std::move(made));
      return 0;
    };
    t.stream_destroy = [](void*, void* stream) { run(static_cast<Stream*>(stream)); };
    t.stream_wait = [](void*, void* stream) {
      run(static_cast<Stream*>(stream));
      return 0;
    };
    t.copy = [](void* user, void* to, const void* from, std::uint64_t bytes, void* stream) {
      SeparateDevice* device = &self(user);
      device->copied_bytes_ += bytes;
      device->check_range(to, bytes, "written");
      device->check_range(from, bytes, "read");
      device->enqueue(static_cast<Stream*>(stream), [device, to, from, bytes] {
        device->admit(true, true);
        std::memcpy(to, from, bytes);
      });
      return 0;
    };
    t.fill_zero = [](void* user, void* memory, std::uint64_t bytes, void* stream) {
      SeparateDevice* device = &self(user);
      device->enqueue(static_cast<Stream*>(stream), [device, memory, bytes] {
        device->admit(true, true);
        std::memset(memory, 0, bytes);
      });
      return 0;
    };
    t.find = [](void* user, const char* name) -> const void* {
      if (std::strcmp(name, detail::StreamService::name) == 0) return &streams_service();
      if (const auto at = self(user).services_.find(name); at != self(user).services_.end()) return at->second;
      for (const auto& k : self(user).kernels_)
        if (std::strcmp(k.name, name) == 0) return &k;
      return nullptr;
    };
    t.error_text = [](void*, int) { return "no memory"; };
    detail::call([&](auto* e) { return isocenter_register_device(context, &t, e); });
  }

  /// The table, for tests that look on while kernels are launched.
  std::vector<detail::DeviceKernel>* kernels() { return &kernels_; }

  /// Runs `work` when the stream is waited for, as a kernel: without host memory.
  static int enqueue_kernel(void* stream, std::function<void()> work) {
    auto* on = static_cast<Stream*>(stream);
    SeparateDevice* device = on->device;
    on->runs_kernels = true;
    ++device->kernels_run_;
    device->enqueue(on, [device, run_kernel = std::move(work)] {
      device->admit(!device->shuts_host_, true);
      run_kernel();
    });
    return 0;
  }

  /// For a pipeline whose host nodes run while kernels do, which is so when a node gives several items.
  void leave_host_open() { shuts_host_ = false; }

  std::size_t most_memory() const { return device_.most_at_once(); }
  std::size_t most_host_memory() const { return host_.most_at_once(); }
  int kernels_run() const { return kernels_run_; }
  /// Of all copies that were enqueued so far, by any thread.
  std::uint64_t copied_bytes() const { return copied_bytes_; }

 private:
  struct Stream {
    SeparateDevice* device = nullptr;
    bool runs_kernels = false;
    std::deque<std::function<void()>> work;
    std::int64_t done = 0, enqueued = 0;
  };

  static SeparateDevice& self(void* user) { return *static_cast<SeparateDevice*>(user); }

  static void run(Stream* stream) {
    if (stream == nullptr) return;
    const std::lock_guard lock(stream->device->mutex_);
    run_until(*stream, stream->enqueued);
    stream->device->admit(true, false);
  }
  static void run_until(Stream& stream, std::int64_t place) {
    while (stream.done < place) {
      const std::function<void()> next = std::move(stream.work.front());
      stream.work.pop_front();
      ++stream.done;
      next();
    }
  }

  /// Without a stream at once, as on CUDA's own first stream whose copies are waited for.
  void enqueue(Stream* stream, std::function<void()> work) {
    const std::lock_guard lock(mutex_);
    if (stream == nullptr) {
      work();
      return admit(true, false);
    }
    stream->work.push_back(std::move(work));
    ++stream->enqueued;
    if (eager_ && !stream->runs_kernels) run(stream);
  }

  /// Which memory may be touched from here on.
  void admit(bool host, bool device) {
    if (host != std::exchange(host_open_, host)) host_.open(host);
    if (device != std::exchange(device_open_, device)) device_.open(device);
  }

  void check_range(const void* p, std::size_t bytes, const char* what) const {
    if (device_.holds(p, bytes) || host_.holds(p, bytes) || !in_arena(p)) return;
    std::fprintf(stderr, "a copy beyond its memory: %zu bytes %s at %p\n", bytes, what, p);
    std::abort();
  }
  bool in_arena(const void* p) const { return device_.holds(p, 1) || host_.holds(p, 1); }

  static const detail::StreamService& streams_service() {
    static const detail::StreamService service = {sizeof service, [](void* stream, void* other) {
                                                    auto *to = static_cast<Stream*>(stream),
                                                         *from = static_cast<Stream*>(other);
                                                    const std::int64_t place = from->enqueued;
                                                    to->device->enqueue(to, [from, place] { run_until(*from, place); });
                                                    return 0;
                                                  }};
    return service;
  }

  std::recursive_mutex mutex_;  // nodes that only copy may run beside each other
  Arena device_, host_;
  std::vector<detail::DeviceKernel> kernels_;
  std::map<std::string, const void*> services_;
  std::uint64_t memory_bytes_;
  bool eager_, host_open_ = true, device_open_ = false, shuts_host_ = true;
  int kernels_run_ = 0;
  std::atomic<std::uint64_t> copied_bytes_{0};
  std::vector<std::unique_ptr<Stream>> streams_;
};

template <class K>
int enqueue_apart(const void* args, std::int64_t nx, std::int64_t ny, std::int64_t nz, void* stream) {
  const K kernel = *static_cast<const K*>(args);
  return SeparateDevice::enqueue_kernel(stream, [=] {
    for (std::int64_t z = 0; z < nz; ++z)
      for (std::int64_t y = 0; y < ny; ++y)
        for (std::int64_t x = 0; x < nx; ++x)
          kernel(detail::Scalar{}, static_cast<int>(x), static_cast<int>(y), static_cast<int>(z));
  });
}

}  // namespace isocenter::testing
