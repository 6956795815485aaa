#include "header_reader.hpp"

#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dcdeftag.h>
#include <dcmtk/dcmdata/dcdict.h>
#include <dcmtk/dcmdata/dcfilefo.h>
#include <dcmtk/dcmdata/dcistrmf.h>
#include <dcmtk/dcmdata/dcmetinf.h>
#include <dcmtk/dcmdata/dcuid.h>
#include <dcmtk/dcmdata/dcxfer.h>

#include <algorithm>
#include <cstring>
#include <stdexcept>

#include "character_set.hpp"
#include "dataset_values.hpp"
#include "frame_reader.hpp"
#include "input_file.hpp"
#include "lookup_table.hpp"
#include "pet_units.hpp"
#include "pixel_locator.hpp"
#include "structure_check.hpp"
#include "toolkit.hpp"

namespace isocenter::detail::dicom {
namespace {

enum class Sniffed { part10, bare_dataset, other };

/// Part 10 files have "DICM" at byte 128, then group 0002 (PS3.10 section 7.1). Older ones begin with a data set: group
/// 0002 or 0008, little or big endian, followed by a value representation or a plausible length.
Sniffed sniff(const InputFile& file) {
  std::uint8_t head[134] = {};
  const auto is_upper = [](std::uint8_t c) { return c >= 'A' && c <= 'Z'; };
  const bool has_mark = file.read(0, head) && std::memcmp(head + 128, "DICM", 4) == 0;
  if (has_mark && head[132] == 0x02 && head[133] == 0x00) return Sniffed::part10;
  if (file.size() < 8 || !file.read(0, {head, 8})) return Sniffed::other;
  const bool little = (head[0] == 0x08 || head[0] == 0x02) && head[1] == 0 && head[3] == 0;
  const bool big = head[0] == 0 && (head[1] == 0x08 || head[1] == 0x02) && head[2] == 0;
  const bool explicit_vr = is_upper(head[4]) && is_upper(head[5]);
  const bool short_length = little && head[6] == 0 && head[7] == 0;
  if ((little || big) && (explicit_vr || short_length)) return Sniffed::bare_dataset;
  return has_mark ? Sniffed::part10 : Sniffed::other;
}

bool ends_like_dicom(const std::string& name) {
  const auto dot = name.rfind('.');
  if (dot == std::string::npos) return false;
  const std::string ending = name.substr(dot + 1);
  return ending == "dcm" || ending == "DCM" || ending == "dicom" || ending == "ima" || ending == "IMA";
}

/// A file being read: collects findings under its name.
class HeaderReader {
 public:
  HeaderReader(const std::string& path, const std::string& name) : path_(path), name_(name), file_(path) {}

  ScannedFile read() {
    if (!file_.is_open()) {
      add(FindingCode::unreadable, Severity::error, "the file cannot be opened: " + file_.error(),
          "check the permissions of the file");
      return std::move(result_);
    }
    const Sniffed kind = sniff(file_);
    if (kind == Sniffed::other) {
      not_dicom();
      return std::move(result_);
    }
    parse(kind);
    return std::move(result_);
  }

 private:
  void add(FindingCode code, Severity severity, const std::string& what, const std::string& fix,
           const std::string& attribute = {}, const std::string& value = {}) {
    result_.findings.push_back({code, severity, what, fix, name_, attribute, value, {}, 0});
  }

  void not_dicom() {
    const bool named = ends_like_dicom(name_);
    add(FindingCode::not_dicom, named ? Severity::warning : Severity::note,
        file_.size() == 0 ? "the file is empty"
                          : "the file is no DICOM file: it has neither the mark DICM at byte 128 nor "
                            "a data set at its start",
        named ? "copy the file again from where it came" : "nothing; the file was passed over");
  }

