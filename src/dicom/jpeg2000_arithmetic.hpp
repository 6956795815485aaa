#pragma once
// The MQ decoder of JPEG 2000 and its raw bits: ITU-T T.800 annex C and D.6.
#include <array>
#include <bit>
#include <cstdint>

#include "always_inline.hpp"

namespace isocenter::detail::dicom {

/// A context's state: Qe in the upper 16 bits, so that it is compared and subtracted as it is; in the lower 32 the
/// entries of mq_states that follow a less (bits 16 ... 31) and a more probable symbol (1 ... 15); bit 0 is the more
/// probable symbol.
using MqState = std::uint64_t;
constexpr MqState mq_qe_bits = 0xFFFF000000000000U;

/// T.800 table C.2, for either more probable symbol: entry 2 · index + symbol.
constexpr std::array<MqState, 94> make_mq_states() {
  struct Row {
    std::uint16_t qe;
    std::uint8_t more, less, exchange;
  };
  constexpr Row rows[47] = {
      {0x5601, 1, 1, 1},   {0x3401, 2, 6, 0},   {0x1801, 3, 9, 0},   {0x0AC1, 4, 12, 0},  {0x0521, 5, 29, 0},
      {0x0221, 38, 33, 0}, {0x5601, 7, 6, 1},   {0x5401, 8, 14, 0},  {0x4801, 9, 14, 0},  {0x3801, 10, 14, 0},
      {0x3001, 11, 17, 0}, {0x2401, 12, 18, 0}, {0x1C01, 13, 20, 0}, {0x1601, 29, 21, 0}, {0x5601, 15, 14, 1},
      {0x5401, 16, 14, 0}, {0x5101, 17, 15, 0}, {0x4801, 18, 16, 0}, {0x3801, 19, 17, 0}, {0x3401, 20, 18, 0},
      {0x3001, 21, 19, 0}, {0x2801, 22, 19, 0}, {0x2401, 23, 20, 0}, {0x2201, 24, 21, 0}, {0x1C01, 25, 22, 0},
      {0x1801, 26, 23, 0}, {0x1601, 27, 24, 0}, {0x1401, 28, 25, 0}, {0x1201, 29, 26, 0}, {0x1101, 30, 27, 0},
      {0x0AC1, 31, 28, 0}, {0x09C1, 32, 29, 0}, {0x08A1, 33, 30, 0}, {0x0521, 34, 31, 0}, {0x0441, 35, 32, 0},
      {0x02A1, 36, 33, 0}, {0x0221, 37, 34, 0}, {0x0141, 38, 35, 0}, {0x0111, 39, 36, 0}, {0x0085, 40, 37, 0},
      {0x0049, 41, 38, 0}, {0x0025, 42, 39, 0}, {0x0015, 43, 40, 0}, {0x0009, 44, 41, 0}, {0x0005, 45, 42, 0},
      {0x0001, 45, 43, 0}, {0x5601, 46, 46, 0}};
  std::array<MqState, 94> states{};
  for (unsigned i = 0; i < 47; ++i)
    for (unsigned symbol = 0; symbol < 2; ++symbol) {
      const MqState more = 2U * rows[i].more + symbol;
      const MqState less = 2U * rows[i].less + (symbol ^ rows[i].exchange);
      states[2 * i + symbol] = static_cast<MqState>(rows[i].qe) << 48U | less << 16U | more << 1U | symbol;
    }
  return states;
}
inline constexpr std::array<MqState, 94> mq_states = make_mq_states();

/// Decodes the decisions of one codeword segment. Without a branch on what was decoded: noise would lead it astray.
/// Behind the segment's end come ones (T.800 D.4.1), so it can be asked for any number of decisions.
class MqDecoder {
 public:
  MqDecoder(const std::uint8_t* begin, const std::uint8_t* end) : at_(begin), end_(end) { *this = filled(*this); }

  ISOCENTER_ALWAYS_INLINE unsigned decode(MqState& state) {
    const MqState now = state;
    const std::uint64_t qe = now & mq_qe_bits;
    const std::uint64_t rest = interval_ - qe;
    const std::uint64_t lower = code_ < qe ? ~std::uint64_t{0} : 0;
    const unsigned less = static_cast<unsigned>(lower & 1U) ^ static_cast<unsigned>(rest < qe);
    const std::uint64_t next_interval = rest ^ ((rest ^ qe) & lower);
    const std::uint64_t next_code = code_ - (qe & ~lower);
    const int shift = std::countl_zero(next_interval);
    interval_ = next_interval << shift;
    code_ = next_code << shift;
    free_ += shift;
    const MqState after_more = mq_states[now >> 1U & 0x7FFFU];
    const MqState after_less = mq_states[now >> 16U & 0xFFFFU];
    const MqState renormalised = less != 0 ? after_less : after_more;
    state = shift != 0 ? renormalised : now;
    if (free_ > 48) [[unlikely]]
      *this = filled(*this);
    return static_cast<unsigned>(now & 1U) ^ less;
  }

 private:
  /// With bytes added below the bits that are left. A byte behind 0xFF overlaps the bit before it: it may carry.
  /// By value, so that a decoder's members can stay in registers.
  __attribute__((noinline)) static MqDecoder filled(MqDecoder d) {
    while (d.free_ >= 8) {
      if (d.at_ == d.end_ || (d.behind_ff_ && *d.at_ > 0x8F)) {
        d.end_ = d.at_;
        d.behind_ff_ = false;
        d.free_ -= 8;
        d.code_ += std::uint64_t{0xFF} << d.free_;
        continue;
      }
      d.free_ -= d.behind_ff_ ? 7 : 8;
      d.code_ += static_cast<std::uint64_t>(*d.at_) << d.free_;
      d.behind_ff_ = *d.at_ == 0xFF;
      ++d.at_;
    }
    return d;
  }

  std::uint64_t code_ = 0;  ///< the C register's sixteen upper bits first, then what follows
  std::uint64_t interval_ = std::uint64_t{0x8000} << 48U;  ///< the A register, left aligned too
  int free_ = 63;                                          ///< bits of code_ that hold nothing, at its lower end
  const std::uint8_t* at_;
  const std::uint8_t* end_;
  bool behind_ff_ = false;
};

}  // namespace isocenter::detail::dicom
