#include "video_file.hpp"

#include <vpx/vp8cx.h>
#include <vpx/vpx_encoder.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <isocenter/error.hpp>
#include <string>

#include "number_text.hpp"
#include "webm_writer.hpp"
#include "yuv420.hpp"

namespace isocenter::detail::io {
namespace {

constexpr int largest_extent = 16384;  // of libvpx as distributions configure it
constexpr double key_frame_period_s = 0.5;

int even(int extent) { return extent + extent % 2; }

/// libvpx's scale goes from 0 (lossless) to 63.
unsigned quantizer(int quality) { return static_cast<unsigned>(std::lround(63.0 * (100 - quality) / 100)); }

/// Columns are encoded side by side, each at least 256 wide. Not a function of the number of threads: bits stay.
int log2_tile_columns(int width) {
  return std::clamp(static_cast<int>(std::bit_width(static_cast<unsigned>(width / 256))) - 1, 0, 6);
}

/// At least two: libvpx gives the same bytes for two threads and for any more, but others for one alone.
unsigned encoder_threads(const VideoFormat& format) { return static_cast<unsigned>(std::clamp(format.threads, 2, 64)); }

vpx_codec_enc_cfg_t configuration(const VideoFormat& format) {
  vpx_codec_enc_cfg_t c{};
  vpx_codec_enc_config_default(vpx_codec_vp9_cx(), &c, 0);
  c.g_w = static_cast<unsigned>(even(format.width));
  c.g_h = static_cast<unsigned>(even(format.height));
  c.g_timebase = {static_cast<int>(std::lround(format.period_s * 1e6)), 1000000};  // a tick is a frame
  c.g_threads = encoder_threads(format);
  c.g_lag_in_frames = format.effort == VideoEffort::small ? 25 : 0;
  c.rc_end_usage = VPX_Q;
  c.kf_mode = VPX_KF_AUTO;
  c.kf_max_dist = static_cast<unsigned>(std::max(1L, std::lround(key_frame_period_s / format.period_s)));
  return c;
}

struct Codec {
  vpx_codec_ctx_t context{};
  ~Codec() { vpx_codec_destroy(&context); }
};

struct Picture {
  vpx_image_t image{};
  ~Picture() { vpx_img_free(&image); }
};

unsigned long deadline(VideoEffort effort) {
  return effort == VideoEffort::small ? VPX_DL_GOOD_QUALITY : VPX_DL_REALTIME;
}

}  // namespace

class VideoFile::Encoder {
 public:
  Encoder(const std::filesystem::path& path, const VideoFormat& format)
      : format_(format), webm_(path, {even(format.width), even(format.height), format.period_s}) {
    const vpx_codec_enc_cfg_t c = configuration(format);
    check(vpx_codec_enc_init(&codec_.context, vpx_codec_vp9_cx(), &c, 0), "cannot start");
    if (vpx_img_alloc(&picture_.image, VPX_IMG_FMT_I420, c.g_w, c.g_h, 32) == nullptr) throw std::bad_alloc();
    picture_.image.cs = VPX_CS_BT_709;
    picture_.image.range = VPX_CR_STUDIO_RANGE;
    set_controls();
  }

  void add(const std::uint8_t* rgb, std::int64_t row_bytes) {
    const vpx_image_t& image = picture_.image;
    rgb_to_yuv420_bt709(rgb, row_bytes, format_.width, format_.height,
                        {image.planes[0], image.planes[1], image.planes[2], image.stride[0], image.stride[1],
                         image.stride[2], even(format_.width), even(format_.height)});
    encode(&picture_.image);
    ++given_;
  }

  void finish() {
    while (encode(nullptr)) {
    }
    webm_.finish();
  }

  std::int64_t frames() const { return given_; }

 private:
  void check(vpx_codec_err_t error, const char* what) {
    if (error == VPX_CODEC_OK) return;
    const char* detail = vpx_codec_error_detail(&codec_.context);
    throw Failure(error == VPX_CODEC_MEM_ERROR ? ErrorCode::out_of_memory : ErrorCode::internal,
                  std::string("the VP9 encoder ") + what + ": " + vpx_codec_err_to_string(error) +
                      (detail == nullptr ? "" : std::string(" (") + detail + ")"),
                  "check the frames' size and the memory, and report this if both are fine");
  }

