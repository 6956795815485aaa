// Iterative reconstructions: against closed forms on tiny systems, against the phantom from few and noisy views.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <Eigen/Dense>
#include <isocenter/recon/cgls_reconstruction.hpp>
#include <isocenter/recon/fdk_reconstruction.hpp>
#include <isocenter/recon/os_sart_reconstruction.hpp>
#include <isocenter/recon/osem_reconstruction.hpp>
#include <isocenter/recon/tv_reconstruction.hpp>

#include "iterative_test_data.hpp"

namespace isocenter::testing {
namespace {

ISOCENTER_DEVICE_SUITE(IterativeReconstruction);

// ---- closed forms ----

const Trial tiny{.n = 6, .voxel_mm = 20, .views = 11};

/// The matrix of the projector, one column for each voxel.
Eigen::MatrixXd matrix_of(const Trial& t, const Projections& scan) {
  const auto span = views_of(scan);
  const int columns = static_cast<int>(scan.views().extent('u'));
  const VolumeGrid grid{t.n, t.n, 1, Geometry::centred(t.n, t.n, 1, {t.voxel_mm, t.voxel_mm, t.voxel_mm})};
  const TestProjector p({span.begin(), span.end()}, Beam::cone, DetectorShape::flat, columns, 1, grid);
  Eigen::MatrixXd a(static_cast<Eigen::Index>(p.rays()), static_cast<Eigen::Index>(p.voxels()));
  for (std::size_t i = 0; i < p.voxels(); ++i) {
    std::vector<float> unit(p.voxels());
    unit[i] = 1;
    const auto column = p.forward(unit, launcher_with(1, true));
    for (std::size_t k = 0; k < column.size(); ++k)
      a(static_cast<Eigen::Index>(k), static_cast<Eigen::Index>(i)) = static_cast<double>(column[k]);
  }
  return a;
}

Eigen::VectorXd values_of(const Projections& scan) {
  const auto v = scan.views().span<float>();
  Eigen::VectorXd b(static_cast<Eigen::Index>(v.size()));
  for (std::size_t i = 0; i < v.size(); ++i) b(static_cast<Eigen::Index>(i)) = static_cast<double>(v[i]);
  return b;
}

double relative_to(const std::vector<float>& x, const Eigen::VectorXd& expected) {
  double sum = 0;
  for (std::size_t i = 0; i < x.size(); ++i)
    sum += std::pow(static_cast<double>(x[i]) - expected(static_cast<Eigen::Index>(i)), 2);
  return std::sqrt(sum) / expected.norm();
}

TEST_P(IterativeReconstruction, CglsReachesTheLeastSquaresSolution) {
  const Projections scan = scan_head(tiny);
  const Eigen::MatrixXd a = matrix_of(tiny, scan);
  const Eigen::VectorXd exact = a.colPivHouseholderQr().solve(values_of(scan));
  const Result r = reconstruct_by<CglsReconstruction>(options(), scan,
                                                      on_grid<CglsReconstruction::Params>(tiny, {.iterations = 60}));
  EXPECT_LT(relative_to(r.voxels, exact), 2e-4);
  EXPECT_NEAR(r.residual.back(), (a * exact - values_of(scan)).norm() / values_of(scan).norm(), 1e-5);
}

TEST_P(IterativeReconstruction, OneSirtStepIsItsFormula) {
  const Projections scan = scan_head(tiny);
  const Eigen::MatrixXd a = matrix_of(tiny, scan);
  const Eigen::VectorXd b = values_of(scan);
  const auto inverse = [](double v) { return v > 0.02 ? 1 / v : 0.0; };
  const Eigen::VectorXd rays = a.rowwise().sum().unaryExpr(inverse),
                        voxels = a.colwise().sum().transpose().unaryExpr(inverse);
  const Eigen::VectorXd expected = 0.7 * voxels.cwiseProduct(a.transpose() * rays.cwiseProduct(b));
  const Result r = reconstruct_by<OsSartReconstruction>(
      options(), scan,
      on_grid<OsSartReconstruction::Params>(tiny, {.iterations = 1, .relaxation = 0.7, .positivity = false}));
  EXPECT_LT(relative_to(r.voxels, expected), 1e-5);
}

TEST_P(IterativeReconstruction, OneStepOfEachExpectationMaximisationIsItsFormula) {
  const Projections scan = scan_head(tiny);
  const Eigen::MatrixXd a = matrix_of(tiny, scan);
  const Eigen::VectorXd b = values_of(scan), ones = Eigen::VectorXd::Ones(a.cols()), ax = a * ones;
  const Eigen::VectorXd sensitivity = a.colwise().sum().transpose();
  Eigen::VectorXd ratio = b;
  for (Eigen::Index i = 0; i < ratio.size(); ++i) ratio(i) = ax(i) > 1e-6 ? b(i) / ax(i) : 0.0;
  const Eigen::VectorXd mlem = (a.transpose() * ratio).cwiseQuotient(sensitivity);
  const Result emission = reconstruct_by<OsemReconstruction>(
      options(), scan, on_grid<OsemReconstruction::Params>(tiny, {.data = EmData::emission, .iterations = 1}));
  EXPECT_LT(relative_to(emission.voxels, mlem), 1e-5);

  const Eigen::VectorXd counts = (-b).array().exp();
  const Eigen::VectorXd excess = Eigen::VectorXd::Ones(b.size()) - counts;  // at x = 0
  const Eigen::VectorXd ostr =
      (a.transpose() * excess).cwiseQuotient(a.transpose() * ax.cwiseProduct(counts)).cwiseMax(0.0);
  const Result transmission =
      reconstruct_by<OsemReconstruction>(options(), scan, on_grid<OsemReconstruction::Params>(tiny, {.iterations = 1}));
  EXPECT_LT(relative_to(transmission.voxels, ostr), 1e-5);
}

TEST_P(IterativeReconstruction, TvWithoutWeightGoesToTheLeastSquaresSolutionToo) {
  const Projections scan = scan_head(tiny);
  const Eigen::VectorXd exact = matrix_of(tiny, scan).colPivHouseholderQr().solve(values_of(scan));
  const Result r = reconstruct_by<TvReconstruction>(
      options(), scan,
      on_grid<TvReconstruction::Params>(tiny, {.iterations = 1500, .weight_per_mm = 0, .positivity = false}));
  EXPECT_LT(relative_to(r.voxels, exact), 5e-3);
}

TEST(TotalVariation, OfAStepShrinksItByTheClosedForm) {
  // Two halves of height 0 and 1 along x: the proximal map with weight w moves each by w · (area of the edge) / (voxels
  // of the half), as long as they do not meet.
  const int n = 16;
  const TvGrid grid{{n, n, n}, {1, n, n * n}, {1, 1, 1}, n * n * n};
  std::vector<float> z(n * n * n), u(z.size()), field(3 * z.size());
  for (std::size_t i = 0; i < z.size(); ++i) z[i] = i % n < 4 ? 0.0F : 1.0F;
  const float weight = 0.8F;
  const TvPrimal primal{grid, z.data(), {field.data(), nullptr}, {weight, 0}, nullptr, false, u.data()};
  for (int i = 0; i < 3000; ++i) {
    launch(launcher_with(1), primal, n, n, n);
    launch(launcher_with(1), TvDual{grid, u.data(), nullptr, field.data(), 1 / (12 * weight)}, n, n, n);
  }
  for (std::size_t i = 0; i < z.size(); ++i) ASSERT_NEAR(u[i], i % n < 4 ? weight / 4 : 1 - weight / 12, 2e-3) << i;
}

// ---- quality ----

TEST_P(IterativeReconstruction, ResidualsFallAndTheImageComesWithinItsBound) {
  const Trial t{.views = 40};
  const Projections scan = scan_head(t);
  const std::vector<float> truth = truth_of(t);
  struct Case {
    std::int64_t subsets, iterations;
    double bound;
  };
  // In parts of the skull's attenuation, 0.02 /mm.
  for (const Case& c : {Case{1, 60, 0.085}, Case{8, 8, 0.085}, Case{40, 3, 0.08}}) {
    const Result r = reconstruct_by<OsSartReconstruction>(
        options(), scan,
        on_grid<OsSartReconstruction::Params>(t,
                                              {.subsets = c.subsets, .iterations = c.iterations, .relaxation = 0.9}));
    EXPECT_LT(rmse(r.voxels, truth) / mu_water, c.bound) << c.subsets;
    for (std::size_t k = 1; k < r.residual.size(); ++k) EXPECT_LT(r.residual[k], r.residual[k - 1]) << c.subsets;
  }
  const Result em = reconstruct_by<OsemReconstruction>(
      options(), scan, on_grid<OsemReconstruction::Params>(t, {.subsets = 8, .iterations = 10}));
  EXPECT_LT(rmse(em.voxels, truth) / mu_water, 0.09);
}

TEST_P(IterativeReconstruction, TvIsBetterThanFdkAtFortyNoisyViewsByAFactor) {
  const Trial t{.views = 40, .photons = 2e4};
  const Projections scan = scan_head(t);
  const std::vector<float> truth = truth_of(t);
  FdkReconstruction::Params p = on_grid<FdkReconstruction::Params>(t, {});
  p.window = FdkWindow::hann;
  const Volume v = isocenter::apply<FdkReconstruction>(context(), p, scan, options());
  const double fdk = rmse({v.values().begin(), v.values().end()}, truth);
  const Result tv = reconstruct_by<TvReconstruction>(
      options(), scan, on_grid<TvReconstruction::Params>(t, {.iterations = 80, .weight_per_mm = 1e-5}));
  EXPECT_LT(rmse(tv.voxels, truth), fdk / 2) << "FDK " << fdk / mu_water;
}

TEST_P(IterativeReconstruction, PiccsIsBetterThanTvWhereThePriorShowsMostOfTheImage) {
  // The prior is the truth without one ellipse's contrast: a change that the few views have to show.
  const Trial t{.views = 12, .photons = 1e5};
  const Projections scan = scan_head(t);
  const std::vector<float> truth = truth_of(t);
  std::vector<float> prior = truth;
  for (int y = 36; y < 44; ++y)
    for (int x = 28; x < 36; ++x) prior[static_cast<std::size_t>(y * t.n + x)] += 0.1F * static_cast<float>(mu_water);
  TvReconstruction::Params p = on_grid<TvReconstruction::Params>(t, {.iterations = 80, .weight_per_mm = 2e-4});
  const double tv = rmse(reconstruct_by<TvReconstruction>(options(), scan, p).voxels, truth);
  const double piccs =
      rmse(reconstruct_by<TvReconstruction>(options(), scan, p, {{"prior", volume_like(t, prior)}}).voxels, truth);
  EXPECT_LT(piccs, tv / 1.5) << tv / mu_water;
  EXPECT_LT(piccs, rmse(prior, truth)) << "no copy of the prior";
}

}  // namespace
}  // namespace isocenter::testing
