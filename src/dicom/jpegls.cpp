#include "jpegls.hpp"

#include <charls/charls_jpegls_decoder.h>

#include <algorithm>
#include <memory>
#include <optional>

#include "jpegls_scan.hpp"

namespace isocenter::detail::dicom {
namespace {

struct Release {
  void operator()(charls_jpegls_decoder* p) const { charls_jpegls_decoder_destroy(p); }
};

/// What this frame's one lossless scan is coded with; zero in LSE stands for the default (T.87 C.2.4.1.1).
std::optional<JpeglsScan> plain_scan(const charls_jpegls_decoder& decoder, const charls_frame_info& frame) {
  std::int32_t near = 0;
  charls_jpegls_pc_parameters coding{};
  if (frame.component_count != 1 || frame.bits_per_sample < 8 ||
      charls_jpegls_decoder_get_near_lossless(&decoder, 0, &near) != charls_jpegls_errc::success || near != 0 ||
      charls_jpegls_decoder_get_preset_coding_parameters(&decoder, 0, &coding) != charls_jpegls_errc::success)
    return std::nullopt;
  const auto or_default = [](int value, int other) { return value == 0 ? other : value; };
  JpeglsScan scan;
  scan.rows = static_cast<int>(frame.height);
  scan.columns = static_cast<int>(frame.width);
  scan.bits = frame.bits_per_sample;
  scan.maximum = or_default(coding.maximum_sample_value, (1 << scan.bits) - 1);
  const int factor = (std::min(scan.maximum, 4095) + 128) / 256;
  scan.thresholds[0] = or_default(coding.threshold1, factor + 2);
  scan.thresholds[1] = or_default(coding.threshold2, 4 * factor + 3);
  scan.thresholds[2] = or_default(coding.threshold3, 17 * factor + 4);
  scan.reset = or_default(coding.reset_value, 64);
  return scan;
}

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
  const auto scan = plain_scan(*decoder, frame);
  if (!scan || !decode_jpegls_scan(codestream, *scan, to))
    if ((status = charls_jpegls_decoder_decode_to_buffer(decoder.get(), to.data(), to.size(), 0)) !=
        charls_jpegls_errc::success)
      return failed();
  format.bits_allocated = bits;
  format.planar_configuration = format.samples_per_pixel > 1 && mode == charls_interleave_mode::none ? 1 : 0;
  return {};
}

}  // namespace isocenter::detail::dicom
