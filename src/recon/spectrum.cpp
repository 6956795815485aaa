#include "recon/spectrum.hpp"

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>

namespace isocenter::detail {

namespace {

struct Node {
  double kev, cm2_per_g;
};
// Hubbell and Seltzer, NISTIR 5632 (NIST Standard Reference Database 126), tables 3 (Z = 13) and 4 (water, liquid).
constexpr Node water[] = {{10, 5.329},   {15, 1.673},   {20, 0.8096}, {30, 0.3756},  {40, 0.2683},
                          {50, 0.2269},  {60, 0.2059},  {80, 0.1837}, {100, 0.1707}, {150, 0.1505},
                          {200, 0.1370}, {300, 0.1186}, {400, 0.1061}};
constexpr Node aluminium[] = {{10, 26.23},   {15, 7.955},   {20, 3.441},   {30, 1.128},   {40, 0.5685},
                              {50, 0.3681},  {60, 0.2778},  {80, 0.2018},  {100, 0.1704}, {150, 0.1378},
                              {200, 0.1223}, {300, 0.1042}, {400, 0.09276}};

template <std::size_t N>
double interpolated(const Node (&table)[N], double kev) {
  std::size_t i = 1;
  while (i + 1 < N && table[i].kev < kev) ++i;
  const Node &a = table[i - 1], &b = table[i];
  const double t = std::log(kev / a.kev) / std::log(b.kev / a.kev);
  return std::exp(std::log(a.cm2_per_g) + t * std::log(b.cm2_per_g / a.cm2_per_g));
}

void normalise(Spectrum* s) {
  double sum = 0.0;
  for (const double w : s->weight) sum += w;
  for (double& w : s->weight) w /= sum;
}

}  // namespace

double water_per_mm(double kev) { return 0.1 * interpolated(water, kev); }
double aluminium_per_mm(double kev) { return 0.1 * 2.699 * interpolated(aluminium, kev); }

Spectrum tube_spectrum(double kilovolts, double aluminium_mm) {
  Spectrum s;
  for (double kev = lowest_kev + 0.5; kev < kilovolts; kev += 1.0) {
    s.kev.push_back(kev);
    s.weight.push_back((kilovolts - kev) / kev * std::exp(-aluminium_per_mm(kev) * aluminium_mm) * kev);
  }
  normalise(&s);
  return s;
}

Spectrum given_spectrum(std::span<const double> kev, std::span<const double> weights) {
  Spectrum s{{kev.begin(), kev.end()}, {weights.begin(), weights.end()}};
  normalise(&s);
  return s;
}

double polychromatic_water(const Spectrum& spectrum, double mm) {
  double signal = 0.0;
  for (std::size_t i = 0; i < spectrum.kev.size(); ++i)
    signal += spectrum.weight[i] * std::exp(-water_per_mm(spectrum.kev[i]) * mm);
  return -std::log(signal);
}

double first_water_per_mm(const Spectrum& spectrum) {
  double mu = 0.0;
  for (std::size_t i = 0; i < spectrum.kev.size(); ++i) mu += spectrum.weight[i] * water_per_mm(spectrum.kev[i]);
  return mu;
}

std::vector<double> water_polynomial(const Spectrum& spectrum, double mu_per_mm, int degree, double largest_mm,
                                     double* residual) {
  constexpr int samples = 400;
  const double largest = polychromatic_water(spectrum, largest_mm);
  Eigen::MatrixXd powers(samples, degree);
  Eigen::VectorXd target(samples);
  for (int k = 0; k < samples; ++k) {
    const double mm = largest_mm * (k + 1) / samples;
    const double p = polychromatic_water(spectrum, mm) / largest;  // in (0, 1], so that the powers stay apart
    target[k] = mu_per_mm * mm;
    for (int i = 0; i < degree; ++i) powers(k, i) = std::pow(p, i + 1);
  }
  const Eigen::VectorXd fit = powers.colPivHouseholderQr().solve(target);
  *residual = (powers * fit - target).cwiseAbs().maxCoeff() / (mu_per_mm * largest_mm);
  std::vector<double> c(static_cast<std::size_t>(degree));
  for (int i = 0; i < degree; ++i) c[static_cast<std::size_t>(i)] = fit[i] / std::pow(largest, i + 1);
  return c;
}

}  // namespace isocenter::detail
