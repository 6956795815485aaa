#include <wels/codec_api.h>

#include <array>
#include <vector>

#include "h264_headers.hpp"
#include "picture_decoder.hpp"

namespace isocenter::detail::dicom {
namespace {

struct Destroy {
  void operator()(ISVCDecoder* decoder) const {
    decoder->Uninitialize();
    WelsDestroyDecoder(decoder);
  }
};

/// OpenH264, fed with whole access units. Each gives its picture at once, or the stream is refused: OpenH264 conceals
/// nothing here, and H264Headers has let no stream in whose pictures are shown in another order.
class H264Decoder final : public PictureDecoder {
 public:
  H264Decoder(int width, int height) : headers_(width, height), largest_unit_(largest_coded_picture(width, height)) {
    ISVCDecoder* decoder = nullptr;
    if (WelsCreateDecoder(&decoder) != 0 || decoder == nullptr) throw StreamError("OpenH264 cannot be started");
    decoder_.reset(decoder);
    int silent = WELS_LOG_QUIET;
    decoder_->SetOption(DECODER_OPTION_TRACE_LEVEL, &silent);
    SDecodingParam parameters{};
    parameters.uiTargetDqLayer = 255;  // the highest
    parameters.eEcActiveIdc = ERROR_CON_DISABLE;
    parameters.sVideoProperty.eVideoBsType = VIDEO_BITSTREAM_AVC;
    if (decoder_->Initialize(&parameters) != 0) throw StreamError("OpenH264 cannot be started");
  }

  void push(std::span<const std::uint8_t> nal) override {
    headers_.read(nal);
    const unsigned type = nal.empty() ? 0 : nal[0] & 31U;
    const bool is_slice = type == 1 || type == 5;
    // An access unit ends before the next picture's first slice, or before what may precede it (7.4.1.2.3).
    if (unit_has_picture_ && (headers_.began_picture() || (type >= 6 && type <= 9))) decode();
    if (!is_slice && type != 7 && type != 8) return;
    if (unit_.size() + nal.size() > largest_unit_)
      throw StreamError("an access unit is larger than " + std::to_string(largest_unit_) + " bytes");
    constexpr std::array<std::uint8_t, 4> start_code{0, 0, 0, 1};
    unit_.insert(unit_.end(), start_code.begin(), start_code.end());
    unit_.insert(unit_.end(), nal.begin(), nal.end());
    if (is_slice) {
      unit_has_picture_ = true;
      format_ = headers_.format();
    }
  }

  void finish() override {
    if (unit_has_picture_) decode();
  }

  bool take(VideoPicture& picture) override {
    if (!ready_) return false;
    ready_ = false;
    picture = picture_;
    return true;
  }

 private:
  void decode() {
    unsigned char* planes[3] = {};
    SBufferInfo info{};
    info.uiInBsTimeStamp = ++decoded_;
    const int state = decoder_->DecodeFrameNoDelay(unit_.data(), static_cast<int>(unit_.size()), planes, &info);
    unit_.clear();
    unit_has_picture_ = false;
    if (state == 0 && info.iBufferStatus != 1) {  // held back for reordering
      info = {};
      decoder_->FlushFrame(planes, &info);
    }
    if (state != 0 || info.iBufferStatus != 1 || info.uiOutYuvTimeStamp != decoded_)
      throw StreamError("OpenH264 cannot decode picture " + std::to_string(decoded_) + " of the stream (state " +
                        std::to_string(state) + "): it is damaged, or refers to pictures before the stream's first");
    const SSysMEMBuffer& buffer = info.UsrData.sSystemBuffer;
    if (buffer.iWidth != format_.width || buffer.iHeight != format_.height || buffer.iFormat != videoFormatI420)
      throw StreamError("OpenH264 gave a picture of " + std::to_string(buffer.iWidth) + " x " +
                        std::to_string(buffer.iHeight) + " pixels");
    picture_.format = format_;
    picture_.bits = 8;
    for (int i = 0; i < 3; ++i) {
      picture_.plane[i] = planes[i];
      picture_.stride[i] = buffer.iStride[i == 0 ? 0 : 1];
    }
    ready_ = true;
  }

  H264Headers headers_;
  std::unique_ptr<ISVCDecoder, Destroy> decoder_;
  std::size_t largest_unit_;
  std::vector<std::uint8_t> unit_;
  VideoFormat format_;  ///< of the unit
  bool unit_has_picture_ = false, ready_ = false;
  std::uint64_t decoded_ = 0;
  VideoPicture picture_;
};

}  // namespace

std::unique_ptr<PictureDecoder> make_h264_decoder(int width, int height) {
  return std::make_unique<H264Decoder>(width, height);
}

}  // namespace isocenter::detail::dicom
