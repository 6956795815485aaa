#include "jpeg2000.hpp"

#include <openjpeg.h>

#include <algorithm>
#include <cstring>
#include <memory>

#include "jpeg2000_demand.hpp"
#include "jpeg2000_part1.hpp"

namespace isocenter::detail::dicom {
namespace {

struct Cursor {
  std::span<const std::uint8_t> bytes;
  std::size_t at = 0;
};

OPJ_SIZE_T read_some(void* to, OPJ_SIZE_T count, void* user) {
  auto& cursor = *static_cast<Cursor*>(user);
  const std::size_t n = std::min<std::size_t>(count, cursor.bytes.size() - cursor.at);
  if (n == 0) return static_cast<OPJ_SIZE_T>(-1);
  std::memcpy(to, cursor.bytes.data() + cursor.at, n);
  cursor.at += n;
  return n;
}

OPJ_OFF_T skip_some(OPJ_OFF_T count, void* user) {
  auto& cursor = *static_cast<Cursor*>(user);
  if (count < 0) return -1;
  const std::size_t n = std::min(static_cast<std::size_t>(count), cursor.bytes.size() - cursor.at);
  cursor.at += n;
  return static_cast<OPJ_OFF_T>(n);
}

OPJ_BOOL seek_to(OPJ_OFF_T offset, void* user) {
  auto& cursor = *static_cast<Cursor*>(user);
  if (offset < 0 || static_cast<std::size_t>(offset) > cursor.bytes.size()) return OPJ_FALSE;
  cursor.at = static_cast<std::size_t>(offset);
  return OPJ_TRUE;
}

void keep_first(const char* message, void* user) {
  auto& text = *static_cast<std::string*>(user);
  if (!text.empty()) return;
  text = message;
  while (!text.empty() && (text.back() == '\n' || text.back() == '.')) text.pop_back();
}

struct Release {
  void operator()(opj_codec_t* p) const { opj_destroy_codec(p); }
  void operator()(opj_image_t* p) const { opj_image_destroy(p); }
};
struct ReleaseStream {
  void operator()(opj_stream_t* p) const { opj_stream_destroy(p); }
};

std::string what_differs(const opj_image_t& image, const Jpeg2000Frame& frame) {
  const auto width = static_cast<std::int64_t>(image.x1) - image.x0;
  const auto height = static_cast<std::int64_t>(image.y1) - image.y0;
  if (width != frame.columns || height != frame.rows)
    return "the codestream is " + std::to_string(width) + " x " + std::to_string(height) + ", Columns x Rows is " +
           std::to_string(frame.columns) + " x " + std::to_string(frame.rows);
  if (static_cast<int>(image.numcomps) != frame.samples_per_pixel)
    return "the codestream has " + std::to_string(image.numcomps) + " components, SamplesPerPixel is " +
           std::to_string(frame.samples_per_pixel);
  for (OPJ_UINT32 c = 0; c < image.numcomps; ++c) {
    if (image.comps[c].dx != 1 || image.comps[c].dy != 1) return "the codestream's components are subsampled";
    if (static_cast<int>(image.comps[c].prec) > frame.bits_allocated)
      return "the codestream has " + std::to_string(image.comps[c].prec) + " bits a sample, BitsAllocated is " +
             std::to_string(frame.bits_allocated);
  }
  return {};
}

template <class T>
void interleave(const opj_image_t& image, std::size_t pixels, std::span<std::uint8_t> to) {
  const std::size_t samples = image.numcomps;
  for (std::size_t c = 0; c < samples; ++c) {
    const OPJ_INT32* from = image.comps[c].data;
    std::uint8_t* p = to.data() + c * sizeof(T);
    for (std::size_t i = 0; i < pixels; ++i, p += samples * sizeof(T)) {
      const T value = static_cast<T>(from[i]);
      std::memcpy(p, &value, sizeof(T));
    }
  }
}

}  // namespace

std::string decode_jpeg2000(std::span<const std::uint8_t> codestream, const Jpeg2000Frame& frame,
                            std::uint64_t most_bytes, std::span<std::uint8_t> to) {
  const std::uint64_t demand = jpeg2000_demand(codestream, frame, codestream.size());
  if (demand == unbounded_jpeg2000_demand)
    return "the codestream's headers do not say how much memory it takes: SIZ is missing where decoders look for it, "
           "or "
           "there are markers that are not of ISO/IEC 15444-1, or more than 64 different codings or 65535 tiles";
  if (demand > most_bytes)
    return "the codestream's tiles, precincts and code-blocks ask for " + std::to_string(demand >> 20U) +
           " MiB of working memory, " + std::to_string(most_bytes >> 20U) +
           " MiB are allowed for a frame of this object";
  if (decode_jpeg2000_part1(codestream, frame, to)) return {};
  return decode_with_openjpeg(codestream, frame, to);
}

std::string decode_with_openjpeg(std::span<const std::uint8_t> codestream, const Jpeg2000Frame& frame,
                                 std::span<std::uint8_t> to) {
  constexpr std::uint8_t jp2_signature[] = {0, 0, 0, 12, 'j', 'P', ' ', ' '};  // some writers wrap it in a JP2 file
  const bool boxed =
      codestream.size() > 8 && std::equal(std::begin(jp2_signature), std::end(jp2_signature), codestream.begin());
  const std::unique_ptr<opj_codec_t, Release> codec(opj_create_decompress(boxed ? OPJ_CODEC_JP2 : OPJ_CODEC_J2K));
  std::string first_error;
  opj_set_error_handler(codec.get(), keep_first, &first_error);
  opj_set_warning_handler(codec.get(), nullptr, nullptr);
  opj_set_info_handler(codec.get(), nullptr, nullptr);
  const auto failed = [&](const char* step) { return first_error.empty() ? std::string(step) : first_error; };

  opj_dparameters_t parameters;
  opj_set_default_decoder_parameters(&parameters);
  if (opj_setup_decoder(codec.get(), &parameters) == OPJ_FALSE) return failed("the decoder could not be set up");
  opj_decoder_set_strict_mode(codec.get(), OPJ_TRUE);  // a codestream that ends too early is an error, not grey pixels

  Cursor cursor{codestream, 0};
  const std::unique_ptr<opj_stream_t, ReleaseStream> stream(opj_stream_default_create(OPJ_TRUE));
  opj_stream_set_user_data(stream.get(), &cursor, nullptr);
  opj_stream_set_user_data_length(stream.get(), codestream.size());
  opj_stream_set_read_function(stream.get(), read_some);
  opj_stream_set_skip_function(stream.get(), skip_some);
  opj_stream_set_seek_function(stream.get(), seek_to);

  opj_image_t* raw = nullptr;
  const bool has_header = opj_read_header(stream.get(), codec.get(), &raw) != OPJ_FALSE;
  const std::unique_ptr<opj_image_t, Release> image(raw);
  if (!has_header || image == nullptr) return failed("the codestream has no readable header");
  if (std::string difference = what_differs(*image, frame); !difference.empty()) return difference;
  if (opj_decode(codec.get(), stream.get(), image.get()) == OPJ_FALSE)
    return failed("the codestream cannot be decoded");
  for (OPJ_UINT32 c = 0; c < image->numcomps; ++c)
    if (image->comps[c].data == nullptr || static_cast<int>(image->comps[c].w) != frame.columns ||
        static_cast<int>(image->comps[c].h) != frame.rows)
      return "the codestream gave no complete picture";

  const std::size_t pixels = static_cast<std::size_t>(frame.rows) * static_cast<std::size_t>(frame.columns);
  if (frame.bits_allocated == 8)
    interleave<std::uint8_t>(*image, pixels, to);
  else if (frame.bits_allocated == 16)
    interleave<std::uint16_t>(*image, pixels, to);
  else
    interleave<std::uint32_t>(*image, pixels, to);
  return {};
}

}  // namespace isocenter::detail::dicom
