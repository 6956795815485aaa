// Iterative reconstructions: against closed forms on tiny systems, against the phantom from few and noisy views.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <Eigen/Dense>
#include <atomic>
#include <cmath>
#include <isocenter/recon/cgls_reconstruction.hpp>
#include <isocenter/recon/fdk_reconstruction.hpp>
#include <isocenter/recon/os_sart_reconstruction.hpp>
#include <isocenter/recon/osem_reconstruction.hpp>
#include <isocenter/recon/tv_reconstruction.hpp>
#include <limits>
#include <thread>

#include "device_test.hpp"
#include "projector_test_data.hpp"
#include "recon/iterative_problem.hpp"

namespace isocenter::testing {
namespace {

using namespace isocenter::detail;
using ::testing::AllOf;
using ::testing::HasSubstr;

ISOCENTER_DEVICE_SUITE(IterativeReconstruction);

/// A 2-D scan (fan or parallel, one row) or a flat cone of the modified Shepp-Logan head, values in 1/mm.
struct Trial {
  int n = 64;  ///< voxels along x and y
  double voxel_mm = 3;
  int views = 40;
  double photons = 0;  ///< noise; 0: none
  unsigned seed = 1;
};
constexpr double mu_water = 0.02;

Solids head_of(const Trial& t) {
  Solids head;
  shepp_logan(Contrast::modified, 0.46 * t.n * t.voxel_mm, &head);
  return head;
}

Projections scan_head(const Trial& t) {
  CircularOrbit o{.views = t.views, .columns = t.n * 3 / 2, .rows = 1};
  o.column_step_mm = o.row_step_mm = 1.2 * t.voxel_mm;
  const auto views = o.build();
  Projections p = Projections::describe(t.views, 1, o.columns);
  set_views(p, views);
  p.set_numbers("mu_water_per_mm", std::vector<double>{mu_water});
  context().allocate(p);
  const auto values = p.views().span<float>();
  for (int n = 0; n < t.views; ++n)
    project(launcher_with(1), head_of(t), views[static_cast<std::size_t>(n)], Beam::cone, 1, o.columns, mu_water,
            values.data() + n * o.columns);
  if (t.photons > 0) add_photon_noise(launcher_with(1), values, t.photons, t.seed, 0);
  return p;
}

std::vector<float> truth_of(const Trial& t) {
  const auto origin = -0.5 * (t.n - 1) * t.voxel_mm;
  Image image = truth_on({t.n, t.n, 1, {origin, origin, 0}, {t.voxel_mm, t.voxel_mm, t.voxel_mm}}, head_of(t), 4);
  for (float& v : image.voxels) v *= static_cast<float>(mu_water);
  return image.voxels;
}

template <class Params>
Params on_grid(const Trial& t, Params params) {
  params.nx = params.ny = t.n;
  params.nz = 1;
  params.spacing_mm = {t.voxel_mm};
  params.unit = decltype(params.unit)::per_mm;
  return params;
}

Volume volume_like(const Trial& t, std::vector<float> values, const char* unit = "1/mm") {
  return Volume::own(std::move(values), t.n, t.n, 1,
                     Geometry::centred(t.n, t.n, 1, {t.voxel_mm, t.voxel_mm, t.voxel_mm}), unit);
}

struct Result {
  std::vector<float> voxels;
  std::vector<double> residual;
  double iterations = 0;
};

std::vector<double> numbers_after(const std::string& report, const std::string& metric) {
  std::vector<double> values;
  const auto at = report.find('[', report.rfind("\"" + metric + "\""));
  const char* text = report.c_str() + at + 1;
  for (char* end = nullptr;; text = end + 1) {
    values.push_back(std::strtod(text, &end));
    while (*end == ' ' || *end == '\n') ++end;
    if (*end != ',') return values;
  }
}

/// Runs an iterative operator with its optional inputs.
template <class Op>
Result reconstruct_by(const SessionOptions& options, const Projections& scan, const typename Op::Params& params,
                      const std::vector<std::pair<std::string, Payload>>& optional_inputs = {}) {
  Pipeline pipeline(context());
  pipeline.add_input("scan", scan);
  for (const auto& [name, payload] : optional_inputs) pipeline.add_input(name, payload);
  pipeline.add<Op>("recon", params);
  pipeline.connect("scan", "output", "recon", "input");
  for (const auto& [name, payload] : optional_inputs) pipeline.connect(name, "output", "recon", name);
  pipeline.add_output("out", "recon", "output");
  Session session = pipeline.prepare(options);
  session.start();
  session.push("scan", scan);
  for (const auto& [name, payload] : optional_inputs) session.push(name.c_str(), payload);
  session.end_input("scan");
  for (const auto& [name, payload] : optional_inputs) session.end_input(name.c_str());
  const auto item = session.pull("out");
  if (!item) session.wait();
  const Volume volume(context().copy_to(*item, "cpu"));
  const auto values = volume.values();
  Result r{{values.begin(), values.end()}, {}, 0};
  if (options.device == "cpu") {
    r.residual = numbers_after(session.report(), "relative_residual");
    r.iterations = numbers_after(session.report(), "iterations")[0];
  }
  return r;
}

double rmse(const std::vector<float>& a, const std::vector<float>& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += std::pow(static_cast<double>(a[i]) - b[i], 2);
  return std::sqrt(sum / static_cast<double>(a.size()));
}

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
  if (GetParam() == "cpu") {
    EXPECT_NEAR(r.residual.back(), (a * exact - values_of(scan)).norm() / values_of(scan).norm(), 1e-5);
  }
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

// ---- what all share ----

using OptionalInputs = std::vector<std::pair<std::string, Payload>>;

/// A prior for PICCS: half the truth.
OptionalInputs half_the_truth(const Trial& t) {
  std::vector<float> prior = truth_of(t);
  for (float& v : prior) v *= 0.5F;
  return {{"prior", volume_like(t, prior)}};
}

const Trial shared{.n = 24, .voxel_mm = 8, .views = 20};

template <class Op>
void check_start_mask_and_bad_input(const SessionOptions& options, typename Op::Params params,
                                    const OptionalInputs& always = {}) {
  const Trial t = shared;
  const Projections scan = scan_head(t);
  typename Op::Params p = on_grid<typename Op::Params>(t, params);
  p.iterations = 3;
  const auto with = [&](OptionalInputs inputs) {
    inputs.insert(inputs.end(), always.begin(), always.end());
    return inputs;
  };
  // A start at the image of 3 iterations goes on from it.
  const Result three = reconstruct_by<Op>(options, scan, p, always);
  const Result more = reconstruct_by<Op>(options, scan, p, with({{"start", volume_like(t, three.voxels)}}));
  if (options.device == "cpu") {
    EXPECT_LT(more.residual[0], three.residual[2]) << Op::name;
    EXPECT_EQ(three.iterations, 3);
    p.iterations = 500;
    p.stop_at_change = 0.02;
    const Result stopped = reconstruct_by<Op>(options, scan, p, always);
    EXPECT_LT(stopped.iterations, 400) << Op::name;
    EXPECT_GT(stopped.iterations, 3) << Op::name;
    p.iterations = 3;
    p.stop_at_change = 0;
  }
  // Beyond the mask nothing changes: it stays 0, as labels and as a volume.
  std::vector<float> half(three.voxels.size());
  Segmentation labels = Segmentation::describe(t.n, t.n, 1, volume_like(t, half).geometry());
  context().allocate(labels);
  for (std::size_t i = 0; i < half.size(); ++i)
    labels.labels().span<std::uint8_t>()[i] = static_cast<std::uint8_t>(half[i] = i % 24 < 12 ? 1.0F : 0.0F);
  const Result masked = reconstruct_by<Op>(options, scan, p, with({{"mask", volume_like(t, half)}}));
  const Result by_labels = reconstruct_by<Op>(options, scan, p, with({{"mask", labels}}));
  EXPECT_EQ(masked.voxels, by_labels.voxels) << Op::name;
  double inside = 0;
  for (std::size_t i = 0; i < half.size(); ++i) {
    if (half[i] == 0.0F) {
      ASSERT_EQ(masked.voxels[i], 0.0F) << Op::name;
    }
    inside += static_cast<double>(std::fabs(masked.voxels[i]));
  }
  EXPECT_GT(inside, 0.1) << Op::name;
  EXPECT_EQ(reconstruct_by<Op>(options, scan, p, always).voxels, three.voxels) << "the same again";
  // Bad input.
  const auto message = [&](const OptionalInputs& inputs, const Projections& from) {
    return error_of([&] { reconstruct_by<Op>(options, from, p, with(inputs)); });
  };
  const Trial other{.n = 23, .voxel_mm = 8};
  EXPECT_THAT(message({{"start", volume_like(other, std::vector<float>(23 * 23))}}, scan),
              AllOf(HasSubstr("'start'"), HasSubstr("23 x 23 x 1"), HasSubstr("24 x 24 x 1"), HasSubstr("Fix:")));
  EXPECT_THAT(message({{"start", volume_like(t, half, "HU")}}, scan), AllOf(HasSubstr("'HU'"), HasSubstr("'1/mm'")));
  if (options.device == "cpu") {
    const Projections broken = scan_head(t);
    broken.views().span<float>()[36 * 3 + 7] = std::numeric_limits<float>::quiet_NaN();
    EXPECT_THAT(message({}, broken),
                AllOf(HasSubstr("view 3, row 0, column 7"), HasSubstr(Op::name), HasSubstr("Fix:")));
  }
}

TEST_P(IterativeReconstruction, SirtTakesStartAndMaskAndRefusesBadInput) {
  check_start_mask_and_bad_input<OsSartReconstruction>(options(), {});
}
TEST_P(IterativeReconstruction, SartTakesStartAndMaskAndRefusesBadInput) {
  check_start_mask_and_bad_input<OsSartReconstruction>(options(), {.subsets = shared.views, .relaxation = 0.3});
}
TEST_P(IterativeReconstruction, OsSartTakesStartAndMaskAndRefusesBadInput) {
  check_start_mask_and_bad_input<OsSartReconstruction>(options(), {.subsets = 4, .relaxation = 0.5});
}
TEST_P(IterativeReconstruction, OsSartWithVoxelsDrivenTakesStartAndMaskAndRefusesBadInput) {
  check_start_mask_and_bad_input<OsSartReconstruction>(
      options(), {.subsets = 4, .relaxation = 0.5, .back_projector = BackProjector::voxel_driven});
}
TEST_P(IterativeReconstruction, OstrTakesStartAndMaskAndRefusesBadInput) {
  check_start_mask_and_bad_input<OsemReconstruction>(options(), {.subsets = 2});
}
TEST_P(IterativeReconstruction, CglsTakesStartAndMaskAndRefusesBadInput) {
  check_start_mask_and_bad_input<CglsReconstruction>(options(), {});
}
TEST_P(IterativeReconstruction, TvTakesStartAndMaskAndRefusesBadInput) {
  check_start_mask_and_bad_input<TvReconstruction>(options(), {});
}
TEST_P(IterativeReconstruction, PiccsTakesStartAndMaskAndRefusesBadInput) {
  check_start_mask_and_bad_input<TvReconstruction>(options(), {}, half_the_truth(shared));
}

TEST(IterativeReconstructions, OfEmissionRefuseNegativeCounts) {
  const Projections scan = scan_head(shared);
  scan.views().span<float>()[36 * 5 + 11] = -2.5F;
  const auto reconstruct = [&](EmData data) {
    return reconstruct_by<OsemReconstruction>(
        {.device = "cpu"}, scan, on_grid<OsemReconstruction::Params>(shared, {.data = data, .iterations = 2}));
  };
  EXPECT_THAT(error_of([&] { reconstruct(EmData::emission); }),
              AllOf(HasSubstr("-2.5"), HasSubstr("view 5, row 0, column 11"), HasSubstr("osem_reconstruction"),
                    HasSubstr("numbers from 0 on"), HasSubstr("Fix:")));
  // Noise makes line integrals negative.
  EXPECT_EQ(reconstruct(EmData::transmission).iterations, 2);
}

/// What an operator gives in a context of its own with this many threads.
template <class Op>
std::vector<float> with_threads(int threads, const Projections& scan, const typename Op::Params& params,
                                const std::vector<float>& prior = {}) {
  isocenter_context_options o{};
  o.struct_size = sizeof o;
  o.flags = ISOCENTER_CONTEXT_NO_MODULES;
  o.thread_count = threads;
  const Context own(o);
  Projections in(scan.description());
  own.allocate(in);
  const auto from = scan.views().span<float>();
  std::copy(from.begin(), from.end(), in.views().span<float>().begin());
  Pipeline pipeline(own);
  pipeline.add_input("scan", in);
  pipeline.add<Op>("recon", params);
  pipeline.connect("scan", "output", "recon", "input");
  Volume given;
  if (!prior.empty()) {
    const int n = static_cast<int>(params.nx);
    const double voxel_mm = params.spacing_mm[0];
    given = Volume::own(prior, n, n, 1, Geometry::centred(n, n, 1, {voxel_mm, voxel_mm, voxel_mm}), "1/mm");
    pipeline.add_input("prior", given);
    pipeline.connect("prior", "output", "recon", "prior");
  }
  pipeline.add_output("out", "recon", "output");
  Session session = pipeline.prepare();
  session.start();
  session.push("scan", in);
  if (!prior.empty()) session.push("prior", given);
  const auto item = session.pull("out");
  if (!item) session.wait();
  const Volume v(*item);
  return {v.values().begin(), v.values().end()};
}

TEST(IterativeReconstructions, GiveTheSameBitsForEveryNumberOfThreads) {
  const Trial t{.n = 40, .voxel_mm = 5, .views = 20, .photons = 1e4};
  const Projections scan = scan_head(t);
  const auto same = [&]<class Op>(Op, typename Op::Params params, const std::vector<float>& prior = {}) {
    params = on_grid(t, params);
    params.iterations = 4;
    EXPECT_EQ(with_threads<Op>(1, scan, params, prior), with_threads<Op>(2, scan, params, prior)) << Op::name;
  };
  same(OsSartReconstruction{}, {});
  same(OsSartReconstruction{}, {.subsets = 5});
  same(OsSartReconstruction{}, {.subsets = 20});
  same(OsSartReconstruction{}, {.subsets = 5, .back_projector = BackProjector::voxel_driven});
  same(OsemReconstruction{}, {.subsets = 3});
  same(CglsReconstruction{}, {});
  same(TvReconstruction{}, {});
  same(TvReconstruction{}, {}, truth_of(t));
}

TEST_P(IterativeReconstruction, PositivityHoldsWhereItIsAskedFor) {
  const Trial t{.n = 24, .voxel_mm = 8, .views = 20, .photons = 500};
  const Projections scan = scan_head(t);
  const auto least = [&](bool positive) {
    const auto r = reconstruct_by<OsSartReconstruction>(
        options(), scan, on_grid<OsSartReconstruction::Params>(t, {.iterations = 10, .positivity = positive}));
    return *std::min_element(r.voxels.begin(), r.voxels.end());
  };
  EXPECT_GE(least(true), 0.0F);
  EXPECT_LT(least(false), 0.0F);
}

TEST_P(IterativeReconstruction, HounsfieldUnitsAreTheSameImage) {
  const Trial t{.n = 24, .voxel_mm = 8, .views = 20};
  const Projections scan = scan_head(t);
  auto p = on_grid<OsSartReconstruction::Params>(t, {.iterations = 5});
  const Result mu = reconstruct_by<OsSartReconstruction>(options(), scan, p);
  p.unit = AttenuationUnit::hu;
  const Result hu = reconstruct_by<OsSartReconstruction>(options(), scan, p);
  for (std::size_t i = 0; i < mu.voxels.size(); ++i)
    ASSERT_NEAR(hu.voxels[i], 1000 * (mu.voxels[i] / mu_water - 1), 2e-3);
}

template <class Op>
void check_cancellation(const SessionOptions& with, typename Op::Params params, const OptionalInputs& always = {}) {
  const Trial t{.n = 64, .views = 60};
  const Projections scan = scan_head(t);
  params.iterations = 100000;
  Pipeline pipeline(context());
  pipeline.add_input("scan", scan);
  for (const auto& [name, payload] : always) pipeline.add_input(name, payload);
  pipeline.add<Op>("recon", on_grid<typename Op::Params>(t, params));
  pipeline.connect("scan", "output", "recon", "input");
  for (const auto& [name, payload] : always) pipeline.connect(name, "output", "recon", name);
  pipeline.add_output("out", "recon", "output");
  SessionOptions o = with;
  static std::atomic<int> steps;
  steps = 0;
  o.progress = [](void*, const char*, std::int64_t, double) { ++steps; };
  Session session = pipeline.prepare(o);
  session.start();
  session.push("scan", scan);
  for (const auto& [name, payload] : always) session.push(name.c_str(), payload);
  while (steps < 5) std::this_thread::yield();
  session.cancel();
  EXPECT_THAT(error_of([&] { session.wait(); }), HasSubstr("cancelled")) << Op::name;
  const auto item = session.pull("out");
  ASSERT_TRUE(item) << Op::name;
  const Volume v(context().copy_to(*item, "cpu"));
  EXPECT_LT(rmse({v.values().begin(), v.values().end()}, truth_of(t)) / mu_water, 0.25) << Op::name;
}

TEST_P(IterativeReconstruction, ACancelledSessionGivesItsLastIterate) {
  check_cancellation<OsSartReconstruction>(options(), {});
  check_cancellation<OsSartReconstruction>(options(), {.subsets = 60});
  check_cancellation<OsSartReconstruction>(options(), {.subsets = 6});
  check_cancellation<OsemReconstruction>(options(), {.subsets = 6});
  check_cancellation<CglsReconstruction>(options(), {});
  check_cancellation<TvReconstruction>(options(), {.weight_per_mm = 1e-5});
  check_cancellation<TvReconstruction>(options(), {.weight_per_mm = 1e-5}, half_the_truth({.n = 64, .views = 60}));
}

TEST(SubsetOrder, VisitsEachOnceAndLeavesNeighboursApart) {
  for (const int n : {1, 2, 3, 7, 8, 20}) {
    std::vector<int> order = subset_order(n);
    std::sort(order.begin(), order.end());
    ASSERT_EQ(order.size(), static_cast<std::size_t>(n));
    for (int i = 0; i < n; ++i) EXPECT_EQ(order[static_cast<std::size_t>(i)], i);
  }
  EXPECT_EQ(subset_order(8), (std::vector<int>{0, 4, 2, 6, 1, 5, 3, 7}));
}

TEST_P(IterativeReconstruction, MoreSubsetsThanViewsAreRefused) {
  const Trial t{.n = 24, .voxel_mm = 8, .views = 20};
  EXPECT_THAT(error_of([&] {
                reconstruct_by<OsSartReconstruction>(options(), scan_head(t),
                                                     on_grid<OsSartReconstruction::Params>(t, {.subsets = 21}));
              }),
              AllOf(HasSubstr("subsets = 21"), HasSubstr("20 views"), HasSubstr("Fix:")));
}

}  // namespace
}  // namespace isocenter::testing
