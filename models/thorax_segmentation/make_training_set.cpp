// Writes chests for training: int16 HU and uint8 labels, z, y, x, one file for each seed, and set.json beside them.
//
//   make_training_set FOLDER FIRST_SEED COUNT
#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <isocenter/isocenter.hpp>
#include <isocenter/phantom/phantom_volume.hpp>
#include <stdexcept>
#include <string>
#include <vector>

namespace ic = isocenter;

namespace {

/// The grid holds the whole chest, arms up, from the upper abdomen to the neck.
ic::PhantomVolume::Params chest(std::int64_t seed) {
  // Steps through (0, 1) that fill it evenly: multiples of irrational numbers.
  const auto fraction = [seed](double step) { return std::fmod(step * static_cast<double>(seed), 1.0); };
  ic::PhantomVolume::Params p;
  p.phantom = ic::PhantomKind::moving_thorax;
  p.seed = seed;
  p.time_s = p.breathing_period_s * fraction(0.6180339887498949);
  p.diaphragm_mm = 10 + 20 * fraction(0.7548776662466927);
  p.lesion_radius_mm = 6 + 8 * fraction(0.5698402909980532);
  p.nx = 128;
  p.ny = 104;
  p.nz = 140;
  p.spacing_mm = {3};
  p.centre_mm = {0, 10, -40};
  p.samples = 2;
  return p;
}

void write_chest(const ic::Context& context, std::int64_t seed, const std::filesystem::path& folder) {
  ic::Pipeline pipeline(context);
  const auto phantom = pipeline.add<ic::PhantomVolume>("phantom", chest(seed));
  pipeline.add_output("hu", phantom.output);
  pipeline.add_output("labels", phantom.labels);
  ic::Session session = pipeline.prepare();
  session.start();
  const auto voxels = session.pull("hu");
  const auto labels = session.pull("labels");
  if (!voxels || !labels) session.wait();  // throws what went wrong

  std::vector<std::int16_t> hu;
  for (const float v : voxels->tensor("voxels").span<float>())
    hu.push_back(static_cast<std::int16_t>(std::lround(std::clamp(v, -1024.0F, 3071.0F))));
  const auto tissue = labels->tensor("labels").span<std::uint8_t>();
  char name[32];
  std::snprintf(name, sizeof name, "thorax_%06lld.raw", static_cast<long long>(seed));
  std::ofstream file(folder / name, std::ios::binary);
  file.write(reinterpret_cast<const char*>(hu.data()), static_cast<std::streamsize>(hu.size() * sizeof hu[0]));
  file.write(reinterpret_cast<const char*>(tissue.data()), static_cast<std::streamsize>(tissue.size()));
  file.close();
  if (!file) throw std::runtime_error((folder / name).string() + " cannot be written. Fix: is the disk full?");
}

std::int64_t whole_number(const char* name, const std::string& text, std::int64_t least) {
  std::int64_t n = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, n);
  if (error != std::errc{} || stop != end || n < least || n > 1'000'000'000)
    throw std::invalid_argument(std::string(name) + " is '" + text + "'. Fix: give a whole number from " +
                                std::to_string(least) + " to 1000000000.");
  return n;
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc != 4) {
    std::fprintf(stderr, "usage: make_training_set FOLDER FIRST_SEED COUNT   (seed 0 is the standard chest)\n");
    return 2;
  }
  const std::filesystem::path folder = argv[1];
  const std::int64_t first = whole_number("FIRST_SEED", argv[2], 0), count = whole_number("COUNT", argv[3], 1);
  std::filesystem::create_directories(folder);
  const ic::Context context;
  for (std::int64_t seed = first; seed < first + count; ++seed) write_chest(context, seed, folder);
  const ic::PhantomVolume::Params grid = chest(first);
  std::ofstream(folder / "set.json") << "{\"nx\": " << grid.nx << ", \"ny\": " << grid.ny << ", \"nz\": " << grid.nz
                                     << ", \"spacing_mm\": " << grid.spacing_mm[0] << ", \"first_seed\": " << first
                                     << ", \"count\": " << count << "}\n";
  std::printf("%lld chests in %s\n", static_cast<long long>(count), folder.c_str());
  return 0;
} catch (const std::exception& e) {
  std::fprintf(stderr, "make_training_set: %s\n", e.what());
  return 1;
}
