// Writing volumes: read back with ITK's own readers, which share no code with the writers, and with ours.
// verify_written_images.py holds the same files to nibabel and SimpleITK; set ISOCENTER_IO_SAMPLES to a folder to get
// them.
#include <itkMetaImageIO.h>
#include <itkNiftiImageIO.h>
#include <itkNrrdImageIO.h>
#include <signal.h>
#include <sys/resource.h>

#include <cmath>
#include <numeric>
#include <random>

#include "io/image_writer.hpp"
#include "io/voxel_reader.hpp"
#include "io_test.hpp"

namespace isocenter::detail::io {
namespace {
using namespace io_test;

/// An image that owns its voxels, with an oblique geometry whose numbers need all their digits.
struct Sample {
  std::vector<float> values;
  std::vector<std::uint8_t> labels;
  ImageView view;
};

Geometry oblique() {
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

Sample sample(std::array<std::int64_t, 4> size, bool has_time) {
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

Sample label_sample() {
  Sample s = sample({6, 5, 4, 1}, false);
  for (std::size_t i = 0; i < s.values.size(); ++i) s.labels.push_back(static_cast<std::uint8_t>(i % 7));
  s.view.voxels = s.labels.data();
  s.view.type = VoxelType::uint8;
  s.view.is_labels = true;
  return s;
}

void write(const fs::path& path, const ImageView& view, const ImageFileOptions& options = {}, int thread_count = 2) {
  write_image(path, view, options, threads(thread_count), [](double) {});
}

itk::ImageIOBase::Pointer itk_io(const fs::path& path) {
  itk::ImageIOBase::Pointer io;
  switch (image_format_of(path)) {
    case ImageFormat::nifti:
      io = itk::NiftiImageIO::New().GetPointer();
      break;
    case ImageFormat::meta:
      io = itk::MetaImageIO::New().GetPointer();
      break;
    case ImageFormat::nrrd:
      io = itk::NrrdImageIO::New().GetPointer();
      break;
  }
  io->SetFileName(path.string());
  io->ReadImageInformation();
  return io;
}

template <class T>
std::vector<T> read_with_itk(const fs::path& path) {
  const auto io = itk_io(path);
  itk::ImageIORegion region(io->GetNumberOfDimensions());
  for (unsigned i = 0; i < io->GetNumberOfDimensions(); ++i) region.SetSize(i, io->GetDimensions(i));
  io->SetIORegion(region);
  EXPECT_EQ(io->GetComponentSize(), sizeof(T));
  std::vector<T> values(io->GetImageSizeInBytes() / sizeof(T));
  io->Read(values.data());
  return values;
}

void expect_geometry_in_itk(const fs::path& path, const ImageView& view) {
  const auto io = itk_io(path);
  const Geometry& g = view.geometry;
  const bool is_nifti = image_format_of(path) == ImageFormat::nifti;
  const double tolerance = is_nifti ? 5e-7 : 1e-15;  // of a length of one: float32 or float64
  ASSERT_EQ(io->GetNumberOfDimensions(), view.has_time ? 4U : 3U) << path;
  for (unsigned i = 0; i < 3; ++i) {
    EXPECT_EQ(io->GetDimensions(i), static_cast<std::size_t>(view.size[i])) << path;
    EXPECT_NEAR(io->GetSpacing(i), g.spacing_mm[i], 4 * tolerance) << path;
    EXPECT_NEAR(io->GetOrigin(i), g.origin_mm[i], 500 * tolerance) << path;
    for (unsigned row = 0; row < 3; ++row)
      EXPECT_NEAR(io->GetDirection(i)[row], g.direction[3 * row + i], tolerance) << path << " axis " << i;
  }
  if (view.has_time) {
    EXPECT_NEAR(io->GetSpacing(3), 0.04, is_nifti ? 1e-8 : 0) << path;
    if (!is_nifti) {  // ITK 5.2 does not read NIfTI's toffset
      EXPECT_EQ(io->GetOrigin(3), 1.5) << path;
    }
  }
}

void expect_read_back(const fs::path& path, const Sample& s) {
  VoxelReader reader(read_image_info(path));
  std::vector<float> values(s.values.size());
  reader.read(values, NonFinite::refuse, [](double) {});
  EXPECT_EQ(values, s.values) << path;
  EXPECT_NEAR(reader.info().geometry.time_origin_s, s.view.geometry.time_origin_s, 1e-7);
  EXPECT_NEAR(reader.info().geometry.time_step_s, s.view.geometry.time_step_s, 1e-8);
}

const std::vector<std::string> endings{".nii", ".nii.gz", ".mha", ".mhd", ".nrrd", ".NII.GZ"};

TEST(ImageWriting, ObliqueVolumesReadBackTheSameInItk) {
  const TemporaryFolder folder;
  const Sample s = sample({7, 6, 5, 1}, false);
  for (const std::string& ending : endings) {
    const fs::path path = folder / ("volume" + ending);
    write(path, s.view);
    expect_geometry_in_itk(path, s.view);
    EXPECT_EQ(read_with_itk<float>(path), s.values) << path;
    expect_read_back(path, s);
  }
}

TEST(ImageWriting, SeriesInTimeReadBackTheSameInItk) {
  const TemporaryFolder folder;
  const Sample s = sample({7, 6, 5, 3}, true);
  for (const std::string& ending : endings) {
    const fs::path path = folder / ("series" + ending);
    write(path, s.view);
    expect_geometry_in_itk(path, s.view);
    EXPECT_EQ(read_with_itk<float>(path), s.values) << path;
    expect_read_back(path, s);
  }
}

TEST(ImageWriting, ASingleSliceAndASingleTimePointKeepTheirAxes) {
  const TemporaryFolder folder;
  for (const std::string& ending : endings) {
    Sample slice = sample({7, 6, 1, 1}, false);
    write(folder / ("slice" + ending), slice.view);
    expect_geometry_in_itk(folder / ("slice" + ending), slice.view);
    expect_read_back(folder / ("slice" + ending), slice);
  }
}

TEST(ImageWriting, CompressedBlocksOfSeveralPiecesReadBackTheSame) {
  const TemporaryFolder folder;
  const Sample s = sample({161, 127, 41, 1}, false);  // 3.2 MiB: four pieces, the last a part
  for (const char* name : {"large.nii.gz", "large.mha", "large.mhd", "large.nrrd"}) {
    write(folder / name, s.view, {VoxelType::float32, true});
    EXPECT_EQ(read_with_itk<float>(folder / name), s.values) << name;
    expect_read_back(folder / name, s);
  }
  EXPECT_LT(fs::file_size(folder / "large.nii.gz"), s.values.size() * 4 * 6 / 10);
}

TEST(ImageWriting, TheBytesDoNotDependOnTheNumberOfThreads) {
  const TemporaryFolder folder;
  const Sample s = sample({161, 127, 41, 1}, false);
  write(folder / "one.nii.gz", s.view, {}, 1);
  write(folder / "five.nii.gz", s.view, {}, 5);
  EXPECT_EQ(bytes_of(folder / "one.nii.gz"), bytes_of(folder / "five.nii.gz"));
}

TEST(ImageWriting, LabelsStayBytes) {
  const TemporaryFolder folder;
  const Sample s = label_sample();
  for (const std::string& ending : endings) {
    const fs::path path = folder / ("labels" + ending);
    write(path, s.view, {VoxelType::uint8, false});
    EXPECT_EQ(read_with_itk<std::uint8_t>(path), s.labels) << path;
  }
}

TEST(ImageWriting, RoundsToInt16TiesToEven) {
  const TemporaryFolder folder;
  Sample s = sample({4, 1, 1, 1}, false);
  s.values = {-1000.5F, 0.5F, 1.5F, 32767.4F};
  s.view.voxels = s.values.data();
  write(folder / "hu.nii.gz", s.view, {VoxelType::int16, false});
  EXPECT_EQ(read_with_itk<std::int16_t>(folder / "hu.nii.gz"), (std::vector<std::int16_t>{-1000, 0, 2, 32767}));
}

TEST(ImageWriting, LeftHandedAxesSurviveNifti) {
  const TemporaryFolder folder;
  Sample s = sample({7, 6, 5, 1}, false);
  for (int row = 0; row < 3; ++row) s.view.geometry.direction[3 * row] *= -1;
  write(folder / "left.nii", s.view);
  expect_geometry_in_itk(folder / "left.nii", s.view);
}

TEST(ImageWriting, EveryRightAngledOrientationSurvivesNifti) {
  const TemporaryFolder folder;
  Sample s = sample({3, 2, 4, 1}, false);
  int checked = 0;
  std::array<std::size_t, 3> order{0, 1, 2};
  do {
    for (unsigned signs = 0; signs < 8; ++signs) {
      std::fill(s.view.geometry.direction, s.view.geometry.direction + 9, 0.0);
      for (std::size_t axis = 0; axis < 3; ++axis)
        s.view.geometry.direction[3 * order[axis] + axis] = (signs >> axis & 1U) != 0 ? -1 : 1;
      write(folder / "axes.nii", s.view);
      expect_geometry_in_itk(folder / "axes.nii", s.view);
      // The quaternion alone must say the same as the matrix.
      std::vector<char> bytes = bytes_of(folder / "axes.nii");
      bytes[254] = 0;  // sform_code
      write_bytes(folder / "quaternion.nii", bytes);
      expect_geometry_in_itk(folder / "quaternion.nii", s.view);
      ++checked;
    }
  } while (std::next_permutation(order.begin(), order.end()));
  EXPECT_EQ(checked, 48);
}

TEST(ImageWriting, RefusesValuesThatDoNotFitOrAreNotFinite) {
  const TemporaryFolder folder;
  Sample s = sample({4, 1, 1, 1}, false);
  s.values = {0, 1, 40000, 2};
  s.view.voxels = s.values.data();
  expect_failure(
      [&] {
        write(folder / "a.nii", s.view, {VoxelType::int16, false});
      },
      ErrorCode::bad_data, {"a.nii", "40000", "-32768 to 32767", "voxel (2, 0, 0)"});
  s.values[1] = std::numeric_limits<float>::quiet_NaN();
  for (const char* name : {"a.nii", "a.nii.gz", "a.mha", "a.mhd", "a.nrrd"})
    expect_failure([&] { write(folder / name, s.view); }, ErrorCode::bad_data, {name, "nan", "voxel (1, 0, 0)"});
  EXPECT_THAT(folder.names(), ::testing::IsEmpty());
}

TEST(ImageWriting, RefusesWhatAFormatCannotHold) {
  Sample s = sample({40000, 1, 1, 1}, false);
  expect_failure([&] { require_storable("wide.nii.gz", s.view); }, ErrorCode::bad_data,
                 {"wide.nii.gz", "40000 voxels along x", "32767"});
  require_storable("wide.nrrd", s.view);
  expect_failure([&] { require_storable("a.vtk", s.view); }, ErrorCode::unsupported, {"a.vtk", ".nii.gz"});
  expect_failure([&] { require_storable("a.nhdr", s.view); }, ErrorCode::unsupported, {"a.nhdr", "write .nrrd"});
  s.view.geometry.spacing_mm[1] = 0;
  expect_failure([&] { require_storable("a.mha", s.view); }, ErrorCode::bad_data, {"spacing 0 mm", "along y"});
  s = sample({2, 2, 2, 3}, true);
  s.view.geometry.time_step_s = 0;
  expect_failure([&] { require_storable("a.mha", s.view); }, ErrorCode::bad_data,
                 {"3 time points", "time step of 0 s"});
}

/// Files of this process cannot grow beyond so many bytes while this lives: what a full disk does, with another reason.
class SmallDisk {
 public:
  explicit SmallDisk(rlim_t bytes) {
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit{bytes, before_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~SmallDisk() { setrlimit(RLIMIT_FSIZE, &before_); }

 private:
  rlimit before_{};
};

TEST(ImageWriting, AFullDiskIsAnErrorAndLeavesNothing) {
  const TemporaryFolder folder;
  const Sample s = sample({64, 64, 64, 1}, false);
  const SmallDisk disk(100000);
  for (const char* name : {"a.nii", "a.nii.gz", "a.mha", "a.mhd", "a.nrrd"})
    expect_failure(
        [&] { write(folder / name, s.view); }, ErrorCode::io_error,
        {std::string(name) == "a.mhd" ? "a.raw" : name, "File too large", "after 100000 bytes", "free space"});
  EXPECT_THAT(folder.names(), ::testing::IsEmpty());
}

TEST(ImageWriting, AFileIsReplacedOnlyWhenTheNewOneIsWhole) {
  const TemporaryFolder folder;
  Sample s = sample({4, 1, 1, 1}, false);
  write(folder / "a.mha", s.view);
  const auto before = bytes_of(folder / "a.mha");
  s.values[3] = std::numeric_limits<float>::infinity();
  EXPECT_THROW(write(folder / "a.mha", s.view), Error);
  EXPECT_EQ(bytes_of(folder / "a.mha"), before);
  EXPECT_EQ(folder.names(), std::vector<std::string>{"a.mha"});
}

TEST(ImageReadingOfCompressed, RefusesAWrongChecksum) {
  const TemporaryFolder folder;
  const Sample s = sample({161, 127, 21, 1}, false);
  for (const char* name : {"a.nii.gz", "a.mha", "a.nrrd"}) {
    write(folder / name, s.view, {VoxelType::float32, true});
    std::vector<char> bytes = bytes_of(folder / name);
    bytes[bytes.size() - (std::string(name) == "a.mha" ? 1 : 6)] ^= 1;
    write_bytes(folder / name, bytes);
    expect_failure([&] { expect_read_back(folder / name, s); }, ErrorCode::bad_data,
                   {name, "damaged", "incorrect data check"});
  }
}

TEST(ImageWriting, WritesSamplesForThePythonCheck) {
  const char* target = std::getenv("ISOCENTER_IO_SAMPLES");
  if (target == nullptr)
    GTEST_SKIP() << "set ISOCENTER_IO_SAMPLES to a folder, then run verify_written_images.py on it";
  for (const std::string& ending : endings) {
    const auto file = [&](const char* name) { return fs::path(target) / (name + ending); };
    const Sample volume = sample({7, 6, 5, 1}, false), series = sample({7, 6, 5, 3}, true), labels = label_sample();
    write(file("volume"), volume.view);
    write(file("compressed"), volume.view, {VoxelType::float32, true});
    write(file("series"), series.view);
    write(file("labels"), labels.view, {VoxelType::uint8, false});
  }
  const Sample s = sample({7, 6, 5, 3}, true);
  write_bytes(fs::path(target) / "voxels.f32", {reinterpret_cast<const char*>(s.values.data()),
                                                reinterpret_cast<const char*>(s.values.data() + s.values.size())});
}

}  // namespace
}  // namespace isocenter::detail::io
