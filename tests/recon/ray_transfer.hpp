#pragma once
// What filtered back projection of a scan leaves of a frequency and of white noise at a point, in closed form: the sum
// over the rays that meet the point, each with the angle that it stands for and the distance of its view's columns
// there. Weights of redundant rays from the papers; nothing here comes from the operators.
#include <array>
#include <complex>
#include <isocenter/recon/fdk_reconstruction.hpp>
#include <isocenter/recon/orbits.hpp>
#include <numbers>

#include "image_measures.hpp"

namespace isocenter::testing {

/// What a window leaves of frequency x, in parts of the columns' Nyquist frequency (Kak and Slaney 1988, chapter 3).
inline double window_at(FdkWindow window, double x) {
  const double pi = std::numbers::pi;
  switch (window) {
    case FdkWindow::ramp:
      return 1.0;
    case FdkWindow::shepp_logan:
      return sinc(0.5 * x);
    case FdkWindow::cosine:
      return std::cos(0.5 * pi * x);
    case FdkWindow::hamming:
      return 0.54 + 0.46 * std::cos(pi * x);
    case FdkWindow::hann:
      return 0.5 + 0.5 * std::cos(pi * x);
  }
  return 0.0;
}

// ---- cubic convolution ------------------------------------------------------------------------------------------

/// Keys' kernel (IEEE Trans. Acoust. Speech Signal Process. 29 (1981) 1153, equation 15).
inline double keys(double x) {
  x = std::fabs(x);
  return x < 1 ? 1 + x * x * (1.5 * x - 2.5) : x < 2 ? 2 + x * (-4 + x * (2.5 - 0.5 * x)) : 0;
}

/// Its Fourier transform: what is left of a frequency, in cycles a sample, on average over all places.
inline double keys_signal(double f) {
  constexpr int steps = 50;
  double sum = 0.0;
  for (int k = 0; k < 2 * steps; ++k) {
    const double x = (k + 0.5) / steps;
    sum += 2.0 * keys(x) * std::cos(2 * std::numbers::pi * f * x) / steps;
  }
  return sum;
}

/// What resampling with the same step, at places `part` of the way between samples, leaves of a frequency.
inline std::complex<double> keys_between(double f, double part) {
  std::complex<double> sum = 0.0;
  for (int k = -1; k <= 2; ++k) sum += keys(part - k) * std::polar(1.0, 2 * std::numbers::pi * f * (k - part));
  return sum;
}
/// What it leaves of the power of white noise on average over all places: from the kernel's autocorrelation at whole
/// steps.
inline double keys_power(double f) {
  static const std::array<double, 4> correlation = [] {
    std::array<double, 4> made{};
    constexpr int steps = 100;
    for (int m = 0; m < 4; ++m)
      for (int k = -2 * steps; k < 2 * steps; ++k) {
        const double x = (k + 0.5) / steps;
        made[static_cast<std::size_t>(m)] += keys(x) * keys(x + m) / steps;
      }
    return made;
  }();
  double sum = correlation[0];
  for (int m = 1; m < 4; ++m)
    sum += 2 * correlation[static_cast<std::size_t>(m)] * std::cos(2 * std::numbers::pi * f * m);
  return sum;
}

/// What is left of the power of white noise by two interpolations between rows, cubic onto an aligned detector and
/// linear in back projection, on average over all places.
inline double aligned_row_power() {
  static const double power = [] {
    constexpr int steps = 32;
    double sum = 0.0;
    for (int i = 0; i < steps; ++i)
      for (int j = 0; j < steps; ++j) {
        const double part = (i + 0.5) / steps, a = (j + 0.5) / steps;
        for (int k = -1; k <= 3; ++k) sum += std::pow((1 - a) * keys(part - k) + a * keys(part + 1 - k), 2);
      }
    return sum / (steps * steps);
  }();
  return power;
}

// ---- rays -------------------------------------------------------------------------------------------------------

/// Between what a scan's views are interpolated before they are filtered.
enum class Resampled { no, onto_aligned_detector, to_parallel_rays };

/// A ray that meets the point. All amplitudes together are π: half a turn of directions.
struct RayThrough {
  double amplitude;  ///< rad
  double pitch_mm;   ///< from one column that is filtered to the next, at the point, at right angles to the ray
  double row_mm;     ///< from one row to the next
  double row_power;  ///< what interpolation between rows leaves of the noise
  // Parallel rays only:
  double fan_mm = 0;       ///< from one measured column to the next
  double column_part = 0;  ///< of the way between two of them
  double view_mm = 0;      ///< from this line to that of the next view at the same distance from the axis
};

/// A scan with fan or cone beams by its kind and orbit. Angles, the fan's sense and t as in kernels/recon/helical.hpp.
struct ScanRays {
  CircularOrbit orbit;
  Resampled resampled = Resampled::no;
  bool helical = false;
  double pitch = 0.9;  ///< of the helix, its middle at z = 0