  void parse(Sniffed kind) {
    structure_ = check_structure(file_, kind == Sniffed::part10);
    // Some writers leave the preamble away and begin with the file meta information.
    std::uint8_t group[2] = {};
    const bool has_meta = kind == Sniffed::part10 || (file_.read(0, group) && group[0] == 0x02 && group[1] == 0);
    if (!structure_.problem.empty()) {
      add(FindingCode::unreadable, Severity::error, "the header cannot be parsed: " + structure_.problem,
          "copy or export the file again from where it came");
      return;
    }
    DcmtkLog log;
    DcmFileFormat format;
    DcmInputFileStream stream(OFFilename(path_.c_str()));
    DcmDataset& dataset = *format.getDataset();
    DcmObject& whole = has_meta ? static_cast<DcmObject&>(format) : dataset;
    whole.transferInit();
    OFCondition status;
    try {
      status = has_meta
                   ? format.readUntilTag(stream, EXS_Unknown, EGL_noChange, DCM_MaxReadLength, DCM_FloatPixelData)
                   : dataset.readUntilTag(stream, EXS_Unknown, EGL_noChange, DCM_MaxReadLength, DCM_FloatPixelData);
    } catch (const std::logic_error& e) {  // DCMTK 3.6.7 cuts texts of directory records beyond their ends
      failed_parse(kind, EC_CorruptedData, false, e.what(), dataset);
      return;
    }
    whole.transferEnd();
    if (status.bad()) {
      failed_parse(kind, status, stream.eos(), log.first(), dataset);
      return;
    }
    const std::string sop_class = text_value(dataset, attribute::sop_class_uid);
    if (kind == Sniffed::bare_dataset && dataset.card() < 3) return not_dicom();
    if (!dataset.tagExists(DCM_BitsAllocated) || (!dataset.tagExists(DCM_Rows) && !dataset.tagExists(DCM_Columns))) {
      add(FindingCode::no_pixels, Severity::note, "the object holds " + what_instead(dataset, sop_class),
          "nothing; the file was passed over", text(attribute::sop_class_uid), sop_class);
      return;
    }
    Image image;
    identify(format, dataset, image);
    stopped_at_ = static_cast<std::uint64_t>(stream.tell());
    find_pixel_element(dataset);
    if (!read_format(dataset, image.format)) return;
    if (!supported(image)) {
      result_.image = std::move(image);
      return;
    }
    const int frames = read_frame_count(dataset);
    if (frames == 0) return;
    locate(dataset, frames, image);
    image.pixels.frames = static_cast<std::uint64_t>(frames);
    read_tables(dataset, image);
    read_frames(dataset, frames, image, result_.findings);
    for (Finding& f : result_.findings) {
      f.file = name_;
      f.series_uid = image.series_uid;
    }
    result_.image = std::move(image);
  }

  /// "no image (Encapsulated PDF Storage: a document, application/pdf, 'title')".
  static std::string what_instead(DcmDataset& dataset, const std::string& sop_class) {
    constexpr Attribute mime_type{0x0042, 0x0012, "MIMETypeOfEncapsulatedDocument"};
    constexpr Attribute title{0x0042, 0x0010, "DocumentTitle"};
    std::string what = dcmFindNameOfUID(sop_class.c_str(), sop_class.empty() ? "no SOP class" : sop_class.c_str());
    if (dataset.tagExists(key(mime_type)))
      what += ": a document, " + text_value(dataset, mime_type) + ", '" + text_value(dataset, title) + "'";
    return "no image (" + what + ")";
  }

  void failed_parse(Sniffed kind, const OFCondition& status, bool at_end, const std::string& log, DcmDataset& dataset) {
    if (kind == Sniffed::bare_dataset && dataset.card() < 3) return not_dicom();
    const std::string cause = log.empty() ? status.text() : log;
    if (at_end)
      add(FindingCode::truncated, Severity::error,
          "the file ends inside its header after " + std::to_string(file_.size()) + " bytes",
          "copy the file again from where it came");
    else
      add(FindingCode::unreadable, Severity::error, "the header cannot be parsed: " + cause,
          "copy or export the file again from where it came");
    result_.findings.back().series_uid = text_value(dataset, attribute::series_instance_uid);
  }

  void identify(DcmFileFormat& format, DcmDataset& dataset, Image& image) {
    image.path = path_;
    image.name = name_;
    image.file_bytes = file_.size();
    if (format.getMetaInfo() != nullptr)
      image.transfer_syntax = text_value(*format.getMetaInfo(), attribute::transfer_syntax_uid);
    // DCMTK drops file meta information without its group length.
    if (image.transfer_syntax.empty()) image.transfer_syntax = structure_.transfer_syntax;
    if (image.transfer_syntax.empty()) image.transfer_syntax = DcmXfer(dataset.getOriginalXfer()).getXferID();
    image.sop_class_uid = text_value(dataset, attribute::sop_class_uid);
    image.sop_instance_uid = text_value(dataset, attribute::sop_instance_uid);
    image.study_uid = text_value(dataset, attribute::study_instance_uid);
    image.series_uid = text_value(dataset, attribute::series_instance_uid);
    image.frame_of_reference_uid = text_value(dataset, attribute::frame_of_reference_uid);
    image.modality = text_value(dataset, attribute::modality);
    image.series_description = utf8_description(dataset);
    image.series_number = text_value(dataset, attribute::series_number);
    image.units = text_value(dataset, attribute::units);
    if (image.units.empty()) image.units = multi_frame_units(dataset);
    image.instance_number = integer(dataset, attribute::instance_number).value_or(0);
    if (const auto tilt = number(dataset, attribute::gantry_detector_tilt)) {
      image.has_gantry_tilt = true;
      image.gantry_tilt_deg = *tilt;
    }
    for (const std::string& value : split_values(text_value(dataset, attribute::image_type)))
      image.localiser = image.localiser || value == "LOCALIZER";
    for (Finding& f : result_.findings) f.series_uid = image.series_uid;
  }

