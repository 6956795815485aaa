#include "h264_headers.hpp"

#include <array>

#include "bit_reader.hpp"

namespace isocenter::detail::dicom {
namespace {

/// Profiles whose sequence parameter sets have the chroma format (7.3.2.1.1).
bool has_chroma_format(unsigned profile) {
  constexpr std::array high{100U, 110U, 122U, 244U, 44U, 83U, 86U, 118U, 128U, 138U, 139U, 134U, 135U};
  for (const unsigned p : high)
    if (p == profile) return true;
  return false;
}

/// 7.3.2.1.1.1
void skip_scaling_list(BitReader& in, int entries) {
  std::int64_t last = 8, next = 8;
  for (int i = 0; i < entries; ++i) {
    if (next != 0) next = (last + in.signed_code() + 256) % 256;
    if (next != 0) last = next;
  }
}

void read_chroma(BitReader& in) {
  const std::uint32_t chroma = in.unsigned_code(3, "chroma_format_idc");
  if (chroma == 3) in.bit();
  const std::uint32_t luma_bits = 8 + in.unsigned_code(6, "bit_depth_luma_minus8");
  const std::uint32_t chroma_bits = 8 + in.unsigned_code(6, "bit_depth_chroma_minus8");
  if (chroma != 1 || luma_bits != 8 || chroma_bits != 8)
    throw StreamError("the H.264 stream has chroma_format_idc = " + std::to_string(chroma) + " with " +
                      std::to_string(luma_bits) + " bits, where 4:2:0 (1) with 8 bits is decoded");
  in.bit();
  if (!in.flag()) return;
  for (int list = 0; list < 8; ++list)
    if (in.flag()) skip_scaling_list(in, list < 6 ? 16 : 64);
}

void read_order_count(BitReader& in, H264SequenceSet& set) {
  set.order_count_type = in.unsigned_code(2, "pic_order_cnt_type");
  if (set.order_count_type == 0) set.order_count_bits = 4 + in.unsigned_code(12, "log2_max_pic_order_cnt_lsb_minus4");
  if (set.order_count_type != 1) return;
  throw StreamError("the H.264 stream has pic_order_cnt_type = 1, where 0 and 2 are read");
}

/// Annex E.1.1, up to what says how the colours are meant.
VideoColour read_usability(BitReader& in) {
  VideoColour colour;
  constexpr std::uint32_t extended_aspect = 255;
  if (in.flag() && in.bits(8) == extended_aspect) in.skip(32);
  if (in.flag()) in.bit();
  if (!in.flag()) return colour;
  in.skip(3);
  colour.full_range = in.flag();
  if (!in.flag()) return colour;
  in.skip(16);
  colour.matrix_coefficients = static_cast<int>(in.bits(8));
  return colour;
}

/// PicOrderCntMsb, 8.2.1.1.
std::int64_t order_msb(std::int64_t lsb, std::int64_t last_lsb, std::int64_t last_msb, std::int64_t span) {
  if (lsb < last_lsb && last_lsb - lsb >= span / 2) return last_msb + span;
  if (lsb > last_lsb && lsb - last_lsb > span / 2) return last_msb - span;
  return last_msb;
}

}  // namespace

H264SequenceSet read_h264_sequence_set(std::span<const std::uint8_t> nal) {
  BitReader in(nal.subspan(1));
  H264SequenceSet set;
  const unsigned profile = in.bits(8);
  in.skip(16);
  set.id = in.unsigned_code(31, "seq_parameter_set_id");
  if (has_chroma_format(profile)) read_chroma(in);
  set.frame_number_bits = 4 + in.unsigned_code(12, "log2_max_frame_num_minus4");
  read_order_count(in, set);
  in.unsigned_code(16, "max_num_ref_frames");
  in.bit();
  constexpr std::uint32_t most_macroblocks = 4096;  // 65535 pixels
  const int columns = static_cast<int>(in.unsigned_code(most_macroblocks, "pic_width_in_mbs_minus1")) + 1;
  const int rows = static_cast<int>(in.unsigned_code(most_macroblocks, "pic_height_in_map_units_minus1")) + 1;
  if (!in.flag())
    throw StreamError(
        "the H.264 stream may be interlaced (frame_mbs_only_flag = 0), and only progressive streams are decoded");
  in.bit();
  set.format.width = 16 * columns;
  set.format.height = 16 * rows;
  if (in.flag()) {
    for (int* const size : {&set.format.width, &set.format.height})
      for (int side = 0; side < 2; ++side) *size -= 2 * static_cast<int>(in.unsigned_code(65536, "frame_crop_offset"));
  }
  if (in.flag()) set.format.colour = read_usability(in);
  return set;
}

void H264Headers::read(std::span<const std::uint8_t> nal) {
  began_picture_ = false;
  if (nal.empty()) return;
  switch (nal[0] & 31U) {
    case 1:
    case 5:
      return read_slice(nal);
    case 2:
    case 3:
    case 4:
      throw StreamError("the H.264 stream has data partitions (Extended profile), which are not decoded");
    case 7: {
      const H264SequenceSet set = read_h264_sequence_set(nal);
      if (set.format.width != width_ || set.format.height != height_)
        throw StreamError("the stream's pictures have " + std::to_string(set.format.width) + " x " +
                          std::to_string(set.format.height) + " pixels, Columns (0028,0011) x Rows (0028,0010) = " +
                          std::to_string(width_) + " x " + std::to_string(height_));
      sequence_sets_[set.id] = set;
      return;
    }
    case 8: {
      BitReader in(nal.subspan(1));
      const std::uint32_t id = in.unsigned_code(255, "pic_parameter_set_id");
      picture_sets_[id] = in.unsigned_code(31, "seq_parameter_set_id");
      return;
    }
    case 15:
    case 20:
      throw StreamError("the H.264 stream has a second view or layer, and one view is decoded");
    default:
      return;
  }
}

/// 7.3.3, up to the picture order count.
void H264Headers::read_slice(std::span<const std::uint8_t> nal) {
  BitReader in(nal.subspan(1));
  began_picture_ = in.unsigned_code() == 0;
  const std::uint32_t type = in.unsigned_code(9, "slice_type") % 5;
  if (type == 1)
    throw StreamError("the H.264 stream has B slices, which OpenH264 decodes to other pixels than the standard");
  if (type > 2) throw StreamError("the H.264 stream has SP or SI slices (Extended profile), which are not decoded");
  const auto picture_set = picture_sets_.find(in.unsigned_code(255, "pic_parameter_set_id"));
  if (picture_set == picture_sets_.end()) throw StreamError("a slice has no picture parameter set before it");
  const auto found = sequence_sets_.find(picture_set->second);
  if (found == sequence_sets_.end()) throw StreamError("a slice has no sequence parameter set before it");
  const H264SequenceSet& set = found->second;
  format_ = set.format;
  if (!began_picture_) return;
  in.skip(set.frame_number_bits);
  const bool is_instant_refresh = (nal[0] & 31U) == 5;
  if (is_instant_refresh) in.unsigned_code();
  if (set.order_count_type == 0)
    follow_order(set, is_instant_refresh, (nal[0] & 0x60U) != 0, in.bits(set.order_count_bits));
}

/// Without B slices pictures are shown as they come, unless an encoder reorders others: that is not undone here.
void H264Headers::follow_order(const H264SequenceSet& set, bool is_instant_refresh, bool is_reference,
                               std::uint32_t lsb) {
  if (is_instant_refresh) reference_msb_ = reference_lsb_ = 0;
  const std::int64_t msb = order_msb(lsb, reference_lsb_, reference_msb_, std::int64_t{1} << set.order_count_bits);
  const std::int64_t order = msb + lsb;
  if (!is_instant_refresh && order <= last_order_)
    throw StreamError("the H.264 stream's pictures are not shown in the order in which they are decoded");
  last_order_ = order;
  if (!is_reference) return;
  reference_msb_ = msb;
  reference_lsb_ = lsb;
}

}  // namespace isocenter::detail::dicom
