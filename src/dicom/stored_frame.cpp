#include "stored_frame.hpp"

#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dcdeftag.h>
#include <dcmtk/dcmdata/dcfcache.h>
#include <dcmtk/dcmdata/dcfilefo.h>

#include <algorithm>
#include <isocenter/error.hpp>

#include "codestream.hpp"
#include "jpeg2000_demand.hpp"
#include "toolkit.hpp"
#include "video/video_rgb.hpp"

namespace isocenter::detail::dicom {
namespace {

[[noreturn]] void fail(const Image& image, int number, const std::string& why) {
  const std::string which = image.pixels.frames > 1 ? ", frame " + std::to_string(number + 1) : "";
  throw Failure(ErrorCode::bad_data, "the pixels of '" + image.name + "'" + which + " cannot be read: " + why,
                "copy or export the file again, or take it out of the folder");
}

/// The fragments of a frame, put together as one.
void read_codestream(const Image& image, int frame, const InputFile& file, std::vector<std::uint8_t>& to) {
  const auto& pixels = image.pixels;
  const auto number = static_cast<std::size_t>(frame);
  const std::uint32_t begin = pixels.first_fragment[number], end = pixels.first_fragment[number + 1];
  std::uint64_t total = 0;
  for (std::uint32_t i = begin; i < end; ++i) total += pixels.fragments[i].length;
  to.resize(total);
  std::size_t at = 0;
  for (std::uint32_t i = begin; i < end; ++i) {
    const ByteRange& fragment = pixels.fragments[i];
    if (!file.read(fragment.offset, {to.data() + at, fragment.length}))
      fail(image, frame, "the file has become shorter while it was read");
    at += fragment.length;
  }
}

std::uint64_t longest_codestream(const PixelData& pixels) {
  std::uint64_t longest = 0;
  for (std::size_t f = 0; f + 1 < pixels.first_fragment.size(); ++f) {
    std::uint64_t total = 0;
    for (std::uint32_t i = pixels.first_fragment[f]; i < pixels.first_fragment[f + 1]; ++i)
      total += pixels.fragments[i].length;
    longest = std::max(longest, total);
  }
  return longest;
}

/// What JPEG 2000 may take for any frame of this image, by the begin of each codestream.
std::uint64_t jpeg2000_bytes(const Image& image, const InputFile& file, std::uint64_t codestream_bytes) {
  constexpr std::uint64_t enough = 4096;  // for the markers up to the packets, unless a comment is longer
  const PixelFormat& f = image.format;
  const Jpeg2000Frame frame{f.rows, f.columns, f.samples_per_pixel, f.bits_allocated};
  const std::vector<std::uint32_t>& firsts = image.pixels.first_fragment;
  std::uint64_t most = 0;
  std::vector<std::uint8_t> header;
  for (std::size_t i = 0; i + 1 < firsts.size(); ++i) {
    const ByteRange& first = image.pixels.fragments[firsts[i]];
    header.resize(std::min(first.length, enough));
    if (!file.is_open() || !file.read(first.offset, header)) header.clear();
    most = std::max(most, jpeg2000_working_bytes(header, frame, codestream_bytes));
  }
  return most;
}

/// Bits of a frame that begins at bit `first`, the lowest bit of a byte first (PS3.5 section 8.1.1), one a byte.
void unpack_bits(std::span<const std::uint8_t> packed, unsigned first, std::size_t count,
                 std::vector<std::uint8_t>& to) {
  to.resize(count);
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t bit = first + i;
    to[i] = static_cast<std::uint8_t>(packed[bit / 8] >> bit % 8 & 1U);
  }
}

/// Bytes of 16-bit words in the other order, from a byte range that may begin and end inside a word.
bool read_swapped(const InputFile& file, std::uint64_t offset, std::uint64_t begin, std::uint64_t end,
                  std::vector<std::uint8_t>& to) {
  const std::uint64_t first = begin & ~std::uint64_t{1};
  to.resize(((end + 1) & ~std::uint64_t{1}) - first);
  if (!file.read(offset + first, to)) return false;
  for (std::size_t i = 0; i < to.size(); i += 2) std::swap(to[i], to[i + 1]);
  if (begin != first) to.erase(to.begin());
  return true;
}

}  // namespace

/// A deflated data set has no place to read from: all of it is inflated, once for all of its frames.
void StoredFrameReader::inflate(const Image& image, int number) {
  if (inflated_path_ == image.path) return;
  inflated_path_.clear();
  DcmtkLog log;
  DcmFileFormat format;
  const OFCondition status = format.loadFileUntilTag(OFFilename(image.path.c_str()), EXS_Unknown, EGL_noChange,
                                                     DCM_MaxReadLength, ERM_autoDetect, DcmTagKey(0x7FE0, 0x0011));
  if (status.bad()) fail(image, number, log.first().empty() ? status.text() : log.first());
  DcmElement* element = nullptr;
  for (const DcmTagKey& tag : {DCM_PixelData, DCM_FloatPixelData, DCM_DoubleFloatPixelData})
    if (element == nullptr && format.getDataset()->findAndGetElement(tag, element).bad()) element = nullptr;
  if (element == nullptr) fail(image, number, "PixelData (7fe0,0010) is missing");
  inflated_.resize(element->getLength());
  Uint32 at = 0;
  DcmFileCache cache;
  while (at < inflated_.size()) {
    const auto count = static_cast<Uint32>(inflated_.size()) - at;
    if (element->getPartialValue(inflated_.data() + at, at, count, &cache, EBO_LittleEndian).bad())
      fail(image, number, "PixelData (7fe0,0010) cannot be inflated");
    at += count;
  }
  inflated_path_ = image.path;
}

