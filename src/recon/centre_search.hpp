#pragma once
// Where the rotation axis falls on the detector, from the projections alone. All in double, on the host: the result is
// one number.
#include <cstdint>

#include "core/launch.hpp"

namespace isocenter::detail {

/// Views of equal steps; row `row` of view n begins at values + (n * rows + row) * columns.
struct CentreData {
  const float* values;
  int views, rows, columns;
  int first_row, row_step;  ///< which rows count
};

/// Parallel beam over a half turn, view n at n / views of it. The sinogram and its mirror image are a whole turn only
/// about the right column; about any other they meet with a jump, whose energy lies outside of the double wedge
/// |m| <= ω R that a sinogram of radius R fills in Fourier space: Vo et al., Optics Express 22 (2014) 19078. Of the
/// transform of both, F(m, k) = A(m, k) + (-1)^m e^{-2iωc} conj A(-m, k), where A is that of the first half alone, the
/// energy outside is a constant + 2 Re Σ_k e^{2iωc} Σ_m (-1)^m A(m, k) A(-m, k), so that one transform serves every c.
/// `work` holds centre_work_doubles(data).
double centre_of_half_turn(const Launcher& threads, const CentreData& data, double low, double high, double* work);
std::uint64_t centre_work_doubles(const CentreData& data);

/// Parallel beam over a whole turn of an even number of views: opposite views are mirror images.
double centre_of_whole_turn(const Launcher& threads, const CentreData& data, double low, double high, double* work);

/// A fan (or a cone's middle row) over a whole turn: each ray is measured again from the other side. The ray of fan
/// angle γ in view n is that of -γ in view n + views / 2 - 2 γ / step, for columns that step the way the source moves
/// (`along` = 1; else -1). `columns_per_distance` is the source's distance from the detector in columns. *disagreement
/// is the root mean square of the differences between the two, about the column found.
double centre_of_fan(const Launcher& threads, const CentreData& data, double columns_per_distance, double along,
                     double low, double high, double* work, double* disagreement);

/// Value between samples 0 and 1 of four (-1, 0, 1, 2): Catmull and Rom's cubic.
template <class T>
T catmull_rom(T a, T b, T c, T d, T t) {
  return b + T(0.5) * t * (c - a + t * (T(2) * a - T(5) * b + T(4) * c - d + t * (T(3) * (b - c) + d - a)));
}

}  // namespace isocenter::detail
