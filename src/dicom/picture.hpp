#pragma once
// Stored frames as pictures: RGB of 8 bits, row 0 at the top.
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "stored_frame.hpp"

namespace isocenter::detail::dicom {

/// How grey values are shown: PS3.3 C.11.2 (VOI) after the modality transform.
struct GreyDisplay {
  enum class Function { linear, linear_exact, sigmoid };
  Function function = Function::linear;
  double centre = 0, width = 0;                ///< width 0: no window
  std::shared_ptr<const LookupTable> voi_lut;  ///< used where there is no window
  bool inverted = false;                       ///< MONOCHROME1, or PresentationLUTShape INVERSE
};

/// What the file asks for: its first window (of the functional groups the shared one, else the first frame's), else its
/// VOI LUT, else the whole range of BitsStored. `unstated` tells that neither was there.
GreyDisplay read_grey_display(const std::string& path, const Image& image, bool& unstated);

/// Pictures out of one image's frames. Keeps its working memory: one for each thread.
class PictureReader {
 public:
  /// Fills `to`, rows × columns × 3. Colour: RGB as it is, YBR_FULL and YBR_FULL_422 by PS3.3 C.7.6.3.1.2, palettes by
  /// their tables; more than 8 bits keep their upper 8. Throws Failure as StoredFrameReader does.
  void read(const Image& image, int number, const GreyDisplay& display, std::span<std::uint8_t> to);

  /// As StoredFrameReader does.
  void require_end(const Image& image) { stored_.require_end(image); }

  static std::uint64_t working_bytes(const Image& image);

 private:
  void grey(const Image& image, const Frame& frame, const StoredFrame& stored, const GreyDisplay& display,
            std::span<std::uint8_t> to);
  StoredFrameReader stored_;
  std::vector<float> values_;
};

/// Why this image cannot become a picture; "" when it can.
std::string why_no_picture(const Image& image);

}  // namespace isocenter::detail::dicom