  double step_at_axis_mm(double element_mm) const {
    return element_mm * orbit.source_to_isocenter_mm / orbit.source_to_detector_mm;
  }

  /// Parker's weight (Med. Phys. 9 (1982) 254, equation 12) at the middle of view n's share of the arc.
  double parker(int n, double gamma) const {
    const double pi = std::numbers::pi, arc = orbit.arc_rad, half = 0.5 * (arc - pi),
                 beta = (n + 0.5) * arc / orbit.views;
    const auto squared_sine = [&](double x) { return std::pow(std::sin(0.25 * pi * x), 2); };
    if (beta < 2 * (half + gamma)) return squared_sine(beta / (half + gamma));
    if (beta > pi + 2 * gamma) return squared_sine((arc - beta) / (half - gamma));
    return 1.0;
  }
  /// Wang's weight (Med. Phys. 29 (2002) 1634) of a detector that reaches to -overlap on one side.
  double wang(double gamma) const {
    const double first = orbit.detector_offset_u_mm - 0.5 * (orbit.columns - 1) * orbit.column_step_mm;
    const double overlap = orbit.detector == DetectorShape::curved ? -first / orbit.source_to_detector_mm
                                                                   : std::atan(-first / orbit.source_to_detector_mm);
    return 0.5 * (1 + std::sin(0.5 * std::numbers::pi * std::clamp(gamma / overlap, -1.0, 1.0)));
  }
  double redundancy(int n, double gamma) const {
    if (orbit.arc_rad < 1.999 * std::numbers::pi) return parker(n, gamma);
    return orbit.detector_offset_u_mm > 0 ? wang(gamma) : 0.5;
  }

  /// What linear interpolation between rows leaves of the noise; of rows that were resampled, on average.
  double row_power(double row) const {
    if (resampled == Resampled::onto_aligned_detector) return aligned_row_power();
    const double a = row - std::floor(row);
    return (1 - a) * (1 - a) + a * a;
  }

  std::vector<RayThrough> through(double x_mm, double y_mm, double z_mm = 0) const {
    return helical ? helical_rays(x_mm, y_mm, z_mm) : circular_rays(x_mm, y_mm, z_mm);
  }

  /// Near the middle plane. A ray's share is R cos γ / (its length) of its view's angle: dθ dt = R cos γ dγ dβ.
  std::vector<RayThrough> circular_rays(double x, double y, double z) const {
    const double radius = orbit.source_to_isocenter_mm, step = step_at_axis_mm(orbit.column_step_mm);
    const double row = step_at_axis_mm(orbit.row_step_mm), share = orbit.arc_rad / orbit.views;
    std::vector<RayThrough> rays;
    for (int n = 0; n < orbit.views; ++n) {
      const double s = std::sin(orbit.angle_rad(n)), c = std::cos(orbit.angle_rad(n));
      const double lateral = x * c + y * s, depth = radius - (x * s - y * c);
      const double way = std::hypot(lateral, depth), cosine = depth / way;
      const bool curved = orbit.detector == DetectorShape::curved;
      const double row_mm = row / radius * (curved ? way : depth);
      rays.push_back({share * redundancy(n, std::atan2(lateral, depth)) * radius * cosine / way,
                      step / radius * way * (curved ? 1.0 : cosine * cosine), row_mm,
                      row_power(0.5 * (orbit.rows - 1) + z / row_mm)});
    }
    return rays;
  }

