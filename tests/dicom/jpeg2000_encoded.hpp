#pragma once
// Pictures and their JPEG 2000 codestreams, by the encoder of OpenJPEG.
#include <openjpeg.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <memory>
#include <random>
#include <vector>

#include "dicom/jpeg2000.hpp"

namespace isocenter::testing {

using Bytes = std::vector<std::uint8_t>;

struct Picture {
  int columns = 0, rows = 0, components = 1, bits = 8;
  bool is_signed = false;
  std::vector<std::vector<OPJ_INT32>> planes;

  detail::dicom::Jpeg2000Frame frame() const { return {rows, columns, components, bits > 8 ? 16 : 8}; }
  std::size_t bytes() const { return static_cast<std::size_t>(rows * columns * components * (bits > 8 ? 2 : 1)); }
  /// Samples as a decoder has to give them.
  Bytes stored() const {
    Bytes to;
    for (std::size_t i = 0; i < planes[0].size(); ++i)
      for (const auto& plane : planes) {
        to.push_back(static_cast<std::uint8_t>(plane[i] & 0xFF));
        if (bits > 8) to.push_back(static_cast<std::uint8_t>(plane[i] >> 8 & 0xFF));
      }
    return to;
  }
};

/// Waves, with noise in their right half, spikes on nothing, or noise.
inline Picture make_picture(std::mt19937& random, int columns, int rows, int components, int bits, bool is_signed) {
  Picture picture{columns, rows, components, bits, is_signed, {}};
  const int full = 1 << bits;
  for (int c = 0; c < components; ++c) {
    const auto kind = random() % 3;
    std::vector<OPJ_INT32> plane;
    for (int y = 0; y < rows; ++y)
      for (int x = 0; x < columns; ++x) {
        const int noise = static_cast<int>(random() % static_cast<unsigned>(full));
        int v = static_cast<int>(full * (0.5 + 0.4 * std::sin(x / 9.0 + c) * std::cos(y / 13.0)));
        if (kind == 0 && x > columns / 2) v += noise / 8;
        if (kind == 1) v = random() % 97 == 0 ? full - 1 : 0;
        if (kind == 2) v = noise;
        plane.push_back(std::clamp(v, 0, full - 1) - (is_signed ? full / 2 : 0));
      }
    picture.planes.push_back(plane);
  }
  return picture;
}

struct Written {
  Bytes bytes;
  std::size_t at = 0;
};

struct Destroy {
  void operator()(opj_codec_t* p) const { opj_destroy_codec(p); }
  void operator()(opj_image_t* p) const { opj_image_destroy(p); }
};
struct DestroyStream {
  void operator()(opj_stream_t* p) const { opj_stream_destroy(p); }
};

/// Empty where OpenJPEG refuses the parameters.
inline Bytes encoded(const Picture& picture, opj_cparameters_t parameters) {
  std::vector<opj_image_cmptparm_t> components(static_cast<std::size_t>(picture.components));
  for (auto& c : components) {
    c = {};
    c.dx = c.dy = 1;
    c.w = static_cast<OPJ_UINT32>(picture.columns);
    c.h = static_cast<OPJ_UINT32>(picture.rows);
    c.prec = static_cast<OPJ_UINT32>(picture.bits);
    c.sgnd = picture.is_signed ? 1 : 0;
  }
  const std::unique_ptr<opj_image_t, Destroy> image(
      opj_image_create(static_cast<OPJ_UINT32>(picture.components), components.data(),
                       picture.components == 3 ? OPJ_CLRSPC_SRGB : OPJ_CLRSPC_GRAY));
  image->x0 = static_cast<OPJ_UINT32>(parameters.image_offset_x0);
  image->y0 = static_cast<OPJ_UINT32>(parameters.image_offset_y0);
  image->x1 = image->x0 + static_cast<OPJ_UINT32>(picture.columns);
  image->y1 = image->y0 + static_cast<OPJ_UINT32>(picture.rows);
  for (std::size_t c = 0; c < picture.planes.size(); ++c)
    std::copy(picture.planes[c].begin(), picture.planes[c].end(), image->comps[c].data);
  const std::unique_ptr<opj_codec_t, Destroy> codec(opj_create_compress(OPJ_CODEC_J2K));
  Written written;
  const std::unique_ptr<opj_stream_t, DestroyStream> stream(opj_stream_default_create(OPJ_FALSE));
  opj_stream_set_user_data(stream.get(), &written, nullptr);
  opj_stream_set_write_function(stream.get(), [](void* from, OPJ_SIZE_T count, void* user) -> OPJ_SIZE_T {
    auto& to = *static_cast<Written*>(user);
    to.bytes.resize(std::max(to.bytes.size(), to.at + count));
    std::memcpy(to.bytes.data() + to.at, from, count);
    to.at += count;
    return count;
  });
  opj_stream_set_skip_function(stream.get(), [](OPJ_OFF_T count, void* user) -> OPJ_OFF_T {
    static_cast<Written*>(user)->at += static_cast<std::size_t>(count);
    return count;
  });
  opj_stream_set_seek_function(stream.get(), [](OPJ_OFF_T to, void* user) -> OPJ_BOOL {
    static_cast<Written*>(user)->at = static_cast<std::size_t>(to);
    return OPJ_TRUE;
  });
  if (opj_setup_encoder(codec.get(), &parameters, image.get()) == OPJ_FALSE ||
      opj_start_compress(codec.get(), image.get(), stream.get()) == OPJ_FALSE ||
      opj_encode(codec.get(), stream.get()) == OPJ_FALSE || opj_end_compress(codec.get(), stream.get()) == OPJ_FALSE)
    return {};
  return written.bytes;
}

inline opj_cparameters_t plain_parameters(int resolutions = 4) {
  opj_cparameters_t p;
  opj_set_default_encoder_parameters(&p);
  p.tcp_numlayers = 1;
  p.cp_disto_alloc = 1;
  p.tcp_rates[0] = 0;
  p.numresolution = resolutions;
  return p;
}

/// The offset of a marker segment; the packets behind it are not looked at.
inline std::size_t find_segment(const Bytes& codestream, std::uint8_t marker) {
  std::size_t at = 2;
  while (codestream[at + 1] != marker) at += 2U + codestream[at + 2] * 256U + codestream[at + 3];
  return at;
}

}  // namespace isocenter::testing
