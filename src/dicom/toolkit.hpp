#pragma once
// DCMTK made ready: codecs registered once, its log led away from the terminal. No DCMTK type in here.
#include <string>

namespace isocenter::detail::dicom {

/// Registers DCMTK's JPEG, JPEG-LS and RLE codecs and OpenJPEG's JPEG 2000 once for the process, and routes DCMTK's log
/// to the DcmtkLog of the thread that caused it (or nowhere). Thread-safe; call it before any use of DCMTK.
/// Fails when DCMTK finds no data dictionary, which it needs to read implicit value representations.
void use_dcmtk();

/// Collects what DCMTK logs on this thread while it lives: the cause behind a parser's or a codec's error.
class DcmtkLog {
 public:
  DcmtkLog();
  DcmtkLog(const DcmtkLog&) = delete;
  DcmtkLog& operator=(const DcmtkLog&) = delete;
  ~DcmtkLog();
  /// The first warning or error, on one line; "" when there was none.
  const std::string& first() const { return first_; }

 private:
  friend struct DcmtkLogSink;
  std::string first_;
  DcmtkLog* outer_;
};

/// A transfer syntax's name and whether this build reads its pixels.
struct TransferSyntax {
  std::string name;  ///< "JPEG-LS Lossless"; "unknown" when it is in no list
  bool encapsulated = false;
  bool deflated = false;
  bool explicit_vr = true;
  bool big_endian = false;
  bool readable = false;
};
TransferSyntax transfer_syntax(const std::string& uid);

/// MPEG-2, MPEG-4 AVC/H.264, HEVC/H.265 (PS3.5 8.2.5 to 8.2.8): one stream for all frames.
bool is_video(const std::string& transfer_syntax_uid);

/// What decodes the frames of a transfer syntax.
enum class Codec { none, rle, jpeg, jpeg_ls, jpeg_2000, deflated_frame };
Codec codec_of(const std::string& transfer_syntax_uid);

}  // namespace isocenter::detail::dicom
