// JPEG-LS lossless through CharLS: PS3.5 annex A.4.3. Signed values are coded as the bits that they are.
#include <charls/charls.h>

#include <memory>

#include "frame_encoder.hpp"

namespace isocenter::detail::dicom {

std::string encode_jpegls(const GreyFrame& f, std::span<const std::uint8_t> pixels,
                          std::vector<std::uint8_t>& codestream) {
  const std::unique_ptr<charls_jpegls_encoder, decltype(&charls_jpegls_encoder_destroy)> encoder(
      charls_jpegls_encoder_create(), charls_jpegls_encoder_destroy);
  if (encoder == nullptr) return "CharLS has no memory";
  const charls_frame_info info{static_cast<std::uint32_t>(f.columns), static_cast<std::uint32_t>(f.rows),
                               f.bits_allocated, 1};
  std::size_t room = 0, written = 0;
  auto status = charls_jpegls_encoder_set_frame_info(encoder.get(), &info);
  if (status == charls::jpegls_errc::success)
    status = charls_jpegls_encoder_get_estimated_destination_size(encoder.get(), &room);
  // The estimate is not a bound for noise: JPEG-LS codes a value of n bits in at most 4 n (ISO/IEC 14495-1 A.5.3).
  room += 4 * pixels.size();
  codestream.resize(room);
  if (status == charls::jpegls_errc::success)
    status = charls_jpegls_encoder_set_destination_buffer(encoder.get(), codestream.data(), codestream.size());
  if (status == charls::jpegls_errc::success)
    status = charls_jpegls_encoder_encode_from_buffer(encoder.get(), pixels.data(), pixels.size(), 0);
  if (status == charls::jpegls_errc::success) status = charls_jpegls_encoder_get_bytes_written(encoder.get(), &written);
  if (status != charls::jpegls_errc::success) return charls_get_error_message(status);
  codestream.resize(written);
  codestream.shrink_to_fit();
  return {};
}

}  // namespace isocenter::detail::dicom
