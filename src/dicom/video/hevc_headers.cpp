#include "hevc_headers.hpp"

#include <algorithm>

#include "bit_reader.hpp"

namespace isocenter::detail::dicom {
namespace {

/// profile_tier_level( ), 7.3.3.
void read_profile(BitReader& in, unsigned sub_layers) {
  in.skip(8 + 32);
  const bool progressive = in.flag(), interlaced = in.flag();
  if (interlaced && !progressive)
    throw StreamError(
        "the HEVC stream is interlaced (general_interlaced_source_flag = 1), and only progressive streams are decoded");
  in.skip(46 + 8);
  bool has_profile[8] = {}, has_level[8] = {};
  for (unsigned i = 0; i < sub_layers; ++i) {
    has_profile[i] = in.flag();
    has_level[i] = in.flag();
  }
  if (sub_layers > 0) in.skip(2 * (8 - sub_layers));
  for (unsigned i = 0; i < sub_layers; ++i) in.skip((has_profile[i] ? 88 : 0) + (has_level[i] ? 8 : 0));
}

constexpr unsigned video_parameter_set = 32, sequence_parameter_set = 33, picture_parameter_set = 34;

unsigned type_of(std::span<const std::uint8_t> nal) { return nal.size() < 2 ? 63 : nal[0] >> 1U & 63U; }

/// A sequence parameter set up to its identifier.
struct SequenceStart {
  unsigned sub_layers = 0, id = 0;
};
SequenceStart read_sequence_start(BitReader& in) {
  in.skip(4);
  const unsigned sub_layers = in.bits(3);
  if (sub_layers > 6) throw StreamError("sps_max_sub_layers_minus1 = 7 of the stream is beyond 6");
  in.bit();
  read_profile(in, sub_layers);
  return {sub_layers, in.unsigned_code(15, "sps_seq_parameter_set_id")};
}

/// The sizes of blocks, 7.4.3.2.1: libde265 tells the terminal of impossible ones.
void check_blocks(BitReader& in, unsigned sub_layers, std::int64_t columns, std::int64_t rows) {
  in.unsigned_code(12, "log2_max_pic_order_cnt_lsb_minus4");
  for (unsigned i = in.flag() ? 0 : sub_layers; i <= sub_layers; ++i)
    for (int value = 0; value < 3; ++value) in.unsigned_code();
  const std::uint32_t smallest_coding = 3 + in.unsigned_code(3, "log2_min_luma_coding_block_size_minus3");
  const std::uint32_t tree = smallest_coding + in.unsigned_code(3, "log2_diff_max_min_luma_coding_block_size");
  const std::uint32_t smallest_transform = 2 + in.unsigned_code(3, "log2_min_luma_transform_block_size_minus2");
  const std::uint32_t largest_transform =
      smallest_transform + in.unsigned_code(3, "log2_diff_max_min_luma_transform_block_size");
  const std::int64_t block = std::int64_t{1} << smallest_coding;
  if (tree > 6 || smallest_transform >= smallest_coding || largest_transform > std::min(tree, 5U) ||
      columns % block != 0 || rows % block != 0)
    throw StreamError("the HEVC stream's sequence parameter set has block sizes that do not fit each other");
  for (const char* name : {"max_transform_hierarchy_depth_inter", "max_transform_hierarchy_depth_intra"})
    in.unsigned_code(tree - smallest_transform, name);
}

/// entropy_coding_sync_enabled_flag of a picture parameter set behind its identifier, 7.3.2.3.1.
bool is_synchronised(BitReader& in) {
  in.unsigned_code(15, "pps_seq_parameter_set_id");
  in.skip(2 + 3 + 2);
  in.unsigned_code(14, "num_ref_idx_l0_default_active_minus1");
  in.unsigned_code(14, "num_ref_idx_l1_default_active_minus1");
  in.signed_code();
  in.skip(2);
  if (in.flag()) in.unsigned_code();
  in.signed_code();
  in.signed_code();
  in.skip(5);
  return in.flag();
}

}  // namespace

std::optional<HevcSetName> hevc_set_name(std::span<const std::uint8_t> nal) {
  const unsigned type = type_of(nal);
  if (type < video_parameter_set || type > picture_parameter_set) return std::nullopt;
  BitReader in(nal.subspan(2));
  if (type == video_parameter_set) return HevcSetName{type, in.bits(4)};
  if (type == sequence_parameter_set) return HevcSetName{type, read_sequence_start(in).id};
  return HevcSetName{type, in.unsigned_code(63, "pps_pic_parameter_set_id")};
}

void HevcHeaders::read(std::span<const std::uint8_t> nal) {
  began_picture_ = false;
  const unsigned type = type_of(nal);
  if (type == sequence_parameter_set) read_sequence_set(nal);
  if (type == picture_parameter_set) {
    BitReader in(nal.subspan(2));
    const std::uint32_t id = in.unsigned_code(63, "pps_pic_parameter_set_id");
    synchronised_.erase(id);
    if (is_synchronised(in)) synchronised_.insert(id);
  }
  if (type < video_parameter_set) read_slice(nal);
}

/// 7.3.6.1, up to the picture parameter set.
void HevcHeaders::read_slice(std::span<const std::uint8_t> nal) {
  BitReader in(nal.subspan(2));
  began_picture_ = in.flag();
  const unsigned type = type_of(nal);
  if (type >= 16 && type <= 23) in.bit();
  const std::uint32_t set = in.unsigned_code(63, "slice_pic_parameter_set_id");
  if (!began_picture_ && synchronised_.count(set) != 0)
    throw StreamError(
        "the HEVC stream has several slices in a picture with entropy_coding_sync_enabled_flag = 1, which libde265 "
        "decodes to other pixels than the standard");
}

void HevcHeaders::read_sequence_set(std::span<const std::uint8_t> nal) const {
  const unsigned layer = (nal[0] & 1U) << 5U | nal[1] >> 3U;
  if (layer != 0) throw StreamError("the HEVC stream has a second layer or view, and one is decoded");
  BitReader in(nal.subspan(2));
  const SequenceStart start = read_sequence_start(in);
  const std::uint32_t chroma = in.unsigned_code(3, "chroma_format_idc");
  if (chroma == 3) in.bit();
  std::int64_t columns = in.unsigned_code(65536, "pic_width_in_luma_samples");
  std::int64_t rows = in.unsigned_code(65536, "pic_height_in_luma_samples");
  const std::int64_t coded_columns = columns, coded_rows = rows;
  if (in.flag()) {
    for (std::int64_t* const size : {&columns, &rows})
      for (int side = 0; side < 2; ++side) *size -= std::int64_t{2} * in.unsigned_code(65536, "conf_win_offset");
  }
  const std::uint32_t luma_bits = 8 + in.unsigned_code(8, "bit_depth_luma_minus8");
  const std::uint32_t chroma_bits = 8 + in.unsigned_code(8, "bit_depth_chroma_minus8");
  if (chroma != 1 || luma_bits != chroma_bits || (luma_bits != 8 && luma_bits != 10))
    throw StreamError("the HEVC stream has chroma_format_idc = " + std::to_string(chroma) + " with " +
                      std::to_string(luma_bits) + " bits, where 4:2:0 (1) with 8 or 10 bits is decoded");
  if (columns != width_ || rows != height_)
    throw StreamError("the stream's pictures have " + std::to_string(columns) + " x " + std::to_string(rows) +
                      " pixels, Columns (0028,0011) x Rows (0028,0010) = " + std::to_string(width_) + " x " +
                      std::to_string(height_));
  check_blocks(in, start.sub_layers, coded_columns, coded_rows);
}

}  // namespace isocenter::detail::dicom
