#include "jpeg2000_block.hpp"

#include <algorithm>
#include <cstring>

#include "jpeg2000_arithmetic.hpp"

namespace isocenter::detail::dicom {
namespace {

constexpr std::uint64_t row_0 = 0x1111111111111111U, row_3 = 0x8888888888888888U;

enum Context : std::uint8_t { zero_coding = 0, sign_coding = 9, refinement = 14, run_length = 17, uniform = 18 };

/// Bit of a neighbour in a 3 x 3 window that was shifted to bit 0: three a row.
constexpr bool has(unsigned window, int row, int column) { return (window >> (3 * row + column) & 1U) != 0; }

/// T.800 table D.1.
constexpr std::uint8_t zero_context(unsigned window, J2kBand band) {
  int h = has(window, 1, 0) + has(window, 1, 2), v = has(window, 0, 1) + has(window, 2, 1);
  const int d = has(window, 0, 0) + has(window, 0, 2) + has(window, 2, 0) + has(window, 2, 2);
  if (band == J2kBand::hh) {
    const int hv = h + v;
    if (d >= 3) return 8;
    if (d == 2) return hv >= 1 ? 7 : 6;
    if (d == 1) return hv >= 2 ? 5 : hv == 1 ? 4 : 3;
    return hv >= 2 ? 2 : static_cast<std::uint8_t>(hv);
  }
  if (band == J2kBand::hl) std::swap(h, v);
  if (h == 2) return 8;
  if (h == 1) return v >= 1 ? 7 : d >= 1 ? 6 : 5;
  if (v == 2) return 4;
  if (v == 1) return 3;
  return d >= 2 ? 2 : static_cast<std::uint8_t>(d);
}

constexpr std::array<std::array<std::uint8_t, 512>, 4> make_zero_contexts() {
  std::array<std::array<std::uint8_t, 512>, 4> table{};
  for (int band = 0; band < 4; ++band)
    for (unsigned window = 0; window < 512; ++window)
      table[static_cast<std::size_t>(band)][window] = zero_context(window, static_cast<J2kBand>(band));
  return table;
}
constexpr auto zero_contexts = make_zero_contexts();

/// T.800 tables D.2 and D.3: context, and in bit 7 the bit that turns the decision. Index: above, left, right and below
/// significant in bits 1, 3, 5, 7, negative too in bits 0, 2, 4, 6.
constexpr std::array<std::uint8_t, 256> make_sign_contexts() {
  std::array<std::uint8_t, 256> table{};
  for (unsigned i = 0; i < 256; ++i) {
    const auto sign = [&](unsigned at) { return (i >> at & 2U) == 0 ? 0 : (i >> at & 1U) != 0 ? -1 : 1; };
    const int h = std::clamp(sign(2) + sign(4), -1, 1), v = std::clamp(sign(0) + sign(6), -1, 1);
    const bool turned = h < 0 || (h == 0 && v < 0);
    const int context = h == 0 ? 9 + (v != 0) : 12 + (turned ? -v : v);
    table[i] = static_cast<std::uint8_t>(context | (turned ? 0x80 : 0));
  }
  return table;
}
constexpr auto sign_contexts = make_sign_contexts();

/// Raw bits of a bypassed pass (T.800 D.6): a zero is stuffed behind 0xFF; ones follow the end.
class RawBits {
 public:
  RawBits(const std::uint8_t* begin, const std::uint8_t* end) : at_(begin), end_(end) {}
  unsigned next() {
    if (left_ == 0) {
      left_ = byte_ == 0xFF ? 7 : 8;
      byte_ = at_ != end_ ? *at_++ : 0xFF;
    }
    return byte_ >> --left_ & 1U;
  }

 private:
  const std::uint8_t* at_;
  const std::uint8_t* end_;
  unsigned byte_ = 0;
  int left_ = 0;
};

}  // namespace

/// The three passes over one bit-plane.
struct J2kBlockDecoder::Passes {
  std::array<MqState, 19> contexts;
  Word* words;                ///< of the first stripe
  std::uint64_t* neighbours;  ///< of the first stripe's first column
  int words_across, stripes, word_stride, neighbour_stride;
  const std::uint8_t* zero_table;
  bool causal;

  void reset() {
    contexts.fill(mq_states[0]);
    contexts[zero_coding] = mq_states[2 * 4];
    contexts[run_length] = mq_states[2 * 3];
    contexts[uniform] = mq_states[2 * 46];
  }

