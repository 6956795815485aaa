#include "jpegls.hpp"

#include <charls/charls_jpegls_decoder.h>

#include <memory>

namespace isocenter::detail::dicom {
namespace {

struct Release {
  void operator()(charls_jpegls_decoder* p) const { charls_jpegls_decoder_destroy(p); }
};

}  // namespace

std::string decode_jpegls(std::span<const std::uint8_t> codestream, PixelFormat& format,
                          std::vector<std::uint8_t>& to) {
  const std::unique_ptr<charls_jpegls_decoder, Release> decoder(charls_jpegls_decoder_create());
  if (decoder == nullptr) return "there is no memory for the decoder";
  charls_jpegls_errc status =
      charls_jpegls_decoder_set_source_buffer(decoder.get(), codestream.data(), codestream.size());
  const auto failed = [&] { return std::string("CharLS says: ") + charls_get_error_message(status); };
  if (status != charls_jpegls_errc::success) return failed();
  if ((status = charls_jpegls_decoder_read_header(decoder.get())) != charls_jpegls_errc::success) return failed();
  charls_frame_info frame{};
  if ((status = charls_jpegls_decoder_get_frame_info(decoder.get(), &frame)) != charls_jpegls_errc::success)
    return failed();
  if (static_cast<int>(frame.height) != format.rows || static_cast<int>(frame.width) != format.columns ||
      frame.component_count != format.samples_per_pixel)
    return "the codestream is " + std::to_string(frame.width) + " x " + std::to_string(frame.height) + " x " +
           std::to_string(frame.component_count) + ", Columns x Rows x SamplesPerPixel is " +
           std::to_string(format.columns) + " x " + std::to_string(format.rows) + " x " +
           std::to_string(format.samples_per_pixel);
  const int bits = frame.bits_per_sample <= 8 ? 8 : 16;
  if (bits > format.bits_allocated)
    return "the codestream has " + std::to_string(frame.bits_per_sample) + " bits a sample, BitsAllocated is " +
           std::to_string(format.bits_allocated);
  charls_interleave_mode mode{};
  if ((status = charls_jpegls_decoder_get_interleave_mode(decoder.get(), &mode)) != charls_jpegls_errc::success)
    return failed();
  to.resize(static_cast<std::size_t>(format.rows) * static_cast<std::size_t>(format.columns) *
            static_cast<std::size_t>(format.samples_per_pixel) * static_cast<std::size_t>(bits / 8));
  if ((status = charls_jpegls_decoder_decode_to_buffer(decoder.get(), to.data(), to.size(), 0)) !=
      charls_jpegls_errc::success)
    return failed();
  format.bits_allocated = bits;
  format.planar_configuration = format.samples_per_pixel > 1 && mode == charls_interleave_mode::none ? 1 : 0;
  return {};
}

}  // namespace isocenter::detail::dicom
