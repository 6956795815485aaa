// OpenJPEG as a codec of DCMTK: everything that decodes through DCMTK then reads JPEG 2000.
#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dccodec.h>
#include <dcmtk/dcmdata/dcdeftag.h>
#include <dcmtk/dcmdata/dcitem.h>
#include <dcmtk/dcmdata/dcpixel.h>
#include <dcmtk/dcmdata/dcpixseq.h>
#include <dcmtk/dcmdata/dcpxitem.h>
#include <dcmtk/dcmdata/dcstack.h>
#include <dcmtk/dcmdata/dctypes.h>
#include <dcmtk/dcmdata/dcvrpobw.h>

#include <vector>

#include "jpeg2000_demand.hpp"

namespace isocenter::detail::dicom {
namespace {

const OFConditionConst bad_codestream = {OFM_dcmdata, 0x7F01, OF_error, "JPEG 2000 codestream cannot be decoded"};

class NoParameters final : public DcmCodecParameter {
 public:
  DcmCodecParameter* clone() const override { return new NoParameters; }
  const char* className() const override { return "Jpeg2000NoParameters"; }
};

class Jpeg2000Codec final : public DcmCodec {
 public:
  OFBool canChangeCoding(const E_TransferSyntax from, const E_TransferSyntax to) const override {
    const DcmXfer target(to);
    return (from == EXS_JPEG2000LosslessOnly || from == EXS_JPEG2000) && !target.isEncapsulated();
  }

  OFCondition decodeFrame(const DcmRepresentationParameter*, DcmPixelSequence* sequence, const DcmCodecParameter*,
                          DcmItem* dataset, Uint32 number, Uint32& fragment, void* buffer, Uint32 bytes,
                          OFString& colour_model) const override {
    Jpeg2000Frame frame;
    Sint32 frames = 1;
    OFCondition status = describe(*dataset, frame, frames);
    if (status.good() && fragment == 0) status = determineStartFragment(number, frames, sequence, fragment);
    std::vector<std::uint8_t> codestream;
    if (status.good()) status = collect(*sequence, number, frames, fragment, codestream);
    const std::size_t needed = frame_bytes(frame);
    if (status.good() && bytes < needed) status = EC_IllegalParameter;
    if (status.good()) {
      const std::string problem = decode_jpeg2000(codestream, frame, jpeg2000_most_bytes(frame, codestream.size()),
                                                  {static_cast<std::uint8_t*>(buffer), needed});
      if (!problem.empty()) {
        DCMDATA_ERROR(problem.c_str());  // DCMTK's conditions carry no text of their own
        status = bad_codestream;
      }
    }
    if (status.good()) status = determineDecompressedColorModel(nullptr, sequence, nullptr, dataset, colour_model);
    return status;
  }

  OFCondition decode(const DcmRepresentationParameter*, DcmPixelSequence* sequence, DcmPolymorphOBOW& to,
                     const DcmCodecParameter*, const DcmStack& stack, OFBool& remove_old) const override {
    remove_old = OFFalse;
    DcmObject* const owner = stack.elem(1);
    if (owner == nullptr || (owner->ident() != EVR_dataset && owner->ident() != EVR_item)) return EC_InvalidTag;
    auto* dataset = static_cast<DcmItem*>(owner);
    Jpeg2000Frame frame;
    Sint32 frames = 1;
    OFCondition status = describe(*dataset, frame, frames);
    if (status.bad()) return status;
    const std::size_t each = frame_bytes(frame);
    const std::size_t total = each * static_cast<std::size_t>(frames);
    if (total > 0xFFFFFFFEU) return EC_ElemLengthExceeds32BitField;
    Uint16* words = nullptr;
    status = to.createUint16Array(static_cast<Uint32>((total + 1) / 2), words);
    OFString colour_model;
    Uint32 fragment = 0;
    for (Sint32 i = 0; status.good() && i < frames; ++i)
      status = decodeFrame(nullptr, sequence, nullptr, dataset, static_cast<Uint32>(i), fragment,
                           reinterpret_cast<std::uint8_t*>(words) + static_cast<std::size_t>(i) * each,
                           static_cast<Uint32>(each), colour_model);
    if (status.good() && !colour_model.empty())
      status = dataset->putAndInsertOFStringArray(DCM_PhotometricInterpretation, colour_model);
    if (status.good() && frame.samples_per_pixel > 1) status = dataset->putAndInsertUint16(DCM_PlanarConfiguration, 0);
    return status;
  }