  /// Who has a significant neighbour, or is significant itself.
  ISOCENTER_ALWAYS_INLINE std::uint64_t reached(const Word* w) const {
    const auto column = [&](int k) {
      const std::uint64_t here = w[k].significant;
      const std::uint64_t below = causal ? 0 : w[k + word_stride].significant << 3U & row_3;
      return here | (here << 1U & ~row_0) | (here >> 1U & ~row_3) | (w[k - word_stride].significant >> 3U & row_0) |
             below;
    };
    const std::uint64_t here = column(0);
    return here | here << 4U | here >> 4U | column(-1) >> 60U | column(1) << 60U;
  }

  /// Enters a coefficient, 1 or with bit 32 a negative one, in the neighbourhoods of those around it.
  ISOCENTER_ALWAYS_INLINE void enter(std::uint64_t* f, unsigned row, std::uint64_t value) const {
    const unsigned shift = 3 * row;
    f[-1] |= value << (shift + 5);
    f[0] |= value << (shift + 4);
    f[1] |= value << (shift + 3);
    // The outer rows are seen by another stripe; for the others the same is entered again, which costs no branch.
    const int stride = neighbour_stride;
    const int offset[4] = {causal ? 0 : -stride, 0, 0, stride};
    constexpr unsigned char shifts[4] = {15, 6, 9, 0};
    const unsigned other = causal && row == 0 ? 3 : shifts[row];
    f += offset[row];
    f[-1] |= value << (other + 2);
    f[0] |= value << (other + 1);
    f[1] |= value << other;
  }

  /// Decodes the sign and makes the coefficient significant: its bit in `negative` is returned.
  template <class Bit>
  ISOCENTER_ALWAYS_INLINE std::uint64_t sign(Bit&& bit, std::uint64_t* f, unsigned row) {
    const std::uint64_t window = *f >> (3 * row);
    const unsigned index = static_cast<unsigned>((window & 0xAAU) | (window >> 33U & 0x55U));
    const std::uint64_t negative = bit(sign_contexts[index]);
    enter(f, row, 1U | negative << 32U);
    return negative;
  }

  template <class Zero, class Sign>
  ISOCENTER_ALWAYS_INLINE void significance(Zero&& zero, Sign&& sign_bit, std::uint64_t* plane) {
    constexpr std::uint64_t onward[4] = {0x32, 0x3A, 0x3A, 0x18};  // those beside it that are coded later
    for (int s = 0; s < stripes; ++s)
      for (int k = 0; k < words_across; ++k, ++plane) {
        Word* const w = words + s * word_stride + k;
        std::uint64_t* const columns = neighbours + s * neighbour_stride + 16 * k;
        const std::uint64_t insignificant = ~w->significant & w->valid;
        std::uint64_t todo = reached(w) & insignificant, visited = 0, found = 0, negatives = 0;
        while (todo != 0) {
          const unsigned at = static_cast<unsigned>(std::countr_zero(todo));
          const std::uint64_t bit = std::uint64_t{1} << at;
          visited |= bit;
          todo &= todo - 1;
          std::uint64_t* const f = columns + (at >> 2U);
          const unsigned row = at & 3U;
          if (zero(zero_table[*f >> (3 * row) & 0x1EFU]) != 0) {
            negatives |= sign(sign_bit, f, row) << at;
            found |= bit;
            todo |= onward[row] << at & insignificant;
          }
        }
        w->significant |= found;
        w->negative |= negatives;
        w->visited = visited;
        *plane |= found;
      }
  }

  void significance(MqDecoder& decoder, std::uint64_t* plane) {
    MqDecoder mq = decoder;
    significance([&](unsigned c) { return mq.decode(contexts[c]); },
                 [&](unsigned c) { return mq.decode(contexts[c & 0x7FU]) ^ c >> 7U; }, plane);
    decoder = mq;
  }
  void significance(RawBits& raw, std::uint64_t* plane) {
    significance([&](unsigned) { return raw.next(); }, [&](unsigned) { return raw.next(); }, plane);
  }

