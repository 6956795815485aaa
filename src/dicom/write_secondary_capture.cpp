#include "write_secondary_capture.hpp"

#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dcpixel.h>
#include <dcmtk/dcmdata/dcpixseq.h>
#include <dcmtk/dcmdata/dcpxitem.h>
#include <dcmtk/dcmdata/dcrlerp.h>
#include <dcmtk/dcmjpeg/djrploss.h>

#include <algorithm>
#include <cmath>
#include <isocenter/error.hpp>

#include "context.hpp"
#include "object_builder.hpp"
#include "object_file.hpp"
#include "toolkit.hpp"
#include "uid.hpp"

namespace isocenter::detail::dicom {
namespace {

constexpr const char* multiframe_true_color_sc = "1.2.840.10008.5.1.4.1.1.7.4";
constexpr const char* explicit_little_endian = "1.2.840.10008.1.2.1";
constexpr const char* jpeg_baseline_syntax = "1.2.840.10008.1.2.4.50";
constexpr const char* rle_syntax = "1.2.840.10008.1.2.5";

void describe_pixels(const ItemWriter& object, const CaptureFormat& f) {
  object.u16(DCM_SamplesPerPixel, 3);
  object.text(DCM_PhotometricInterpretation, "RGB");
  object.u16(DCM_PlanarConfiguration, 0);
  object.u16(DCM_Rows, f.height);
  object.u16(DCM_Columns, f.width);
  object.u16(DCM_BitsAllocated, 8);
  object.u16(DCM_BitsStored, 8);
  object.u16(DCM_HighBit, 7);
  object.u16(DCM_PixelRepresentation, 0);
}

/// One frame through DCMTK's encoder; gives the codestream.
std::vector<std::uint8_t> compress(const CaptureFormat& f, std::span<const std::uint8_t> frame) {
  DcmtkLog log;
  DcmDataset one;
  const ItemWriter object(one);
  describe_pixels(object, f);
  object.text(DCM_SOPClassUID, multiframe_true_color_sc);
  object.text(DCM_SOPInstanceUID, "2.25.1");
  one.putAndInsertUint8Array(DCM_PixelData, frame.data(), static_cast<unsigned long>(frame.size()));
  const DJ_RPLossy jpeg(f.jpeg_quality);
  const DcmRLERepresentationParameter rle;
  const bool to_jpeg = f.compression == FrameCompression::jpeg_baseline;
  OFCondition status = one.chooseRepresentation(to_jpeg ? EXS_JPEGProcess1 : EXS_RLELossless,
                                                to_jpeg ? static_cast<const DcmRepresentationParameter*>(&jpeg) : &rle);
  DcmElement* element = nullptr;
  if (status.good()) status = one.findAndGetElement(DCM_PixelData, element);
  DcmPixelSequence* sequence = nullptr;
  if (status.good())
    status = static_cast<DcmPixelData*>(element)->getEncapsulatedRepresentation(
        to_jpeg ? EXS_JPEGProcess1 : EXS_RLELossless,
        to_jpeg ? static_cast<const DcmRepresentationParameter*>(&jpeg) : &rle, sequence);
  std::vector<std::uint8_t> codestream;
  for (unsigned long i = 1; status.good() && i < sequence->card(); ++i) {
    DcmPixelItem* item = nullptr;
    Uint8* bytes = nullptr;
    status = sequence->getItem(item, i);
    if (status.good()) status = item->getUint8Array(bytes);
    if (status.good() && bytes != nullptr) codestream.insert(codestream.end(), bytes, bytes + item->getLength());
  }
  if (status.bad() || codestream.empty())
    throw Failure(ErrorCode::internal,
                  "a frame cannot be compressed: " + (log.first().empty() ? status.text() : log.first()),
                  "choose another compression");
  return codestream;
}

/// PS3.3 C.7.6.1.1.5 and C.8.6.3.
void describe_compression(const ItemWriter& object, const CaptureFormat& f, std::uint64_t native,
                          std::uint64_t compressed) {
  if (f.compression != FrameCompression::jpeg_baseline) {
    if (!object.item().tagExistsWithValue(DCM_LossyImageCompression)) object.text(DCM_LossyImageCompression, "00");
    return;
  }
  object.text(DCM_PhotometricInterpretation, "YBR_FULL_422");
  OFString ratios, methods;  // what the source went through stays on record
  object.item().findAndGetOFStringArray(DCM_LossyImageCompressionRatio, ratios);
  object.item().findAndGetOFStringArray(DCM_LossyImageCompressionMethod, methods);
  char ratio[32];
  std::snprintf(ratio, sizeof ratio, "%.4g", static_cast<double>(native) / static_cast<double>(compressed));
  object.text(DCM_LossyImageCompression, "01");
  object.text(DCM_LossyImageCompressionRatio, (ratios.empty() ? "" : std::string(ratios.c_str()) + "\\") + ratio);
  object.text(DCM_LossyImageCompressionMethod,
              (methods.empty() ? "" : std::string(methods.c_str()) + "\\") + "ISO_10918_1");
}

}  // namespace

SecondaryCapture::SecondaryCapture(const CaptureFormat& format) : format_(format) {
  if (format.width < 1 || format.height < 1 || format.width > 65535 || format.height > 65535)
    throw Failure(ErrorCode::unsupported,
                  "frames of " + std::to_string(format.width) + " x " + std::to_string(format.height) +
                      " pixels: Columns (0028,0011) and Rows (0028,0010) are from 1 to 65535",
                  "render smaller pictures");
  if (!(format.frame_time_ms > 0))
    throw Failure(ErrorCode::bad_data, "the frames have no time step, so that FrameTime (0018,1063) is not known",
                  "set frames_per_second, for example 25");
}

std::size_t SecondaryCapture::frame_bytes() const {
  return static_cast<std::size_t>(format_.height) * static_cast<std::size_t>(format_.width) * 3;
}

void SecondaryCapture::add(std::span<const std::uint8_t> pixels, const Workers& workers, const LoadProgress& progress) {
  use_dcmtk();
  const std::size_t first = frames_.size(), count = pixels.size() / frame_bytes();
  frames_.resize(first + count);
  std::atomic<std::int64_t> done{0};
  workers.for_each(static_cast<std::int64_t>(count), [&](std::int64_t i) {
    const auto n = static_cast<std::size_t>(i);
    const auto frame = pixels.subspan(n * frame_bytes(), frame_bytes());
    if (format_.compression == FrameCompression::none)
      frames_[first + n].assign(frame.begin(), frame.end());
    else
      frames_[first + n] = compress(format_, frame);
    if (progress && !progress(++done, static_cast<std::int64_t>(count)))
      throw Error(ErrorCode::cancelled, "cancelled.");
  });
}

void SecondaryCapture::write(const std::string& path, const SourceMetadata& source,
                             const OutputDescription& description) const {
  use_dcmtk();
  const DcmtkLog log;
  DcmDataset dataset;
  add_common_modules(dataset, source, description, "OT", multiframe_true_color_sc, new_uid(),
                     series_of_source | image_history, {});
  const ItemWriter object(dataset);
  object.text(DCM_SOPInstanceUID, new_uid());
  object.text(DCM_InstanceNumber, "1");
  object.text(DCM_ImageType, "DERIVED\\SECONDARY");
  object.text(DCM_ConversionType, "WSD");
  object.empty_unless_there(DCM_PatientOrientation);
  if (!dataset.tagExistsWithValue(DCM_BurnedInAnnotation)) object.text(DCM_BurnedInAnnotation, "NO");
  add_derivation(object, description);
  const std::vector<int> all = all_slices(source);
  add_source_images(object, source, all);
  add_instance_references(dataset, source, all);
  // Cine module, PS3.3 C.7.6.5: frames follow each other in FrameTime.
  object.text(DCM_NumberOfFrames, std::to_string(frames_.size()));
  object.item().putAndInsertTagKey(DCM_FrameIncrementPointer, DCM_FrameTime);
  object.decimals(DCM_FrameTime, {format_.frame_time_ms});
  const std::string rate = std::to_string(std::max(1L, std::lround(1000 / format_.frame_time_ms)));
  object.text(DCM_CineRate, rate);
  object.text(DCM_RecommendedDisplayFrameRate, rate);
  describe_pixels(object, format_);

  PixelElementToWrite pixels;
  std::uint64_t bytes = 0;
  for (const auto& f : frames_) bytes += f.size();
  describe_compression(object, format_, frame_bytes() * frames_.size(), bytes);
  const char* syntax = explicit_little_endian;
  if (format_.compression == FrameCompression::none) {
    pixels.native_bytes = bytes;
    pixels.element = PixelElement::bytes;
    pixels.produce = [&](const auto& sink) {
      for (const auto& f : frames_) sink(f);
    };
  } else {
    syntax = format_.compression == FrameCompression::rle ? rle_syntax : jpeg_baseline_syntax;
    pixels.codestreams = &frames_;
  }
  write_object(path, dataset, syntax, pixels);
}

}  // namespace isocenter::detail::dicom