  void set_controls() {
    const bool small = format_.effort == VideoEffort::small;
    check(vpx_codec_control(&codec_.context, VP8E_SET_CPUUSED, small ? 3 : 8), "refused its speed");
    check(vpx_codec_control(&codec_.context, VP8E_SET_CQ_LEVEL, quantizer(format_.quality)), "refused its quality");
    check(vpx_codec_control(&codec_.context, VP8E_SET_ENABLEAUTOALTREF, small ? 1U : 0U),
          "refused alternate references");
    check(vpx_codec_control(&codec_.context, VP9E_SET_ROW_MT, 1U), "refused row threads");
    check(vpx_codec_control(&codec_.context, VP9E_SET_TILE_COLUMNS, log2_tile_columns(even(format_.width))),
          "refused its tiles");
    check(vpx_codec_control(&codec_.context, VP9E_SET_COLOR_SPACE, static_cast<int>(VPX_CS_BT_709)),
          "refused its colours");
    check(vpx_codec_control(&codec_.context, VP9E_SET_COLOR_RANGE, static_cast<int>(VPX_CR_STUDIO_RANGE)),
          "refused its range");
  }

  /// Hands one picture (or none: flush) to the encoder and writes what comes out; whether anything did.
  bool encode(const vpx_image_t* image) {
    check(vpx_codec_encode(&codec_.context, image, given_, 1, 0, deadline(format_.effort)), "failed");
    vpx_codec_iter_t position = nullptr;
    bool any = false;
    while (const vpx_codec_cx_pkt_t* packet = vpx_codec_get_cx_data(&codec_.context, &position)) {
      if (packet->kind != VPX_CODEC_CX_FRAME_PKT) continue;
      webm_.add({static_cast<const std::byte*>(packet->data.frame.buf), packet->data.frame.sz},
                (packet->data.frame.flags & VPX_FRAME_IS_KEY) != 0);
      any = true;
    }
    return any;
  }

  VideoFormat format_;
  WebmWriter webm_;
  Codec codec_;
  Picture picture_;
  std::int64_t given_ = 0;
};

void require_encodable(const VideoFormat& format) {
  if (std::min(format.width, format.height) < 1 || std::max(format.width, format.height) > largest_extent)
    throw Failure(ErrorCode::bad_data,
                  "frames of " + std::to_string(format.width) + " x " + std::to_string(format.height) +
                      " pixels cannot be encoded: VP9 takes 1 to 16384 in each direction",
                  "render frames within that size");
  if (!(format.period_s >= 1.0 / 240.5 && format.period_s <= 100))
    throw Failure(
        ErrorCode::bad_data,
        "a frame period of " + number_text(format.period_s) + " s cannot be played: videos take 1/240 to 100 s",
        "set frames_per_second to the rate at which the video shall be shown, for example 25");
}

VideoFile::VideoFile(const std::filesystem::path& path, const VideoFormat& format) {
  require_encodable(format);
  encoder_ = std::make_unique<Encoder>(path, format);
}
VideoFile::~VideoFile() = default;
void VideoFile::add(const std::uint8_t* rgb, std::int64_t row_bytes) { encoder_->add(rgb, row_bytes); }
std::int64_t VideoFile::frames() const { return encoder_->frames(); }
void VideoFile::finish() { encoder_->finish(); }

std::uint64_t video_encoder_bytes(const VideoFormat& format) {
  const auto pixels = static_cast<std::uint64_t>(even(format.width)) * static_cast<std::uint64_t>(even(format.height));
  const std::uint64_t pictures = format.effort == VideoEffort::small ? 90 : 60;
  return (24ULL << 20) + encoder_threads(format) * (13ULL << 19) + pixels * 3 / 2 * pictures;
}

}  // namespace isocenter::detail::io
