#pragma once
// The voxels of an image file as numbers.
#include <cstddef>
#include <functional>
#include <span>
#include <vector>

#include "image_file.hpp"

namespace isocenter::detail::io {

enum class NonFinite { refuse, zero };  ///< what becomes of NaN and infinity

/// Called between pieces with the part that is done, in [0, 1]; may throw to stop.
using ReadProgress = std::function<void(double)>;

/// Values of stored voxels of info.type in the machine's byte order: slope * stored + intercept. `first` is the index
/// of the first one in the image, for messages. `to` may be the same memory as `from` where the type is float32.
/// Errors: as VoxelReader::read.
void convert_voxels(const ImageInfo& info, const std::byte* from, std::span<float> to, std::int64_t first,
                    NonFinite non_finite);

/// Reads and converts an image's voxels piece by piece: it takes one buffer of 1 MiB, made at once, whatever the size
/// of the image.
class VoxelReader {
 public:
  explicit VoxelReader(ImageInfo info);
  const ImageInfo& info() const { return info_; }

  /// slope * stored + intercept, x fastest, info().voxels() of them. Errors: bad_data with the first voxel's index when
  /// a value is not finite, or is a whole number that float32 cannot hold (beyond 2^24 and not even enough); and those
  /// of DataStream.
  void read(std::span<float> out, NonFinite non_finite, const ReadProgress& progress);

  /// Labels: whole numbers from 0 to 255. Errors: bad_data with the first other value.
  void read_labels(std::span<std::uint8_t> out, const ReadProgress& progress);

 private:
  template <class Convert>
  void for_each_piece(Convert&& convert, const ReadProgress& progress);

  ImageInfo info_;
  std::vector<std::byte> piece_;
};

}  // namespace isocenter::detail::io
