#include "jpeg2000_part1.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <type_traits>

#include "jpeg2000_block.hpp"
#include "jpeg2000_tile.hpp"
#include "jpeg2000_wavelet.hpp"

namespace isocenter::detail::dicom {
namespace {

/// A tile-component's samples: whole numbers, or real ones where the transform is irreversible.
struct Plane {
  std::vector<std::int32_t> whole;
  std::vector<float> real;
  std::int64_t stride = 0;
};

class Decoder {
 public:
  Decoder(const J2kCodestream& codestream, const Jpeg2000Frame& frame, std::span<std::uint8_t> to)
      : stream_(codestream), frame_(frame), to_(to), planes_(codestream.components.size()) {}

  bool decode() {
    const auto& components = stream_.components;
    for (const J2kComponent& c : components)
      if (c.bits > frame_.bits_allocated) return false;
    if (stream_.colour_transform) {
      if (components.size() < 3) return false;
      for (int i = 1; i < 3; ++i)
        if (components[static_cast<std::size_t>(i)].coding.reversible != components[0].coding.reversible) return false;
    }
    for (std::size_t i = 0; i < stream_.tiles.size(); ++i) {
      const auto tile = read_j2k_tile(stream_, i);
      if (!tile) return false;
      for (std::size_t c = 0; c < components.size(); ++c) decode_component(*tile, c);
      if (stream_.colour_transform) undo_colour_transform(tile->area);
      for (std::size_t c = 0; c < components.size(); ++c) store(tile->area, c);
    }
    return true;
  }

 private:
  void decode_component(const J2kTile& tile, std::size_t c) {
    const J2kTileComponent& component = tile.components[c];
    const bool reversible = stream_.components[c].coding.reversible;
    Plane& plane = planes_[c];
    // Room for whole strips of columns, and rows that do not all begin at the same place of the cache.
    plane.stride = (component.area.width() + 15) / 16 * 16 + 16;
    const auto count = static_cast<std::size_t>(plane.stride * component.area.height());
    if (reversible)
      plane.whole.assign(count, 0);
    else
      plane.real.assign(count, 0.0F);
    const J2kRect* lower = nullptr;
    for (const J2kResolution& resolution : component.resolutions) {
      for (int b = 0; b < resolution.bands; ++b) {
        const J2kBandPlan& band = resolution.band[b];
        const std::int64_t x = band.kind == J2kBand::hl || band.kind == J2kBand::hh ? lower->width() : 0;
        const std::int64_t y = band.kind == J2kBand::lh || band.kind == J2kBand::hh ? lower->height() : 0;
        for (std::size_t i = band.first_block; i < band.first_block + band.blocks; ++i)
          if (const J2kCodedBlock& block = tile.blocks[i]; block.passes > 0) {
            const std::int64_t at = (y + block.y) * plane.stride + x + block.x;
            if (reversible) {
              decode_block(tile, c, band, block, plane.whole.data() + at, plane.stride);
              halve(block, plane.whole.data() + at, plane.stride);
            } else {
              coefficients_.resize(static_cast<std::size_t>(block.width * block.height));
              decode_block(tile, c, band, block, coefficients_.data(), block.width);
              dequantise(block, 0.5F * band.step, plane.real.data() + at, plane.stride);
            }
          }
      }
      lower = &resolution.area;
    }
    if (reversible)
      inverse_wavelet_53(component, plane.whole.data(), plane.stride);
    else
      inverse_wavelet_97(component, plane.real.data(), plane.stride);
  }

  void decode_block(const J2kTile& tile, std::size_t component, const J2kBandPlan& band, const J2kCodedBlock& coded,
                    std::int32_t* at, std::int64_t stride) {
    // Bytes of a segment that came in several packets are put in a row.
    segments_.clear();
    bytes_.clear();
    for (std::int32_t p = coded.first; p >= 0; p = tile.pieces[static_cast<std::size_t>(p)].next)
      bytes_.insert(bytes_.end(), tile.pieces[static_cast<std::size_t>(p)].bytes.begin(),
                    tile.pieces[static_cast<std::size_t>(p)].bytes.end());
    std::size_t from = 0;
    for (std::int32_t p = coded.first; p >= 0; p = tile.pieces[static_cast<std::size_t>(p)].next) {
      const J2kPiece& piece = tile.pieces[static_cast<std::size_t>(p)];
      if (piece.begins_segment) segments_.push_back({{bytes_.data() + from, 0}, 0});
      J2kSegment& segment = segments_.back();
      segment.bytes = {segment.bytes.data(), segment.bytes.size() + piece.bytes.size()};
      segment.passes += piece.passes;
      from += piece.bytes.size();
    }
    const J2kBlockStyle& style = stream_.components[component].coding.style;
    blocks_.decode({coded.width, coded.height, coded.planes, band.kind, style, segments_}, at, stride);
  }

  static void halve(const J2kCodedBlock& block, std::int32_t* at, std::int64_t stride) {
    for (std::int32_t y = 0; y < block.height; ++y, at += stride)
      for (std::int32_t x = 0; x < block.width; ++x) at[x] /= 2;
  }

