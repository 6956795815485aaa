#include "jpegls_scan.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <vector>

#include "always_inline.hpp"

namespace isocenter::detail::dicom {
namespace {

/// Offset of the first coded byte: markers up to the start of a scan with one component, NEAR and ILV 0. 0 when there
/// is anything else than frame, parameters, comments and application data before it.
std::size_t find_scan(std::span<const std::uint8_t> s) {
  for (std::size_t at = 2; at + 4 <= s.size();) {
    if (s[at] != 0xFF) return 0;
    const int marker = s[at + 1];
    if (marker == 0xFF) {  // a fill byte
      ++at;
      continue;
    }
    const std::size_t length = static_cast<std::size_t>(s[at + 2]) << 8U | s[at + 3];
    const bool known = marker == 0xF7 || marker == 0xF8 || marker == 0xDA || marker == 0xFE || (marker & 0xF0) == 0xE0;
    if (!known || length < 2 || length > s.size() - at - 2) return 0;
    const std::uint8_t* body = s.data() + at + 4;
    at += 2 + length;
    if (marker != 0xDA) continue;
    // Number of components, component, mapping table, NEAR, interleaving, point transform.
    return length == 8 && body[0] == 1 && body[2] == 0 && body[3] == 0 && body[4] == 0 && body[5] == 0 ? at : 0;
  }
  return 0;
}

/// Bits of the scan, the highest first. A byte behind 0xFF carries seven bits, and 0xFF before a byte from 0x80 on is a
/// marker that ends them (T.87 annex A.1); zeros follow.
class Bits {
 public:
  explicit Bits(std::span<const std::uint8_t> from) : at_(from.data()), end_(from.data() + from.size()) {}

  /// At least 56 bits are in `word` afterwards.
  ISOCENTER_ALWAYS_INLINE void refill() {
    if (!behind_ff_ && end_ - at_ >= 8) {
      std::uint64_t next;
      std::memcpy(&next, at_, 8);
      constexpr std::uint64_t ones = 0x0101010101010101U, tops = 0x8080808080808080U;
      if (((~next - ones) & next & tops) == 0) {  // none of the eight is 0xFF
        word |= __builtin_bswap64(next) >> valid;
        at_ += (63 - valid) >> 3;
        valid |= 56;
        return;
      }
    }
    refill_bytewise();
  }
  ISOCENTER_ALWAYS_INLINE void drop(int count) {
    word <<= count;
    valid -= count;
  }
  /// No more bits were taken than there are.
  bool honest() const { return valid >= padding_; }
  /// The scan is over: a marker stands where the bits end, with less than a byte of filling before.
  bool at_marker() const { return honest() && valid - padding_ < 8 && at_ + 1 < end_ && at_[0] == 0xFF; }

  std::uint64_t word = 0;  ///< left aligned
  int valid = 0;

 private:
  ISOCENTER_ALWAYS_INLINE void refill_bytewise() {
    while (valid <= 56) {
      const bool over = at_ == end_ || (*at_ == 0xFF && (at_ + 1 == end_ || at_[1] >= 0x80));
      if (over) {
        padding_ += 8;
        valid += 8;
        continue;
      }
      const int bits = behind_ff_ ? 7 : 8;
      word |= static_cast<std::uint64_t>(*at_) << (64 - bits) >> valid;
      valid += bits;
      behind_ff_ = *at_ == 0xFF;
      ++at_;
    }
  }
  const std::uint8_t* at_;
  const std::uint8_t* end_;
  int padding_ = 0;
  bool behind_ff_ = false;
};

/// A.7.1.1: bits of a run's length, by RUNindex.
constexpr int run_bits[32] = {0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2,  2,  3,  3,  3,  3,
                              4, 4, 5, 5, 6, 6, 7, 7, 8, 9, 10, 11, 12, 13, 14, 15};

struct Context {
  std::int32_t a = 0, b = 0, c = 0, n = 1;
};
struct RunContext {
  std::int32_t a = 0, n = 1, negative = 0;
};

/// Names and numbers of steps are those of T.87 annex A.
class Decoder {
 public:
  Decoder(std::span<const std::uint8_t> bits, const JpeglsScan& scan) : scan_(scan), bits_(bits) {
    const std::int32_t a = std::max(2, (scan.maximum + 1 + 32) / 64);
    for (Context& c : contexts_) c.a = a;
    for (RunContext& c : run_contexts_) c.a = a;
    limit_ = 2 * (scan.bits + std::max(8, scan.bits));
  }

