#include "picture.hpp"

#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dcdeftag.h>
#include <dcmtk/dcmdata/dcfilefo.h>

#include <algorithm>
#include <cmath>
#include <isocenter/error.hpp>

#include "dataset_values.hpp"
#include "lookup_table.hpp"
#include "pixel_values.hpp"
#include "toolkit.hpp"

namespace isocenter::detail::dicom {
namespace {

std::uint8_t to_byte(double v) { return static_cast<std::uint8_t>(std::clamp(std::floor(v + 0.5), 0.0, 255.0)); }

/// A stored sample without its sign, as an integer of BitsStored bits.
std::uint32_t sample(const StoredFrame& s, std::size_t i) {
  const std::size_t bytes = static_cast<std::size_t>(s.format.bits_allocated) / 8;
  std::uint32_t value = 0;
  for (std::size_t b = 0; b < bytes; ++b)
    value |= static_cast<std::uint32_t>(s.bytes[i * bytes + (s.big_endian ? bytes - 1 - b : b)]) << 8U * b;
  const int stored = s.format.bits_stored;
  return value >> (s.format.high_bit + 1 - stored) & (stored >= 32 ? ~0U : (1U << stored) - 1U);
}

/// The upper eight bits of a sample; fewer are spread over the range.
std::uint8_t eight_bits(std::uint32_t value, int bits) {
  if (bits == 8) return static_cast<std::uint8_t>(value);
  if (bits > 8) return static_cast<std::uint8_t>(value >> (bits - 8));
  return static_cast<std::uint8_t>(value * 255U / ((1U << bits) - 1U));
}

void ybr_to_rgb(double y, double cb, double cr, std::uint8_t* rgb) {
  rgb[0] = to_byte(y + 1.402 * (cr - 128));
  rgb[1] = to_byte(y - 0.344136 * (cb - 128) - 0.714136 * (cr - 128));
  rgb[2] = to_byte(y + 1.772 * (cb - 128));
}

/// Native YBR_FULL_422: Y Y Cb Cr for each two pixels of a row.
void from_422(const StoredFrame& s, std::span<std::uint8_t> to) {
  for (std::size_t i = 0; i < to.size() / 3; ++i) {
    const std::size_t pair = i / 2 * 4;
    ybr_to_rgb(s.bytes[pair + i % 2], s.bytes[pair + 2], s.bytes[pair + 3], to.data() + 3 * i);
  }
}

void from_colour(const StoredFrame& s, std::span<std::uint8_t> to) {
  const std::size_t pixels = to.size() / 3;
  const bool ybr = s.format.photometric != "RGB";
  const bool planes = s.format.planar_configuration == 1;
  for (std::size_t i = 0; i < pixels; ++i) {
    std::uint8_t c[3];
    for (std::size_t k = 0; k < 3; ++k)
      c[k] = eight_bits(sample(s, planes ? k * pixels + i : 3 * i + k), s.format.bits_stored);
    if (ybr)
      ybr_to_rgb(c[0], c[1], c[2], to.data() + 3 * i);
    else
      std::copy(c, c + 3, to.data() + 3 * i);
  }
}

void from_palette(const StoredFrame& s, const Palette& palette, std::span<std::uint8_t> to) {
  const int bits = s.format.bits_stored;
  for (std::size_t i = 0; i < to.size() / 3; ++i) {
    auto index = static_cast<std::int64_t>(sample(s, i));
    if (s.format.is_signed && index >> (bits - 1) != 0) index -= std::int64_t{1} << bits;
    const int bounded = static_cast<int>(std::clamp<std::int64_t>(index, -65536, 131072));
    for (std::size_t c = 0; c < 3; ++c) to[3 * i + c] = eight_bits(palette[c][bounded], palette[c].bits);
  }
}

/// PS3.3 C.11.2.1.2 and C.11.2.1.3, to [0, 1].
double windowed(const GreyDisplay& d, double x) {
  if (d.function == GreyDisplay::Function::sigmoid) return 1 / (1 + std::exp(-4 * (x - d.centre) / d.width));
  if (d.function == GreyDisplay::Function::linear_exact) return (x - d.centre) / d.width + 0.5;
  if (d.width <= 1) return x <= d.centre - 0.5 ? 0 : 1;
  return (x - (d.centre - 0.5)) / (d.width - 1) + 0.5;
}

/// The values that BitsStored can hold, as a window over all of them.
void whole_range(const Image& image, GreyDisplay& display) {
  const PixelFormat& f = image.format;
  const Rescale rescale = image.frames.front().rescale.value_or(Rescale{});
  double low = f.is_signed ? -std::ldexp(1.0, f.bits_stored - 1) : 0;
  double high = low + std::ldexp(1.0, f.bits_stored) - 1;
  if (image.modality_lut != nullptr) {
    const auto& entries = image.modality_lut->entries;
    low = *std::min_element(entries.begin(), entries.end());
    high = *std::max_element(entries.begin(), entries.end());
  } else {
    low = rescale.slope * low + rescale.intercept;
    high = rescale.slope * high + rescale.intercept;
  }
  display.function = GreyDisplay::Function::linear_exact;
  display.centre = 0.5 * (low + high);
  display.width = std::fmax(1e-12, std::fabs(high - low));
}

}  // namespace

GreyDisplay read_grey_display(const std::string& path, const Image& image, bool& unstated) {
  GreyDisplay display;
  unstated = false;
  DcmtkLog log;
  DcmFileFormat file;
  if (file.loadFileUntilTag(OFFilename(path.c_str()), EXS_Unknown, EGL_noChange, DCM_MaxReadLength, ERM_autoDetect,
                            DCM_FloatPixelData)
          .bad())
    throw Failure(ErrorCode::io_error, "'" + image.name + "' cannot be read any more", "leave the file as it is");
  DcmItem* item = file.getDataset();
  display.inverted = image.format.photometric == "MONOCHROME1" ||
                     text_value(*item, {0x2050, 0x0020, "PresentationLUTShape"}) == "INVERSE";
  for (const DcmTagKey& groups : {DCM_PerFrameFunctionalGroupsSequence, DCM_SharedFunctionalGroupsSequence})
    if (DcmItem* const first = sequence_item(*file.getDataset(), groups))
      if (DcmItem* const voi = sequence_item(*first, DCM_FrameVOILUTSequence)) item = voi;
  const auto centre = number(*item, attribute::window_center), width = number(*item, attribute::window_width);
  if (centre && width && *width > 0) {
    display.centre = *centre;
    display.width = *width;
    const std::string function = text_value(*item, attribute::voi_lut_function);
    if (function == "SIGMOID") display.function = GreyDisplay::Function::sigmoid;
    if (function == "LINEAR_EXACT") display.function = GreyDisplay::Function::linear_exact;
    return display;
  }
  if (DcmItem* const voi = sequence_item(*item, key(attribute::voi_lut_sequence))) {
    std::string problem;
    if (auto table =
            read_lookup_table(*voi, attribute::lut_descriptor, attribute::lut_data, image.format.is_signed, problem))
      display.voi_lut = std::make_shared<const LookupTable>(std::move(*table));
    if (display.voi_lut != nullptr) return display;
  }
  unstated = true;
  if (image.format.values == PixelFormat::Values::integers) whole_range(image, display);
  return display;
}

void PictureReader::grey(const Image& image, const Frame& frame, const StoredFrame& stored, const GreyDisplay& display,
                         std::span<std::uint8_t> to) {
  values_.resize(to.size() / 3);
  const bool table = image.modality_lut != nullptr;
  to_real_values(stored.bytes, stored.format, stored.big_endian, table ? Rescale{} : frame.rescale.value_or(Rescale{}),
                 values_);
  for (std::size_t i = 0; i < values_.size(); ++i) {
    double x = static_cast<double>(values_[i]);
    const auto bounded = [](double v) { return static_cast<int>(std::clamp(v, -1e9, 1e9)); };
    if (table) x = (*image.modality_lut)[bounded(x)];
    double shown = 0;
    if (display.width > 0)
      shown = windowed(display, x);
    else if (display.voi_lut != nullptr)
      shown = (*display.voi_lut)[bounded(x)] / (std::ldexp(1.0, display.voi_lut->bits) - 1);
    if (display.inverted) shown = 1 - shown;
    const std::uint8_t byte = std::isnan(shown) ? std::uint8_t{0} : to_byte(255 * std::clamp(shown, 0.0, 1.0));
    std::fill_n(to.begin() + static_cast<std::ptrdiff_t>(3 * i), 3, byte);
  }
}

void PictureReader::read(const Image& image, int number, const GreyDisplay& display, std::span<std::uint8_t> to) {
  const StoredFrame stored = stored_.read(image, number);
  if (stored.format.photometric == "PALETTE COLOR") return from_palette(stored, *image.palette, to);
  if (stored.format.samples_per_pixel == 1)
    return grey(image, image.frames[static_cast<std::size_t>(number)], stored, display, to);
  if (stored.format.photometric == "YBR_FULL_422" && stored.bytes.size() == to.size() / 3 * 2)
    return from_422(stored, to);
  from_colour(stored, to);
}

std::uint64_t PictureReader::working_bytes(const Image& image) {
  return StoredFrameReader::working_bytes(image) + static_cast<std::uint64_t>(image.format.rows) *
                                                       static_cast<std::uint64_t>(image.format.columns) * sizeof(float);
}

std::string why_no_picture(const Image& image) {
  const PixelFormat& f = image.format;
  if (!image.unusable.empty()) return image.unusable;
  const bool grey = f.photometric == "MONOCHROME1" || f.photometric == "MONOCHROME2" || f.photometric.empty();
  const bool palette = f.photometric == "PALETTE COLOR";
  const bool ybr = f.photometric == "YBR_FULL" || f.photometric == "YBR_FULL_422" || f.photometric == "YBR_ICT" ||
                   f.photometric == "YBR_RCT" || f.photometric == "YBR_PARTIAL_420";
  const std::string photometric = text(attribute::photometric_interpretation) + " = " + f.photometric;
  if (f.samples_per_pixel == 1 ? !grey && !palette : f.photometric != "RGB" && !ybr)
    return photometric + " with " + std::to_string(f.samples_per_pixel) + " samples a pixel has no picture";
  if (palette && (image.palette == nullptr || f.bits_allocated > 16)) return photometric + " has no tables";
  const bool native = image.pixels.kind != PixelData::Kind::encapsulated && image.pixels.kind != PixelData::Kind::video;
  if (f.photometric == "YBR_PARTIAL_420" && native) return photometric + " cannot be stored uncompressed";
  if (f.photometric == "YBR_FULL_422" && native && (f.bits_allocated != 8 || f.columns % 2 != 0))
    return photometric + " without compression asks for 8 bits and an even number of columns";
  return {};
}

}  // namespace isocenter::detail::dicom
