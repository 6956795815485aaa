#include "frame_decoder.hpp"

#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dccodec.h>
#include <dcmtk/dcmdata/dcdeftag.h>
#include <dcmtk/dcmdata/dcfilefo.h>
#include <dcmtk/dcmdata/dcpixseq.h>
#include <dcmtk/dcmdata/dcpxitem.h>
#include <dcmtk/dcmdata/dcxfer.h>

#include <isocenter/error.hpp>

#include "input_file.hpp"
#include "jpeg_header.hpp"
#include "pixel_values.hpp"
#include "toolkit.hpp"

namespace isocenter::detail::dicom {
namespace {

[[noreturn]] void fail(const Image& image, const Frame& frame, const std::string& why) {
  const std::string which = image.frames.size() > 1 ? ", frame " + std::to_string(frame.number + 1) : "";
  throw Failure(ErrorCode::bad_data, "the pixels of '" + image.name + "'" + which + " cannot be read: " + why,
                "copy or export the file again, or take it out of the folder");
}

std::size_t frame_bytes(const PixelFormat& f) {
  return static_cast<std::size_t>(f.rows) * static_cast<std::size_t>(f.columns) *
         static_cast<std::size_t>(f.bits_allocated / 8);
}

/// What a codec of DCMTK looks at.
void describe(DcmDataset& dataset, const PixelFormat& f) {
  const auto word = [&](const DcmTagKey& tag, int value) {
    dataset.putAndInsertUint16(tag, static_cast<Uint16>(value));
  };
  word(DCM_SamplesPerPixel, 1);
  dataset.putAndInsertString(DCM_PhotometricInterpretation, f.photometric.c_str());
  dataset.putAndInsertString(DCM_NumberOfFrames, "1");
  word(DCM_Rows, f.rows);
  word(DCM_Columns, f.columns);
  word(DCM_BitsAllocated, f.bits_allocated);
  word(DCM_BitsStored, f.bits_stored);
  word(DCM_HighBit, f.high_bit);
  word(DCM_PixelRepresentation, f.is_signed ? 1 : 0);
}

/// The fragments of a frame, put together as one.
void read_codestream(const Image& image, const Frame& frame, const InputFile& file, std::vector<std::uint8_t>& to) {
  const auto& pixels = image.pixels;
  const auto number = static_cast<std::size_t>(frame.number);
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

bool is_jpeg_family(E_TransferSyntax s) {
  return (s >= EXS_JPEGProcess1 && s <= EXS_JPEGProcess14SV1) || s == EXS_JPEGLSLossless || s == EXS_JPEGLSLossy;
}

/// Decodes a codestream with the codec that DCMTK has for it. The format is the codestream's own afterwards.
void decompress(const Image& image, const Frame& frame, std::span<const std::uint8_t> codestream, PixelFormat& format,
                std::vector<std::uint8_t>& raw) {
  const DcmXfer syntax(image.transfer_syntax.c_str());
  if (is_jpeg_family(syntax.getXfer())) {
    const auto header = read_jpeg_header(codestream);
    if (!header) fail(image, frame, "the codestream has no frame header");
    if (header->rows != format.rows || header->columns != format.columns || header->components != 1)
      fail(image, frame,
           "the codestream is " + std::to_string(header->columns) + " x " + std::to_string(header->rows) + " x " +
               std::to_string(header->components) + ", Columns x Rows is " + std::to_string(format.columns) + " x " +
               std::to_string(format.rows));
    // Some writers allocate 16 bits for what a codec with 8 bits gives back.
    if (header->precision <= 8 && format.bits_allocated == 16 && format.bits_stored <= 8) format.bits_allocated = 8;
  }
  raw.resize((frame_bytes(format) + 1) & ~std::size_t{1});
  DcmDataset dataset;
  describe(dataset, format);
  DcmPixelSequence sequence(DCM_PixelSequenceTag);
  sequence.insert(new DcmPixelItem(DCM_PixelItemTag));  // an empty offset table
  auto* item = new DcmPixelItem(DCM_PixelItemTag);
  sequence.insert(item);
  DcmtkLog log;
  OFCondition status = item->putUint8Array(codestream.data(), codestream.size());
  Uint32 fragment = 1;
  OFString colour_model;
  if (status.good())
    status = DcmCodecList::decodeFrame(syntax, nullptr, &sequence, &dataset, 0, fragment, raw.data(),
                                       static_cast<Uint32>(raw.size()), colour_model);
  if (status.bad()) fail(image, frame, log.first().empty() ? status.text() : log.first());
}

/// A deflated data set has no place to read from: all of it is inflated.
void inflate(const Image& image, const Frame& frame, std::vector<std::uint8_t>& raw) {
  DcmtkLog log;
  DcmFileFormat format;
  const OFCondition status = format.loadFileUntilTag(OFFilename(image.path.c_str()), EXS_Unknown, EGL_noChange,
                                                     DCM_MaxReadLength, ERM_autoDetect, DcmTagKey(0x7FE0, 0x0011));
  const Uint8* bytes = nullptr;
  const Uint16* words = nullptr;
  unsigned long count = 0;
  if (status.bad()) fail(image, frame, log.first().empty() ? status.text() : log.first());
  if (format.getDataset()->findAndGetUint16Array(DCM_PixelData, words, &count).good() && words != nullptr) {
    bytes = reinterpret_cast<const Uint8*>(words);
    count *= 2;
  } else if (format.getDataset()->findAndGetUint8Array(DCM_PixelData, bytes, &count).bad() || bytes == nullptr) {
    fail(image, frame, "PixelData (7fe0,0010) is missing");
  }
  const std::size_t size = frame_bytes(image.format), begin = size * static_cast<std::size_t>(frame.number);
  if (count < begin + size)
    fail(image, frame,
         "PixelData (7fe0,0010) holds " + std::to_string(count) + " bytes of " + std::to_string(begin + size));
  raw.assign(bytes + begin, bytes + begin + size);
}

}  // namespace

void FrameDecoder::decode(const Image& image, const Frame& frame, const Rescale& rescale, std::span<float> to) {
  PixelFormat format = image.format;
  bool big_endian = false;
  if (image.pixels.kind == PixelData::Kind::deflated) {
    inflate(image, frame, raw_);
  } else {
    const InputFile file(image.path);
    if (!file.is_open())
      throw Failure(ErrorCode::io_error, "'" + image.name + "' cannot be opened any more: " + file.error(),
                    "leave the folder as it is while it is read");
    if (image.pixels.kind == PixelData::Kind::native) {
      raw_.resize(frame_bytes(format));
      if (!file.read(image.pixels.native.offset + raw_.size() * static_cast<std::size_t>(frame.number), raw_))
        fail(image, frame, "the file has become shorter while it was read");
      big_endian = image.pixels.big_endian;
    } else {
      read_codestream(image, frame, file, codestream_);
      decompress(image, frame, codestream_, format, raw_);
    }
  }
  to_real_values({raw_.data(), frame_bytes(format)}, format, big_endian, rescale, to);
}

std::uint64_t FrameDecoder::working_bytes(const Image& image) {
  const std::uint64_t frame = frame_bytes(image.format);
  if (image.pixels.kind == PixelData::Kind::native) return frame;
  if (image.pixels.kind == PixelData::Kind::deflated) return frame * (image.frames.size() + 2);
  // The codestream twice (ours and DCMTK's), the frame, and four bytes a sample inside a codec.
  return 2 * image.file_bytes / std::max<std::uint64_t>(1, image.frames.size()) + frame +
         4 * frame / static_cast<std::uint64_t>(image.format.bits_allocated / 8);
}

}  // namespace isocenter::detail::dicom
