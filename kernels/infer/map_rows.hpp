#pragma once
// out = then(function(inputs...)) along rows whose elements lie together, on the CPU: float32, bfloat16 and 8-bit
// integers that stand for real values, each read and written as it is stored. One source for all instruction sets, the
// same bits on each.
#include <cstdint>

#include "infer/pack16.hpp"

namespace isocenter::detail {

struct MapOperand {
  enum class Storage : std::uint8_t { float32, bfloat16, unsigned8, signed8 };
  void* data = nullptr;
  Storage storage = Storage::float32;
  float scale = 0.0F;  ///< of integers: real = scale * (stored - zero)
  int zero = 0;
  std::int64_t step = 0;  ///< elements from a row to the next; 0: one row for all
  bool single = false;    ///< one element for the whole row
};

struct MapRows {
  infer::Function function = infer::Function::identity, then = infer::Function::identity;
  float alpha = 0.0F, beta = 0.0F, then_alpha = 0.0F, then_beta = 0.0F;
  int inputs = 1;
  MapOperand in[3], out;
  std::int64_t rows = 1, columns = 0;
  /// From one value of 8 bits to one of 8 bits: what each of the 256 gives, by its bits; else null.
  const std::uint8_t* table = nullptr;
};

/// Fills such a table. The map's operands need no data.
void fill_table(const MapRows& map, std::uint8_t (&table)[256]);

/// Elements [begin, end) of a row. Integers are rounded half to even and brought into their type's range; what is not a
/// number becomes the lowest.
void run_map(const MapRows& map, std::int64_t row, std::int64_t begin, std::int64_t end);

/// What it chooses from where there is no table.
Variants<void (*)(const MapRows&, std::int64_t row, std::int64_t begin, std::int64_t end)> map_variants();

}  // namespace isocenter::detail
