#include "infer/weight_cache.hpp"

#if defined(__linux__)
#include <sys/mman.h>
#endif

#include <cstring>
#include <map>
#include <mutex>
#include <new>

namespace isocenter::infer {
namespace {

constexpr std::size_t alignment = 256, huge_page = 2 << 20, fewest_bytes = 2 * huge_page;

/// Large blocks lie on huge pages where the system has them: each run reads all weights once, and a page's address is
/// looked up for each 4 KiB otherwise.
std::byte* allocate(std::size_t bytes, std::size_t aligned) {
  auto* memory = static_cast<std::byte*>(::operator new[](bytes, std::align_val_t{aligned}));
#if defined(__linux__)
  if (aligned == huge_page) madvise(memory, bytes, MADV_HUGEPAGE);  // advice: a refusal changes nothing
#endif
  return memory;
}

struct Cache {
  std::mutex mutex;
  std::map<std::string, std::weak_ptr<const WeightBlock>> blocks;

  std::shared_ptr<const WeightBlock> find(const std::string& key) {
    const auto it = blocks.find(key);
    return it == blocks.end() ? nullptr : it->second.lock();
  }
};

Cache& cache() {
  static Cache made;
  return made;
}

}  // namespace

WeightBlock::WeightBlock(std::span<const std::byte> content)
    : data_(nullptr, Free{content.size() < fewest_bytes ? alignment : huge_page}), bytes_(content.size()) {
  data_.reset(allocate(content.size(), data_.get_deleter().alignment));
  if (!content.empty()) std::memcpy(data_.get(), content.data(), content.size());
}

void WeightBlock::Free::operator()(std::byte* p) const { ::operator delete[](p, std::align_val_t{alignment}); }

std::shared_ptr<const WeightBlock> find_weights(const std::string& key) {
  const std::lock_guard lock(cache().mutex);
  return cache().find(key);
}

std::shared_ptr<const WeightBlock> share_weights(const std::string& key, std::shared_ptr<const WeightBlock> block) {
  const std::lock_guard lock(cache().mutex);
  std::erase_if(cache().blocks, [](const auto& entry) { return entry.second.expired(); });
  if (auto earlier = cache().find(key)) return earlier;
  for (const auto& [other, kept] : cache().blocks)
    if (const auto earlier = kept.lock(); earlier != nullptr && earlier->bytes() == block->bytes() &&
                                          std::memcmp(earlier->data(), block->data(), block->bytes()) == 0) {
      block = earlier;
      break;
    }
  cache().blocks[key] = block;
  return block;
}

}  // namespace isocenter::infer
