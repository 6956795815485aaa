// Writing volumes: what comes back through our reader, what is refused, what a full disk leaves. ITK's readers see the
// same files in image_writing_itk_test.cpp; verify_written_images.py holds them to nibabel and SimpleITK (set
// ISOCENTER_IO_SAMPLES to a folder to get them).
#include <signal.h>
#include <sys/resource.h>

#include <cstdlib>

#include "image_sample.hpp"

namespace isocenter::detail::io {
namespace {
using namespace io_test;

TEST(ImageWriting, VolumesAndSeriesReadBackTheSame) {
  const TemporaryFolder folder;
  for (const bool has_time : {false, true}) {
    const Sample s = sample({7, 6, 5, has_time ? 3 : 1}, has_time);
    for (const std::string& ending : endings) {
      write(folder / ("a" + ending), s.view);
      expect_read_back(folder / ("a" + ending), s);
    }
  }
}

TEST(ImageWriting, TheBytesDoNotDependOnTheNumberOfThreads) {
  const TemporaryFolder folder;
  const Sample s = sample({161, 127, 41, 1}, false);
  write(folder / "one.nii.gz", s.view, {}, 1);
  write(folder / "five.nii.gz", s.view, {}, 5);
  EXPECT_EQ(bytes_of(folder / "one.nii.gz"), bytes_of(folder / "five.nii.gz"));
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

TEST(ImageReadingOfCompressed, RefusesAMissingChecksumEvenWhenAllVoxelsAreThere) {
  const TemporaryFolder folder;
  const Sample s = sample({161, 127, 21, 1}, false);
  for (const char* name : {"a.nii.gz", "a.mha", "a.nrrd"}) {
    write(folder / name, s.view, {VoxelType::float32, true});
    fs::resize_file(folder / name, fs::file_size(folder / name) - 3);
    expect_failure([&] { expect_read_back(folder / name, s); }, ErrorCode::bad_data, {name, "truncated"});
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
