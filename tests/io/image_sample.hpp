#pragma once
// Images to write, and what must come back.
#include <array>
#include <cmath>
#include <random>

#include "io/image_writer.hpp"
#include "io/voxel_reader.hpp"
#include "io_test.hpp"

namespace isocenter::io_test {
using namespace isocenter::detail::io;

/// An image that owns its voxels, with an oblique geometry whose numbers need all their digits.
struct Sample {
  std::vector<float> values;
  std::vector<std::uint8_t> labels;
  ImageView view;
};

inline Geometry oblique() {
  Geometry g({0.78125, 0.7, 3.3}, {-101.512345678901, 33.25, 412.0625});
  const double a = 0.19, b = -0.42, c = 0.64;  // rotations about x, y, z
  const double ca = std::cos(a), sa = std::sin(a), cb = std::cos(b), sb = std::sin(b), cc = std::cos(c),
               sc = std::sin(c);
  const double r[9] = {cc * cb,
                       cc * sb * sa - sc * ca,
                       cc * sb * ca + sc * sa,
                       sc * cb,
                       sc * sb * sa + cc * ca,
                       sc * sb * ca - cc * sa,
                       -sb,
                       cb * sa,
                       cb * ca};
  std::copy(r, r + 9, g.direction);
  return g;
}

inline Sample sample(std::array<std::int64_t, 4> size, bool has_time) {
  Sample s;
  s.view.size = size;
  s.view.has_time = has_time;
  s.view.geometry = oblique();
  if (has_time) {
    s.view.geometry.time_origin_s = 1.5;
    s.view.geometry.time_step_s = 0.04;
  }
  s.values.resize(static_cast<std::size_t>(size[0] * size[1] * size[2] * size[3]));
  std::mt19937 random(7);
  for (float& v : s.values) v = static_cast<float>(static_cast<std::int32_t>(random() % 4000) - 1000) + 0.25F;
  s.view.voxels = s.values.data();
  return s;
}

inline Sample label_sample() {
  Sample s = sample({6, 5, 4, 1}, false);
  for (std::size_t i = 0; i < s.values.size(); ++i) s.labels.push_back(static_cast<std::uint8_t>(i % 7));
  s.view.voxels = s.labels.data();
  s.view.type = VoxelType::uint8;
  s.view.is_labels = true;
  return s;
}

inline void write(const fs::path& path, const ImageView& view, const ImageFileOptions& options = {},
                  int thread_count = 2) {
  write_image(path, view, options, threads(thread_count), [](double) {});
}

inline void expect_read_back(const fs::path& path, const Sample& s) {
  VoxelReader reader(read_image_info(path));
  std::vector<float> values(s.values.size());
  reader.read(values, NonFinite::refuse, [](double) {});
  EXPECT_EQ(values, s.values) << path;
  EXPECT_NEAR(reader.info().geometry.time_origin_s, s.view.geometry.time_origin_s, 1e-7);
  EXPECT_NEAR(reader.info().geometry.time_step_s, s.view.geometry.time_step_s, 1e-8);
}

inline const std::vector<std::string> endings{".nii", ".nii.gz", ".mha", ".mhd", ".nrrd", ".NII.GZ"};

}  // namespace isocenter::io_test
