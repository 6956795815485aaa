// JPEG 2000 lossless through OpenJPEG: PS3.5 annex A.4.4.
#include <openjpeg.h>

#include <algorithm>
#include <cstring>
#include <memory>

#include "frame_encoder.hpp"

namespace isocenter::detail::dicom {
namespace {

struct Sink {
  std::vector<std::uint8_t>* bytes;
  std::size_t at = 0;
};

OPJ_SIZE_T write_some(void* from, OPJ_SIZE_T count, void* user) {
  auto& sink = *static_cast<Sink*>(user);
  if (sink.at + count > sink.bytes->size()) sink.bytes->resize(sink.at + count);
  std::memcpy(sink.bytes->data() + sink.at, from, count);
  sink.at += count;
  return count;
}

OPJ_BOOL seek_to(OPJ_OFF_T offset, void* user) {
  auto& sink = *static_cast<Sink*>(user);
  if (offset < 0) return OPJ_FALSE;
  sink.at = static_cast<std::size_t>(offset);
  if (sink.at > sink.bytes->size()) sink.bytes->resize(sink.at);
  return OPJ_TRUE;
}

OPJ_OFF_T skip_some(OPJ_OFF_T count, void* user) {
  auto& sink = *static_cast<Sink*>(user);
  return seek_to(static_cast<OPJ_OFF_T>(sink.at) + count, user) == OPJ_TRUE ? count : -1;
}

void keep_first(const char* message, void* user) {
  auto& text = *static_cast<std::string*>(user);
  if (text.empty()) text = message;
}

struct Release {
  void operator()(opj_codec_t* p) const { opj_destroy_codec(p); }
  void operator()(opj_image_t* p) const { opj_image_destroy(p); }
};
struct ReleaseStream {
  void operator()(opj_stream_t* p) const { opj_stream_destroy(p); }
};

void fill(opj_image_comp_t& component, const GreyFrame& f, std::span<const std::uint8_t> pixels) {
  const std::size_t count = static_cast<std::size_t>(f.rows) * static_cast<std::size_t>(f.columns);
  for (std::size_t i = 0; i < count; ++i) {
    if (f.bits_allocated == 8) {
      component.data[i] = f.is_signed ? static_cast<std::int8_t>(pixels[i]) : pixels[i];
    } else {
      const int word = pixels[2 * i] | pixels[2 * i + 1] << 8;
      component.data[i] = f.is_signed && word > 32767 ? word - 65536 : word;
    }
  }
}

}  // namespace

std::string encode_jpeg2000(const GreyFrame& f, std::span<const std::uint8_t> pixels,
                            std::vector<std::uint8_t>& codestream) {
  opj_cparameters_t parameters;
  opj_set_default_encoder_parameters(&parameters);
  parameters.irreversible = 0;
  parameters.tcp_numlayers = 1;
  parameters.tcp_rates[0] = 0;  // lossless
  parameters.cp_disto_alloc = 1;
  // A frame of n pixels across allows floor(log2(n)) halvings; five where there is room.
  parameters.numresolution = 1;
  for (int side = std::min(f.rows, f.columns); side > 1 && parameters.numresolution < 6; side /= 2)
    ++parameters.numresolution;

  opj_image_cmptparm_t shape{};
  shape.dx = shape.dy = 1;
  shape.w = static_cast<OPJ_UINT32>(f.columns);
  shape.h = static_cast<OPJ_UINT32>(f.rows);
  shape.prec = static_cast<OPJ_UINT32>(f.bits_allocated);
  shape.sgnd = f.is_signed ? 1 : 0;
  const std::unique_ptr<opj_image_t, Release> image(opj_image_create(1, &shape, OPJ_CLRSPC_GRAY));
  const std::unique_ptr<opj_codec_t, Release> codec(opj_create_compress(OPJ_CODEC_J2K));
  const std::unique_ptr<opj_stream_t, ReleaseStream> stream(opj_stream_default_create(OPJ_FALSE));
  if (image == nullptr || codec == nullptr || stream == nullptr) return "OpenJPEG has no memory";
  image->x1 = shape.w;
  image->y1 = shape.h;
  fill(image->comps[0], f, pixels);

  std::string problem;
  opj_set_error_handler(codec.get(), keep_first, &problem);
  codestream.clear();
  Sink sink{&codestream};
  opj_stream_set_user_data(stream.get(), &sink, nullptr);
  opj_stream_set_write_function(stream.get(), write_some);
  opj_stream_set_seek_function(stream.get(), seek_to);
  opj_stream_set_skip_function(stream.get(), skip_some);
  const bool done = opj_setup_encoder(codec.get(), &parameters, image.get()) == OPJ_TRUE &&
                    opj_start_compress(codec.get(), image.get(), stream.get()) == OPJ_TRUE &&
                    opj_encode(codec.get(), stream.get()) == OPJ_TRUE &&
                    opj_end_compress(codec.get(), stream.get()) == OPJ_TRUE;
  if (done) return {};
  return problem.empty() ? "OpenJPEG gives no reason" : problem;
}

}  // namespace isocenter::detail::dicom
