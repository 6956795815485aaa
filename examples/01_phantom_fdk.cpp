// A phantom's exact cone-beam projections, reconstructed by FDK and held against the phantom.
#include <cmath>
#include <isocenter/isocenter.hpp>
#include <isocenter/phantom/phantom_projections.hpp>
#include <isocenter/phantom/phantom_volume.hpp>
#include <isocenter/recon/fdk_reconstruction.hpp>

namespace ic = isocenter;

int main(int argc, char** argv) try {
  const ic::Context context;
  ic::Pipeline pipeline(context);
  const auto scan = pipeline.add<ic::PhantomProjections>("scan", {.phantom = ic::PhantomKind::shepp_logan,
                                                                  .views = 180,
                                                                  .columns = 128,
                                                                  .rows = 96,
                                                                  .column_step_mm = 3.0,
                                                                  .row_step_mm = 3.0});
  const auto fdk = pipeline.add<ic::FdkReconstruction>("fdk", {.nx = 96, .ny = 96, .nz = 65, .spacing_mm = {2.0}});
  const auto head = pipeline.add<ic::PhantomVolume>(
      "head",
      {.phantom = ic::PhantomKind::shepp_logan, .nx = 96, .ny = 96, .nz = 65, .spacing_mm = {2.0}, .samples = 4});
  pipeline.connect(scan.output, fdk.input);
  pipeline.add_output("picture", fdk.output);
  pipeline.add_output("truth", head.output);

  ic::Session session = pipeline.prepare({.device = argc > 1 ? argv[1] : "cpu"});  // "cpu", "cuda:0" or "best"
  session.start();
  const ic::Volume picture = *session.pull("picture"), truth = *session.pull("truth");
  session.wait();

  double wrong = 0, all = 0;  // in the middle slice, counted from vacuum
  for (std::size_t i = 96 * 96 * 32; i < 96 * 96 * 33; ++i) {
    wrong += std::pow(picture.values()[i] - truth.values()[i], 2);
    all += std::pow(truth.values()[i] + 1000.0F, 2);
  }
  const double error = std::sqrt(wrong / all);
  std::printf("FDK from 180 views is within %.1f %% of the phantom in its middle slice\n", 100 * error);
  return error < 0.10 ? 0 : 1;
} catch (const ic::Error& e) {
  std::fprintf(stderr, "01_phantom_fdk: %s\n", e.what());
  return 1;
}
