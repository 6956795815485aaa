#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <functional>
#include <isocenter/isocenter.hpp>
#include <random>
#include <vector>

namespace isocenter::testing {

/// A way to store the same patient volume: voxel axis a runs along patient axis order[a], backwards where flip[a].
struct Storage {
  std::array<int, 3> order;
  std::array<bool, 3> flip;
};

/// All 48.
inline std::vector<Storage> all_storages() {
  std::vector<Storage> all;
  std::array<int, 3> order = {0, 1, 2};
  do {
    for (int f = 0; f < 8; ++f) all.push_back({order, {(f & 1) != 0, (f & 2) != 0, (f & 4) != 0}});
  } while (std::next_permutation(order.begin(), order.end()));
  return all;
}

using PatientField = std::function<double(std::array<double, 3>)>;

/// A lattice of n[0] × n[1] × n[2] points along the patient's axes from `first`, `step` apart, stored as asked; voxels
/// have field(position in mm).
inline Volume stored(const Storage& s, std::array<int, 3> n, std::array<double, 3> first, std::array<double, 3> step,
                     const PatientField& field, const char* unit = "HU") {
  Geometry g;
  std::array<int, 3> extent{};
  for (std::size_t i = 0; i < 9; ++i) g.direction[i] = 0;
  for (std::size_t p = 0; p < 3; ++p) g.origin_mm[p] = first[p];
  for (std::size_t a = 0; a < 3; ++a) {
    const auto p = static_cast<std::size_t>(s.order[a]);
    extent[a] = n[p];
    g.spacing_mm[a] = step[p];
    g.direction[3 * p + a] = s.flip[a] ? -1 : 1;
    if (s.flip[a]) g.origin_mm[p] += (n[p] - 1) * step[p];
  }
  std::vector<float> voxels;
  for (int k = 0; k < extent[2]; ++k)
    for (int j = 0; j < extent[1]; ++j)
      for (int i = 0; i < extent[0]; ++i) voxels.push_back(static_cast<float>(field(g.position_mm(i, j, k))));
  return Volume::own(std::move(voxels), extent[0], extent[1], extent[2], g, unit);
}

inline Volume random_volume(int nx, int ny, int nz, unsigned seed, std::array<double, 3> spacing = {1, 1, 1}) {
  std::mt19937 generator(seed);
  std::uniform_real_distribution<float> uniform(0.0F, 100.0F);
  std::vector<float> v(static_cast<std::size_t>(nx) * static_cast<std::size_t>(ny) * static_cast<std::size_t>(nz));
  for (float& x : v) x = uniform(generator);
  return Volume::own(std::move(v), nx, ny, nz, Geometry(spacing, {0, 0, 0}), "1");
}

/// Soft blobs in empty space, for pictures with something to skip.
inline std::vector<float> blobs(int nx, int ny, int nz, float shift = 0) {
  std::vector<float> v;
  for (int z = 0; z < nz; ++z)
    for (int y = 0; y < ny; ++y)
      for (int x = 0; x < nx; ++x) {
        const auto at = [&](float cx, float cy, float cz, float r) {
          const float dx = (static_cast<float>(x) / static_cast<float>(nx) - cx - shift) / r;
          const float dy = (static_cast<float>(y) / static_cast<float>(ny) - cy) / r;
          const float dz = (static_cast<float>(z) / static_cast<float>(nz) - cz) / r;
          return std::exp(-(dx * dx + dy * dy + dz * dz));
        };
        v.push_back(100.0F * at(0.3F, 0.4F, 0.6F, 0.12F) + 80.0F * at(0.7F, 0.6F, 0.3F, 0.08F) +
                    60.0F * at(0.6F, 0.25F, 0.8F, 0.05F));
      }
  return v;
}

/// The pixels of a Frames payload with a few questions.
struct Picture {
  explicit Picture(const Payload& payload) {
    const TensorView t = Frames(payload).pixels();
    frames = static_cast<int>(t.shape[0]);
    height = static_cast<int>(t.shape[1]);
    width = static_cast<int>(t.shape[2]);
    const auto bytes = t.span<const std::uint8_t>();
    pixels.assign(bytes.begin(), bytes.end());
  }
  std::array<int, 3> at(int frame, int row, int column) const {
    const auto i = static_cast<std::size_t>(((frame * height + row) * width + column) * 3);
    return {pixels[i], pixels[i + 1], pixels[i + 2]};
  }
  int grey(int frame, int row, int column) const { return at(frame, row, column)[0]; }
  /// Row and column of the centre of what is brighter than a third of the brightest.
  std::array<double, 2> bright_centre(int frame) const {
    int most = 0;
    for (int r = 0; r < height; ++r)
      for (int c = 0; c < width; ++c) most = std::max(most, grey(frame, r, c));
    double sr = 0, sc = 0, n = 0;
    for (int r = 0; r < height; ++r)
      for (int c = 0; c < width; ++c)
        if (3 * grey(frame, r, c) > most) {
          sr += r;
          sc += c;
          ++n;
        }
    return {sr / n, sc / n};
  }
  int frames = 0, height = 0, width = 0;
  std::vector<std::uint8_t> pixels;
};

/// The largest difference of two pictures' bytes, and how many differ.
inline std::array<int, 2> difference(const Picture& a, const Picture& b) {
  int most = a.pixels.size() == b.pixels.size() ? 0 : 999, count = 0;
  for (std::size_t i = 0; i < std::min(a.pixels.size(), b.pixels.size()); ++i) {
    const int d = std::abs(static_cast<int>(a.pixels[i]) - static_cast<int>(b.pixels[i]));
    most = std::max(most, d);
    count += d != 0 ? 1 : 0;
  }
  return {most, count};
}

/// The byte that linear light has in sRGB, from the standard's formula.
inline int srgb_byte(double linear) {
  const double code = linear <= 0.0031308 ? 12.92 * linear : 1.055 * std::pow(linear, 1.0 / 2.4) - 0.055;
  return static_cast<int>(std::lround(255.0 * code));
}

/// One operator with an optional segmentation, planned and run on one volume.
template <class Op>
Payload rendered(const Context& context, const typename Op::Params& params, const Volume& volume,
                 const Segmentation* labels, const SessionOptions& options = {}) {
  Pipeline pipeline(context);
  const auto node = pipeline.add<Op>("render", params);
  pipeline.connect(pipeline.add_input("volume", volume), node.input);
  if (labels != nullptr) pipeline.connect(pipeline.add_input("labels", *labels), node.segmentation);
  pipeline.add_output("frames", node.output);
  Session session = pipeline.prepare(options);
  session.start();
  session.push("volume", volume);
  if (labels != nullptr) session.push("labels", *labels);  // before any end_input, which waits for room in its queue
  session.end_input("volume");
  if (labels != nullptr) session.end_input("labels");
  const auto result = session.pull("frames");
  if (!result) session.wait();
  return context.copy_to(*result, "cpu");
}

inline Segmentation segmentation_of(std::vector<std::uint8_t>& labels, const Volume& like) {
  Segmentation s = Segmentation::describe(like.nx(), like.ny(), like.nz(), like.geometry());
  s.set_tensor("labels", tensor(DType::uint8, "zyx", {like.nz(), like.ny(), like.nx()}, labels.data()));
  return s;
}

inline Context context_with(int threads, bool reference) {
  if (reference) ::setenv("ISOCENTER_KERNELS", "reference", 1);
  isocenter_context_options options{};
  options.struct_size = sizeof options;
  options.thread_count = threads;
  options.flags = ISOCENTER_CONTEXT_NO_MODULES;
  const Context made(options);
  ::unsetenv("ISOCENTER_KERNELS");
  return made;
}

}  // namespace isocenter::testing