  /// Units (0054,1001) of a multi-frame PET object: a legacy converted one keeps the attribute (PS3.3
  /// C.7.6.16.2.25.1), an enhanced one has the code of its real world values (A.56.4).
  static std::string multi_frame_units(DcmItem& dataset) {
    DcmItem* const shared = sequence_item(dataset, DCM_SharedFunctionalGroupsSequence);
    if (shared == nullptr) return {};
    if (DcmItem* const kept = sequence_item(*shared, DCM_UnassignedSharedConvertedAttributesSequence))
      return text_value(*kept, attribute::units);
    DcmItem* const real = sequence_item(*shared, DCM_RealWorldValueMappingSequence);
    DcmItem* const code = real == nullptr ? nullptr : sequence_item(*real, DCM_MeasurementUnitsCodeSequence);
    return code == nullptr ? std::string() : std::string(pet_term(text_value(*code, attribute::code_value)));
  }

  /// SeriesDescription in UTF-8, whatever character set the file is in.
  static std::string utf8_description(DcmItem& dataset) {
    std::string raw = text_value(dataset, attribute::series_description);
    const bool ascii = std::all_of(raw.begin(), raw.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
    if (ascii && raw.find('\x1B') == std::string::npos) return raw;
    DcmDataset one;
    one.putAndInsertString(DCM_SpecificCharacterSet, text_value(dataset, attribute::specific_character_set).c_str());
    one.putAndInsertString(DCM_SeriesDescription, raw.c_str());
    return to_utf8(one, Undecodable::question_mark) ? text_value(one, attribute::series_description) : std::string();
  }

  /// An attribute of the pixel format that has to be an integer in [low, high]; -1 and a finding when it is not.
  int format_value(DcmItem& dataset, const Attribute& a, int low, int high) {
    const auto value = integer(dataset, a);
    if (value && *value >= low && *value <= high) return *value;
    const std::string found = text_value(dataset, a);
    add(FindingCode::bad_value, Severity::error,
        text(a) + (found.empty()
                       ? " is missing"
                       : " = " + found + " is outside [" + std::to_string(low) + ", " + std::to_string(high) + "]"),
        "export the file again from where it came", text(a), found);
    result_.findings.back().series_uid = text_value(dataset, attribute::series_instance_uid);
    return -1;
  }

  /// Which pixel element of group 7FE0 stopped the parser, which stands behind that element's tag and length: 0 when
  /// none did. Inside a deflated data set it stays unknown.
  void find_pixel_element(DcmDataset& dataset) {
    const DcmXfer written(dataset.getOriginalXfer());
    const std::uint64_t head = written.isExplicitVR() ? 12 : 8;
    std::uint8_t tag[4] = {};
    if (written.getStreamCompression() != ESC_none || stopped_at_ < head || !file_.read(stopped_at_ - head, tag))
      return;
    if (written.isBigEndian()) {
      std::swap(tag[0], tag[1]);
      std::swap(tag[2], tag[3]);
    }
    if (tag[0] != 0xE0 || tag[1] != 0x7F) return;
    pixel_element_ = tag[2] | tag[3] << 8;
    pixel_offset_ = stopped_at_ - head;
  }

  bool read_format(DcmItem& dataset, PixelFormat& f) {
    if ((f.rows = format_value(dataset, attribute::rows, 1, 65535)) < 0) return false;
    if ((f.columns = format_value(dataset, attribute::columns, 1, 65535)) < 0) return false;
    if ((f.samples_per_pixel = format_value(dataset, attribute::samples_per_pixel, 1, 65535)) < 0) return false;
    if ((f.bits_allocated = format_value(dataset, attribute::bits_allocated, 1, 64)) < 0) return false;
    if (pixel_element_ == 0x0008) f.values = PixelFormat::Values::float32;
    if (pixel_element_ == 0x0009 || f.bits_allocated == 64) f.values = PixelFormat::Values::float64;
    const bool is_float = f.values != PixelFormat::Values::integers;
    if (is_float || !dataset.tagExists(key(attribute::bits_stored)))
      f.bits_stored = f.bits_allocated;
    else if ((f.bits_stored = format_value(dataset, attribute::bits_stored, 1, f.bits_allocated)) < 0)
      return false;
    // PS3.5 section 8.1.1: HighBit is BitsStored - 1; older files may have another one, and say so.
    f.high_bit = f.bits_stored - 1;
    if (dataset.tagExists(key(attribute::high_bit)) &&
        (f.high_bit = format_value(dataset, attribute::high_bit, f.bits_stored - 1, f.bits_allocated - 1)) < 0)
      return false;
    f.photometric = text_value(dataset, attribute::photometric_interpretation);
    if (is_float) return true;
    const int representation = format_value(dataset, attribute::pixel_representation, 0, 1);
    f.is_signed = representation == 1;
    f.planar_configuration = integer(dataset, attribute::planar_configuration).value_or(0);
    return representation >= 0;
  }

  bool supported(Image& image) {
    const TransferSyntax syntax = transfer_syntax(image.transfer_syntax);
    if (!syntax.readable) {
      const bool video = is_video(image.transfer_syntax);
      image.unusable = text(attribute::transfer_syntax_uid) + " = " + image.transfer_syntax + " (" + syntax.name +
                       ") " + (video ? "is a video, which this build does not decode" : "cannot be read by this build");
      add(FindingCode::unsupported_syntax, Severity::error, image.unusable,
          video ? "take the stream out of PixelData (7fe0,0010) with a video tool, and give its pictures"
                : "convert the file to an uncompressed, JPEG, JPEG-LS, JPEG 2000 or RLE transfer syntax first",
          text(attribute::transfer_syntax_uid), image.transfer_syntax);
      result_.findings.back().series_uid = image.series_uid;
      return false;
    }
    const PixelFormat& f = image.format;
    const bool is_float = f.values != PixelFormat::Values::integers;
    const int float_bits = f.values == PixelFormat::Values::float32 ? 32 : 64;
    const bool whole =
        f.bits_allocated == 1 || f.bits_allocated == 8 || f.bits_allocated == 16 || f.bits_allocated == 32;
    if (is_float ? f.bits_allocated != float_bits : !whole)
      return unusable(image, text(attribute::bits_allocated) + " = " + std::to_string(f.bits_allocated) +
                                 (is_float ? ", where the floating point pixels ask for " + std::to_string(float_bits)
                                           : ", where 1, 8, 16 and 32 can be read"));
    if (f.samples_per_pixel != 1 && f.samples_per_pixel != 3)
      return unusable(image, text(attribute::samples_per_pixel) + " = " + std::to_string(f.samples_per_pixel) +
                                 ", where 1 and 3 can be read");
    if (f.samples_per_pixel == 3 && (is_float || f.bits_allocated == 1))
      return unusable(image, text(attribute::samples_per_pixel) + " = 3, where " + text(attribute::bits_allocated) +
                                 " = " + std::to_string(f.bits_allocated) + " allows one");
    if (is_video(image.transfer_syntax) && f.samples_per_pixel != 3)
      return unusable(image, text(attribute::samples_per_pixel) + " = 1, where a video has 3");
    note_no_volume(image);
    return true;
  }

  bool unusable(Image& image, const std::string& why) {
    image.unusable = why;
    add(FindingCode::unsupported_pixels, Severity::warning, image.unusable,
        "export the object with 1, 8, 16, 32 bits or floating point and one or three samples");
    result_.findings.back().series_uid = image.series_uid;
    return false;
  }

  /// Good pixels that are no single values.
  void note_no_volume(Image& image) {
    const PixelFormat& f = image.format;
    constexpr std::string_view segmentations = "1.2.840.10008.5.1.4.1.1.66.";  // .4 binary or fractional, .7 label map
    std::string fix = "use dicom_frames_source for its pictures";
    if (image.sop_class_uid == std::string(segmentations) + "4" ||
        image.sop_class_uid == std::string(segmentations) + "7") {
      image.no_volume = text(attribute::sop_class_uid) + " = " + image.sop_class_uid + ": a segmentation";
      fix = "use dicom_seg_source for its labels";
    } else if (f.samples_per_pixel != 1) {
      image.no_volume =
          text(attribute::samples_per_pixel) + " = " + std::to_string(f.samples_per_pixel) + ": a colour image";
    } else if (!f.photometric.empty() && f.photometric != "MONOCHROME1" && f.photometric != "MONOCHROME2") {
      image.no_volume = text(attribute::photometric_interpretation) + " = " + f.photometric + ": no single values";
    }
    if (image.no_volume.empty()) return;
    image.no_volume += " cannot become a volume";
    add(FindingCode::unsupported_pixels, Severity::warning, image.no_volume, fix);
    result_.findings.back().series_uid = image.series_uid;
  }

  /// Modality LUT and palette. A table that is there and broken makes the image unusable.
  void read_tables(DcmItem& dataset, Image& image) {
    std::string problem;
    if (DcmItem* const item = sequence_item(dataset, key(attribute::modality_lut_sequence))) {
      if (auto table =
              read_lookup_table(*item, attribute::lut_descriptor, attribute::lut_data, image.format.is_signed, problem))
        image.modality_lut = std::make_shared<const LookupTable>(std::move(*table));
      image.modality_lut_type = text_value(*item, attribute::modality_lut_type);
    }
    if (image.format.photometric == "PALETTE COLOR" && problem.empty())
      if (auto palette = read_palette(dataset, image.format.is_signed, problem))
        image.palette = std::make_shared<const Palette>(std::move(*palette));
    if (problem.empty()) return;
    image.unusable = problem;
    add(FindingCode::bad_value, Severity::error, problem, "export the file again from where it came");
  }

  /// NumberOfFrames, at most one a byte of the file; 0 and a finding when it makes no sense.
  int read_frame_count(DcmItem& dataset) {
    const std::string found = text_value(dataset, attribute::number_of_frames);
    if (found.empty()) return 1;
    const int high = static_cast<int>(std::min<std::uint64_t>(file_.size(), 1U << 24U));
    return std::max(0, format_value(dataset, attribute::number_of_frames, 1, std::max(1, high)));
  }

  /// All pixels are inflated at once, so that their length is checked before.
  void locate_deflated(std::uint64_t needed, Image& image) {
    const std::uint64_t announced = structure_.deflated_pixel_bytes;
    image.pixels.kind = PixelData::Kind::deflated;
    if (announced >= needed && announced <= 2 * needed + 65536) return;
    image.unusable = text(attribute::pixel_data) + " has " + std::to_string(announced) +
                     " bytes where Rows, Columns and BitsAllocated ask for " + std::to_string(needed);
    add(FindingCode::bad_value, Severity::error, image.unusable, "export the file again from where it came",
        text(attribute::pixel_data));
  }

  void locate(DcmDataset& dataset, int frames, Image& image) {
    const PixelFormat& f = image.format;
    const DcmXfer written(dataset.getOriginalXfer());
    PixelElement element;
    element.offset = pixel_offset_;
    element.explicit_vr = written.isExplicitVR();
    element.big_endian = written.isBigEndian();
    element.encapsulated = transfer_syntax(image.transfer_syntax).encapsulated;
    element.one_stream = is_video(image.transfer_syntax);
    element.one_byte_samples = f.bits_allocated <= 8;
    element.frames = static_cast<std::uint64_t>(frames);
    element.native_bytes = (frame_bits(f) * element.frames + 7) / 8;
    if (written.getStreamCompression() != ESC_none) return locate_deflated(element.native_bytes, image);
    const bool is_float = f.values != PixelFormat::Values::integers;
    if (is_float ? pixel_element_ != 0x0008 && pixel_element_ != 0x0009 : pixel_element_ != 0x0010) {
      const bool complete = stopped_at_ < file_.size();
      image.unusable =
          text(attribute::pixel_data) + (complete ? " is missing" : " is missing: the file ends after its header");
      add(complete ? FindingCode::bad_value : FindingCode::truncated, Severity::error, image.unusable,
          "copy the file again from where it came", text(attribute::pixel_data));
      return;
    }
    const Uint64* offsets = nullptr;
    unsigned long count = 0;
    if (dataset.findAndGetUint64Array(DCM_ExtendedOffsetTable, offsets, &count).good() && offsets != nullptr)
      element.extended_offsets.assign(offsets, offsets + count);
    LocatedPixels located = locate_pixels(file_, element);
    image.pixels = std::move(located.pixels);
    if (located.problem.empty()) return;
    image.unusable = "the file " + located.problem;
    add(located.truncated ? FindingCode::truncated : FindingCode::bad_value, Severity::error, image.unusable,
        "copy the file again from where it came", text(attribute::pixel_data));
  }

  std::string path_;
  std::string name_;
  InputFile file_;
  Structure structure_;
  std::uint64_t stopped_at_ = 0;
  int pixel_element_ = 0;
  std::uint64_t pixel_offset_ = 0;
  ScannedFile result_;
};

}  // namespace

ScannedFile read_header(const std::string& path, const std::string& name) { return HeaderReader(path, name).read(); }

}  // namespace isocenter::detail::dicom
