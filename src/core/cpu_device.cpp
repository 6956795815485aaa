#include "core/cpu_device.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace isocenter::detail {
namespace {

constexpr std::size_t alignment = 256;  // what GPU allocators give; also more than any CPU register needs

constexpr std::size_t huge_page = std::size_t{2} << 20U;

/// A block of a volume's size stands in huge pages where the system has them: its first touch costs a fault for each
/// 2 MiB in place of each 4 KiB.
void* system_allocate(void*, std::size_t bytes, std::size_t align) {
  const bool large = bytes >= 16 * huge_page;
  if (large) align = std::max(align, huge_page);
  const std::size_t rounded = (bytes + align - 1) / align * align;
  void* memory = std::aligned_alloc(align, rounded);
  if (large && memory != nullptr) madvise(memory, rounded, MADV_HUGEPAGE);  // advice: a refusal changes nothing
  return memory;
}
void system_release(void*, void* memory, std::size_t) { std::free(memory); }

// The size of a block stands in front of it, since an embedder's allocator wants it back.
int cpu_allocate(void* user, std::uint64_t bytes, void** memory) {
  const auto& a = static_cast<isocenter_context*>(user)->allocator;
  auto* block = static_cast<unsigned char*>(a.allocate(a.user, bytes + alignment, alignment));
  if (block == nullptr) return ISOCENTER_OUT_OF_MEMORY;
  std::memcpy(block, &bytes, sizeof bytes);
  *memory = block + alignment;
  return 0;
}
void cpu_release(void* user, void* memory) {
  if (memory == nullptr) return;
  const auto& a = static_cast<isocenter_context*>(user)->allocator;
  auto* block = static_cast<unsigned char*>(memory) - alignment;
  std::uint64_t bytes = 0;
  std::memcpy(&bytes, block, sizeof bytes);
  a.release(a.user, block, bytes + alignment);
}
int cpu_stream_create(void*, void** stream) {
  *stream = nullptr;
  return 0;
}
void cpu_stream_destroy(void*, void*) {}
int cpu_stream_wait(void*, void*) { return 0; }
int cpu_copy(void*, void* to, const void* from, std::uint64_t bytes, void*) {
  std::memcpy(to, from, bytes);
  return 0;
}
/// On all threads: the first touch of fresh memory is what costs.
int cpu_fill_zero(void* user, void* memory, std::uint64_t bytes, void*) {
  struct Range {
    unsigned char* begin;
    std::uint64_t bytes;
  } range{static_cast<unsigned char*>(memory), bytes};
  context_parallel_for(
      user, static_cast<std::int64_t>((bytes + huge_page - 1) / huge_page), 4,
      [](void* data, std::int64_t first, std::int64_t last) {
        const auto& r = *static_cast<const Range*>(data);
        const std::uint64_t from = static_cast<std::uint64_t>(first) * huge_page;
        const std::uint64_t to = std::min(static_cast<std::uint64_t>(last) * huge_page, r.bytes);
        std::memset(r.begin + from, 0, to - from);
      },
      &range);
  return 0;
}
const char* cpu_error_text(void*, int error) {
  return error == ISOCENTER_OUT_OF_MEMORY ? "the allocator gave no memory" : "unknown error";
}

std::uint64_t host_memory_bytes() {
  const long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGE_SIZE);
  return pages > 0 && size > 0 ? static_cast<std::uint64_t>(pages) * static_cast<std::uint64_t>(size) : 0;
}

std::string processor_name() {
  std::string name = "host processor";
  if (FILE* f = std::fopen("/proc/cpuinfo", "r"); f != nullptr) {
    char line[512];
    while (std::fgets(line, sizeof line, f) != nullptr) {
      if (std::strncmp(line, "model name", 10) != 0) continue;
      if (const char* colon = std::strchr(line, ':'); colon != nullptr) name = std::string(colon + 2);
      while (!name.empty() && (name.back() == '\n' || name.back() == ' ')) name.pop_back();
      break;
    }
    std::fclose(f);
  }
  return name;
}

}  // namespace

isocenter_allocator system_allocator() {
  return {sizeof(isocenter_allocator), nullptr, system_allocate, system_release};
}

std::unique_ptr<Device> make_cpu_device(isocenter_context& context) {
  auto cpu = std::make_unique<Device>();
  cpu->name = cpu->kind = "cpu";
  cpu->description = processor_name() + ", " + std::to_string(context.threads.concurrency) + " threads";
  cpu->type = isocenter_device_type{sizeof(isocenter_device_type),
                                    0,
                                    cpu->name.c_str(),
                                    cpu->kind.c_str(),
                                    cpu->description.c_str(),
                                    host_memory_bytes(),
                                    &context,
                                    cpu_allocate,
                                    cpu_release,
                                    cpu_allocate,
                                    cpu_release,
                                    cpu_stream_create,
                                    cpu_stream_destroy,
                                    cpu_stream_wait,
                                    cpu_copy,
                                    cpu_fill_zero,
                                    nullptr,
                                    cpu_error_text,
                                    nullptr};
  return cpu;
}

}  // namespace isocenter::detail
