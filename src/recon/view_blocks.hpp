#pragma once
// A scan that comes as several items ("acquisition.view_blocks"), of which a reconstruction makes one volume.
#include <isocenter/operator.hpp>
#include <isocenter/recon/acquisition.hpp>
#include <string>

namespace isocenter::detail {

/// For who needs all views at once: throws Failure when the scan comes in blocks, or has not one View for each
/// projection.
inline void require_whole_scan(const Payload& payload, std::int64_t projections) {
  if (const std::int64_t blocks = view_blocks_of(payload); blocks > 1)
    throw Failure(ErrorCode::unsupported,
                  "the scan comes in " + std::to_string(blocks) + " blocks, and this node needs all views at once",
                  "give the scan as one item");
  const auto views = static_cast<std::int64_t>(views_of(payload).size());
  if (views != projections)
    throw Failure(ErrorCode::bad_data,
                  "there are " + std::to_string(projections) + " projections and " + std::to_string(views) +
                      " views in acquisition.views",
                  "give one View for each projection (isocenter/recon/acquisition.hpp)");
}

/// Which block comes next.
class ViewBlocks {
 public:
  ViewBlocks() = default;
  explicit ViewBlocks(const Payload& projections) : count_(view_blocks_of(projections)) {}

  std::int64_t count() const { return count_; }  ///< 1: the whole scan
  bool several() const { return count_ > 1; }

  /// Which block of its scan an item is: the next one, or a new scan's first. Until `done` it counts as failed, after
  /// which a new scan comes next.
  std::int64_t begin(std::int64_t sequence) {
    const std::int64_t block = sequence % count_;
    if (block != 0 && block != next_)
      throw Failure(ErrorCode::bad_data,
                    "block " + std::to_string(block) + " of " + std::to_string(count_) + " came where block " +
                        std::to_string(next_) + " should, so that views are missing",
                    "let the wire from the source block (its policy may drop items)");
    next_ = 0;
    return block;
  }
  void done(std::int64_t block) { next_ = (block + 1) % count_; }

  /// When the stream has ended.
  void finish(bool completed) const {
    if (completed && next_ != 0)
      throw Failure(ErrorCode::bad_data,
                    "the stream ended after block " + std::to_string(next_ - 1) + " of a scan of " +
                        std::to_string(count_) + " blocks, so that there is no volume",
                    "give all blocks of a scan");
  }

 private:
  std::int64_t count_ = 1, next_ = 0;
};

}  // namespace isocenter::detail
