// What is written through ITK comes back through ITK, through io's own readers, and through ITK used directly.
#include <itkGiplImageIO.h>
#include <itkHDF5ImageIO.h>
#include <itkMRCImageIO.h>
#include <itkMetaImageIO.h>
#include <itkNiftiImageIO.h>
#include <itkNrrdImageIO.h>
#include <itkTIFFImageIO.h>
#include <itkVTKImageIO.h>

#include <isocenter/io/image_sink.hpp>
#include <isocenter/io/image_source.hpp>
#include <isocenter/io/label_source.hpp>

#include "itk_test.hpp"

namespace isocenter {
namespace {
using namespace itk_test;

TEST(ItkRoundTrip, EveryFormatKeepsVoxelsAndGeometry) {
  const TemporaryFolder folder;
  for (const auto& [name, geometry] : written_names()) {
    const Volume before = sample_volume(geometry);
    in_silence([&] { write<ItkImageSink>({.path = (folder / name).string()}, std::vector{before}); });
    expect_same(read<ItkImageSource>({.path = (folder / name).string(), .unit = "HU"}), before, name);
  }
}

TEST(ItkRoundTrip, CompressedFilesKeepVoxelsAndGeometry) {
  const TemporaryFolder folder;
  for (const char* name : {"v.mha", "v.mhd", "v.nrrd", "v.nhdr", "v.h5"}) {
    const Volume before = sample_volume(oblique());
    write<ItkImageSink>({.path = (folder / name).string(), .compress = true}, std::vector{before});
    expect_same(read<ItkImageSource>({.path = (folder / name).string()}), before, name);
  }
  write<ItkImageSink>({.path = (folder / "v.tif").string(), .compress = true}, std::vector{sample_volume(flat())});
  expect_same(read<ItkImageSource>({.path = (folder / "v.tif").string()}), sample_volume(flat()), "v.tif");
}

TEST(ItkRoundTrip, ATimeAxisIsTheFourth) {
  const TemporaryFolder folder;
  std::vector<float> values;
  for (const char* name : {"v.nii", "v.nii.gz", "v.mha", "v.nrrd", "v.h5"}) {
    const Volume before = sample_series(oblique(), values);
    write<ItkImageSink>({.path = (folder / name).string()}, std::vector{before});
    expect_same(read<ItkImageSource>({.path = (folder / name).string()}), before, name);
  }
  const Volume before = sample_series(straight(), values);
  write<ItkImageSink>({.path = (folder / "v.gipl").string()}, std::vector{before});
  expect_same(read<ItkImageSource>({.path = (folder / "v.gipl").string()}), before, "v.gipl");
}

TEST(ItkRoundTrip, TheModulesIoAndItkReadEachOthersFiles) {
  const TemporaryFolder folder;
  std::vector<float> values;
  for (const char* name : {"v.nii", "v.nii.gz", "v.mha", "v.mhd", "v.nrrd"}) {
    for (const Volume& before : {sample_volume(oblique()), sample_series(oblique(), values)}) {
      const std::string by_itk = (folder / (std::string("itk_") + name)).string();
      const std::string by_io = (folder / (std::string("io_") + name)).string();
      write<ItkImageSink>({.path = by_itk}, std::vector{before});
      expect_same(read<ImageSource>({.path = by_itk}), before, by_itk);
      write<ImageSink>({.path = by_io}, std::vector{before});
      expect_same(read<ItkImageSource>({.path = by_io}), before, by_io);
    }
  }
}

TEST(ItkRoundTrip, FilesOfOtherProgramsReadAsTheModuleIoReadsThem) {
  for (const char* name : {"oblique_float.mha", "oblique_float_compressed.mha", "oblique_int16.mhd",
                           "oblique_scaled_int16.nii.gz", "left_handed_float64.nii.gz", "quaternion_only_uint8.nii",
                           "oblique_uint16_compressed.nrrd", "ras_big_endian.nhdr"}) {
    const std::string path = io_fixture(name).string();
    expect_same(read<ItkImageSource>({.path = path}), read<ImageSource>({.path = path}), name);
  }
}

TEST(ItkRoundTrip, SegmentationsStayBytes) {
  const TemporaryFolder folder;
  std::vector<std::uint8_t> labels;
  for (int i = 0; i < 7 * 6 * 5; ++i) labels.push_back(static_cast<std::uint8_t>(i % 7));
  for (const auto& [name, geometry] : written_names()) {
    Segmentation s = Segmentation::describe(7, 6, 5, geometry);
    s.set_tensor("labels", tensor(DType::uint8, "zyx", {5, 6, 7}, labels.data()));
    write<ItkImageSink>({.path = (folder / name).string()}, std::vector{s});
    const Volume back = read<ItkImageSource>({.path = (folder / name).string()});
    EXPECT_TRUE(std::equal(labels.begin(), labels.end(), back.values().begin(), back.values().end())) << name;
  }
  EXPECT_EQ(Segmentation(read<LabelSource>({.path = (folder / "v.nii.gz").string()})).labels().count(), 210);
}

/// Writes with ITK alone, as another program does.
template <class T>
void write_by_itk_alone(itk::ImageIOBase::Pointer image_io, itk::IOComponentEnum type, const fs::path& path,
                        const std::vector<T>& values) {
  const unsigned size[3] = {4, 3, 2};
  itk::ImageIORegion region(3);
  image_io->SetFileName(path.string());
  image_io->SetNumberOfDimensions(3);
  for (unsigned i = 0; i < 3; ++i) {
    image_io->SetDimensions(i, size[i]);
    image_io->SetSpacing(i, 0.5 + i);
    image_io->SetOrigin(i, 10.0 * i - 5);
    region.SetSize(i, size[i]);
  }
  image_io->SetIORegion(region);
  image_io->SetPixelType(itk::IOPixelEnum::SCALAR);
  image_io->SetComponentType(type);
  image_io->WriteImageInformation();
  image_io->Write(values.data());
}

TEST(ItkImageSource, ReadsWhatItkAloneWroteInOtherTypes) {
  const TemporaryFolder folder;
  std::vector<std::int16_t> shorts(24);
  std::vector<double> doubles(24);
  for (std::size_t i = 0; i < 24; ++i) {
    shorts[i] = static_cast<std::int16_t>(1000 * i - 12000);
    doubles[i] = 0.25 * static_cast<double>(i) - 3;
  }
  using C = itk::IOComponentEnum;
  write_by_itk_alone(itk::GiplImageIO::New().GetPointer(), C::SHORT, folder / "s.gipl", shorts);
  write_by_itk_alone(itk::VTKImageIO::New().GetPointer(), C::SHORT, folder / "s.vtk", shorts);
  write_by_itk_alone(itk::MRCImageIO::New().GetPointer(), C::SHORT, folder / "s.mrc", shorts);
  write_by_itk_alone(itk::TIFFImageIO::New().GetPointer(), C::SHORT, folder / "s.tif", shorts);
  write_by_itk_alone(itk::HDF5ImageIO::New().GetPointer(), C::SHORT, folder / "s.h5", shorts);
  for (const char* name : {"s.gipl", "s.vtk", "s.mrc", "s.tif", "s.h5"}) {
    const Volume v = read<ItkImageSource>({.path = (folder / name).string()});
    EXPECT_TRUE(std::equal(shorts.begin(), shorts.end(), v.values().begin(), v.values().end())) << name;
    EXPECT_NEAR(v.geometry().spacing_mm[1], 1.5, 1e-6) << name;
    if (std::string(name) != "s.tif") {
      EXPECT_EQ(v.geometry().origin_mm[2], 15) << name;
    }
  }
  write_by_itk_alone(itk::VTKImageIO::New().GetPointer(), C::DOUBLE, folder / "d.vtk", doubles);
  write_by_itk_alone(itk::HDF5ImageIO::New().GetPointer(), C::DOUBLE, folder / "d.h5", doubles);
  write_by_itk_alone(itk::NrrdImageIO::New().GetPointer(), C::DOUBLE, folder / "d.nrrd", doubles);
  for (const char* name : {"d.vtk", "d.h5", "d.nrrd"}) {
    const Volume v = read<ItkImageSource>({.path = (folder / name).string()});
    EXPECT_TRUE(std::equal(doubles.begin(), doubles.end(), v.values().begin(), v.values().end())) << name;
  }
}

TEST(ItkImageSink, ItkAloneReadsWhatItWrote) {
  const TemporaryFolder folder;
  const Volume v = sample_volume(oblique());
  write<ItkImageSink>({.path = (folder / "v.h5").string()}, std::vector{v});
  const itk::ImageIOBase::Pointer image_io = itk::HDF5ImageIO::New().GetPointer();
  image_io->SetFileName((folder / "v.h5").string());
  image_io->ReadImageInformation();
  itk::ImageIORegion region(3);
  for (unsigned i = 0; i < 3; ++i) {
    region.SetSize(i, image_io->GetDimensions(i));
    EXPECT_EQ(image_io->GetOrigin(i), v.geometry().origin_mm[i]);
    for (unsigned row = 0; row < 3; ++row)
      EXPECT_NEAR(image_io->GetDirection(i)[row], v.geometry().direction[3 * row + i], 1e-15);
  }
  image_io->SetIORegion(region);
  std::vector<float> values(static_cast<std::size_t>(image_io->GetImageSizeInPixels()));
  image_io->Read(values.data());
  EXPECT_TRUE(std::ranges::equal(values, v.values()));
}

TEST(ItkImageSource, ReadsVtkFilesOfText) {
  const TemporaryFolder folder;
  std::ofstream(folder / "t.vtk") << "# vtk DataFile Version 3.0\nby hand\nASCII\nDATASET STRUCTURED_POINTS\n"
                                     "DIMENSIONS 2 1 3\nSPACING 1 2 3\nORIGIN 4 5 6\nPOINT_DATA 6\n"
                                     "SCALARS s float 1\nLOOKUP_TABLE default\n1.5 -2\n3e1 4 5\n6\n";
  const Volume v = read<ItkImageSource>({.path = (folder / "t.vtk").string()});
  EXPECT_THAT(v.values(), ::testing::ElementsAre(1.5F, -2, 30, 4, 5, 6));
  EXPECT_EQ(v.geometry().spacing_mm[2], 3);
  EXPECT_EQ(v.geometry().origin_mm[0], 4);
}

/// Analyze 7.5 (dbh.h of the Mayo Clinic): extents at 40, datatype 4 (int16) at 70, bits at 72, spacings at 80.
TEST(ItkImageSource, ReadsAnalyze) {
  const TemporaryFolder folder;
  std::vector<char> header(348);
  const auto set = [&](std::size_t offset, auto value) { std::memcpy(&header[offset], &value, sizeof value); };
  set(0, std::int32_t{348});
  set(38, 'r');
  for (const auto& [offset, value] : {std::pair{40, 4}, {42, 3}, {44, 2}, {46, 2}, {48, 1}, {70, 4}, {72, 16}})
    set(static_cast<std::size_t>(offset), static_cast<std::int16_t>(value));
  for (std::size_t i = 0; i < 3; ++i) set(80 + 4 * i, 1.5F + static_cast<float>(i));
  write_bytes(folder / "a.hdr", header);
  std::vector<char> voxels(24);
  for (std::size_t i = 0; i < 12; ++i) voxels[2 * i] = static_cast<char>(i);
  write_bytes(folder / "a.img", voxels);
  for (const char* name : {"a.hdr", "a.img"}) {
    const Volume v = read<ItkImageSource>({.path = (folder / name).string()});
    EXPECT_EQ(v.nx(), 3) << name;
    EXPECT_EQ(v.values().size(), 12U) << name;
    EXPECT_EQ(*std::max_element(v.values().begin(), v.values().end()), 11) << name;
    EXPECT_EQ(v.geometry().spacing_mm[2], 3.5) << name;
  }
  voxels.resize(23);
  write_bytes(folder / "a.img", voxels);
  expect_refused(folder / "a.img", ErrorCode::bad_data, {"truncated", "24 bytes"});
  std::memcpy(&header[344], "ni1", 4);
  write_bytes(folder / "a.hdr", header);
  expect_refused(folder / "a.hdr", ErrorCode::unsupported, {"NIfTI", ".nii"});
}

/// A ParaVision reconstruction of two slices, as little of it as ITK 5.2 wants.
TEST(ItkImageSource, ReadsBruker) {
  const TemporaryFolder folder;
  const std::string parameters =
      "##TITLE=a\n##JCAMPDX=4.24\n##DATATYPE=Parameter Values\n##ORIGIN=Bruker\n##OWNER=x\n$$ a\n$$ b\n$$ c\n"
      "##$VisuVersion=1\n##$VisuCoreFrameCount=2\n##$VisuCoreDim=2\n##$VisuCoreSize=( 2 )\n3 2\n"
      "##$VisuCoreExtent=( 2 )\n30 20\n##$VisuCoreFrameThickness=( 1 )\n2\n"
      "##$VisuCoreOrientation=( 2, 9 )\n1 0 0 0 1 0 0 0 1 1 0 0 0 1 0 0 0 1\n"
      "##$VisuCorePosition=( 2, 3 )\n-15 -10 0 -15 -10 2\n##$VisuCoreDataSlope=( 2 )\n2 2\n"
      "##$VisuCoreDataOffs=( 2 )\n1 1\n##$VisuCoreWordType=_16BIT_SGN_INT\n##$VisuCoreByteOrder=littleEndian\n"
      "##$VisuCoreDiskSliceOrder=disk_normal_slice_order\n##$VisuFGOrderDesc=( 1 )\n(2, <FG_SLICE>, <>, 0, 2)\n";
  const std::string end = "##END=\n";
  const auto save = [&](const char* name, const std::string& text) {
    write_bytes(folder / name, {text.begin(), text.end()});
  };
  std::vector<char> voxels(24);
  for (std::size_t i = 0; i < 12; ++i) voxels[2 * i] = static_cast<char>(i);
  write_bytes(folder / "2dseq", voxels);
  expect_refused(folder / "2dseq", ErrorCode::not_found, {"visu_pars"});
  save("visu_pars", parameters + end);
  const Volume v = read<ItkImageSource>({.path = (folder / "2dseq").string()});
  EXPECT_THAT(v.values(), ::testing::ElementsAre(1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23));
  EXPECT_EQ(v.nz(), 2);
  EXPECT_EQ(v.geometry().spacing_mm[0], 10);
  EXPECT_EQ(v.geometry().spacing_mm[2], 2);
  voxels.resize(22);
  write_bytes(folder / "2dseq", voxels);
  expect_refused(folder / "2dseq", ErrorCode::bad_data, {"ITK cannot read", "Bruker"});
  save("visu_pars", parameters);  // ITK would look for the next parameter for ever
  expect_refused(folder / "2dseq", ErrorCode::bad_data, {"visu_pars", "##END"});
}

TEST(ItkImageSource, APictureIsOneSlice) {
  const TemporaryFolder folder;
  write<ItkImageSink>({.path = (folder / "p.tif").string()},
                      std::vector{Volume::own(sample_values(12), 4, 3, 1, flat(), "HU")});
  const Volume v = read<ItkImageSource>({.path = (folder / "p.tif").string()});
  EXPECT_STREQ(v.voxels().axes, "zyx");
  EXPECT_EQ(v.nz(), 1);
}

TEST(ItkImageSource, TheFormatCanBeNamedWhereTheEndingSaysNothing) {
  const TemporaryFolder folder;
  const Volume before = sample_volume(straight());
  write<ItkImageSink>({.path = (folder / "v.map").string(), .image_io = ItkImageIo::mrc}, std::vector{before});
  expect_same(read<ItkImageSource>({.path = (folder / "v.map").string(), .image_io = ItkImageIo::mrc}), before, "mrc");
  write<ItkImageSink>({.path = (folder / "v.bin").string(), .image_io = ItkImageIo::hdf5}, std::vector{before});
  expect_same(read<ItkImageSource>({.path = (folder / "v.bin").string(), .image_io = ItkImageIo::hdf5}), before,
              "hdf5");
  expect_refused(folder / "v.bin", ErrorCode::unsupported, {"image_io", ".nii.gz", ".h5"});
}

TEST(ItkImageSource, WarnsWhereTheFormatHasNoOrientation) {
  const TemporaryFolder folder;
  write<ItkImageSink>({.path = (folder / "v.gipl").string()}, std::vector{sample_volume(straight())});
  Pipeline pipeline(testing::context());
  pipeline.add_output("result", pipeline.add<ItkImageSource>("read", {.path = (folder / "v.gipl").string()}).output);
  EXPECT_THAT(pipeline.prepare().report(), ::testing::HasSubstr("does not say how it lies in the patient"));
}

}  // namespace
}  // namespace isocenter
