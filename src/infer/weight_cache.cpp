#include "infer/weight_cache.hpp"

#include <cstring>
#include <map>
#include <mutex>
#include <new>

namespace isocenter::infer {
namespace {

constexpr std::align_val_t alignment{256};

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
    : data_(static_cast<std::byte*>(::operator new[](content.size(), alignment))), bytes_(content.size()) {
  if (!content.empty()) std::memcpy(data_.get(), content.data(), content.size());
}

void WeightBlock::Free::operator()(std::byte* p) const { ::operator delete[](p, alignment); }

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
