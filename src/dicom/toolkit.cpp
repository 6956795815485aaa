#include "toolkit.hpp"

#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dcdict.h>
#include <dcmtk/dcmdata/dcrledrg.h>
#include <dcmtk/dcmdata/dcrleerg.h>
#include <dcmtk/dcmdata/dcxfer.h>
#include <dcmtk/dcmimage/diregist.h>  // colour for the JPEG encoder, by being linked
#include <dcmtk/dcmjpeg/djdecode.h>
#include <dcmtk/dcmjpeg/djencode.h>
#include <dcmtk/dcmjpls/djdecode.h>
#include <dcmtk/oflog/appender.h>
#include <dcmtk/oflog/logger.h>
#include <dcmtk/oflog/mdc.h>
#include <dcmtk/oflog/oflog.h>
#include <dcmtk/oflog/spi/logevent.h>

#include <isocenter/error.hpp>
#include <string_view>

#include "jpeg2000.hpp"
#include "video/video_codec.hpp"

namespace isocenter::detail::dicom {
namespace {

// Static thread storage: eight bytes that a module loaded at run time may have without an allocation for each thread.
__attribute__((tls_model("initial-exec"))) thread_local DcmtkLog* current_log = nullptr;

}  // namespace

/// Where DCMTK's log goes: to the innermost DcmtkLog of the thread. What the embedder's own use of DCMTK logs goes on
/// to the appenders that the embedder (or DCMTK by default) has at the root. A mark in the thread's diagnostic context
/// tells the two apart, also when a process holds more than one copy of this code.
struct DcmtkLogSink final : dcmtk::log4cplus::Appender {
  explicit DcmtkLogSink(bool forwards) : forwards_(forwards) {}
  ~DcmtkLogSink() override { destructorImpl(); }
  void close() override { closed = true; }
  void append(const dcmtk::log4cplus::spi::InternalLoggingEvent& event) override {
    if (event.getMDC(mark).empty()) {
      if (forwards_) dcmtk::log4cplus::Logger::getRoot().callAppenders(event);
      return;
    }
    if (current_log == nullptr || event.getLogLevel() < dcmtk::log4cplus::WARN_LOG_LEVEL ||
        !current_log->first_.empty())
      return;
    for (const char c : event.getMessage()) current_log->first_ += c == '\n' || c == '\r' ? ' ' : c;
  }
  static constexpr const char* mark = "isocenter";

 private:
  bool forwards_;
};

DcmtkLog::DcmtkLog() : outer_(current_log) {
  if (current_log == nullptr) dcmtk::log4cplus::getMDC().put(DcmtkLogSink::mark, "1");
  current_log = this;
}
DcmtkLog::~DcmtkLog() {
  current_log = outer_;
  if (current_log == nullptr) dcmtk::log4cplus::getMDC().remove(DcmtkLogSink::mark);
}

namespace {

/// What this module adds to DCMTK's global tables, taken away again at exit.
class Registration {
 public:
  Registration() {
    OFLog::getLogger("dcmtk");  // DCMTK's own default configuration first, which is made once
    auto logger = dcmtk::log4cplus::Logger::getInstance("dcmtk");
    const bool first = logger.getAppender(DcmtkLogSink::mark).get() == nullptr;
    sink_ = dcmtk::log4cplus::SharedAppenderPtr(new DcmtkLogSink(first));
    sink_->setName(DcmtkLogSink::mark);
    logger.setAdditivity(false);
    logger.addAppender(sink_);
    DJDecoderRegistration::registerCodecs(EDC_photometricInterpretation, EUC_never, EPC_colorByPixel);
    DJLSDecoderRegistration::registerCodecs(EJLSUC_never, EJLSPC_colorByPixel);
    DcmRLEDecoderRegistration::registerCodecs(OFFalse);
    DJEncoderRegistration::registerCodecs(ECC_lossyYCbCr, EUC_never, OFTrue);
    DcmRLEEncoderRegistration::registerCodecs(OFFalse);
    register_jpeg2000_with_dcmtk();
  }
  Registration(const Registration&) = delete;
  Registration& operator=(const Registration&) = delete;
  ~Registration() {
    deregister_jpeg2000();
    DcmRLEEncoderRegistration::cleanup();
    DJEncoderRegistration::cleanup();
    DcmRLEDecoderRegistration::cleanup();
    DJLSDecoderRegistration::cleanup();
    DJDecoderRegistration::cleanup();
  }