  /// The helix: for each direction of a half turn the rays that are seen, with Stierstorfer's weights of the rows
  /// (Phys. Med. Biol. 49 (2004) 2209; full within 0.7 of the detector's height, then smoothly to 0).
  std::vector<RayThrough> helical_rays(double x, double y, double z) const {
    const double pi = std::numbers::pi, radius = orbit.source_to_isocenter_mm, distance = orbit.source_to_detector_mm;
    const bool curved = orbit.detector == DetectorShape::curved;
    const double step = step_at_axis_mm(orbit.column_step_mm), row = step_at_axis_mm(orbit.row_step_mm);
    const double turn_step = orbit.arc_rad / orbit.views, feed = pitch * orbit.rows * row / (2 * pi);
    const double middle_angle = 0.5 * (orbit.views - 1) * turn_step, edge = 0.5 * (orbit.columns - 1);
    // As many parallel columns as measured ones, from the first one's line to the last one's.
    const double last = edge * orbit.column_step_mm / distance;
    const double parallel_mm = radius * std::sin(curved ? last : std::atan(last)) / edge;
    const int directions = static_cast<int>(std::lround(pi / turn_step));
    std::vector<RayThrough> rays;
    for (int m = 0; m < directions; ++m) {
      const std::size_t first = rays.size();
      double weights = 0.0;
      for (int half_turn = 0; half_turn < 2 * orbit.arc_rad / (2 * pi) + 1; ++half_turn) {
        const double theta = pi * (static_cast<double>(m) / directions + half_turn);
        const double t = x * std::cos(theta) + y * std::sin(theta), along = y * std::cos(theta) - x * std::sin(theta);
        const double gamma = std::asin(t / radius), cosine = std::cos(gamma), way = radius * cosine + along;
        const double beta = theta + gamma;
        if (beta < 0 || beta > turn_step * (orbit.views - 1)) continue;
        const double at_row =
            (z - feed * (beta - middle_angle)) / way * distance / (curved ? 1.0 : cosine) / orbit.row_step_mm;
        const double part = std::clamp((1 - std::fabs(at_row) / (0.5 * (orbit.rows - 1))) / 0.3, 0.0, 1.0);
        const double weight = part * part * (3 - 2 * part);
        if (weight == 0) continue;
        weights += weight;
        const double fan =
            std::asin(std::round(t / parallel_mm - edge) * parallel_mm / radius + edge * parallel_mm / radius);
        const double column = (curved ? fan : std::tan(fan)) * radius / step + edge;
        rays.push_back({pi / directions * weight, parallel_mm, row / radius * way * (curved ? 1.0 : cosine),
                        row_power(at_row + 0.5 * (orbit.rows - 1)), step * cosine * (curved ? 1.0 : cosine * cosine),
                        column - std::floor(column), std::fabs(along) * turn_step});
      }
      for (std::size_t k = first; k < rays.size(); ++k) rays[k].amplitude /= weights;
    }
    return rays;
  }

  // ---- what they leave --------------------------------------------------------------------------------------------

  /// Of a structure of frequency f (1/mm), elevation_rad out of the plane of rotation, on average over all directions
  /// in it.
  double signal(double f, double elevation_rad, FdkWindow window, std::span<const RayThrough> rays) const {
    const double across = f * std::cos(elevation_rad), up = f * std::sin(elevation_rad);
    double sum = 0.0, all = 0.0;
    for (const RayThrough& r : rays) {
      const double u = across * r.pitch_mm, v = up * r.row_mm;
      double left = window_at(window, 2 * u) * std::pow(sinc(u) * sinc(v), 2);
      if (resampled == Resampled::onto_aligned_detector) left *= keys_signal(u) * keys_signal(v);
      if (resampled == Resampled::to_parallel_rays)
        left *= keys_between(across * r.fan_mm, r.column_part).real() * keys_signal(across * r.view_mm);
      sum += r.amplitude * left;
      all += r.amplitude;
    }
    return sum / all;
  }

  /// The noise power of white noise of variance 1 in the readings, mean over all directions of frequency f: f / π Σ
  /// amplitude² · pitch · (window · interpolation)². One ray's line has the power amplitude² pitch f² (...)² along its
  /// normal, which a ring of length 2π f meets twice.
  double noise(double f, FdkWindow window, std::span<const RayThrough> rays) const {
    double sum = 0.0;
    for (const RayThrough& r : rays) {
      const double u = f * r.pitch_mm, w = window_at(window, 2 * u);
      double left = r.row_power * w * w * std::pow(sinc(u), 4);
      if (resampled == Resampled::onto_aligned_detector) left *= keys_power(u);
      if (resampled == Resampled::to_parallel_rays)
        left *= std::norm(keys_between(f * r.fan_mm, r.column_part)) * keys_power(f * r.view_mm);
      sum += r.amplitude * r.amplitude * r.pitch_mm * left;
    }
    return f / std::numbers::pi * sum;
  }
};

}  // namespace isocenter::testing