  void refine(MqDecoder& decoder, std::uint64_t* plane) {
    MqDecoder mq = decoder;
    MqState alone = contexts[refinement], beside = contexts[refinement + 1], later = contexts[refinement + 2];
    for (int s = 0; s < stripes; ++s)
      for (int k = 0; k < words_across; ++k, ++plane) {
        Word* const w = words + s * word_stride + k;
        const std::uint64_t all = w->significant & ~w->visited;
        if (all == 0) continue;
        const std::uint64_t again = w->refined;
        const std::uint64_t* const columns = neighbours + s * neighbour_stride + 16 * k;
        std::uint64_t ones = 0;
        for (std::uint64_t todo = all; todo != 0; todo &= todo - 1) {
          const unsigned at = static_cast<unsigned>(std::countr_zero(todo));
          if ((again >> at & 1U) != 0) {
            ones |= static_cast<std::uint64_t>(mq.decode(later)) << at;
          } else {
            const bool lonely = (columns[at >> 2U] >> (3 * (at & 3U)) & 0x1EFU) == 0;
            ones |= static_cast<std::uint64_t>(mq.decode(lonely ? alone : beside)) << at;
          }
        }
        w->refined |= all;
        *plane |= ones;
      }
    contexts[refinement] = alone;
    contexts[refinement + 1] = beside;
    contexts[refinement + 2] = later;
    decoder = mq;
  }
  void refine(RawBits& raw, std::uint64_t* plane) {
    for (int s = 0; s < stripes; ++s)
      for (int k = 0; k < words_across; ++k, ++plane) {
        Word* const w = words + s * word_stride + k;
        const std::uint64_t all = w->significant & ~w->visited;
        for (std::uint64_t todo = all; todo != 0; todo &= todo - 1)
          *plane |= static_cast<std::uint64_t>(raw.next()) << std::countr_zero(todo);
        w->refined |= all;
      }
  }

  void clean_up(MqDecoder& decoder, std::uint64_t* plane) {
    MqDecoder mq = decoder;
    const auto sign_bit = [&](unsigned c) { return mq.decode(contexts[c & 0x7FU]) ^ c >> 7U; };
    for (int s = 0; s < stripes; ++s)
      for (int k = 0; k < words_across; ++k, ++plane) {
        Word* const w = words + s * word_stride + k;
        std::uint64_t* const columns = neighbours + s * neighbour_stride + 16 * k;
        std::uint64_t todo = ~w->significant & ~w->visited & w->valid, found = 0, negatives = 0;
        // Columns of four that nothing has reached: their lowest bits.
        std::uint64_t runs = ~reached(w) & todo;
        runs &= runs >> 1U;
        runs &= runs >> 2U & row_0;
        w->visited = 0;
        while (todo != 0) {
          unsigned at = static_cast<unsigned>(std::countr_zero(todo));
          std::uint64_t* const f = columns + (at >> 2U);
          bool one = false;
          if ((runs >> at & 1U) != 0 && (*f & 0x3FFFFU) == 0) {
            const std::uint64_t column = std::uint64_t{15} << at;
            if (mq.decode(contexts[run_length]) == 0) {
              todo &= ~column;
              continue;
            }
            unsigned row = mq.decode(contexts[uniform]) << 1U;
            row |= mq.decode(contexts[uniform]);
            at += row;
            todo &= ~(column & ((std::uint64_t{1} << at) | ((std::uint64_t{1} << at) - 1)));
            one = true;
          } else {
            todo &= todo - 1;
            one = mq.decode(contexts[zero_table[*f >> (3 * (at & 3U)) & 0x1EFU]]) != 0;
          }
          if (one) {
            negatives |= sign(sign_bit, f, at & 3U) << at;
            found |= std::uint64_t{1} << at;
          }
        }
        w->significant |= found;
        w->negative |= negatives;
        *plane |= found;
      }
    decoder = mq;
  }
};

void J2kBlockDecoder::prepare(const J2kBlock& block) {
  const int across = (block.width + 15) / 16, stripes = (block.height + 3) / 4;
  words_.assign(static_cast<std::size_t>((across + 2) * (stripes + 2)), Word{});
  neighbours_.assign(static_cast<std::size_t>((16 * across + 2) * (stripes + 2)), 0);
  planes_.assign(static_cast<std::size_t>(across * stripes * (block.planes + 1)), 0);
  for (int s = 0; s < stripes; ++s)
    for (int k = 0; k < across; ++k) {
      const int columns = std::min(16, block.width - 16 * k), rows = std::min(4, block.height - 4 * s);
      words_[static_cast<std::size_t>((s + 1) * (across + 2) + k + 1)].valid =
          ~std::uint64_t{0} >> (64 - 4 * columns) & row_0 * ((1U << rows) - 1);
    }
}

namespace {

/// Magnitudes and signs of sixteen columns by up to four rows.
struct Writer {
  const std::uint64_t* planes;  ///< of the word, the lowest plane first
  std::int64_t distance;        ///< from plane to plane
  int count;
  std::uint64_t negative;

  /// Bits of one row beside each other.
  static ISOCENTER_ALWAYS_INLINE unsigned row_of(std::uint64_t word, int row) {
    std::uint64_t x = word >> row & row_0;
    x = (x | x >> 3U) & 0x0303030303030303U;
    x = (x | x >> 6U) & 0x000F000F000F000FU;
    x = (x | x >> 12U) & 0x000000FF000000FFU;
    return static_cast<unsigned>((x | x >> 24U) & 0xFFFFU);
  }

