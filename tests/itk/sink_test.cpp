// What the sink refuses, and what it leaves behind.
#include <signal.h>
#include <sys/resource.h>

#include "itk/itk_file.hpp"
#include "itk_test.hpp"

namespace isocenter {
namespace {
using namespace itk_test;

void expect_not_written(const ItkImageSink::Params& params, const Payload& image, ErrorCode code,
                        std::vector<std::string> parts) {
  SCOPED_TRACE(params.path);
  parts.push_back("'write'");
  expect_refusal([&] { write<ItkImageSink>(params, std::vector<Payload>{image}); }, code, parts);
}

/// Files may be no longer than this meanwhile, as on a full disk.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) : handler_(signal(SIGXFSZ, SIG_IGN)) {
    getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit{bytes, before_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() {
    setrlimit(RLIMIT_FSIZE, &before_);
    signal(SIGXFSZ, handler_);
  }

 private:
  rlimit before_{};
  sighandler_t handler_;
};

TEST(ItkFlaws, AFullDiskIsReportedAndLeavesNothing) {
  const TemporaryFolder folder;
  for (const auto& [name, geometry] : written_names()) {
    const FileSizeLimit limit(700);
    expect_not_written({.path = (folder / name).string()}, sample_volume(geometry), ErrorCode::io_error,
                       {name, "File too large", "free space"});
    EXPECT_THAT(folder.names(), ::testing::IsEmpty()) << name;
  }
}

/// The disk fills up after the sink has asked for room: ITK reports success, and reading tells.
TEST(ItkFlaws, WhatItkLeavesOnAFullDiskDoesNotReadBack) {
  using namespace detail::itk_io;
  const TemporaryFolder folder;
  const std::vector<float> values = sample_values(7 * 6 * 5);
  int successes = 0;
  for (const auto& [name, geometry] : written_names()) {
    const fs::path path = folder / name;
    const Format& format = format_of(path, ItkImageIo::automatic);
    if (format.image_io == ItkImageIo::hdf5) continue;  // ITK's ends the process: room is held for it
    ImageInfo image;
    image.path = path;
    image.size = {7, 6, 5, 1};
    image.geometry = geometry;
    image.type = detail::io::VoxelType::float32;
    try {
      const FileSizeLimit limit(500);
      ::testing::internal::CaptureStderr();
      write_with_itk(path, format, image, values.data(), false, [] {});
      ++successes;
    } catch (const Error&) {
    }
    ::testing::internal::GetCapturedStderr();
    const auto reads_back = [&] {
      ItkFile file(path, format);
      std::vector<std::byte> voxels(file.bytes());
      file.read(voxels.data(), [](double) {});
      return file.info().size == image.size && std::memcmp(voxels.data(), values.data(), voxels.size()) == 0;
    };
    try {
      EXPECT_FALSE(reads_back()) << name;  // a TIFF file of fewer pages
    } catch (const Error&) {
    }
  }
  EXPECT_GT(successes, 0);
}

TEST(ItkImageSink, AFailedFileLeavesTheOldOne) {
  const TemporaryFolder folder;
  const fs::path path = folder / "v.mha";
  write<ItkImageSink>({.path = path.string()}, std::vector{sample_volume(oblique())});
  const std::vector<char> before = bytes_of(path);
  std::vector<float> values = sample_values(7 * 6 * 5);
  values[8] = std::numeric_limits<float>::infinity();
  expect_not_written({.path = path.string()}, Volume::own(std::move(values), 7, 6, 5, oblique(), "HU"),
                     ErrorCode::bad_data, {"inf", "voxel (1, 1, 0)"});
  EXPECT_EQ(bytes_of(path), before);
  EXPECT_EQ(folder.names(), std::vector<std::string>{"v.mha"});
}

TEST(ItkImageSink, FilesThatBelongTogetherAppearTogetherAndNothingElse) {
  const TemporaryFolder folder;
  write<ItkImageSink>({.path = (folder / "new/a.mhd").string()}, std::vector{sample_volume(oblique())});
  write<ItkImageSink>({.path = (folder / "b.nhdr").string(), .compress = true}, std::vector{sample_volume(oblique())});
  EXPECT_EQ(folder.names(), (std::vector<std::string>{"b.nhdr", "b.raw.gz", "new"}));
  EXPECT_TRUE(fs::exists(folder / "new/a.raw"));
  EXPECT_EQ(std::distance(fs::directory_iterator(folder / "new"), {}), 2);
}

TEST(ItkImageSink, NumbersItemsWhereThePathSaysSo) {
  const TemporaryFolder folder;
  const Volume v = sample_volume(straight());
  write<ItkImageSink>({.path = (folder / "phase_%02d.gipl").string()}, std::vector{v, v});
  EXPECT_EQ(folder.names(), (std::vector<std::string>{"phase_00.gipl", "phase_01.gipl"}));
  expect_failure(
      [&] {
        write<ItkImageSink>({.path = (folder / "one.gipl").string()}, std::vector{v, v});
      },
      ErrorCode::invalid_argument, {"'write'", "second item", "%04d"});
}

TEST(ItkImageSink, RefusesAGeometryThatTheFormatCannotHold) {
  const TemporaryFolder folder;
  for (const char* name : {"v.gipl", "v.vtk", "v.mrc"})
    expect_not_written({.path = (folder / name).string()}, sample_volume(oblique()), ErrorCode::unsupported,
                       {"lose its orientation", ".mha", "lost_geometry"});
  expect_not_written({.path = (folder / "v.tif").string()}, sample_volume(oblique()), ErrorCode::unsupported,
                     {"orientation, origin, slice spacing"});
  std::vector<float> values;
  Volume late = sample_series(oblique(), values);
  Geometry g = late.geometry();
  g.time_origin_s = 1.5;
  late.set_geometry(g);
  expect_not_written({.path = (folder / "v.nii").string()}, late, ErrorCode::unsupported, {"time of the first volume"});
  EXPECT_THAT(folder.names(), ::testing::IsEmpty());
}

TEST(ItkImageSink, LosesAGeometryThatItIsToldItMayLose) {
  const TemporaryFolder folder;
  for (const char* name : {"v.gipl", "v.vtk", "v.mrc", "v.tif"}) {
    write<ItkImageSink>({.path = (folder / name).string(), .lost_geometry = ItkLostGeometry::accept},
                        std::vector{sample_volume(oblique())});
    const Volume v = read<ItkImageSource>({.path = (folder / name).string()});
    EXPECT_TRUE(std::ranges::equal(v.values(), sample_volume(oblique()).values())) << name;
    EXPECT_EQ(v.geometry().direction[0], 1) << name;
  }
  Volume slice = Volume::own(sample_values(42), 7, 6, 1, oblique(), "HU");
  write<ItkImageSink>({.path = (folder / "s.vtk").string(), .lost_geometry = ItkLostGeometry::accept},
                      std::vector{slice});
  Pipeline pipeline(testing::context());
  const auto in = pipeline.add_input("in", slice);
  pipeline.connect(in, pipeline
                           .add<ItkImageSink>(
                               "write", {.path = (folder / "t.vtk").string(), .lost_geometry = ItkLostGeometry::accept})
                           .input);
  EXPECT_THAT(pipeline.prepare().report(), ::testing::HasSubstr("loses its orientation, origin, slice spacing"));
}

TEST(ItkImageSink, RefusesWhatTheFormatHasNoPlaceFor) {
  const TemporaryFolder folder;
  const Volume v = sample_volume(flat());
  std::vector<float> values;
  for (const char* name : {"v.vtk", "v.tif", "v.mrc"})
    expect_not_written({.path = (folder / name).string()}, sample_series(flat(), values), ErrorCode::unsupported,
                       {"time axis", ".h5"});
  for (const char* name : {"v.nii", "v.gipl", "v.vtk", "v.mrc"})
    expect_not_written({.path = (folder / name).string(), .compress = true}, v, ErrorCode::invalid_argument,
                       {"compress = true", ".nii.gz"});
  for (const char* name : {"v.hdr", "2dseq"})
    expect_not_written({.path = (folder / name).string()}, v, ErrorCode::unsupported, {"only read"});
  expect_not_written({.path = (folder / "v.stl").string()}, v, ErrorCode::unsupported, {"v.stl", ".nrrd"});
  expect_not_written({.path = (folder / "v.nii").string()},
                     Volume::own(std::vector<float>(40000), 40000, 1, 1, flat(), "HU"), ErrorCode::unsupported,
                     {"40000 voxels along x", "32767"});
  write_bytes(folder / "file", {'x'});
  expect_not_written({.path = (folder / "file/v.nii").string()}, v, ErrorCode::io_error, {"Not a directory"});
}

}  // namespace
}  // namespace isocenter
