// Files that ITK 5.2 takes, or ends on, and that are refused here; each in one sentence, with a silent console.
#include <itkHDF5ImageIO.h>

#include <isocenter/io/image_sink.hpp>
#include <limits>

#include "itk_test.hpp"

namespace isocenter {
namespace {
using namespace itk_test;

/// The bytes of a file up to `count` before its end, under another name.
fs::path cut(const fs::path& from, const fs::path& to, std::size_t count) {
  std::vector<char> bytes = bytes_of(from);
  bytes.resize(bytes.size() - count);
  write_bytes(to, bytes);
  return to;
}

template <class T>
fs::path patched(const fs::path& from, const fs::path& to, std::size_t offset, T value) {
  std::vector<char> bytes = bytes_of(from);
  std::memcpy(&bytes.at(offset), &value, sizeof value);
  write_bytes(to, bytes);
  return to;
}

fs::path written(const fs::path& path, const std::string& text) {
  write_bytes(path, {text.begin(), text.end()});
  return path;
}

TEST(ItkFlaws, TruncatedFilesAreNoWholeOnes) {
  const TemporaryFolder folder;
  for (const auto& [name, geometry] : written_names()) {
    const std::string ending = fs::path(name).extension().string();
    if (ending == ".mhd" || ending == ".nhdr") continue;  // their data files: below
    write<ItkImageSink>({.path = (folder / name).string()}, std::vector{sample_volume(geometry)});
    const std::size_t size = fs::file_size(folder / name);
    for (const std::size_t count : {std::size_t{12}, size / 2, size - 20, size})
      expect_refused(cut(folder / name, folder / (std::string("cut_") + name), count), ErrorCode::bad_data, {});
  }
  for (const auto& [name, data] : {std::pair{"v.mhd", "v.raw"}, {"v.nhdr", "v.raw"}}) {
    write<ItkImageSink>({.path = (folder / name).string()}, std::vector{sample_volume(oblique())});
    cut(folder / data, folder / data, 12);
    expect_refused(folder / name, ErrorCode::bad_data, {"v.raw", "truncated"});
    fs::remove(folder / data);
    expect_refused(folder / name, ErrorCode::not_found, {"v.raw"});
  }
}

TEST(ItkFlaws, TruncatedCompressedFilesAreNoWholeOnes) {
  const TemporaryFolder folder;
  for (const char* name : {"v.mha", "v.nrrd", "v.tif", "v.h5"}) {
    const bool is_tiff = std::string(name) == "v.tif";
    write<ItkImageSink>({.path = (folder / name).string(), .compress = true},
                        std::vector{sample_volume(is_tiff ? flat() : oblique())});
    expect_refused(cut(folder / name, folder / (std::string("cut_") + name), 30), ErrorCode::bad_data, {});
  }
}

TEST(ItkFlaws, DamagedCompressedVoxelsAreNoVoxels) {
  const TemporaryFolder folder;
  for (const char* name : {"v.nii.gz", "v.gipl.gz"}) {
    write<ItkImageSink>({.path = (folder / name).string()}, std::vector{sample_volume(straight())});
    const std::size_t middle = fs::file_size(folder / name) / 2;
    expect_refused(patched(folder / name, folder / (std::string("bad_") + name), middle, 0x12345678),
                   ErrorCode::bad_data, {"damaged"});
  }
}

TEST(ItkFlaws, ATiffFileWithoutItsLastPagesIsNoShorterVolume) {
  const TemporaryFolder folder;
  write<ItkImageSink>({.path = (folder / "v.tif").string()}, std::vector{sample_volume(flat())});
  for (const std::size_t count : {100U, 400U, 900U})
    expect_refused(cut(folder / "v.tif", folder / "cut.tif", count), ErrorCode::bad_data,
                   {"truncated", "complete copy"});
}

TEST(ItkFlaws, ANiftiMatrixThatIsNotFiniteDoesNotEndTheProcess) {
  const TemporaryFolder folder;
  const float nan = std::numeric_limits<float>::quiet_NaN();
  expect_refused(patched(io_fixture("in_metres.nii"), folder / "nan.nii", 280, nan), ErrorCode::bad_data,
                 {"srow = nan"});
}

TEST(ItkFlaws, MetresMillisecondsAndTimeOffsetsThatItkMisreadsAreRefused) {
  const TemporaryFolder folder;
  expect_refused(io_fixture("in_metres.nii"), ErrorCode::bad_data, {"ITK cannot read", "orthonormal", "image_source"});
  expect_refused(io_fixture("big_endian_4d_msec.nii"), ErrorCode::unsupported, {"another geometry", "times"});
  std::vector<float> values;
  Volume late = sample_series(oblique(), values);
  Geometry g = late.geometry();
  g.time_origin_s = 1.5;
  late.set_geometry(g);
  write<ImageSink>({.path = (folder / "late.nii").string()}, std::vector{late});
  expect_refused(folder / "late.nii", ErrorCode::unsupported, {"times 1.5 s apart", "time of the first volume"});
}

TEST(ItkFlaws, ShearedAxesAreRefused) {
  const TemporaryFolder folder;
  expect_refused(io_fixture("sheared.nii"), ErrorCode::bad_data, {"not perpendicular"});
  expect_refused(written(folder / "s.mha",
                         "NDims = 3\nDimSize = 1 1 1\nTransformMatrix = 1 0 0 0.6 0.8 0 0 0 1\n"
                         "ElementType = MET_UCHAR\nElementDataFile = LOCAL\nx"),
                 ErrorCode::bad_data, {"axes x and y", "resample"});
}

TEST(ItkFlaws, HeadersThatFailNeverReachItk) {
  const TemporaryFolder folder;
  const std::string end = "ElementType = MET_UCHAR\nElementDataFile = LOCAL\nx";
  expect_refused(written(folder / "a.mha", "NDims = 3\nDimSize = 1 1 x\n" + end), ErrorCode::bad_data, {"DimSize"});
  expect_refused(written(folder / "b.mha", "NDims = 3\nDimSize = 9 9 9999999999\n" + end), ErrorCode::bad_data,
                 {"truncated"});
  expect_refused(written(folder / "c.mha", "NDims = 3\nDimSize = 1 1 1\nElementSpacing = 1 nan 1\n" + end),
                 ErrorCode::bad_data, {"spacing nan"});
  expect_refused(written(folder / "d.nrrd", "NRRD0004\ntype: uchar\n"), ErrorCode::bad_data, {"dimension"});
  expect_refused(written(folder / "e.nii", std::string(348, 'x')), ErrorCode::bad_data, {"not a NIfTI file"});
}

TEST(ItkImageSource, SaysWhenMatrixAndQuaternionDisagree) {
  Pipeline pipeline(testing::context());
  pipeline.add_output("result",
                      pipeline.add<ItkImageSource>("read", {.path = io_fixture("two_places.nii").string()}).output);
  EXPECT_THAT(pipeline.prepare().report(), ::testing::HasSubstr("up to 5 mm apart"));
}

TEST(ItkImageSource, RefusesWhatIsMissingOrNoneOfItsFormat) {
  const TemporaryFolder folder;
  for (const char* name :
       {"n.nii", "n.mha", "n.nrrd", "n.gipl", "n.gipl.gz", "n.vtk", "n.tif", "n.mrc", "n.h5", "n.hdr"})
    expect_refused(folder / name, ErrorCode::not_found, {"No such file"});
  const std::string noise(2000, 'q');
  for (const auto& [name, part] : {std::pair{"g.gipl", "magic number"},
                                   {"g.vtk", "legacy VTK"},
                                   {"g.tif", "TIFF"},
                                   {"g.mrc", "'MAP'"},
                                   {"g.h5", "HDF5"},
                                   {"g.hdr", "348"}})
    expect_refused(written(folder / name, noise), ErrorCode::bad_data, {part, "Fix: "});
  expect_refused(folder / "scan.dcm", ErrorCode::unsupported, {"scan.dcm", ".nii.gz", ".gipl", "2dseq", "image_io"});
}

TEST(ItkImageSource, RefusesHeadersThatLie) {
  const TemporaryFolder folder;
  for (const auto& [name, geometry] : written_names())
    write<ItkImageSink>({.path = (folder / name).string()}, std::vector{sample_volume(geometry)});
  const auto big = static_cast<std::int16_t>(0x7F7F);
  expect_refused(patched(folder / "v.gipl", folder / "a.gipl", 4, big), ErrorCode::bad_data, {"truncated"});
  expect_refused(patched(folder / "v.gipl", folder / "b.gipl", 4, std::int16_t{0}), ErrorCode::bad_data, {"axis of 0"});
  expect_refused(patched(folder / "v.gipl", folder / "c.gipl", 8, std::int16_t{0x7F7F}), ErrorCode::unsupported,
                 {"GIPL type"});
  expect_refused(patched(folder / "v.gipl", folder / "d.gipl", 10, 0xFFFFFFFFU), ErrorCode::bad_data, {"spacing"});
  expect_refused(patched(folder / "v.mrc", folder / "a.mrc", 8, 1000000), ErrorCode::bad_data, {"truncated"});
  expect_refused(patched(folder / "v.mrc", folder / "b.mrc", 0, -7), ErrorCode::bad_data, {"axis of -7"});
  expect_refused(patched(folder / "v.mrc", folder / "c.mrc", 92, 5000), ErrorCode::bad_data, {"truncated"});
  expect_refused(patched(folder / "v.mrc", folder / "d.mrc", 92, -5), ErrorCode::bad_data, {"extended header"});
  const std::string head = "# vtk DataFile Version 3.0\nt\nBINARY\nDATASET STRUCTURED_POINTS\n";
  const std::string rest = "POINT_DATA 1\nSCALARS s unsigned_char 1\nLOOKUP_TABLE default\nx";
  expect_refused(written(folder / "a.vtk", head + "DIMENSIONS 2 2 2\n" + rest), ErrorCode::bad_data, {"truncated"});
  expect_refused(written(folder / "b.vtk", head + "DIMENSIONS 1 0 1\n" + rest), ErrorCode::bad_data, {"axis of 0"});
  expect_refused(written(folder / "c.vtk", head + "DIMENSIONS 1 1 1\nSPACING 1 -1 1\n" + rest), ErrorCode::bad_data,
                 {"spacing -1"});
  expect_refused(written(folder / "d.vtk", head + rest), ErrorCode::bad_data, {"DIMENSIONS"});
  expect_refused(written(folder / "e.vtk", head + "DIMENSIONS 2 2 2\n \nSPACING 1 1 1\n" + rest), ErrorCode::bad_data,
                 {"truncated"});  // and not "no DIMENSIONS": a blank line changes nothing
}

TEST(ItkImageSource, RefusesTextThatIsNoNumberOrTooShort) {
  const TemporaryFolder folder;
  const std::string head =
      "# vtk DataFile Version 3.0\nt\nASCII\nDATASET STRUCTURED_POINTS\nDIMENSIONS 2 2 1\n"
      "POINT_DATA 4\nSCALARS s short 1\nLOOKUP_TABLE default\n";
  expect_refused(written(folder / "a.vtk", head + "1 2 3"), ErrorCode::bad_data, {"4 numbers are needed", "holds 3"});
  expect_refused(written(folder / "b.vtk", head + "1 2 y 4"), ErrorCode::bad_data, {"no number after 2 voxels"});
}

TEST(ItkImageSource, RefusesColoursVectorsAndOtherSets) {
  const TemporaryFolder folder;
  expect_refused(io_fixture("colour.nii"), ErrorCode::unsupported, {"datatype 128"});
  const std::string head = "# vtk DataFile Version 3.0\nt\nBINARY\n", points = "DATASET STRUCTURED_POINTS\n";
  const std::string size = "DIMENSIONS 1 1 1\nPOINT_DATA 1\n";
  expect_refused(written(folder / "a.vtk", head + points + size + "VECTORS v float\n123456789012"),
                 ErrorCode::unsupported, {"vectors v float", "SCALARS"});
  expect_refused(written(folder / "b.vtk", head + points + size + "SCALARS s float 3\nLOOKUP_TABLE default\nabc"),
                 ErrorCode::unsupported, {"3 numbers for each voxel"});
  expect_refused(written(folder / "c.vtk", head + "DATASET POLYDATA\n"), ErrorCode::unsupported, {"polydata"});
  write<ItkImageSink>({.path = (folder / "v.mrc").string()}, std::vector{sample_volume(straight())});
  expect_refused(patched(folder / "v.mrc", folder / "d.mrc", 12, 4), ErrorCode::unsupported, {"MRC mode = 4"});
}

TEST(ItkImageSource, RefusesVectorsAndFiveAxesOfHdf5) {
  const TemporaryFolder folder;
  const auto write_hdf5 = [&](const char* name, unsigned axes, unsigned components) {
    const auto image_io = itk::HDF5ImageIO::New();
    itk::ImageIORegion region(axes);
    image_io->SetFileName((folder / name).string());
    image_io->SetNumberOfDimensions(axes);
    for (unsigned i = 0; i < axes; ++i) {
      std::vector<double> direction(axes, 0.0);
      direction[i] = 1;
      image_io->SetDimensions(i, 2);
      image_io->SetDirection(i, direction);
      region.SetSize(i, 2);
    }
    image_io->SetIORegion(region);
    image_io->SetNumberOfComponents(components);
    image_io->SetPixelType(components > 1 ? itk::IOPixelEnum::VECTOR : itk::IOPixelEnum::SCALAR);
    image_io->SetComponentType(itk::IOComponentEnum::FLOAT);
    image_io->WriteImageInformation();
    image_io->Write(std::vector<float>(256).data());
  };
  write_hdf5("v.h5", 3, 2);
  expect_refused(folder / "v.h5", ErrorCode::unsupported, {"2 numbers for each voxel", "file of its own"});
  write_hdf5("a.h5", 5, 1);
  expect_refused(folder / "a.h5", ErrorCode::unsupported, {"5 axes"});
}

TEST(ItkImageSource, RefusesValuesThatAreNotFiniteUnlessToldToZeroThem) {
  const TemporaryFolder folder;
  const fs::path path = folder / "v.gipl";
  write<ItkImageSink>({.path = path.string()}, std::vector{sample_volume(straight())});
  patched(path, path, 256 + 4, 0x0000C07FU);  // NaN, big-endian
  expect_refused(path, ErrorCode::bad_data, {"nan", "voxel (1, 0, 0)", "non_finite"});
  const Volume v = read<ItkImageSource>({.path = path.string(), .non_finite = ItkImageSource::NonFinite::zero});
  EXPECT_EQ(v.values()[1], 0);
  EXPECT_EQ(v.values()[2], sample_values(3)[2]);
}

}  // namespace
}  // namespace isocenter
