// Runs a MONAI bundle over one raw volume: bundle_run BUNDLE NX NY NZ GEOMETRY IN OUT. GEOMETRY is fifteen numbers
// (spacing, origin, direction cosines by rows, LPS) in a text file, IN float32 and OUT uint8, x fastest.
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <isocenter/infer/monai_bundle.hpp>
#include <isocenter/isocenter.hpp>
#include <iterator>

namespace ic = isocenter;

int main(int argc, char** argv) try {
  if (argc != 8) return 2;
  const std::int64_t nx = std::atoll(argv[2]), ny = std::atoll(argv[3]), nz = std::atoll(argv[4]);
  std::ifstream numbers(argv[5]), raw(argv[6], std::ios::binary);
  ic::Geometry geometry;
  for (double& v : geometry.spacing_mm) numbers >> v;
  for (double& v : geometry.origin_mm) numbers >> v;
  for (double& v : geometry.direction) numbers >> v;
  std::vector<float> voxels(static_cast<std::size_t>(nx * ny * nz));
  raw.read(reinterpret_cast<char*>(voxels.data()), static_cast<std::streamsize>(voxels.size() * sizeof(float)));
  const ic::Context context;
  const ic::Volume volume = ic::Volume::own(std::move(voxels), nx, ny, nz, geometry, "HU");
  const ic::Payload labels = ic::apply<ic::MonaiBundle>(context, {.path = argv[1]}, volume);
  const auto values = labels.tensor("labels").span<std::uint8_t>();
  std::ofstream(argv[7], std::ios::binary)
      .write(reinterpret_cast<const char*>(values.data()), static_cast<std::streamsize>(values.size()));
  return 0;
} catch (const ic::Error& e) {
  std::fprintf(stderr, "bundle_run: %s\n", e.what());
  return 1;
}