  /// One line from the one above; both have a sample before their first and one behind their last.
  ISOCENTER_ALWAYS_INLINE bool line(const std::uint16_t* above, std::uint16_t* now) {
    const int columns = scan_.columns;
    Bits bits = bits_;  // in registers
    for (int x = 0; x < columns; ++x)
      above_context_[static_cast<std::size_t>(x)] =
          static_cast<std::int16_t>(81 * quantised(above[x + 1] - above[x]) + 9 * quantised(above[x] - above[x - 1]));
    int ra = now[-1];
    for (int x = 0; x < columns;) {
      const int rb = above[x], rc = above[x - 1];
      const int index = above_context_[static_cast<std::size_t>(x)] + quantised(rc - ra);
      if (index == 0) {
        const int run = decode_run(bits, ra, above + x, now + x, columns - x);
        if (run < 0) return false;
        x += run;
        ra = now[x - 1];
        continue;
      }
      ra = regular(bits, index, ra, rb, rc);
      now[x++] = static_cast<std::uint16_t>(ra);
    }
    bits_ = bits;
    return !failed_ && bits.honest();
  }

  bool complete() {
    bits_.refill();
    return bits_.at_marker();
  }

 private:
  /// A.3.3: -4 ... 4.
  ISOCENTER_ALWAYS_INLINE int quantised(int d) const {
    const int size = d < 0 ? -d : d;
    const int q =
        (size > 0) + (size >= scan_.thresholds[0]) + (size >= scan_.thresholds[1]) + (size >= scan_.thresholds[2]);
    return d < 0 ? -q : q;
  }

  /// A.5: the smallest k with n · 2^k >= a.
  static ISOCENTER_ALWAYS_INLINE int golomb_parameter(std::int32_t n, std::int32_t a) {
    const int k =
        std::max(0, std::countl_zero(static_cast<std::uint32_t>(n)) - std::countl_zero(static_cast<std::uint32_t>(a)));
    return k + ((n << k) < a);
  }

  /// A.5.3: a limited-length Golomb code.
  ISOCENTER_ALWAYS_INLINE int golomb(Bits& bits, int k, int limit) {
    if (bits.valid < 48) bits.refill();
    const int zeros = std::countl_zero(bits.word);
    const int longest = limit - scan_.bits - 1;
    int coded = 0;
    if (zeros < longest && zeros + 1 + k < bits.valid) [[likely]] {
      const std::uint64_t rest = bits.word << zeros << 1U;
      bits.drop(zeros + 1 + k);
      coded = zeros << k | static_cast<int>(rest >> 1U >> (63 - k));
    } else if (zeros <= longest && zeros < bits.valid) {
      bits.drop(zeros);
      bits.drop(1);
      bits.refill();
      const int count = zeros < longest ? k : scan_.bits;
      const int low = static_cast<int>(bits.word >> 1U >> (63 - count));
      bits.drop(count);
      coded = zeros < longest ? zeros << k | low : low + 1;
    } else {
      failed_ = true;
    }
    failed_ |= coded > 2 * scan_.maximum + 1;
    return coded & (2 * scan_.maximum + 1);
  }

  ISOCENTER_ALWAYS_INLINE int regular(Bits& bits, int index, int ra, int rb, int rc) {
    const int sign = index >> 31;  // -1 for a negative one
    Context& c = contexts_[(index ^ sign) - sign];
    // A.4: the median of ra, rb, ra + rb - rc, corrected by the context's bias.
    const int low = std::min(ra, rb), high = std::max(ra, rb);
    int predicted = std::clamp(ra + rb - rc, low, high);
    predicted = std::clamp(predicted + ((c.c ^ sign) - sign), 0, scan_.maximum);
    const int k = golomb_parameter(c.n, c.a);
    const int mapped = golomb(bits, k, limit_);
    int error = (mapped >> 1) ^ -(mapped & 1);
    if (k == 0 && 2 * c.b <= -c.n) error = ~error;
    // A.6.
    c.a += error < 0 ? -error : error;
    c.b += error;
    if (c.n == scan_.reset) {
      c.a >>= 1;
      c.b >>= 1;
      c.n >>= 1;
    }
    ++c.n;
    // Without branches, which noise would lead astray: between the two conditions neither bound of b is passed.
    const int down = c.b <= -c.n ? 1 : 0, up = c.b > 0 ? 1 : 0;
    c.b = std::clamp(c.b + (c.n & -down) - (c.n & -up), 1 - c.n, 0);
    c.c = std::clamp(c.c + up - down, -128, 127);
    return (predicted + ((error ^ sign) - sign)) & scan_.maximum;
  }