std::uint64_t StoredFrameReader::most_codec_bytes(const Image& image, const InputFile& file) {
  if (codec_of(image.transfer_syntax) != Codec::jpeg_2000 || bounded_path_ == image.path) return most_codec_bytes_;
  most_codec_bytes_ = jpeg2000_bytes(image, file, longest_codestream(image.pixels));
  bounded_path_ = image.path;
  return most_codec_bytes_;
}

void StoredFrameReader::read_video(const Image& image, int number, PixelFormat& format) {
  try {
    if (video_ == nullptr || video_path_ != image.path) video_ = std::make_unique<VideoReader>(image);
    video_path_ = image.path;
    const VideoPicture picture = video_->picture(number);
    format.photometric = "RGB";
    format.planar_configuration = 0;
    format.bits_allocated = format.bits_stored = 8;
    format.high_bit = 7;
    raw_.resize(frame_bytes(format));
    to_rgb(picture, raw_);
  } catch (const StreamError& e) {
    video_.reset();
    fail(image, number, e.what());
  }
}

void StoredFrameReader::require_end(const Image& image) {
  if (image.pixels.kind != PixelData::Kind::video || video_ == nullptr) return;
  const int frames = static_cast<int>(image.pixels.frames);
  try {
    video_->require_end(frames);
  } catch (const StreamError& e) {
    fail(image, frames - 1, e.what());
  }
}

StoredFrame StoredFrameReader::read(const Image& image, int number) {
  StoredFrame result;
  PixelFormat& format = result.format = image.format;
  const std::uint64_t bits = frame_bits(format);
  const std::uint64_t first_bit = bits * static_cast<std::uint64_t>(number);
  unsigned skipped_bits = 0;
  if (image.pixels.kind == PixelData::Kind::video) {
    read_video(image, number, format);
  } else if (image.pixels.kind == PixelData::Kind::deflated) {
    inflate(image, number);
    skipped_bits = static_cast<unsigned>(first_bit % 8);
    const std::size_t begin = first_bit / 8, end = (first_bit + bits + 7) / 8;
    if (inflated_.size() < end)
      fail(image, number,
           "PixelData (7fe0,0010) holds " + std::to_string(inflated_.size()) + " bytes of " + std::to_string(end));
    raw_.assign(inflated_.begin() + static_cast<std::ptrdiff_t>(begin),
                inflated_.begin() + static_cast<std::ptrdiff_t>(end));
  } else {
    const InputFile file(image.path);
    if (!file.is_open())
      throw Failure(ErrorCode::io_error, "'" + image.name + "' cannot be opened any more: " + file.error(),
                    "leave the folder as it is while it is read");
    if (image.pixels.kind == PixelData::Kind::native) {
      skipped_bits = static_cast<unsigned>(first_bit % 8);
      const std::uint64_t begin = first_bit / 8, end = (first_bit + bits + 7) / 8, at = image.pixels.native.offset;
      raw_.resize(end - begin);
      if (image.pixels.bytes_in_words ? !read_swapped(file, at, begin, end, raw_) : !file.read(at + begin, raw_))
        fail(image, number, "the file has become shorter while it was read");
      result.big_endian = image.pixels.big_endian;
    } else {
      read_codestream(image, number, file, codestream_);
      const std::string problem =
          decompress(image.transfer_syntax, codestream_, most_codec_bytes(image, file), format, raw_);
      if (!problem.empty()) fail(image, number, problem);
    }
  }
  result.bytes = raw_;
  if (format.bits_allocated == 1) {
    unpack_bits(raw_, skipped_bits, bits, unpacked_);
    format.bits_allocated = 8;
    result.bytes = unpacked_;
  }
  result.bytes = result.bytes.first(frame_bytes(format));
  return result;
}

std::uint64_t StoredFrameReader::working_bytes(const Image& image) {
  const std::uint64_t frame = frame_bytes(image.format) * (image.format.bits_allocated == 1 ? 9 : 1);
  if (image.pixels.kind == PixelData::Kind::native) return frame;
  if (image.pixels.kind == PixelData::Kind::video) return VideoReader::working_bytes(image.format) + frame;
  if (image.pixels.kind == PixelData::Kind::deflated)
    return frame * (2 * std::max<std::uint64_t>(1, image.pixels.frames) + 1);
  const std::uint64_t codestream = longest_codestream(image.pixels);
  if (codec_of(image.transfer_syntax) == Codec::jpeg_2000)
    return codestream + frame + jpeg2000_bytes(image, InputFile(image.path), codestream);
  // The codestream twice (ours and DCMTK's), the frame, and four bytes a sample inside a codec.
  const auto samples = static_cast<std::uint64_t>(image.format.rows) *
                       static_cast<std::uint64_t>(image.format.columns) *
                       static_cast<std::uint64_t>(image.format.samples_per_pixel);
  return 2 * codestream + frame + 4 * samples;
}

}  // namespace isocenter::detail::dicom