  OFCondition encode(const Uint16*, const Uint32, const DcmRepresentationParameter*, DcmPixelSequence*&,
                     const DcmCodecParameter*, DcmStack&, OFBool&) const override {
    return EC_CannotChangeRepresentation;
  }
  OFCondition encode(const E_TransferSyntax, const DcmRepresentationParameter*, DcmPixelSequence*,
                     const DcmRepresentationParameter*, DcmPixelSequence*&, const DcmCodecParameter*, DcmStack&,
                     OFBool&) const override {
    return EC_CannotChangeRepresentation;
  }

  /// The decoder undoes the codestream's own colour transforms (PS3.5 section 8.2.4), so YBR_ICT and YBR_RCT become
  /// RGB.
  OFCondition determineDecompressedColorModel(const DcmRepresentationParameter*, DcmPixelSequence*,
                                              const DcmCodecParameter*, DcmItem* dataset,
                                              OFString& colour_model) const override {
    if (dataset->findAndGetOFString(DCM_PhotometricInterpretation, colour_model).bad()) return EC_MissingAttribute;
    if (colour_model == "YBR_ICT" || colour_model == "YBR_RCT") colour_model = "RGB";
    return EC_Normal;
  }

 private:
  static std::size_t frame_bytes(const Jpeg2000Frame& f) {
    return static_cast<std::size_t>(f.rows) * static_cast<std::size_t>(f.columns) *
           static_cast<std::size_t>(f.samples_per_pixel) * static_cast<std::size_t>(f.bits_allocated) / 8;
  }

  static OFCondition describe(DcmItem& dataset, Jpeg2000Frame& frame, Sint32& frames) {
    Uint16 rows = 0, columns = 0, samples = 0, bits = 0;
    if (dataset.findAndGetUint16(DCM_Rows, rows).bad() || dataset.findAndGetUint16(DCM_Columns, columns).bad() ||
        dataset.findAndGetUint16(DCM_SamplesPerPixel, samples).bad() ||
        dataset.findAndGetUint16(DCM_BitsAllocated, bits).bad())
      return EC_MissingAttribute;
    if (bits != 8 && bits != 16) return EC_CannotChangeRepresentation;
    if (dataset.findAndGetSint32(DCM_NumberOfFrames, frames).bad() || frames < 1) frames = 1;
    frame = {rows, columns, samples, bits};
    return EC_Normal;
  }

  /// The fragments of one frame in a row: up to the next frame's start, or all that are left.
  static OFCondition collect(DcmPixelSequence& sequence, Uint32 number, Sint32 frames, Uint32& fragment,
                             std::vector<std::uint8_t>& codestream) {
    const auto count = static_cast<Uint32>(sequence.card());
    Uint32 end = count;
    if (static_cast<Sint32>(number) + 1 < frames && count == static_cast<Uint32>(frames) + 1) end = fragment + 1;
    if (static_cast<Sint32>(number) + 1 < frames && count != static_cast<Uint32>(frames) + 1) {
      const OFCondition status = determineStartFragment(number + 1, frames, &sequence, end);
      if (status.bad()) return status;
    }
    if (fragment == 0 || end > count || fragment >= end) return EC_CorruptedData;
    for (; fragment < end; ++fragment) {
      DcmPixelItem* item = nullptr;
      Uint8* bytes = nullptr;
      OFCondition status = sequence.getItem(item, fragment);
      if (status.good()) status = item->getUint8Array(bytes);
      if (status.bad() || bytes == nullptr) return EC_CorruptedData;
      codestream.insert(codestream.end(), bytes, bytes + item->getLength());
    }
    return EC_Normal;
  }
};

const Jpeg2000Codec the_codec;
const NoParameters no_parameters;

}  // namespace

void register_jpeg2000_with_dcmtk() { DcmCodecList::registerCodec(&the_codec, nullptr, &no_parameters); }
void deregister_jpeg2000() { DcmCodecList::deregisterCodec(&the_codec); }

}  // namespace isocenter::detail::dicom