  ISOCENTER_ALWAYS_INLINE void row(int y, int columns, std::int32_t* to) const {
    using Lanes = std::int32_t __attribute__((vector_size(32)));
    constexpr Lanes low = {1, 2, 4, 8, 16, 32, 64, 128};
    constexpr Lanes high = low << 8;
    Lanes a{}, b{};
    for (int p = 0; p < count; ++p) {
      const auto bits = static_cast<std::int32_t>(row_of(planes[p * distance], y));
      const std::int32_t weight = 1 << p;
      a |= ((low & bits) != 0) & weight;
      b |= ((high & bits) != 0) & weight;
    }
    const auto signs = static_cast<std::int32_t>(row_of(negative, y));
    const Lanes minus_a = (low & signs) != 0, minus_b = (high & signs) != 0;
    a = (a ^ minus_a) - minus_a;
    b = (b ^ minus_b) - minus_b;
    std::int32_t values[16];
    std::memcpy(values, &a, sizeof(a));
    std::memcpy(values + 8, &b, sizeof(b));
    std::memcpy(to, values, static_cast<std::size_t>(columns) * sizeof(std::int32_t));
  }
};

}  // namespace

ISOCENTER_ALWAYS_INLINE void J2kBlockDecoder::decode_all(const J2kBlock& block, std::int32_t* to, std::int64_t stride) {
  prepare(block);
  const int across = (block.width + 15) / 16, stripes = (block.height + 3) / 4;
  Passes passes{};
  passes.words_across = across;
  passes.stripes = stripes;
  passes.word_stride = across + 2;
  passes.neighbour_stride = 16 * across + 2;
  passes.words = words_.data() + passes.word_stride + 1;
  passes.neighbours = neighbours_.data() + passes.neighbour_stride + 1;
  passes.zero_table = zero_contexts[static_cast<std::size_t>(block.band)].data();
  passes.causal = block.style.vertically_causal;
  passes.reset();

  const std::int64_t distance = std::int64_t{across} * stripes;
  int pass = 2, plane = block.planes;  // the first is a clean-up of the highest plane
  for (const J2kSegment& segment : block.segments) {
    const std::uint8_t* const begin = segment.bytes.data();
    const std::uint8_t* const end = begin + segment.bytes.size();
    MqDecoder mq(begin, end);
    RawBits raw(begin, end);
    const auto decode_pass = [&](auto& from) {
      std::uint64_t* const bits = planes_.data() + plane * distance;
      if (pass == 0) passes.significance(from, bits);
      if (pass == 1) passes.refine(from, bits);
    };
    for (int i = 0; i < segment.passes; ++i) {
      if (pass == 2) {
        passes.clean_up(mq, planes_.data() + plane * distance);
        if (block.style.segmentation_symbols)
          for (int bit = 0; bit < 4; ++bit) mq.decode(passes.contexts[uniform]);
      } else if (block.style.bypass && block.planes - plane >= 4) {
        decode_pass(raw);
      } else {
        decode_pass(mq);
      }
      if (block.style.reset) passes.reset();
      if (++pass == 3) {
        pass = 0;
        --plane;
      }
    }
  }
  for (int s = 0; s < stripes; ++s)
    for (int k = 0; k < across; ++k) {
      const Word& w = passes.words[s * passes.word_stride + k];
      std::uint64_t* const bits = planes_.data() + s * across + k;
      // Pass `pass` of plane `plane` would be next. Coefficients that have their bit of this plane have the half below
      // it, the others at it.
      std::uint64_t complete = 0;
      if (pass == 1) complete = w.significant & w.visited;
      if (pass == 2) complete = w.significant;
      if (plane >= 1) bits[(plane - 1) * distance] |= complete;
      bits[plane * distance] |= w.significant & ~complete;
      const Writer writer{bits, distance, block.planes + 1, w.negative};
      const int columns = std::min(16, block.width - 16 * k), rows = std::min(4, block.height - 4 * s);
      for (int y = 0; y < rows; ++y) writer.row(y, columns, to + (4 * s + y) * stride + 16 * k);
    }
}

#if defined(__x86_64__)
__attribute__((flatten, target("avx2,bmi,bmi2,lzcnt"))) void J2kBlockDecoder::decode_avx2(const J2kBlock& block,
                                                                                          std::int32_t* to,
                                                                                          std::int64_t stride) {
  decode_all(block, to, stride);
}
#endif

void J2kBlockDecoder::decode(const J2kBlock& block, std::int32_t* to, std::int64_t stride) {
#if defined(__x86_64__)
  static const bool avx2 = __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("bmi2") != 0;
  if (avx2) return decode_avx2(block, to, stride);
#endif
  decode_all(block, to, stride);
}

}  // namespace isocenter::detail::dicom
