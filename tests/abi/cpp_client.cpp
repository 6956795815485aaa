// Compiled with a compiler other than the library's: the C++ face is header-only, so nothing of std may cross.
#include <isocenter/denoise/bilateral_denoise.hpp>
#include <isocenter/isocenter.hpp>
#include <isocenter/phantom/phantom_volume.hpp>

namespace ic = isocenter;

int main() try {
  const ic::Context context;
  ic::Pipeline pipeline(context);
  const auto head = pipeline.add<ic::PhantomVolume>("head", {.nx = 24, .ny = 20, .nz = 16, .spacing_mm = {12.0}});
  const auto smooth = pipeline.add<ic::BilateralDenoise>("smooth");
  pipeline.connect(head.output, smooth.input);
  pipeline.add_output("result", smooth.output);
  ic::Session session = pipeline.prepare();
  session.start();
  const ic::Volume volume = *session.pull("result");
  session.wait();
  try {  // an exception made in this compiler's code, from a status that came over the border
    pipeline.set("smooth", "sigma_space_mm", "-1");
    return 1;
  } catch (const ic::Error& e) {
    if (e.code() != ic::ErrorCode::invalid_argument) return 1;
  }
  std::printf("a client of another compiler got %lld voxels\n", static_cast<long long>(volume.voxels().count()));
  return volume.voxels().count() > 0 ? 0 : 1;
} catch (const ic::Error& e) {
  std::fprintf(stderr, "cpp_client: %s\n", e.what());
  return 1;
}
