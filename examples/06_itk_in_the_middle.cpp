// ITK in the middle: a volume goes from Isocenter to an ITK filter and back, without a copy on either way.
#include <itkMedianImageFilter.h>

#include <cmath>
#include <isocenter/denoise/bilateral_denoise.hpp>
#include <isocenter/io/itk_image.hpp>
#include <isocenter/isocenter.hpp>
#include <isocenter/phantom/phantom_projections.hpp>
#include <isocenter/recon/fdk_reconstruction.hpp>

namespace ic = isocenter;

/// Standard deviation of 24 × 24 × 8 voxels in the middle of the water.
static double noise_hu(const ic::Volume& volume) {
  double sum = 0, squares = 0;
  const auto hu = volume.values();
  for (int z = 4; z < 12; ++z)
    for (int y = 36; y < 60; ++y)
      for (int x = 36; x < 60; ++x) {
        const double v = hu[static_cast<std::size_t>((z * 96 + y) * 96 + x)];
        sum += v, squares += v * v;
      }
  const double n = 24 * 24 * 8;
  return std::sqrt(squares / n - sum * sum / n / n);
}

int main() try {
  const ic::Context context;
  ic::Pipeline pipeline(context);
  const auto scan = pipeline.add<ic::PhantomProjections>("scan", {.phantom = ic::PhantomKind::water_cylinder,
                                                                  .radius_mm = 80,
                                                                  .height_mm = 60,
                                                                  .views = 120,
                                                                  .columns = 128,
                                                                  .rows = 32,
                                                                  .column_step_mm = 3,
                                                                  .row_step_mm = 3,
                                                                  .photons = 20000});
  const auto fdk = pipeline.add<ic::FdkReconstruction>("fdk", {.nx = 96, .ny = 96, .nz = 16, .spacing_mm = {2.0}});
  pipeline.connect(scan.output, fdk.input);
  pipeline.add_output("reconstructed", fdk.output);
  ic::Session session = pipeline.prepare();
  session.start();
  const ic::Volume reconstructed = *session.pull("reconstructed");

  using Image = itk::Image<float, 3>;
  const auto median = itk::MedianImageFilter<Image, Image>::New();
  median->SetInput(ic::as_itk_image(reconstructed));
  median->Update();
  const ic::Volume filtered = ic::volume_from_itk<3>(median->GetOutput(), "HU");

  const ic::Volume smooth = ic::apply<ic::BilateralDenoise>(context, {.sigma_space_mm = 2.0F}, filtered);
  std::printf("noise in water: %.1f HU as reconstructed, %.1f after ITK's median, %.1f after ours\n",
              noise_hu(reconstructed), noise_hu(filtered), noise_hu(smooth));
  return noise_hu(smooth) < noise_hu(filtered) && noise_hu(filtered) < noise_hu(reconstructed) ? 0 : 1;
} catch (const std::exception& e) {  // ic::Error or itk::ExceptionObject
  std::fprintf(stderr, "06_itk_in_the_middle: %s\n", e.what());
  return 1;
}
