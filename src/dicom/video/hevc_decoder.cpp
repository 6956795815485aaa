#include <libde265/de265.h>

#include <algorithm>
#include <map>
#include <vector>

#include "hevc_headers.hpp"
#include "picture_decoder.hpp"

namespace isocenter::detail::dicom {
namespace {

struct Free {
  void operator()(de265_decoder_context* decoder) const { de265_free_decoder(decoder); }
};

/// libde265 on the calling thread; it puts the pictures into the order in which they are shown.
class HevcDecoder final : public PictureDecoder {
 public:
  HevcDecoder(int width, int height)
      : headers_(width, height), width_(width), height_(height), decoder_(de265_new_decoder()) {
    if (decoder_ == nullptr) throw StreamError("libde265 cannot be started");
    de265_set_parameter_bool(decoder_.get(), DE265_DECODER_PARAM_BOOL_SEI_CHECK_HASH, 1);
  }

  void push(std::span<const std::uint8_t> nal) override {
    headers_.read(nal);
    if (nal.size() < 2 || is_repeated_set(nal)) return;
    check(de265_push_NAL(decoder_.get(), nal.data(), static_cast<int>(nal.size()), 0, nullptr));
    pending_ = true;
  }

  void finish() override {
    check(de265_flush_data(decoder_.get()));
    pending_ = true;
  }

  bool take(VideoPicture& picture) override {
    const de265_image* image = de265_get_next_picture(decoder_.get());
    while (image == nullptr && pending_) {
      decode();
      image = de265_get_next_picture(decoder_.get());
    }
    if (image == nullptr) return false;
    picture.format.width = de265_get_image_width(image, 0);
    picture.format.height = de265_get_image_height(image, 0);
    picture.format.colour.full_range = de265_get_image_full_range_flag(image) != 0;
    picture.format.colour.matrix_coefficients = de265_get_image_matrix_coefficients(image);
    picture.bits = de265_get_bits_per_pixel(image, 0);
    if (picture.format.width != width_ || picture.format.height != height_ ||
        de265_get_chroma_format(image) != de265_chroma_420 || de265_get_bits_per_pixel(image, 1) != picture.bits)
      throw StreamError("libde265 gave a picture of another format than its header says");
    for (int i = 0; i < 3; ++i) {
      int stride = 0;
      picture.plane[i] = de265_get_image_plane(image, i, &stride);
      picture.stride[i] = stride;
    }
    return true;
  }

 private:
  void check(de265_error error) {
    if (error == DE265_OK || error == DE265_ERROR_WAITING_FOR_INPUT_DATA || error == DE265_ERROR_IMAGE_BUFFER_FULL)
      return;
    throw StreamError(std::string("libde265 cannot decode the stream: ") + de265_get_error_text(error));
  }

  /// A parameter set that is active already. It changes nothing (ISO/IEC 23008-2, 7.4.2.4.2), but libde265 1.0.11 drops
  /// pictures to which later ones refer when it comes again.
  bool is_repeated_set(std::span<const std::uint8_t> nal) {
    const std::optional<HevcSetName> name = hevc_set_name(nal);
    if (!name) return false;
    if (nal.size() > largest_set)
      throw StreamError("the HEVC stream has a parameter set of " + std::to_string(nal.size()) + " bytes, more than " +
                        std::to_string(largest_set));
    const auto known = sets_.find(*name);
    if (known != sets_.end() && std::equal(known->second.begin(), known->second.end(), nal.begin(), nal.end()))
      return true;
    sets_.erase(sets_.lower_bound({name->type + 1, 0}), sets_.end());  // those that may refer to it come again
    sets_[*name].assign(nal.begin(), nal.end());
    return false;
  }

  /// A step; at the end of the stream it may only move pictures to where they are taken. A warning means pixels other
  /// than the encoder's.
  void decode() {
    int more = 0;
    const de265_error error = de265_decode(decoder_.get(), &more);
    check(error);
    pending_ = more != 0 && error != DE265_ERROR_WAITING_FOR_INPUT_DATA;
    if (error == DE265_ERROR_IMAGE_BUFFER_FULL && de265_peek_next_picture(decoder_.get()) == nullptr)
      throw StreamError("the HEVC stream keeps more pictures than libde265 holds");
    for (;;) {
      const de265_error warning = de265_get_warning(decoder_.get());
      if (warning == DE265_OK) return;
      if (warning != DE265_WARNING_NO_WPP_CANNOT_USE_MULTITHREADING) check(warning);
    }
  }

  static constexpr std::size_t largest_set = 65536;  ///< an hvcC box has 16 bits for their length

  HevcHeaders headers_;
  int width_, height_;
  std::map<HevcSetName, std::vector<std::uint8_t>> sets_;  ///< active ones
  std::unique_ptr<de265_decoder_context, Free> decoder_;
  bool pending_ = false;  ///< something may be decoded before the next unit is needed
};

}  // namespace

std::unique_ptr<PictureDecoder> make_hevc_decoder(int width, int height) {
  return std::make_unique<HevcDecoder>(width, height);
}

}  // namespace isocenter::detail::dicom
