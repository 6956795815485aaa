// The voxel-driven back projection: closed forms, the adjoint of smooth data, its variants, and iterations with it.
#include "recon/voxel_driven.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <isocenter/recon/back_projection.hpp>
#include <isocenter/recon/os_sart_reconstruction.hpp>
#include <isocenter/recon/osem_reconstruction.hpp>

#include "device_test.hpp"
#include "projector_test_data.hpp"

namespace isocenter::testing {
namespace {

using namespace isocenter::detail;
using ::testing::AllOf;
using ::testing::HasSubstr;

// Elements no larger than voxels: the adjoint of a coarser parallel detector shows its rows.
const Setting settings[] = {
    {.name = "cone", .views = 90, .columns = 46, .rows = 40, .nx = 19, .ny = 23, .nz = 17},
    {.name = "parallel", .beam = Beam::parallel, .views = 90, .columns = 62, .rows = 50, .step_mm = 1.1},
    {.name = "tilted cone", .views = 90, .columns = 46, .rows = 40, .tilted = true},
    {.name = "turned parallel",
     .beam = Beam::parallel,
     .views = 60,
     .columns = 60,
     .rows = 60,
     .step_mm = 1.1,
     .tilted = true,
     .turns = true},
    {.name = "fan", .views = 90, .columns = 60, .rows = 1, .nx = 23, .ny = 27, .nz = 1},
    {.name = "parallel fan", .beam = Beam::parallel, .views = 90, .columns = 99, .rows = 1, .nz = 1, .step_mm = 0.7},
};

VolumeGrid grid_of(const Setting& s) {
  return {s.nx, s.ny, s.nz, Geometry::centred(s.nx, s.ny, s.nz, {s.voxel_mm[0], s.voxel_mm[1], s.voxel_mm[2]})};
}

/// The voxel-driven back projection of a setting on arrays in the order of payloads.
class TestVoxelDriven {
 public:
  explicit TestVoxelDriven(const Setting& s) : projector_(s), views_(views_of_setting(s)) {
    for (int n = 0; n < s.views; ++n) order_.push_back(n);
    const Acquisition scan{views_, s.beam, s.detector, s.rows, s.columns};
    voxel_driven_.emplace(projector_request(scan, grid_of(s)), projector_.plan(), order_);
    voxel_driven_->use(voxel_driven_->host_matrices().data(), voxel_driven_->host_weights().data());
  }

  const TestProjector& projector() const { return projector_; }
  const std::vector<View>& views() const { return views_; }

  std::vector<float> back(const std::vector<float>& y, const Launcher& launcher) const {
    const std::vector<float> in = projector_.taken_views(y);
    std::vector<float> out(projector_.floats_of_volume(), -7e30F), result(projector_.voxels());
    const Scratch scratch(voxel_driven_->scratch_bytes(launcher));
    voxel_driven_->back(launcher, projector_.projector(), in.data(), 0, projector_.views(), out.data(), scratch.get());
    projector_.projector().give_volume(launcher, out.data(), result.data());
    return result;
  }

