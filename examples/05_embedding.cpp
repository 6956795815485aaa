// Isocenter inside a device: your allocator, your threads, your stream; no allocation once frames flow.
#include <algorithm>
#include <atomic>
#include <isocenter/denoise/bilateral_denoise.hpp>
#include <isocenter/isocenter.hpp>
#include <mutex>
#include <new>
#include <thread>
#if defined(EXAMPLE_WITH_CUDA)
#include <cuda_runtime_api.h>
#endif

namespace ic = isocenter;

// Every C++ allocation of this process passes here, the library's own too.
static std::atomic<long> heap_calls{0};
void* operator new(std::size_t bytes) {
  ++heap_calls;
  if (void* p = std::malloc(bytes)) return p;
  throw std::bad_alloc();
}
void* operator new(std::size_t bytes, std::align_val_t alignment) {
  ++heap_calls;
  const auto a = static_cast<std::size_t>(alignment);
  if (void* p = std::aligned_alloc(a, (bytes + a - 1) / a * a)) return p;
  throw std::bad_alloc();
}
void operator delete(void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }
void operator delete(void* p, std::align_val_t) noexcept { std::free(p); }
void operator delete(void* p, std::size_t, std::align_val_t) noexcept { std::free(p); }

// The device maker's memory for images: here the system's, counted.
struct Memory {
  std::atomic<long> calls{0};
  std::atomic<std::size_t> bytes{0};
  static void* allocate(void* self, std::size_t n, std::size_t alignment) {
    ++static_cast<Memory*>(self)->calls;
    static_cast<Memory*>(self)->bytes += n;
    return std::aligned_alloc(alignment, (n + alignment - 1) / alignment * alignment);
  }
  static void release(void*, void* p, std::size_t) { std::free(p); }
};

// The device maker's threads: they sleep until there is a loop, and share its pieces with the caller.
class Workers {
 public:
  using Body = void (*)(void* data, std::int64_t begin, std::int64_t end);
  explicit Workers(int count) {
    for (int i = 0; i < count; ++i) threads_.emplace_back([this] { work(); });
  }
  ~Workers() {
    stop_ = true;
    wake();
    for (auto& t : threads_) t.join();
  }
  static void parallel_for(void* self, std::int64_t count, std::int64_t grain, Body body, void* data) {
    static_cast<Workers*>(self)->share(count, grain, body, data);
  }
  std::int32_t concurrency() const { return static_cast<std::int32_t>(threads_.size()) + 1; }

 private:
  void share(std::int64_t count, std::int64_t grain, Body body, void* data) {
    const std::lock_guard one_loop_at_a_time(mutex_);
    count_ = count, grain_ = grain, body_ = body, data_ = data, next_ = 0;
    busy_ = static_cast<int>(threads_.size());
    wake();
    take_pieces();
    for (int left = busy_; left != 0; left = busy_) busy_.wait(left);
  }
  void work() {
    for (unsigned seen = 0;;) {
      loops_.wait(seen++);
      if (stop_) return;
      take_pieces();
      if (--busy_ == 0) busy_.notify_all();
    }
  }
  void take_pieces() {
    for (std::int64_t begin = 0; (begin = next_.fetch_add(grain_)) < count_;)
      body_(data_, begin, std::min(begin + grain_, count_));
  }
  void wake() {
    ++loops_;
    loops_.notify_all();
  }

  std::mutex mutex_;
  std::int64_t count_ = 0, grain_ = 1;
  Body body_ = nullptr;
  void* data_ = nullptr;
  std::atomic<std::int64_t> next_{0};
  std::atomic<unsigned> loops_{0};
  std::atomic<int> busy_{0};
  std::atomic<bool> stop_{false};
  std::vector<std::thread> threads_;
};

int main() try {
  Memory memory;
  Workers workers(1);
  const isocenter_allocator allocator{sizeof allocator, &memory, Memory::allocate, Memory::release};
  const isocenter_threads threads{sizeof threads, &workers, workers.concurrency(), Workers::parallel_for};
  isocenter_context_options embedder{};
  embedder.struct_size = sizeof embedder;
  embedder.allocator = &allocator;
  embedder.threads = &threads;
  const ic::Context context(embedder);
  ic::SessionOptions options{.device = context.find_device("best").name, .memory_bytes = 64 << 20};
#if defined(EXAMPLE_WITH_CUDA)
  cudaStream_t stream = nullptr;
  if (options.device != "cpu" && cudaStreamCreate(&stream) == cudaSuccess) options.stream = stream;
#endif

  ic::Volume ring[4];  // what the scanner fills in turn
  for (auto& frame : ring) context.allocate(frame = ic::Volume::describe(96, 64, 8, {}, "HU"));
  ic::Pipeline pipeline(context);
  const auto scanner = pipeline.add_input("scanner", ring[0]);
  const auto smooth = pipeline.add<ic::BilateralDenoise>("smooth");
  pipeline.connect(scanner, smooth.input);
  pipeline.add_output("screen", smooth.output);
  ic::Session session = pipeline.prepare(options);  // every byte is taken here, or it throws
  session.start();

  long image_calls = 0, cpp_calls = 0;
  for (int frame = 0; frame < 120; ++frame) {
    if (frame == 20) image_calls = memory.calls, cpp_calls = heap_calls;  // warm
    if (auto pushed = session.try_push("scanner", ring[frame % 4]); !pushed)
      throw ic::Error(pushed.code(), pushed.message());
    if (auto seen = session.try_pull("screen", 5.0); !seen) throw ic::Error(seen.code(), seen.message());
  }
  image_calls = memory.calls - image_calls, cpp_calls = heap_calls - cpp_calls;
  std::printf("%s: 100 frames, %ld image allocations and %ld C++ allocations; %.1f MiB were planned\n",
              options.device.c_str(), image_calls, cpp_calls, static_cast<double>(memory.bytes) / (1 << 20));
  return image_calls == 0 && cpp_calls == 0 ? 0 : 1;
} catch (const ic::Error& e) {
  std::fprintf(stderr, "05_embedding: %s\n", e.what());
  return 1;
}