  /// A.7: samples written, -1 for a run beyond the line's end.
  ISOCENTER_ALWAYS_INLINE int decode_run(Bits& bits, int ra, const std::uint16_t* above, std::uint16_t* now, int left) {
    int length = 0;
    for (;;) {
      if (bits.valid < 48) bits.refill();
      const bool whole = bits.word >> 63U != 0;
      bits.drop(1);
      const int j = run_bits[run_index_];
      if (!whole) {
        if (j > 0) {
          length += static_cast<int>(bits.word >> (64 - j));
          bits.drop(j);
        }
        break;
      }
      const int count = std::min(1 << j, left - length);
      length += count;
      if (count == 1 << j && run_index_ < 31) ++run_index_;
      if (length == left) break;
    }
    if (length > left) return -1;
    std::fill_n(now, length, static_cast<std::uint16_t>(ra));
    if (length == left) return length;
    now[length] = static_cast<std::uint16_t>(interruption(bits, ra, above[length]));
    if (run_index_ > 0) --run_index_;
    return length + 1;
  }

  /// A.7.2: the sample that ends a run.
  ISOCENTER_ALWAYS_INLINE int interruption(Bits& bits, int ra, int rb) {
    const int kind = ra == rb ? 1 : 0;
    RunContext& c = run_contexts_[kind];
    const int k = golomb_parameter(c.n, kind == 1 ? c.a + (c.n >> 1) : c.a);
    const int coded = golomb(bits, k, limit_ - run_bits[run_index_] - 1);
    const int doubled = coded + kind, odd = doubled & 1;
    const int size = (doubled + odd) / 2;
    const bool negative = (k != 0 || 2 * c.negative >= c.n) == (odd != 0);
    const int error = negative ? -size : size;
    if (error < 0) ++c.negative;
    c.a += (coded + 1 - kind) >> 1;
    if (c.n == scan_.reset) {
      c.a >>= 1;
      c.n >>= 1;
      c.negative >>= 1;
    }
    ++c.n;
    return (kind == 1 ? ra + error : rb + (rb > ra ? error : -error)) & scan_.maximum;
  }

  const JpeglsScan scan_;
  Bits bits_;
  int limit_;
  int run_index_ = 0;
  bool failed_ = false;
  Context contexts_[365];
  RunContext run_contexts_[2];
  std::vector<std::int16_t> above_context_ = std::vector<std::int16_t>(static_cast<std::size_t>(scan_.columns));
};

ISOCENTER_ALWAYS_INLINE bool decode_lines(std::span<const std::uint8_t> coded, const JpeglsScan& scan,
                                          std::span<std::uint8_t> to) {
  Decoder decoder(coded, scan);
  const auto columns = static_cast<std::size_t>(scan.columns);
  std::vector<std::uint16_t> lines(2 * (columns + 2));
  std::uint16_t* above = lines.data() + 1;
  std::uint16_t* now = above + columns + 2;
  for (int y = 0; y < scan.rows; ++y) {
    above[columns] = above[columns - 1];  // A.2.1: beyond the last sample stands its value,
    now[-1] = above[0];                   // before the first the one above
    if (!decoder.line(above, now)) return false;
    std::uint8_t* row = to.data() + static_cast<std::size_t>(y) * columns * (scan.bits > 8 ? 2 : 1);
    if (scan.bits > 8)
      std::memcpy(row, now, 2 * columns);
    else
      for (std::size_t x = 0; x < columns; ++x) row[x] = static_cast<std::uint8_t>(now[x]);
    std::swap(above, now);
  }
  return decoder.complete();
}

#if defined(__x86_64__)
__attribute__((flatten, target("avx2,bmi,bmi2,lzcnt"))) bool decode_lines_avx2(std::span<const std::uint8_t> coded,
                                                                               const JpeglsScan& scan,
                                                                               std::span<std::uint8_t> to) {
  return decode_lines(coded, scan, to);
}
#endif

}  // namespace

bool decode_jpegls_scan(std::span<const std::uint8_t> codestream, const JpeglsScan& scan, std::span<std::uint8_t> to) {
  if (scan.bits < 8 || scan.bits > 16 || scan.maximum != (1 << scan.bits) - 1 || scan.reset < 3 || scan.reset > 255)
    return false;
  const std::size_t at = find_scan(codestream);
  if (at == 0) return false;
  const auto coded = codestream.subspan(at);
#if defined(__x86_64__)
  static const bool avx2 = __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("bmi2") != 0;
  if (avx2) return decode_lines_avx2(coded, scan, to);
#endif
  return decode_lines(coded, scan, to);
}

}  // namespace isocenter::detail::dicom
