#pragma once
// Weights in the form that they run in, once for all sessions of a process that run the same network the same way.
#include <cstddef>
#include <memory>
#include <span>
#include <string>

namespace isocenter::infer {

/// Constants on a boundary of 256 bytes, not written again.
class WeightBlock {
 public:
  explicit WeightBlock(std::span<const std::byte> content);
  const std::byte* data() const { return data_.get(); }
  std::size_t bytes() const { return bytes_; }

 private:
  struct Free {
    void operator()(std::byte* p) const;
    std::size_t alignment;
  };
  std::unique_ptr<std::byte[], Free> data_;
  std::size_t bytes_;
};

/// The block that a session which still lives made under this key; null when there is none. Safe from any thread.
std::shared_ptr<const WeightBlock> find_weights(const std::string& key);

/// Keeps a block under the key for as long as somebody holds it. Where another session was faster, or one keeps the
/// same bytes under another key (another shape, whose weights take the same form), that block counts and is given back.
std::shared_ptr<const WeightBlock> share_weights(const std::string& key, std::shared_ptr<const WeightBlock> block);

}  // namespace isocenter::infer
