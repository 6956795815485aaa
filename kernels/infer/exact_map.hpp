#pragma once
// Elementwise functions and movement for every element type: one output element at a time, counted along x and y.
#include "infer/exact_functions.hpp"

namespace isocenter::detail {

/// out = then(function(inputs...)), inputs broadcast by steps of 0.
struct ExactMapKernel {
  static constexpr const char* name = "infer/exact_map";
  ElementSource in[3];
  ElementTarget out;
  std::int64_t step[3][most_axes];  ///< [input][axis of the output]
  Extents extents;                  ///< of the output
  std::int64_t count;
  infer::Function function, then;
  float alpha, beta, then_alpha, then_beta;
  int inputs;
  int whole;      ///< in int64
  int saturates;  ///< what the output's type cannot hold becomes its nearest bound

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes, int x, int y, int) const {
    each_column<Lanes>(x, y, count, [this](std::int64_t i) { compute(i); });
  }

 private:
  ISOCENTER_HD_CALL void compute(std::int64_t i) const {
    std::int64_t at[3] = {0, 0, 0}, rest = i;
    for (int k = extents.axes; k-- > 0;) {
      const std::int64_t position = rest % extents.at[k];
      rest /= extents.at[k];
      for (int n = 0; n < inputs; ++n) at[n] += position * step[n][k];
    }
    if (whole != 0) {
      std::int64_t v[3] = {0, 0, 0};
      for (int n = 0; n < inputs; ++n) v[n] = in[n].whole(at[n]);
      return out.whole(i, detail::apply_integer(function, v[0], v[1], v[2]));
    }
    double v[3] = {0, 0, 0};
    for (int n = 0; n < inputs; ++n) v[n] = in[n].real(at[n]);
    double r = detail::apply_real(function, static_cast<double>(alpha), static_cast<double>(beta), v[0], v[1], v[2]);
    if (then != infer::Function::identity)
      r = detail::apply_real(then, static_cast<double>(then_alpha), static_cast<double>(then_beta), r, 0, 0);
    write_real(out.form, out.data, i, r, saturates != 0);
  }
};

/// Elements as they are, from where tables say: along axis k the input's position is table[k][i], or i where there is
/// no table, times in_step[k]; a table entry of -1 gives `fill`.
struct PickKernel {
  static constexpr const char* name = "infer/pick";
  const void* in;
  void* out;
  const std::int32_t* table[most_axes];
  std::int64_t in_step[most_axes], out_step[most_axes];  ///< in elements
  Extents extents;                                       ///< of what is written
  std::int64_t count;
  std::uint64_t fill;  ///< its first `bytes` bytes
  int bytes;           ///< of an element: 1, 2, 4 or 8

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes, int x, int y, int) const {
    each_column<Lanes>(x, y, count, [this](std::int64_t i) { move(i); });
  }

 private:
  ISOCENTER_HD_CALL void move(std::int64_t i) const {
    std::int64_t from = 0, to = 0, rest = i;
    bool inside = true;
    for (int k = extents.axes; k-- > 0;) {
      const std::int64_t position = rest % extents.at[k];
      rest /= extents.at[k];
      const std::int64_t source = table[k] != nullptr ? table[k][position] : position;
      inside = inside && source >= 0;
      from += source * in_step[k];
      to += position * out_step[k];
    }
    if (bytes == 1) return put<std::uint8_t>(inside, from, to);
    if (bytes == 2) return put<std::uint16_t>(inside, from, to);
    if (bytes == 4) return put<std::uint32_t>(inside, from, to);
    put<std::uint64_t>(inside, from, to);
  }
  template <class T>
  ISOCENTER_HD void put(bool inside, std::int64_t from, std::int64_t to) const {
    save_as(out, to, inside ? load_as<T>(in, from) : load_as<T>(&fill, 0));
  }
};

}  // namespace isocenter::detail
