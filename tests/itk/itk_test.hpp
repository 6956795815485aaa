#pragma once
// What the tests of this room share.
#include <isocenter/itk/itk_image_sink.hpp>
#include <isocenter/itk/itk_image_source.hpp>
#include <optional>

#include "io/operator_runs.hpp"

namespace isocenter::itk_test {
using namespace io_test;

inline fs::path io_fixture(const std::string& name) { return fs::path(ISOCENTER_SOURCE_DIR) / "tests/io/data" / name; }

/// Two rotations, spacings and an origin whose numbers need all their digits.
inline Geometry oblique() {
  Geometry g({0.78125, 0.7, 3.3}, {-101.512345678901, 33.25, 412.0625});
  const double a = 0.31, b = -0.54;
  const double r[9] = {std::cos(b),  std::sin(a) * std::sin(b), std::cos(a) * std::sin(b), 0, std::cos(a), -std::sin(a),
                       -std::sin(b), std::sin(a) * std::cos(b), std::cos(a) * std::cos(b)};
  std::copy(r, r + 9, g.direction);
  return g;
}

inline Geometry straight() { return {{0.78125, 0.7, 3.3}, {-101.5, 33.25, 412.0625}}; }
/// What a TIFF file holds: the size of a pixel alone.
inline Geometry flat() { return {{0.78125, 0.7, 1}, {0, 0, 0}}; }

inline std::vector<float> sample_values(std::size_t count) {
  std::vector<float> values(count);
  for (std::size_t i = 0; i < count; ++i) values[i] = static_cast<float>(i * i % 4001) * 0.37F - 1000.0F;
  return values;
}

inline Volume sample_volume(const Geometry& geometry) {
  return Volume::own(sample_values(7 * 6 * 5), 7, 6, 5, geometry, "HU");
}

/// Three time points; `values` must live as long as the volume.
inline Volume sample_series(Geometry geometry, std::vector<float>& values) {
  geometry.time_origin_s = 0;
  geometry.time_step_s = 0.04;
  values = sample_values(7 * 6 * 5 * 3);
  Volume series = Volume::describe(7, 6, 5, geometry, "HU");
  series.set_tensor("voxels", tensor(DType::float32, "tzyx", {3, 5, 6, 7}, values.data()));
  series.set_geometry(geometry);
  return series;
}

inline void expect_same(const Volume& found, const Volume& wanted, const std::string& what) {
  ASSERT_STREQ(found.voxels().axes, wanted.voxels().axes) << what;
  ASSERT_EQ(found.values().size(), wanted.values().size()) << what;
  EXPECT_EQ(std::memcmp(found.values().data(), wanted.values().data(), wanted.values().size_bytes()), 0) << what;
  const Geometry a = found.geometry(), b = wanted.geometry();
  for (int i = 0; i < 3; ++i) {
    EXPECT_NEAR(a.spacing_mm[i], b.spacing_mm[i], 1e-6) << what;
    EXPECT_NEAR(a.origin_mm[i], b.origin_mm[i], 1e-6 * 500) << what;  // float32 of NIfTI and MRC
    for (int j = 0; j < 3; ++j) EXPECT_NEAR(a.direction[3 * i + j], b.direction[3 * i + j], 1e-6) << what;
  }
  if (std::string(wanted.voxels().axes) == "tzyx") {
    EXPECT_NEAR(a.time_step_s, b.time_step_s, 1e-8) << what;
    EXPECT_NEAR(a.time_origin_s, b.time_origin_s, 1e-8) << what;
  }
}

/// Runs f and expects that neither it nor ITK wrote to the console.
template <class F>
void in_silence(F&& f) {
  ::testing::internal::CaptureStdout();
  ::testing::internal::CaptureStderr();
  f();
  EXPECT_EQ(::testing::internal::GetCapturedStdout(), "");
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
}

/// Expects that f throws an Error whose message is one sentence with all the parts and a fix, and that all is silent.
template <class F>
void expect_refusal(F&& f, ErrorCode code, const std::vector<std::string>& parts) {
  std::optional<Error> error;
  in_silence([&] {
    try {
      f();
    } catch (const Error& e) {
      error = e;
    }
  });
  expect_failure(
      [&] {
        if (error) throw *error;
      },
      code, parts);
}

/// The same of reading a file; the message names it or a file beside it.
inline void expect_refused(const fs::path& path, ErrorCode code, std::vector<std::string> parts,
                           ItkImageIo image_io = ItkImageIo::automatic) {
  SCOPED_TRACE(path.filename());
  parts.push_back("'read'");
  parts.push_back(path.parent_path().string() + "/");
  expect_refusal([&] { read<ItkImageSource>({.path = path.string(), .image_io = image_io}); }, code, parts);
}

/// Names of an image of the sample's size and the geometry that its format keeps.
struct Kept {
  const char* name;
  Geometry geometry;
};
inline std::vector<Kept> written_names() {
  return {{"v.nii", oblique()},   {"v.nii.gz", oblique()},   {"v.mha", oblique()},  {"v.mhd", oblique()},
          {"v.nrrd", oblique()},  {"v.nhdr", oblique()},     {"v.h5", oblique()},   {"v.hdf5", oblique()},
          {"v.gipl", straight()}, {"v.gipl.gz", straight()}, {"v.vtk", straight()}, {"v.mrc", straight()},
          {"v.rec", straight()},  {"v.tif", flat()},         {"V.TIFF", flat()}};
}

}  // namespace isocenter::itk_test
