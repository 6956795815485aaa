// docs/dicom/support.md: what is read and written, found out by reading and compared with the page.
// ISOCENTER_UPDATE_DOCS=1 writes the page anew.
#include <gmock/gmock.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <isocenter/error.hpp>
#include <sstream>

#include "dicom/encapsulated_document.hpp"
#include "dicom/frame_decoder.hpp"
#include "dicom/pet_suv.hpp"
#include "dicom/picture.hpp"
#include "dicom/read_segmentation.hpp"
#include "dicom/read_structures.hpp"
#include "dicom/single_object.hpp"
#include "dicom/synthetic_series.hpp"
#include "dicom/toolkit.hpp"
#include "dicom/video/video_codec.hpp"

namespace {

using namespace isocenter::detail::dicom;
using namespace isocenter::testing;
namespace fs = std::filesystem;

const fs::path data = ISOCENTER_TEST_DATA;
const fs::path page = fs::path(ISOCENTER_SOURCE_DIR) / "docs" / "dicom" / "support.md";

/// Decodes every frame; "" or why it could not.
std::string read_all(const fs::path& file) {
  try {
    const Image image = open_image(file.string());
    const auto pixels = static_cast<std::size_t>(image.format.rows) * static_cast<std::size_t>(image.format.columns);
    const bool colour = image.format.samples_per_pixel > 1 || image.palette != nullptr;
    std::vector<float> values(colour ? 0 : pixels);
    std::vector<std::uint8_t> rgb(colour ? 3 * pixels : 0);
    FrameDecoder decoder;
    PictureReader pictures;
    if (colour && !why_no_picture(image).empty()) return why_no_picture(image);
    for (const Frame& f : image.frames)
      if (colour)
        pictures.read(image, f.number, {}, rgb);
      else
        decoder.decode(image, f, f.rescale.value_or(Rescale{}), values);
    return {};
  } catch (const isocenter::Error& e) {
    return e.what();
  }
}

struct Syntax {
  const char* uid;
  const char* sample;  ///< below tests/dicom/data; "" for a slice that DCMTK compresses here; null: none
  bool written;        ///< by one of the sinks
};

// Every transfer syntax of PS3.6 annex A that an image may have and that is not retired, and the retired JPEG ones.
constexpr Syntax syntaxes[] = {
    {"1.2.840.10008.1.2", "syntax/MR_small_implicit.dcm", true},
    {"1.2.840.10008.1.2.1", "syntax/MR_small.dcm", true},
    {"1.2.840.10008.1.2.1.99", "syntax/image_dfl.dcm", false},
    {"1.2.840.10008.1.2.2", "syntax/MR_small_bigendian.dcm", false},
    {"1.2.840.10008.1.2.5", "syntax/MR_small_RLE.dcm", true},
    {"1.2.840.10008.1.2.4.50", "syntax/SC_rgb_dcmtk__eb_cy_s2.dcm", true},
    {"1.2.840.10008.1.2.4.51", "modalities/ect_2frames_jpegext_no_bot.dcm", false},
    {"1.2.840.10008.1.2.4.53", "", false},
    {"1.2.840.10008.1.2.4.55", "", false},
    {"1.2.840.10008.1.2.4.57", "", false},
    {"1.2.840.10008.1.2.4.70", "", false},
    {"1.2.840.10008.1.2.4.80", "syntax/MR_small_jpeg_ls_lossless.dcm", true},
    {"1.2.840.10008.1.2.4.81", "syntax/JPEGLSNearLossless_16.dcm", false},
    {"1.2.840.10008.1.2.4.90", "syntax/MR_small_jp2klossless.dcm", true},
    {"1.2.840.10008.1.2.4.91", "syntax/JPEG2000.dcm", false},
    {"1.2.840.10008.1.2.4.201", "frames/htj2k_lossless.dcm", false},
    {"1.2.840.10008.1.2.4.202", "frames/htj2k_lossless_rpcl.dcm", false},
    {"1.2.840.10008.1.2.4.203", "syntax/HTJ2K_08_RGB.dcm", false},
    {"1.2.840.10008.1.2.8.1", "modalities/seg_liver_1bit_deflate.dcm", false},
    {"1.2.840.10008.1.2.4.100", nullptr, false},
    {"1.2.840.10008.1.2.4.101", nullptr, false},
    {"1.2.840.10008.1.2.4.102", "video/h264_mp4.dcm", false},
    {"1.2.840.10008.1.2.4.103", "video/h264_bytes_full_range.dcm", false},
    {"1.2.840.10008.1.2.4.104", nullptr, false},
    {"1.2.840.10008.1.2.4.104.1", "video/h264_ts_fragments.dcm", false},
    {"1.2.840.10008.1.2.4.105", nullptr, false},
    {"1.2.840.10008.1.2.4.106", nullptr, false},
    {"1.2.840.10008.1.2.4.107", "video/hevc_mp4.dcm", false},
    {"1.2.840.10008.1.2.4.108", "video/hevc_ts_10bit.dcm", false},
    {"1.2.840.10008.1.2.4.110", nullptr, false},
    {"1.2.840.10008.1.2.4.112", nullptr, false},
};

/// What a build with the codec reads; one without cannot look, and says the same.
std::string video_word(const Syntax& s, VideoCodec codec) {
  if (s.sample != nullptr && has_decoder(codec)) {
    EXPECT_EQ(read_all(data / s.sample), "") << s.uid;
  }
  return std::string(codec == VideoCodec::h264 ? "without B slices, with OpenH264" : "with libde265") +
         (s.sample == nullptr ? " (no sample here)" : "");
}

std::string read_word(const Syntax& s) {
  if (const auto codec = video_codec_of(s.uid)) return video_word(s, *codec);
  if (!transfer_syntax(s.uid).readable) return "no";
  if (*s.sample != 0) {
    EXPECT_EQ(read_all(data / s.sample), "") << s.uid;
    return "yes";
  }
  const ScratchFolder folder;
  SyntheticSlice slice;
  slice.bits_allocated = slice.bits_stored = 8;
  slice.transfer_syntax = s.uid;
  write_slice(folder / "s.dcm", slice);
  EXPECT_EQ(read_all(folder / "s.dcm"), "") << s.uid;
  return "yes";
}

struct Kind {
  const char* what;
  const char* sample;
  const char* read_by;
  const char* written_by;
};

constexpr const char* volume = "dicom_series_source";
constexpr const char* frames = "dicom_frames_source";
constexpr const char* labels = "dicom_seg_source";
constexpr const char* document = "dicom_document";
constexpr const char* both = "dicom_frames_source`, `dicom_projections_source";

constexpr Kind kinds[] = {
    {"8 bits, unsigned", "syntax/image_dfl.dcm", frames, "dicom_secondary_capture_sink"},
    {"7 in 8 bits", "syntax/JLSL_08_07_0_1F.dcm", frames, ""},
    {"12 in 16 bits, signed, other bits in use", "modalities/mr_12bit_signed_junk_bits.dcm", volume, ""},
    {"15 in 16 bits, signed", "syntax/JLSL_16_15_1_1F.dcm", frames, ""},
    {"16 bits, signed", "syntax/CT_small.dcm", volume, "dicom_series_sink"},
    {"32 bits", "modalities/rtdose_32bit.dcm", volume, ""},
    {"1 bit", "modalities/seg_liver_1bit_j2k.dcm", labels, "dicom_seg_sink"},
    {"float", "modalities/parametric_map_float.dcm", volume, "dicom_parametric_map_sink"},
    {"double", "modalities/parametric_map_double.dcm", volume, ""},
    {"RGB, planar configuration 0", "syntax/SC_rgb_small_odd.dcm", frames, "dicom_secondary_capture_sink"},
    {"RGB, planar configuration 1", "syntax/color-pl.dcm", frames, ""},
    {"RGB, 16 bits (shown with 8)", "syntax/SC_rgb_rle_16bit_2frame.dcm", frames, ""},
    {"RGB, 32 bits (shown with 8)", "syntax/SC_rgb_rle_32bit.dcm", frames, ""},
    {"YBR_FULL_422, uncompressed", "syntax/SC_ybr_full_422_uncompressed.dcm", frames, ""},
    {"YBR, JPEG", "syntax/SC_rgb_dcmtk__eb_cy_s2.dcm", frames, "dicom_secondary_capture_sink"},
    {"YBR_RCT, JPEG 2000", "syntax/GDCMJ2K_TextGBR.dcm", frames, ""},
    {"PALETTE COLOR", "modalities/us_palette_rle.dcm", frames, ""},
    {"CT", "syntax/CT_small.dcm", volume, "dicom_series_sink"},
    {"MR", "syntax/MR_small.dcm", volume, "dicom_series_sink"},
    {"enhanced MR", "modalities/emr_xa10_siemens.dcm", volume, "dicom_series_sink"},
    {"enhanced CT", "modalities/ect_2frames_jpegext_no_bot.dcm", volume, "dicom_series_sink"},
    {"RT Dose", "modalities/rtdose_32bit.dcm", volume, ""},
    {"parametric map", "modalities/parametric_map_float.dcm", volume, "dicom_parametric_map_sink"},
    {"segmentation, binary", "modalities/seg_liver_1bit_rle.dcm", labels, "dicom_seg_sink"},
    {"segmentation, fractional", "modalities/seg_ct_fractional.dcm", labels, "dicom_seg_sink"},
    {"whole slide", "modalities/wsi_25tiles.dcm", "dicom_slide_source", ""},
    {"enhanced PET", "values/enhanced_pet.dcm", volume, "dicom_series_sink"},
    {"legacy converted enhanced CT", "values/legacy_enhanced_ct.dcm", volume, "dicom_series_sink"},
    {"legacy converted enhanced MR", "values/legacy_enhanced_mr.dcm", volume, "dicom_series_sink"},
    {"legacy converted enhanced PET", "values/legacy_enhanced_pet.dcm", volume, "dicom_series_sink"},
    {"PET", "values/pet_bqml.dcm", volume, "dicom_series_sink"},
    {"Modality LUT", "values/modality_lut.dcm", volume, ""},
    {"PALETTE COLOR, segmented", "values/segmented_palette.dcm", frames, ""},
    {"whole slide, sparse", "slides/sparse_without_one_tile.dcm", "dicom_slide_source", ""},
    {"ultrasound", "modalities/us_palette_rle.dcm", frames, ""},
    {"ultrasound regions", "values/ultrasound_regions.dcm", frames, ""},
    {"secondary capture, multi-frame", "syntax/SC_rgb_rle_16bit_2frame.dcm", frames, "dicom_secondary_capture_sink"},
    {"16 bits, unsigned", "frames/enhanced_xa.dcm", both, ""},
    {"12 in 16 bits, unsigned", "modalities/emr_jls.dcm", volume, ""},
    {"YBR_FULL, uncompressed", "frames/vl_endoscopic.dcm", frames, ""},
    {"basic offset table, two fragments a frame", "frames/us_offset_table.dcm", frames, ""},
    {"extended offset table", "modalities/emr_rle_extended_offset_table.dcm", volume, ""},
    {"fragmented frames without an offset table", "modalities/ect_2frames_jpegext_no_bot.dcm", volume, ""},
    {"one frame in 13 fragments", "modalities/mr_t1_fragmented_j2k.dcm", volume, ""},
    {"X-ray angiography (XA)", "frames/xa.dcm", both, ""},
    {"X-ray fluoroscopy (XRF)", "frames/xrf.dcm", both, ""},
    {"enhanced XA", "frames/enhanced_xa.dcm", both, ""},
    {"computed radiography (CR)", "frames/cr.dcm", both, ""},
    {"digital X-ray (DX)", "modalities/dx.dcm", both, ""},
    {"mammography (MG)", "frames/mg.dcm", both, ""},
    {"nuclear medicine: static, whole body", "frames/nm_static.dcm", both, ""},
    {"nuclear medicine: dynamic", "frames/nm_dynamic.dcm", both, ""},
    {"nuclear medicine: tomographic views", "frames/nm_tomo.dcm", both, ""},
    {"nuclear medicine: reconstructed", "frames/nm_recon.dcm", volume, ""},
    {"nuclear medicine: reconstructed, gated", "frames/nm_recon_gated.dcm", volume, ""},
    {"VL endoscopy", "frames/vl_endoscopic.dcm", frames, ""},
    {"VL microscopy", "frames/vl_microscopic.dcm", frames, ""},
    {"VL photography", "frames/vl_photographic.dcm", frames, ""},
    {"encapsulated document", "values/document.dcm", document, "dicom_encapsulated_pdf_sink"},
    {"RT Structure Set", "modalities/rtstruct.dcm", "dicom_rtss_source", "dicom_structure_set_sink"},
};

void check_kind(const Kind& k) {
  const std::string file = (data / k.sample).string();
  if (std::string(k.read_by) == "dicom_rtss_source") {
    EXPECT_FALSE(open_structure_set(file).structures.empty());
    return;
  }
  if (k.read_by == document) {
    EXPECT_GT(EncapsulatedDocument(file).bytes(), 0U);
    return;
  }
  EXPECT_EQ(read_all(file), "") << k.what;
  if (k.read_by == labels) {
    EXPECT_FALSE(open_segmentation(file).segments.empty()) << k.what;
  }
  if (k.read_by == volume || k.read_by == both) {
    EXPECT_EQ(open_image(file).no_volume, "") << k.what;
  }
}

std::string generated() {
  std::ostringstream out;
  out << "# What the dicom module reads and writes\n\n"
         "Written by `tests/dicom/support_test.cpp` from what it could read (`ISOCENTER_UPDATE_DOCS=1` writes it "
         "anew).\n\n"
         "## Transfer syntaxes\n\n| UID | name | read | written |\n|---|---|---|---|\n";
  for (const Syntax& s : syntaxes)
    out << "| " << s.uid << " | " << transfer_syntax(s.uid).name << " | " << read_word(s) << " | "
        << (s.written ? "yes" : "no") << " |\n";
  out << "\n## Pixels and objects\n\n| what | read by | written by |\n|---|---|---|\n";
  for (const Kind& k : kinds) {
    check_kind(k);
    out << "| " << k.what << " | `" << k.read_by << "` | "
        << (*k.written_by == 0 ? std::string("-") : "`" + std::string(k.written_by) + "`") << " |\n";
  }
  out << "\n## Values of vendors and of PET\n\n| sample | parameter | factor | from |\n|---|---|---|---|\n";
  for (const char* sample : {"pet_bqml", "pet_philips_counts"}) {
    const SuvFactor suv = suv_body_weight({(data / "values" / (std::string(sample) + ".dcm")).string()}, Workers());
    out << "| PET, " << sample << " | `suv = body_weight` | " << suv.factor << " | ";
    for (std::size_t i = 0; i < suv.used.size(); ++i)
      out << (i == 0 ? "" : "; ") << suv.used[i].first << " = " << suv.used[i].second;
    out << " |\n";
  }
  out << "| MR, philips_scale | `vendor_scale = philips` | "
      << philips_scale((data / "values" / "philips_scale.dcm").string(), 2)
      << " | RescaleSlope (0028,1053) = 2; MRScaleSlope (2005,100e) = 0.25 |\n";
  out << "\n## Video\n\n"
         "One stream for all frames, in an MP4 file (ISO/IEC 14496-12), a transport stream (ISO/IEC 13818-1) or a byte "
         "stream\n(ISO/IEC 14496-10 annex B); progressive 4:2:0. Each codec is used where CMake finds its library; "
         "`ISOCENTER_WITH_VIDEO=OFF`\nleaves both out. An embedder who has another decoder gives its pictures as "
         "Frames.\n\n"
         "- **H.264** by OpenH264 (BSD-2-Clause), 8 bits. Streams with B slices are refused: OpenH264 (2.3.1 and "
         "2.6.0) "
         "gives them\n  other pixels than the standard asks for and says nothing. Interlaced ones, a second view and "
         "the "
         "Extended profile\n  are refused by name. The licence of the AVC patents covers its maker's own binaries, not "
         "Debian's.\n"
         "- **HEVC** by libde265 (LGPL-3.0, linked dynamically), 8 and 10 bits. What it warns of is an error; the hash "
         "in "
         "a\n  picture's SEI is checked where there is one. Refused: several slices in a picture with synchronised "
         "entropy coding\n"
         "  (WPP), which it gives other pixels.\n"
         "- **MPEG-2** is refused by name. Debian's libavcodec says of itself \"GPL version 2 or later\" "
         "(`avcodec_license`),\n  which who links Isocenter into a device would take over.\n";
  return out.str();
}

TEST(DicomSupport, ThePageSaysWhatIsRead) {
  use_dcmtk();
  const std::string text = generated();
  if (std::getenv("ISOCENTER_UPDATE_DOCS") != nullptr) std::ofstream(page) << text;
  std::ifstream in(page);
  const std::string found((std::istreambuf_iterator<char>(in)), {});
  EXPECT_EQ(found, text) << "run dicom_tests with ISOCENTER_UPDATE_DOCS=1 and look at the difference";
}

}  // namespace
