#include "codestream.hpp"

#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dccodec.h>
#include <dcmtk/dcmdata/dcdatset.h>
#include <dcmtk/dcmdata/dcdeftag.h>
#include <dcmtk/dcmdata/dcpixseq.h>
#include <dcmtk/dcmdata/dcpxitem.h>
#include <dcmtk/dcmdata/dcxfer.h>
#include <zlib.h>

#include "jpeg2000.hpp"
#include "jpeg_header.hpp"
#include "jpegls.hpp"
#include "rle.hpp"
#include "toolkit.hpp"

namespace isocenter::detail::dicom {
namespace {

/// What a codec of DCMTK looks at.
void describe(DcmDataset& dataset, const PixelFormat& f) {
  const auto word = [&](const DcmTagKey& tag, int value) {
    dataset.putAndInsertUint16(tag, static_cast<Uint16>(value));
  };
  word(DCM_SamplesPerPixel, f.samples_per_pixel);
  dataset.putAndInsertString(DCM_PhotometricInterpretation, f.photometric.c_str());
  dataset.putAndInsertString(DCM_NumberOfFrames, "1");
  word(DCM_Rows, f.rows);
  word(DCM_Columns, f.columns);
  word(DCM_BitsAllocated, f.bits_allocated);
  word(DCM_BitsStored, f.bits_stored);
  word(DCM_HighBit, f.high_bit);
  word(DCM_PixelRepresentation, f.is_signed ? 1 : 0);
  if (f.samples_per_pixel > 1) word(DCM_PlanarConfiguration, 0);
}

/// JPEG of any process with DCMTK's libraries; colour comes back as RGB.
std::string decompress_jpeg(const DcmXfer& syntax, std::span<const std::uint8_t> codestream, PixelFormat& format,
                            std::vector<std::uint8_t>& to) {
  const auto header = read_jpeg_header(codestream);
  if (!header) return "the codestream has no frame header";
  if (header->rows != format.rows || header->columns != format.columns ||
      header->components != format.samples_per_pixel)
    return "the codestream is " + std::to_string(header->columns) + " x " + std::to_string(header->rows) + " x " +
           std::to_string(header->components) + ", Columns x Rows x SamplesPerPixel is " +
           std::to_string(format.columns) + " x " + std::to_string(format.rows) + " x " +
           std::to_string(format.samples_per_pixel);
  // Some writers allocate 16 bits for what a codec with 8 bits gives back.
  if (header->precision <= 8 && format.bits_allocated == 16 && format.bits_stored <= 8) format.bits_allocated = 8;
  PixelFormat whole = format;
  whole.photometric.clear();  // chroma comes back at full resolution
  to.resize((frame_bytes(whole) + 1) & ~std::size_t{1});
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
    status = DcmCodecList::decodeFrame(syntax, nullptr, &sequence, &dataset, 0, fragment, to.data(),
                                       static_cast<Uint32>(to.size()), colour_model);
  if (status.bad()) return log.first().empty() ? status.text() : log.first();
  if (format.samples_per_pixel > 1) {
    format.photometric = colour_model.c_str();
    format.planar_configuration = 0;
  }
  return {};
}

std::string decompress_jpeg2000(std::span<const std::uint8_t> codestream, std::uint64_t most_bytes, PixelFormat& format,
                                std::vector<std::uint8_t>& to) {
  if (format.bits_allocated == 1) format.bits_allocated = 8;
  format.planar_configuration = 0;
  to.resize(frame_bytes(format));
  // The decoder undoes the codestream's own colour transforms (PS3.5 section 8.2.4).
  if (format.photometric == "YBR_ICT" || format.photometric == "YBR_RCT") format.photometric = "RGB";
  return decode_jpeg2000(codestream, {format.rows, format.columns, format.samples_per_pixel, format.bits_allocated},
                         most_bytes, to);
}

/// Deflated Image Frame Compression, PS3.5 A.4.13: a frame is a raw deflate stream of the native frame.
std::string inflate_frame(std::span<const std::uint8_t> codestream, std::vector<std::uint8_t>& to) {
  z_stream stream{};
  if (inflateInit2(&stream, -MAX_WBITS) != Z_OK) return "there is no memory for the decoder";
  stream.next_in = const_cast<Bytef*>(codestream.data());
  stream.avail_in = static_cast<uInt>(codestream.size());
  stream.next_out = to.data();
  stream.avail_out = static_cast<uInt>(to.size());
  const int status = inflate(&stream, Z_FINISH);
  const std::size_t missing = stream.avail_out;
  inflateEnd(&stream);
  if (missing == 0 && (status == Z_STREAM_END || status == Z_OK || status == Z_BUF_ERROR)) return {};
  return "the deflated frame gives " + std::to_string(to.size() - missing) + " of " + std::to_string(to.size()) +
         " bytes";
}

}  // namespace

std::string decompress(const std::string& transfer_syntax, std::span<const std::uint8_t> codestream,
                       std::uint64_t most_bytes, PixelFormat& format, std::vector<std::uint8_t>& to) {
  const Codec codec = codec_of(transfer_syntax);
  // Only JPEG stores fewer chroma samples by its own means (PS3.3 C.7.6.3.1.2).
  if (codec != Codec::jpeg && format.photometric == "YBR_FULL_422") format.photometric = "YBR_FULL";
  switch (codec) {
    case Codec::rle: {
      const bool packed = format.bits_allocated == 1;
      format.planar_configuration = 0;
      to.resize(frame_bytes(format));
      return decode_rle(codestream, packed ? 1 : format.samples_per_pixel, packed ? 1 : format.bits_allocated / 8, to);
    }
    case Codec::jpeg_ls:
      return decode_jpegls(codestream, format, to);
    case Codec::jpeg_2000:
      return decompress_jpeg2000(codestream, most_bytes, format, to);
    case Codec::deflated_frame:
      to.resize(frame_bytes(format));
      return inflate_frame(codestream, to);
    case Codec::jpeg:
      return decompress_jpeg(DcmXfer(transfer_syntax.c_str()), codestream, format, to);
    case Codec::none:
      break;
  }
  return "there is no codec for transfer syntax " + transfer_syntax;
}

}  // namespace isocenter::detail::dicom
