#pragma once
// The first half of FDK on a device that has a Fourier transform of its own: weight and pad the rows, transform,
// multiply, transform back, transpose. The same numbers as fdk_filter.hpp but for the transforms' rounding.
#include <cstdint>

#include "core/fft.hpp"
#include "core/launch.hpp"
#include "recon/fdk.hpp"
#include "recon/fdk_filter.hpp"

namespace isocenter::detail {

/// padded[n][row][x]: the readings of FdkRows, weighted, from x = 0 on; what lies left of the detector at the end.
/// Launched over length × rows × views.
struct FdkWeightRows {
  static constexpr const char* name = "recon/fdk_weight_rows";
  FdkRows rows;
  float* padded;
  int stack_rows, length;

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes lanes, int x, int y, int z) const {
    using Float = typename Lanes::Float;
    const FdkRows& r = rows;
    const auto place = Lanes::iota(x);
    const auto i = select(place >= length - r.extension.columns, place - length, place);
    const Float column = to_float(i), row = Float{} + to_float(y);
    Float p = r.reading(lanes, clamp(i, r.begin, r.end - 1), y, z);
    p = select((i >= r.begin) & (i < r.end), p, Float{});
    if (r.extension.left) {
      const RowEdge<float> e = r.edge(true, y, z);
      p = select(i < r.begin,
                 r.extension.beyond(RowEdge<Float>{Float{} + e.value, Float{} + e.slope}, to_float(r.begin - i)), p);
    }
    if (r.extension.right) {
      const RowEdge<float> e = r.edge(false, y, z);
      const Float on =
          r.extension.beyond(RowEdge<Float>{Float{} + e.value, Float{} + e.slope}, to_float(i - (r.end - 1)));
      p = select(i >= r.end, on, p);
    }
    p = p * r.weight_of(r.weights[z], column, row);
    if (r.redundancy != nullptr) p = p * r.redundancy_at(column, y, z);
    store(padded + (static_cast<std::int64_t>(z) * stack_rows + y) * length + x, p);
  }
};

/// Multiplies spectra by a real response; over length + 2 floats × rows × views.
struct FdkMultiplyResponse {
  static constexpr const char* name = "recon/fdk_multiply_response";
  float* spectra;
  const float* response;
  int floats;  ///< of one spectrum
  int rows;

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes lanes, int x, int y, int z) const {
    float* p = spectra + (static_cast<std::int64_t>(z) * rows + y) * floats + x;
    store(p, load(lanes, p) * gather(response, Lanes::iota(x) >> 1));
  }
};

/// Fills the stack, pads too, from filtered rows; over row_stride × (columns + 2) × views.
struct FdkTranspose {
  static constexpr const char* name = "recon/fdk_transpose";
  const float* padded;
  FdkStack stack;
  int length;

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes, int x, int y, int z) const {
    using Float = typename Lanes::Float;
    const auto row = Lanes::iota(x) - FdkStack::pad;
    const auto inside = (row >= 0) & (row < stack.rows);
    const int column = clamp(y - 1, 0, stack.columns - 1);
    const float* from = padded + static_cast<std::int64_t>(z) * stack.rows * length + column;
    const Float v = gather(from, clamp(row, 0, stack.rows - 1) * length);
    float* to = stack.column(z, y - 1) - FdkStack::pad + x;
    store(to, select(inside, v, Float{}) * (y - 1 == column ? 1.0F : 0.0F));
  }
};

/// What the device filter keeps between runs and what it needs in one.
struct FdkDeviceFilter {
  const FftService* fft;
  void* plan;             ///< of FftService::plan_real(length, views * rows)
  float* padded;          ///< views × rows × length
  float* spectra;         ///< views × rows × (length + 2)
  void* workspace;        ///< as plan_real said
  const float* response;  ///< length / 2 + 1 numbers, in natural order
};

/// Enqueues everything; `filter.response` and `filter.twiddles` are not used. `tuned` takes the device's own
/// transposition. Returns 0 or the transform's error.
inline int fdk_filter_on_device(const Launcher& launcher, const FdkFilter& filter, const FdkDeviceFilter& device,
                                bool tuned) {
  const FdkStack& stack = filter.stack;
  const int length = static_cast<int>(filter.length);
  launch(launcher, FdkWeightRows{filter.rows, device.padded, stack.rows, length}, length, stack.rows, filter.views);
  if (const int error =
          device.fft->forward(device.plan, device.padded, device.spectra, device.workspace, launcher.stream))
    return error;
  launch(launcher, FdkMultiplyResponse{device.spectra, device.response, length + 2, stack.rows}, length + 2, stack.rows,
         filter.views);
  if (const int error =
          device.fft->backward(device.plan, device.spectra, device.padded, device.workspace, launcher.stream))
    return error;
  const FdkTranspose transpose{device.padded, stack, length};
  if (tuned)
    launch_by_name(launcher, "recon/fdk_transpose_tuned", &transpose, stack.row_stride, stack.columns + 2,
                   filter.views);
  else
    launch(launcher, transpose, stack.row_stride, stack.columns + 2, filter.views);
  return 0;
}

}  // namespace isocenter::detail
