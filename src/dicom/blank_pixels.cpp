#include "blank_pixels.hpp"

#include <dcmtk/dcmdata/dcdeftag.h>
#include <dcmtk/dcmdata/dcpixel.h>
#include <dcmtk/dcmdata/dcsequen.h>

#include <isocenter/error.hpp>

#include "toolkit.hpp"

namespace isocenter::detail::dicom {
namespace {

struct Layout {
  int rows = 0, columns = 0, samples = 1, bytes = 1;
  bool planar = false;
  unsigned long frames = 1;
};

Layout layout_of(DcmDataset& dataset) {
  const auto word = [&](const DcmTagKey& tag, int otherwise) {
    Uint16 v = 0;
    return dataset.findAndGetUint16(tag, v).good() ? static_cast<int>(v) : otherwise;
  };
  Layout l;
  l.rows = word(DCM_Rows, 0);
  l.columns = word(DCM_Columns, 0);
  l.samples = word(DCM_SamplesPerPixel, 1);
  l.bytes = word(DCM_BitsAllocated, 0) / 8;
  l.planar = word(DCM_PlanarConfiguration, 0) == 1;
  Sint32 frames = 1;
  if (dataset.findAndGetSint32(DCM_NumberOfFrames, frames).good() && frames > 0)
    l.frames = static_cast<unsigned long>(frames);
  return l;
}

/// RegionLocationMinX0 ... (PS3.3 C.8.5.5.1.1 to 1.4), both ends inside.
std::vector<Rectangle> regions_of(DcmDataset& dataset) {
  std::vector<Rectangle> regions;
  DcmSequenceOfItems* sequence = nullptr;
  if (dataset.findAndGetSequence(DCM_SequenceOfUltrasoundRegions, sequence).bad()) return regions;
  for (unsigned long i = 0; i < sequence->card(); ++i) {
    Uint32 x0 = 0, y0 = 0, x1 = 0, y1 = 0;
    DcmItem* item = sequence->getItem(i);
    if (item->findAndGetUint32(DCM_RegionLocationMinX0, x0).bad() ||
        item->findAndGetUint32(DCM_RegionLocationMinY0, y0).bad() ||
        item->findAndGetUint32(DCM_RegionLocationMaxX1, x1).bad() ||
        item->findAndGetUint32(DCM_RegionLocationMaxY1, y1).bad() || x1 < x0 || y1 < y0 || x1 > 65535 || y1 > 65535)
      throw Failure(ErrorCode::bad_data,
                    "item " + std::to_string(i + 1) +
                        " of SequenceOfUltrasoundRegions (0018,6011) has no RegionLocation that is a rectangle",
                    "blank rectangles by hand instead");
    regions.push_back(
        {static_cast<int>(x0), static_cast<int>(y0), static_cast<int>(x1 - x0 + 1), static_cast<int>(y1 - y0 + 1)});
  }
  return regions;
}

bool holds(const std::vector<Rectangle>& all, int x, int y) {
  for (const Rectangle& r : all)
    if (x >= r.x && y >= r.y && x < r.x + r.width && y < r.y + r.height) return true;
  return false;
}

}  // namespace

bool blank_pixels(DcmDataset& dataset, bool outside_of_regions, const std::vector<Rectangle>& rectangles) {
  const std::vector<Rectangle> regions = outside_of_regions ? regions_of(dataset) : std::vector<Rectangle>();
  if ((regions.empty() && rectangles.empty()) || !dataset.tagExists(DCM_PixelData)) return false;
  const DcmtkLog log;
  if (dataset.chooseRepresentation(EXS_LittleEndianExplicit, nullptr).bad())
    throw Failure(ErrorCode::unsupported,
                  "the pixels cannot be decoded to be blanked" + (log.first().empty() ? "" : ": " + log.first()),
                  "decompress the object with another tool first");
  dataset.removeAllButCurrentRepresentations();
  const Layout l = layout_of(dataset);
  for (const Rectangle& r : rectangles)
    if (r.x < 0 || r.y < 0 || r.width < 1 || r.height < 1 || r.x >= l.columns || r.y >= l.rows)
      throw Failure(ErrorCode::bad_data,
                    "the rectangle at (" + std::to_string(r.x) + ", " + std::to_string(r.y) + ") of " +
                        std::to_string(r.width) + " x " + std::to_string(r.height) + " lies outside of an image of " +
                        std::to_string(l.columns) + " x " + std::to_string(l.rows),
                    "give x, y, width and height in pixels, the upper left one 0 0");
  const std::size_t values = static_cast<std::size_t>(l.rows) * static_cast<std::size_t>(l.columns) *
                             static_cast<std::size_t>(l.samples) * l.frames;
  DcmElement* element = nullptr;
  dataset.findAndGetElement(DCM_PixelData, element);
  if (l.bytes < 1 || l.bytes > 2 || element == nullptr ||
      element->getLength() < values * static_cast<std::size_t>(l.bytes))
    throw Failure(ErrorCode::unsupported, "PixelData (7FE0,0010) is not of 8 or 16 bits, or shorter than the image",
                  "leave the object out");
  Uint8* bytes = nullptr;
  Uint16* words = nullptr;
  // OW holds 8-bit values in the machine's words: on a little endian machine their bytes lie in order.
  if (element->getVR() == EVR_OB)
    element->getUint8Array(bytes);
  else if (element->getUint16Array(words).good())
    bytes = reinterpret_cast<Uint8*>(words);
  if (bytes == nullptr)
    throw Failure(ErrorCode::unsupported, "PixelData (7FE0,0010) cannot be read", "leave the object out");
  OFString model;
  dataset.findAndGetOFString(DCM_PhotometricInterpretation, model);
  const bool chroma = model.substr(0, 3) == "YBR";
  const bool inverted = model == "MONOCHROME1";
  Uint16 stored = 8, is_signed = 0;
  dataset.findAndGetUint16(DCM_BitsStored, stored);
  dataset.findAndGetUint16(DCM_PixelRepresentation, is_signed);
  const unsigned black = inverted ? (1U << (is_signed != 0 ? stored - 1U : stored)) - 1U : 0U;
  const auto value = [&](int sample) { return chroma && sample > 0 ? 128U : black; };
  if (model == "YBR_FULL_422")
    throw Failure(ErrorCode::unsupported, "PhotometricInterpretation (0028,0004) = YBR_FULL_422 is not blanked",
                  "decompress the object to RGB first");
  const std::size_t plane = static_cast<std::size_t>(l.rows) * static_cast<std::size_t>(l.columns);
  for (int y = 0; y < l.rows; ++y)
    for (int x = 0; x < l.columns; ++x) {
      if (!holds(rectangles, x, y) && (regions.empty() || holds(regions, x, y))) continue;
      const std::size_t pixel =
          static_cast<std::size_t>(y) * static_cast<std::size_t>(l.columns) + static_cast<std::size_t>(x);
      for (std::size_t f = 0; f < l.frames; ++f)
        for (int s = 0; s < l.samples; ++s) {
          const auto samples = static_cast<std::size_t>(l.samples), sample = static_cast<std::size_t>(s);
          const std::size_t at =
              l.planar ? (f * samples + sample) * plane + pixel : (f * plane + pixel) * samples + sample;
          if (l.bytes == 1)
            bytes[at] = static_cast<Uint8>(value(s));
          else
            reinterpret_cast<Uint16*>(bytes)[at] = static_cast<Uint16>(value(s));
        }
    }
  return true;
}

}  // namespace isocenter::detail::dicom
