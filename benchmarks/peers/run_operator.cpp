// Our side of benchmarks/peers/denoise.py and render.py: one operator on one volume.
//   run_operator NAME IN.raw NX NY NZ SX SY SZ OUT.raw [repeats=N] [parameter=value ...]
// IN is float32, x fastest, spacing in mm. Writes the raw output and prints the shortest run's time and the output's
// shape as JSON. The time is that of the pushes, the run and the pull of one item through a prepared session.
#include <chrono>
#include <cstdio>
#include <fstream>
#include <isocenter/isocenter.hpp>
#include <limits>

namespace ic = isocenter;

namespace {

std::vector<float> read_floats(const std::string& path, std::size_t count) {
  std::vector<float> values(count);
  std::ifstream file(path, std::ios::binary);
  file.read(reinterpret_cast<char*>(values.data()), static_cast<std::streamsize>(count * sizeof(float)));
  if (!file) throw std::runtime_error("cannot read " + std::to_string(count) + " floats from " + path);
  return values;
}

int run(int argc, char** argv) {
  const std::string name = argv[1];
  const std::int64_t nx = std::stol(argv[3]), ny = std::stol(argv[4]), nz = std::stol(argv[5]);
  const ic::Geometry geometry =
      ic::Geometry::centred(nx, ny, nz, {std::stod(argv[6]), std::stod(argv[7]), std::stod(argv[8])});
  const ic::Volume volume =
      ic::Volume::own(read_floats(argv[2], static_cast<std::size_t>(nx * ny * nz)), nx, ny, nz, geometry, "HU");
  int repeats = 1;
  const ic::Context context;
  ic::Pipeline pipeline(context);
  pipeline.add_input("in", volume);
  pipeline.add("node", name);
  for (int i = 10; i < argc; ++i) {
    const std::string setting = argv[i];
    const std::string key = setting.substr(0, setting.find('=')), value = setting.substr(setting.find('=') + 1);
    if (key == "repeats")
      repeats = std::stoi(value);
    else
      pipeline.set("node", key, value);
  }
  pipeline.connect("in", "output", "node", "input");
  pipeline.add_output("out", "node", "output");
  ic::Session session = pipeline.prepare();
  session.start();
  double best = std::numeric_limits<double>::max();
  ic::Payload result;
  for (int i = 0; i < repeats; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    session.push("in", volume);
    auto item = session.pull("out");
    if (!item) session.wait();  // throws the item's error
    best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
    result = context.copy_to(*item, "cpu");
  }
  session.end_input("in");
  const bool frames = result.kind() == ISOCENTER_FRAMES;
  const ic::TensorView t = result.tensor(frames ? "pixels" : "voxels");
  std::ofstream(argv[9], std::ios::binary)
      .write(static_cast<const char*>(t.data), static_cast<std::streamsize>(t.bytes()));
  std::printf("{\"time_s\": %.6f, \"shape\": [", best);
  for (int i = 0; i < t.rank; ++i) std::printf("%s%lld", i == 0 ? "" : ", ", static_cast<long long>(t.shape[i]));
  std::printf("]}\n");
  return 0;
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc < 10) {
    std::fprintf(stderr, "run_operator NAME IN.raw NX NY NZ SX SY SZ OUT.raw [repeats=N] [parameter=value ...]\n");
    return 2;
  }
  return run(argc, argv);
} catch (const std::exception& e) {
  std::fprintf(stderr, "run_operator: %s\n", e.what());
  return 1;
}