 private:
  TestProjector projector_;
  std::vector<View> views_;
  std::vector<std::int32_t> order_;
  std::optional<VoxelDriven> voxel_driven_;
};

TEST(VoxelDriven, OfOnesIsTheVoxelsVolumeOverTheAreaOfAnElementAtTheVoxel) {
  for (const Setting& s : settings) {
    const TestVoxelDriven t(s);
    const std::vector<float> b = t.back(std::vector<float>(t.projector().rays(), 1.0F), launcher_with(2));
    const VolumeGrid grid = grid_of(s);
    const bool flat = s.rows == 1;
    const int i = s.nx / 2 + 2, j = s.ny / 2 - 1, k = flat ? 0 : s.nz / 2 + 1;
    const auto p = grid.geometry.position_mm(i, j, k);
    double expected = 0;
    for (const View& view : t.views()) {
      const Vector3 normal = cross(view.u_step_mm, view.v_step_mm);
      double area = 0;
      if (s.beam == Beam::cone) {
        // Where the ray through the voxel meets the detector, and how much smaller an element is at the voxel.
        const Vector3 d = minus(Vector3{p[0], p[1], p[2]}, view.source_mm);
        const double far = dot(normal, minus(view.detector_origin_mm, view.source_mm)) / dot(normal, d);
        area = flat ? length(cross(view.u_step_mm, unit(d))) / far : std::fabs(dot(normal, unit(d))) / (far * far);
      } else {
        area = flat ? length(cross(view.u_step_mm, view.source_mm)) : std::fabs(dot(normal, view.source_mm));
      }
      expected += s.voxel_mm[0] * s.voxel_mm[1] * (flat ? 1.0 : s.voxel_mm[2]) / area;
    }
    EXPECT_NEAR(b[static_cast<std::size_t>((k * s.ny + j) * s.nx + i)], expected, 1e-5 * expected) << s.name;
  }
}

TEST(VoxelDriven, OfSmoothProjectionsIsNearlyTheAdjoint) {
  for (const Setting& s : settings) {
    const TestVoxelDriven t(s);
    // A Gaussian, so that the projections are smooth over voxels and elements.
    const VolumeGrid grid = grid_of(s);
    std::vector<float> x;
    for (int k = 0; k < s.nz; ++k)
      for (int j = 0; j < s.ny; ++j)
        for (int i = 0; i < s.nx; ++i) {
          const auto r = grid.geometry.position_mm(i, j, k);
          x.push_back(static_cast<float>(std::exp(-(r[0] * r[0] + r[1] * r[1] + r[2] * r[2]) / (2 * 64.0))));
        }
    const std::vector<float> y = t.projector().forward(x, launcher_with(2));
    const std::vector<float> exact = t.projector().back(y, launcher_with(2)), b = t.back(y, launcher_with(2));
    EXPECT_LT(relative_difference(b, exact), 0.02) << s.name;
    EXPECT_GT(relative_difference(b, exact), 1e-4) << s.name << ": it is no transpose";
  }
}

TEST(VoxelDriven, EveryVariantGivesWhatTheReferenceGivesAndTheSameBitsForEveryNumberOfThreads) {
  for (const Setting& s : settings) {
    const TestVoxelDriven t(s);
    const std::vector<float> y = noise(t.projector().rays(), 11);
    const std::vector<float> reference = t.back(y, launcher_with(2, true));
    EXPECT_LT(relative_difference(t.back(y, launcher_with(2)), reference), 2e-5) << s.name;
    for (const bool plain : {false, true})
      EXPECT_EQ(t.back(y, launcher_with(1, plain)), t.back(y, launcher_with(3, plain))) << s.name;
  }
}

// ---- operators ----

ISOCENTER_DEVICE_SUITE(VoxelDrivenOperators);

constexpr double mu_water = 0.02;

/// A fan of the modified Shepp-Logan head in 1/mm, or a flat cone of it.
Projections scan_of_head(DetectorShape detector, int rows) {
  CircularOrbit o{.views = 60, .columns = 72, .rows = rows};
  o.column_step_mm = o.row_step_mm = 4.8;
  o.detector = detector;
  const auto views = o.build();
  Projections p = Projections::describe(o.views, rows, o.columns);
  set_views(p, views, Beam::cone, detector);
  p.set_numbers("mu_water_per_mm", std::vector<double>{mu_water});
  context().allocate(p);
  Solids head;
  shepp_logan(Contrast::modified, 88, &head);
  const auto values = p.views().span<float>();
  if (detector == DetectorShape::flat)
    for (int n = 0; n < o.views; ++n)
      project(launcher_with(1), head, views[static_cast<std::size_t>(n)], Beam::cone, rows, o.columns, mu_water,
              values.data() + n * rows * o.columns);
  return p;
}

template <class Op>
std::vector<float> image_of(const SessionOptions& options, const Projections& scan, typename Op::Params params,
                            BackProjector which, int slices) {
  params.nx = params.ny = 48;
  params.nz = slices;
  params.spacing_mm = {4};
  params.back_projector = which;
  if constexpr (requires { params.unit; }) params.unit = AttenuationUnit::per_mm;
  const Volume v = isocenter::apply<Op>(context(), params, scan, options);
  return {v.values().begin(), v.values().end()};
}

double root_mean_square(const std::vector<float>& a, const std::vector<float>& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += std::pow(static_cast<double>(a[i]) - b[i], 2);
  return std::sqrt(sum / static_cast<double>(a.size()));
}

TEST_P(VoxelDrivenOperators, ReachTheImageOfTheMatchedPair) {
  for (const int rows : {1, 15}) {
    const int slices = rows == 1 ? 1 : 9;
    const Projections scan = scan_of_head(DetectorShape::flat, rows);
    Solids head;
    shepp_logan(Contrast::modified, 88, &head);
    const double first = -0.5 * 47 * 4, first_z = -0.5 * (slices - 1) * 4;
    Image truth = truth_on({48, 48, slices, {first, first, first_z}, {4, 4, 4}}, head, 3);
    for (float& v : truth.voxels) v *= static_cast<float>(mu_water);
    const auto check = [&]<class Op>(Op, const typename Op::Params& params, double bound) {
      const auto matched = image_of<Op>(options(), scan, params, BackProjector::joseph, slices);
      const auto fast = image_of<Op>(options(), scan, params, BackProjector::voxel_driven, slices);
      const double error = root_mean_square(fast, truth.voxels) / mu_water;
      EXPECT_LT(error, bound) << Op::name << ", " << rows << " rows; matched "
                              << root_mean_square(matched, truth.voxels) / mu_water;
      EXPECT_LT(error, 1.1 * root_mean_square(matched, truth.voxels) / mu_water) << Op::name << ", " << rows;
    };
    check(OsSartReconstruction{}, {.subsets = 6, .iterations = 8, .relaxation = 0.9}, 0.1);
    check(OsemReconstruction{}, {.subsets = 6, .iterations = 8}, 0.1);
  }
}

TEST_P(VoxelDrivenOperators, BackProjectWhatTheKernelGives) {
  const Projections scan = scan_of_head(DetectorShape::flat, 9);
  const auto exact = image_of<BackProjection>(options(), scan, {}, BackProjector::joseph, 9);
  const auto fast = image_of<BackProjection>(options(), scan, {}, BackProjector::voxel_driven, 9);
  const double difference = relative_difference(fast, exact);
  EXPECT_LT(difference, 0.12);  // the volume's first and last slices and the skull are not smooth
  EXPECT_GT(difference, 1e-4);
}

TEST_P(VoxelDrivenOperators, RefuseACurvedDetector) {
  const Projections scan = scan_of_head(DetectorShape::curved, 3);
  for (const std::string& message :
       {error_of([&] { image_of<BackProjection>(options(), scan, {}, BackProjector::voxel_driven, 3); }),
        error_of([&] { image_of<OsSartReconstruction>(options(), scan, {}, BackProjector::voxel_driven, 3); })})
    EXPECT_THAT(message, AllOf(HasSubstr("voxel_driven"), HasSubstr("curved"), HasSubstr("Fix:"), HasSubstr("joseph")));
}

}  // namespace
}  // namespace isocenter::testing
