#pragma once
// What the tests of image quality share: one object seen in every geometry, every method with the settings of the
// tables in docs/recon/quality.md, and the figures of an image.
#include <cstdio>
#include <isocenter/recon/cgls_reconstruction.hpp>
#include <isocenter/recon/compare_volumes.hpp>
#include <isocenter/recon/fbp_reconstruction.hpp>
#include <isocenter/recon/fdk_reconstruction.hpp>
#include <isocenter/recon/orbits.hpp>
#include <isocenter/recon/os_sart_reconstruction.hpp>
#include <isocenter/recon/osem_reconstruction.hpp>
#include <isocenter/recon/tv_reconstruction.hpp>
#include <numbers>

#include "device_test.hpp"
#include "image_measures.hpp"
#include "phantom/raw_data.hpp"
#include "test_launcher.hpp"

namespace isocenter::testing {

constexpr double water_per_mm = 0.02;

/// A scan and the grid on which it is reconstructed.
struct ScanSetup {
  const char* name;
  CircularOrbit orbit;
  std::int64_t n = 96, nz = 1;
  double voxel_mm = 2;
  double radius_mm = 88, half_height_mm = 0;  ///< where figures are taken
  bool tilted = false;                        ///< the detector in its plane and out of it, view by view the same
  std::vector<double> offset_mm = {0, 0, 0};  ///< of the grid from the orbit's centre
  std::vector<View> views() const {
    std::vector<View> list = orbit.build();
    if (!tilted) return list;
    for (int k = 0; k < orbit.views; ++k) {
      View& v = list[static_cast<std::size_t>(k)];
      const double i = 0.5 * (orbit.columns - 1), j = 0.5 * (orbit.rows - 1);
      const Vector3 middle = v.element_mm(i, j), u = v.u_step_mm, w = v.v_step_mm;
      // 3 degrees in the plane, then 5 degrees about the rows.
      const double c = std::cos(0.052), s = std::sin(0.052), d = std::cos(0.087), e = std::sin(0.087);
      Vector3 towards = detail::times(detail::length(u) / detail::length(v.source_mm), v.source_mm);
      v.u_step_mm = detail::plus(detail::times(c, u), detail::times(s, w));
      v.v_step_mm = detail::plus(detail::times(d, detail::plus(detail::times(-s, u), detail::times(c, w))),
                                 detail::times(e, towards));
      v.detector_origin_mm =
          detail::minus(middle, detail::plus(detail::times(i, v.u_step_mm), detail::times(j, v.v_step_mm)));
    }
    return list;
  }
};

/// Sixty views: parallel and fan beams of one row on 96² pixels of 2 mm, cone beams on 32³ voxels of
/// 6 mm.
inline std::vector<ScanSetup> setups(int views = 60) {
  CircularOrbit plane{.views = views,
                      .columns = 112,
                      .rows = 1,
                      .source_to_isocenter_mm = 600,
                      .source_to_detector_mm = 900,
                      .column_step_mm = 3,
                      .row_step_mm = 3};
  CircularOrbit parallel = plane, curved = plane;
  parallel.beam = Beam::parallel;
  parallel.arc_rad = std::numbers::pi;
  parallel.column_step_mm = parallel.row_step_mm = 2;
  curved.detector = DetectorShape::curved;
  CircularOrbit cone = plane;
  cone.columns = 48;
  cone.rows = 48;
  cone.column_step_mm = cone.row_step_mm = 8;
  CircularOrbit narrow = cone;
  narrow.columns = 30;
  const auto box = [](const char* name, const CircularOrbit& orbit, bool tilted = false) {
    return ScanSetup{name, orbit, 32, 32, 6, 88, 30, tilted};
  };
  return {{"parallel", parallel},
          {"flat fan", plane},
          {"curved fan", curved},
          box("cone, full circle", cone),
          box("cone, short scan", short_scan(cone)),
          box("cone, displaced", displaced_detector(narrow, 42)),
          box("cone, tilted", cone, true)};
}

/// The modified Shepp-Logan head of 92 mm, and with a change: a ball of 100 HU that the prior of PICCS does not have.
inline detail::Solids head(bool with_change) {
  detail::Solids solids;
  detail::shepp_logan(detail::Contrast::modified, 92, &solids);
  if (with_change)
    solids.list.push_back(detail::make_solid(detail::Solid::ellipsoid, {18, -38, 0}, {9, 9, 9}, detail::no_turn, 0.1,
                                             detail::label_lesion));
  return solids;
}

struct Insert {
  double x_mm, y_mm, hu;
};
inline constexpr Insert inserts[] = {{45, 0, -1000}, {0, 45, -100}, {-45, 0, 60}, {0, -45, 300}};
inline constexpr double insert_mm = 12;

/// 80 mm of water with the inserts, or with the first few of them.
inline detail::Solids contrast_phantom(std::size_t count = std::size(inserts), double half_height_mm = 400) {
  detail::Solids solids;
  const auto add = [&](double x, double y, double r, double hu) {
    solids.list.push_back(detail::make_solid(detail::Solid::cylinder, {x, y, 0}, {r, r, half_height_mm},
                                             detail::no_turn, 1.0 + hu / 1000.0, detail::label_soft_tissue));
  };
  add(0, 0, 80, 0);
  for (std::size_t i = 0; i < count; ++i) add(inserts[i].x_mm, inserts[i].y_mm, insert_mm, inserts[i].hu);
  solids.composition = detail::Composition::painted;
  return solids;
}

/// The mean over the pixels within r of a point, in the middle slice.
inline double mean_around(const Volume& v, double x, double y, double r) {
  const PixelGrid grid{v.nx(), v.geometry().spacing_mm[0]};
  const auto slice = v.values().subspan(static_cast<std::size_t>(v.nz() / 2 * v.nx() * v.ny()));
  double sum = 0.0, count = 0.0;
  for (std::int64_t j = 0; j < grid.n; ++j)
    for (std::int64_t i = 0; i < grid.n; ++i)
      if (std::hypot(grid.position_mm(i) - x, grid.position_mm(j) - y) < r) {
        sum += slice[static_cast<std::size_t>(j * grid.n + i)];
        count += 1;
      }
  return sum / count;
}

/// The exact projections of solids (relative to water) as a payload, with photon noise if wanted; `o` gives the
/// detector.
inline Projections scan_of_views(const std::vector<View>& views, const CircularOrbit& o, const detail::Solids& solids,
                                 double photons = 0, unsigned seed = 1) {
  Projections p = Projections::describe(static_cast<std::int64_t>(views.size()), o.rows, o.columns);
  set_views(p, views, o.beam, o.detector);
  p.set_numbers("mu_water_per_mm", std::vector<double>{water_per_mm});
  context().allocate(p);
  const auto values = p.views().span<float>();
  for (std::size_t n = 0; n < views.size(); ++n)
    detail::project(launcher_with(2), solids, views[n], o.beam, o.rows, o.columns, water_per_mm,
                    values.data() + n * static_cast<std::size_t>(o.rows * o.columns), o.detector);
  if (photons > 0) detail::add_photon_noise(launcher_with(2), values, photons, seed, 0);
  return p;
}

inline Projections scan_of_setup(const ScanSetup& s, const detail::Solids& solids, double photons = 0,
                                 unsigned seed = 1) {
  return scan_of_views(s.views(), s.orbit, solids, photons, seed);
}

/// The object itself, in HU: means over the voxels.
inline Volume truth_of_setup(const ScanSetup& s, const detail::Solids& solids) {
  const Geometry g = Geometry::centred(s.n, s.n, s.nz, {s.voxel_mm, s.voxel_mm, s.voxel_mm});
  std::vector<float> values(static_cast<std::size_t>(s.n * s.n * s.nz));
  detail::rasterise(launcher_with(2), solids, {s.n, s.n, s.nz, g}, 4, 1000.0, -1000.0, values.data(), nullptr);
  return Volume::own(std::move(values), s.n, s.n, s.nz, g, "HU");
}

enum class Method { analytic, sirt, os_sart, osem, cgls, tv, piccs };
constexpr const char* method_names[] = {"FBP or FDK", "SIRT", "OS-SART", "OSEM", "CGLS", "TV", "PICCS"};

/// One operator on one scan, with a prior where it takes one.
template <class Op>
Volume image_by(const SessionOptions& options, const ScanSetup& s, const Projections& scan, typename Op::Params params,
                const Volume* prior = nullptr) {
  params.nx = params.ny = s.n;
  if constexpr (requires { params.nz; }) params.nz = s.nz;
  params.spacing_mm = {s.voxel_mm};
  if (params.offset_mm.size() == s.offset_mm.size()) params.offset_mm = s.offset_mm;
  if constexpr (requires { params.largest_gap_deg; }) params.largest_gap_deg = 60;
  Pipeline pipeline(context());
  pipeline.add_input("scan", scan);
  pipeline.add<Op>("node", params);
  pipeline.connect("scan", "output", "node", "input");
  if (prior != nullptr) {
    pipeline.add_input("prior", *prior);
    pipeline.connect("prior", "output", "node", "prior");
  }
  pipeline.add_output("out", "node", "output");
  Session session = pipeline.prepare(options);
  session.start();
  session.push("scan", scan);
  if (prior != nullptr) session.push("prior", *prior);
  session.end_input("scan");
  if (prior != nullptr) session.end_input("prior");
  const auto item = session.pull("out");
  if (!item) session.wait();
  return Volume(context().copy_to(*item, "cpu"));
}

/// A method with the settings of the tables. `prior` is for PICCS.
inline Volume image_of(const SessionOptions& options, Method method, const ScanSetup& s, const Projections& scan,
                       const Volume* prior = nullptr, FdkWindow window = FdkWindow::hann) {
  switch (method) {
    case Method::analytic:
      return s.nz > 1 ? image_by<FdkReconstruction>(options, s, scan, {.window = window})
                      : image_by<FbpReconstruction>(options, s, scan, {.window = window});
    case Method::sirt:
      return image_by<OsSartReconstruction>(options, s, scan, {.iterations = 60});
    case Method::os_sart:
      return image_by<OsSartReconstruction>(options, s, scan, {.subsets = 10, .iterations = 6});
    case Method::osem:
      return image_by<OsemReconstruction>(options, s, scan, {.subsets = 6, .iterations = 10});
    case Method::cgls:
      return image_by<CglsReconstruction>(options, s, scan, {.iterations = 10});
    case Method::tv:
      return image_by<TvReconstruction>(options, s, scan, {.iterations = 80, .weight_per_mm = 1e-5});
    case Method::piccs:
      return image_by<TvReconstruction>(options, s, scan, {.iterations = 80, .weight_per_mm = 2e-5}, prior);
  }
  throw std::logic_error("no such method");
}

/// What compare_volumes says in the setup's region.
struct Figures {
  double rmse_hu = 0, psnr_db = 0, ssim = 0;
};
inline Figures figures_of(const ScanSetup& s, const Volume& image, const Volume& truth) {
  Pipeline pipeline(context());
  const auto a = pipeline.add_input("image", image), b = pipeline.add_input("truth", truth);
  const auto compare =
      pipeline.add<CompareVolumes>("error", {.radius_mm = s.radius_mm, .half_height_mm = s.half_height_mm});
  pipeline.connect(a, compare.input);
  pipeline.connect(b, compare.truth);
  Session session = pipeline.prepare();
  session.start();
  session.push("image", image);
  session.push("truth", truth);
  session.end_input("image");
  session.end_input("truth");
  session.wait();
  const std::string report = session.report();
  const auto value = [&](const char* metric) {
    return std::stod(report.substr(report.find('[', report.find("\"" + std::string(metric) + "\":{")) + 1));
  };
  return {value("rmse"), value("psnr_db"), value("ssim")};
}

/// Refuses 0.3 dB, 0.006 of the similarity or 3 % of the error less than what has been reached.
inline void expect_row(const std::string& name, const Figures& f, const Figures& reached) {
  std::printf("| %s | %.1f | %.2f | %.3f |\n", name.c_str(), f.rmse_hu, f.psnr_db, f.ssim);
  EXPECT_LT(f.rmse_hu, 1.03 * reached.rmse_hu + 0.05) << name;
  EXPECT_GT(f.psnr_db, reached.psnr_db - 0.3) << name;
  EXPECT_GT(f.ssim, reached.ssim - 0.006) << name;
}

}  // namespace isocenter::testing