 private:
  dcmtk::log4cplus::SharedAppenderPtr sink_;
};

}  // namespace

void use_dcmtk() {
  static const Registration registration;
  if (!dcmDataDict.isDictionaryLoaded())
    throw Failure(
        ErrorCode::not_found, "DCMTK found no DICOM data dictionary (dicom.dic)",
        "install DCMTK's data files (Debian: libdcmtk17), or set the environment variable DCMDICTPATH to the file");
}

namespace {

struct NamedSyntax {
  const char* uid;
  const char* name;
};
/// Transfer syntaxes of PS3.6 annex A that DCMTK 3.6.7 does not know.
constexpr NamedSyntax newer_syntaxes[] = {
    {"1.2.840.10008.1.2.4.201", "High-Throughput JPEG 2000 Image Compression (Lossless Only)"},
    {"1.2.840.10008.1.2.4.202", "High-Throughput JPEG 2000 with RPCL Options Image Compression (Lossless Only)"},
    {"1.2.840.10008.1.2.4.203", "High-Throughput JPEG 2000 Image Compression"},
    {"1.2.840.10008.1.2.4.110", "JPEG XL Lossless"},
    {"1.2.840.10008.1.2.4.111", "JPEG XL JPEG Recompression"},
    {"1.2.840.10008.1.2.4.112", "JPEG XL"},
    {"1.2.840.10008.1.2.8.1", "Deflated Image Frame Compression"},
    {"1.2.840.10008.1.2.4.100.1", "Fragmentable MPEG2 Main Profile / Main Level"},
    {"1.2.840.10008.1.2.4.101.1", "Fragmentable MPEG2 Main Profile / High Level"},
    {"1.2.840.10008.1.2.4.102.1", "Fragmentable MPEG-4 AVC/H.264 High Profile / Level 4.1"},
    {"1.2.840.10008.1.2.4.103.1", "Fragmentable MPEG-4 AVC/H.264 BD-compatible High Profile / Level 4.1"},
    {"1.2.840.10008.1.2.4.104.1", "Fragmentable MPEG-4 AVC/H.264 High Profile / Level 4.2 For 2D Video"},
    {"1.2.840.10008.1.2.4.105.1", "Fragmentable MPEG-4 AVC/H.264 High Profile / Level 4.2 For 3D Video"},
    {"1.2.840.10008.1.2.4.106.1", "Fragmentable MPEG-4 AVC/H.264 Stereo High Profile / Level 4.2"},
    {"1.2.840.10008.1.2.7.1", "SMPTE ST 2110-20 Uncompressed Progressive Active Video"},
};

bool native(E_TransferSyntax syntax) {
  return syntax == EXS_LittleEndianImplicit || syntax == EXS_LittleEndianExplicit || syntax == EXS_BigEndianExplicit ||
         syntax == EXS_DeflatedLittleEndianExplicit;
}

}  // namespace

Codec codec_of(const std::string& uid) {
  switch (DcmXfer(uid.c_str()).getXfer()) {
    case EXS_RLELossless:
      return Codec::rle;
    case EXS_JPEGProcess1:
    case EXS_JPEGProcess2_4:
    case EXS_JPEGProcess6_8:
    case EXS_JPEGProcess10_12:
    case EXS_JPEGProcess14:
    case EXS_JPEGProcess14SV1:
      return Codec::jpeg;
    case EXS_JPEGLSLossless:
    case EXS_JPEGLSLossy:
      return Codec::jpeg_ls;
    case EXS_JPEG2000LosslessOnly:
    case EXS_JPEG2000:
      return Codec::jpeg_2000;
    default:
      break;
  }
  if (uid == "1.2.840.10008.1.2.4.201" || uid == "1.2.840.10008.1.2.4.202" || uid == "1.2.840.10008.1.2.4.203")
    return Codec::jpeg_2000;
  return uid == "1.2.840.10008.1.2.8.1" ? Codec::deflated_frame : Codec::none;
}

bool is_video(const std::string& uid) {
  // 1.2.840.10008.1.2.4.100 to .108, each with a fragmentable form .1
  constexpr std::string_view jpeg_and_mpeg = "1.2.840.10008.1.2.4.10";
  return uid.size() > jpeg_and_mpeg.size() && uid.compare(0, jpeg_and_mpeg.size(), jpeg_and_mpeg) == 0;
}

TransferSyntax transfer_syntax(const std::string& uid) {
  const DcmXfer known(uid.c_str());
  const std::optional<VideoCodec> video = video_codec_of(uid);
  const bool decoded = codec_of(uid) != Codec::none || (video && has_decoder(*video));
  TransferSyntax result;
  if (known.getXfer() != EXS_Unknown && uid == known.getXferID()) {
    result.name = known.getXferName();
    result.encapsulated = known.isEncapsulated();
    result.deflated = known.getStreamCompression() != ESC_none;
    result.explicit_vr = known.isExplicitVR();
    result.big_endian = known.isBigEndian();
    result.readable = native(known.getXfer()) || decoded;
    return result;
  }
  result.name = "unknown";
  result.encapsulated = true;
  result.readable = decoded;
  for (const NamedSyntax& s : newer_syntaxes)
    if (uid == s.uid) result.name = s.name;
  return result;
}

}  // namespace isocenter::detail::dicom
