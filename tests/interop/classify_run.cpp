// Runs classify_image over raw pictures: classify_run MODEL grey|colour IMAGES NX NY IN OUT. IN is float32 (grey) or
// RGB bytes (colour), x fastest; OUT float64, classes fastest. What is done before the network stands in the model's
// metadata.
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <isocenter/infer/classify_image.hpp>
#include <isocenter/isocenter.hpp>
#include <string_view>

namespace ic = isocenter;

namespace {

ic::Payload read(const ic::Context& context, bool colour, std::int64_t images, std::int64_t nx, std::int64_t ny,
                 const char* path) {
  ic::Payload payload;
  if (colour)
    payload = ic::Frames::describe(images, ny, nx, 1);
  else
    payload = ic::Volume::describe(nx, ny, images, ic::Geometry(), "");
  context.allocate(payload);
  const ic::TensorView pixels = payload.tensor(colour ? "pixels" : "voxels");
  std::ifstream(path, std::ios::binary).read(pixels.as<char>(), static_cast<std::streamsize>(pixels.bytes()));
  return payload;
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc != 8) return 2;
  const ic::Context context;
  const ic::Payload pictures = read(context, std::string_view(argv[2]) == "colour", std::atoll(argv[3]),
                                    std::atoll(argv[4]), std::atoll(argv[5]), argv[6]);
  const ic::Payload out = ic::apply<ic::ClassifyImage>(context, {.model = argv[1]}, pictures);
  const auto scores = out.numbers("classification.scores");
  std::ofstream(argv[7], std::ios::binary)
      .write(reinterpret_cast<const char*>(scores.data()),
             static_cast<std::streamsize>(scores.size() * sizeof(double)));
  return 0;
} catch (const ic::Error& e) {
  std::fprintf(stderr, "classify_run: %s\n", e.what());
  return 1;
}