  void dequantise(const J2kCodedBlock& block, float half_step, float* at, std::int64_t stride) const {
    const std::int32_t* from = coefficients_.data();
    for (std::int32_t y = 0; y < block.height; ++y, at += stride, from += block.width)
      for (std::int32_t x = 0; x < block.width; ++x) at[x] = static_cast<float>(from[x]) * half_step;
  }

  /// Annex G.2 and G.3.
  void undo_colour_transform(const J2kRect& area) {
    const auto count = static_cast<std::size_t>(planes_[0].stride * area.height());
    if (stream_.components[0].coding.reversible) {
      const auto wrapped = [](std::int32_t a, std::int32_t b) {
        return static_cast<std::int32_t>(static_cast<std::uint32_t>(a) + static_cast<std::uint32_t>(b));
      };
      std::int32_t *a = planes_[0].whole.data(), *b = planes_[1].whole.data(), *c = planes_[2].whole.data();
      for (std::size_t i = 0; i < count; ++i) {
        const std::int32_t green = wrapped(a[i], -(wrapped(b[i], c[i]) >> 2));
        const std::int32_t red = wrapped(c[i], green), blue = wrapped(b[i], green);
        a[i] = red;
        b[i] = green;
        c[i] = blue;
      }
    } else {
      float *a = planes_[0].real.data(), *b = planes_[1].real.data(), *c = planes_[2].real.data();
      for (std::size_t i = 0; i < count; ++i) {
        const float luma = a[i], cb = b[i], cr = c[i];
        a[i] = luma + 1.402F * cr;
        b[i] = luma - 0.344136F * cb - 0.714136F * cr;
        c[i] = luma + 1.772F * cb;
      }
    }
  }

  void store(const J2kRect& area, std::size_t c) const {
    if (frame_.bits_allocated == 8)
      store_as<std::uint8_t>(area, c);
    else if (frame_.bits_allocated == 16)
      store_as<std::uint16_t>(area, c);
    else
      store_as<std::uint32_t>(area, c);
  }

  /// Samples of all components beside each other.
  template <class T>
  void store_as(const J2kRect& area, std::size_t c) const {
    const auto samples = static_cast<std::int64_t>(stream_.components.size());
    const std::int64_t first = (area.y0 - stream_.image.y0) * frame_.columns + area.x0 - stream_.image.x0;
    const auto bytes = static_cast<std::int64_t>(sizeof(T));
    std::uint8_t* row = to_.data() + (first * samples + static_cast<std::int64_t>(c)) * bytes;
    for (std::int64_t y = 0; y < area.height(); ++y, row += frame_.columns * samples * bytes) {
      if (samples == 1)
        store_row<T>(row, std::integral_constant<std::int64_t, 1>(), y, area.width(), c);
      else
        store_row<T>(row, samples, y, area.width(), c);
    }
  }

  /// G.1, and what lies outside of the samples' range cut off.
  template <class T, class Distance>
  void store_row(std::uint8_t* row, Distance distance, std::int64_t y, std::int64_t width, std::size_t c) const {
    const J2kComponent& component = stream_.components[c];
    const std::int32_t half = 1 << (component.bits - 1), shift = component.is_signed ? 0 : half;
    const std::int32_t low = -half, high = half - 1;
    const auto put = [&](std::int64_t x, std::int32_t v) {
      const T value = static_cast<T>(std::clamp(v, low, high) + shift);
      std::memcpy(row + x * distance * static_cast<std::int64_t>(sizeof(T)), &value, sizeof(T));
    };
    if (component.coding.reversible) {
      const std::int32_t* const from = planes_[c].whole.data() + y * planes_[c].stride;
      for (std::int64_t x = 0; x < width; ++x) put(x, from[x]);
    } else {
      const float* const from = planes_[c].real.data() + y * planes_[c].stride;
      const auto lowest = static_cast<float>(low), highest = static_cast<float>(high);
      for (std::int64_t x = 0; x < width; ++x)
        put(x, static_cast<std::int32_t>(std::nearbyint(std::clamp(from[x], lowest, highest))));
    }
  }

  const J2kCodestream& stream_;
  const Jpeg2000Frame frame_;
  const std::span<std::uint8_t> to_;
  std::vector<Plane> planes_;
  J2kBlockDecoder blocks_;
  std::vector<J2kSegment> segments_;
  std::vector<std::uint8_t> bytes_;
  std::vector<std::int32_t> coefficients_;  ///< of one block
};

}  // namespace

bool decode_jpeg2000_part1(std::span<const std::uint8_t> codestream, const Jpeg2000Frame& frame,
                           std::span<std::uint8_t> to) {
  const auto markers = read_j2k_markers(codestream, frame.columns, frame.rows, frame.samples_per_pixel);
  return markers && Decoder(*markers, frame, to).decode();
}

}  // namespace isocenter::detail::dicom
