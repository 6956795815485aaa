// Written volumes, read back with ITK's own readers, which share no code with the writers.
#ifdef ISOCENTER_TEST_WITH_ITK
#include <itkMetaImageIO.h>
#include <itkNiftiImageIO.h>
#include <itkNrrdImageIO.h>

#include "image_sample.hpp"

namespace isocenter::detail::io {
namespace {
using namespace io_test;

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

TEST(ImageWriting, PiecesThatRepeatWhatCameBeforeThemReadBackTheSame) {
  const TemporaryFolder folder;
  Sample s = sample({160, 128, 48, 1}, false);
  for (std::size_t i = 5000; i < s.values.size(); ++i) s.values[i] = s.values[i - 5000];  // within deflate's window
  write(folder / "periodic.nii.gz", s.view);
  EXPECT_LT(fs::file_size(folder / "periodic.nii.gz"), s.values.size() * 4 / 5);
  EXPECT_EQ(read_with_itk<float>(folder / "periodic.nii.gz"), s.values);
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

}  // namespace
}  // namespace isocenter::detail::io
#endif
