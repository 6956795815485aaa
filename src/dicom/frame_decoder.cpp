#include "frame_decoder.hpp"

#include <algorithm>

#include "pixel_values.hpp"

namespace isocenter::detail::dicom {

void FrameDecoder::decode(const Image& image, const Frame& frame, const Rescale& rescale, std::span<float> to) {
  const StoredFrame stored = stored_.read(image, frame.number);
  const bool table = image.modality_lut != nullptr;
  to_real_values(stored.bytes, stored.format, stored.big_endian, table ? Rescale{} : rescale, to);
  if (!table) return;
  constexpr float far_beyond = 1e9F;  // any table's ends
  for (float& v : to) v = (*image.modality_lut)[static_cast<int>(std::clamp(v, -far_beyond, far_beyond))];
}

}  // namespace isocenter::detail::dicom
