#include "frame_encoder.hpp"

#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dcdatset.h>
#include <dcmtk/dcmdata/dcpixel.h>
#include <dcmtk/dcmdata/dcpixseq.h>
#include <dcmtk/dcmdata/dcpxitem.h>
#include <dcmtk/dcmdata/dcrlerp.h>

#include <isocenter/error.hpp>

#include "object_builder.hpp"
#include "toolkit.hpp"

namespace isocenter::detail::dicom {
namespace {

void describe(const ItemWriter& object, const GreyFrame& f) {
  object.u16(DCM_SamplesPerPixel, 1);
  object.text(DCM_PhotometricInterpretation, "MONOCHROME2");
  object.u16(DCM_Rows, f.rows);
  object.u16(DCM_Columns, f.columns);
  object.u16(DCM_BitsAllocated, f.bits_allocated);
  object.u16(DCM_BitsStored, f.bits_allocated);
  object.u16(DCM_HighBit, f.bits_allocated - 1);
  object.u16(DCM_PixelRepresentation, f.is_signed ? 1 : 0);
  object.text(DCM_SOPClassUID, "1.2.840.10008.5.1.4.1.1.7");
  object.text(DCM_SOPInstanceUID, "2.25.1");
}

/// Through DCMTK: a data set of one frame, its representation changed, the fragments gathered.
std::string encode_with_dcmtk(const GreyFrame& f, std::span<const std::uint8_t> pixels, E_TransferSyntax syntax,
                              const DcmRepresentationParameter& how, std::vector<std::uint8_t>& codestream) {
  DcmtkLog log;
  DcmDataset one;
  describe(ItemWriter(one), f);
  if (f.bits_allocated == 8) {
    one.putAndInsertUint8Array(DCM_PixelData, pixels.data(), static_cast<unsigned long>(pixels.size()));
  } else {
    std::vector<Uint16> words(pixels.size() / 2);
    for (std::size_t i = 0; i < words.size(); ++i)
      words[i] = static_cast<Uint16>(pixels[2 * i] | pixels[2 * i + 1] << 8);
    one.putAndInsertUint16Array(DCM_PixelData, words.data(), static_cast<unsigned long>(words.size()));
  }
  OFCondition status = one.chooseRepresentation(syntax, &how);
  DcmElement* element = nullptr;
  if (status.good()) status = one.findAndGetElement(DCM_PixelData, element);
  DcmPixelSequence* sequence = nullptr;
  if (status.good())
    status = static_cast<DcmPixelData*>(element)->getEncapsulatedRepresentation(syntax, &how, sequence);
  for (unsigned long i = 1; status.good() && i < sequence->card(); ++i) {
    DcmPixelItem* item = nullptr;
    Uint8* bytes = nullptr;
    status = sequence->getItem(item, i);
    if (status.good()) status = item->getUint8Array(bytes);
    if (status.good() && bytes != nullptr) codestream.insert(codestream.end(), bytes, bytes + item->getLength());
  }
  if (status.good() && !codestream.empty()) return {};
  return log.first().empty() ? status.text() : log.first();
}

}  // namespace

const char* transfer_syntax_uid(LosslessCompression compression) {
  switch (compression) {
    case LosslessCompression::none:
      break;
    case LosslessCompression::rle:
      return "1.2.840.10008.1.2.5";
    case LosslessCompression::jpeg_ls:
      return "1.2.840.10008.1.2.4.80";
    case LosslessCompression::jpeg_2000:
      return "1.2.840.10008.1.2.4.90";
  }
  return "1.2.840.10008.1.2.1";
}

std::vector<std::uint8_t> compress_frame(const GreyFrame& frame, std::span<const std::uint8_t> pixels,
                                         LosslessCompression compression) {
  use_dcmtk();
  std::vector<std::uint8_t> codestream;
  std::string problem;
  switch (compression) {
    case LosslessCompression::none:
      return {pixels.begin(), pixels.end()};
    case LosslessCompression::rle:
      problem = encode_with_dcmtk(frame, pixels, EXS_RLELossless, DcmRLERepresentationParameter(), codestream);
      break;
    case LosslessCompression::jpeg_ls:
      problem = encode_jpegls(frame, pixels, codestream);
      break;
    case LosslessCompression::jpeg_2000:
      problem = encode_jpeg2000(frame, pixels, codestream);
      break;
  }
  if (!problem.empty())
    throw Failure(ErrorCode::internal, "a frame cannot be compressed: " + problem, "choose another compression");
  return codestream;
}

}  // namespace isocenter::detail::dicom
