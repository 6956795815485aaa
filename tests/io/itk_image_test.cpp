// The bridge to itk::Image: the same memory, the same places in the patient, kept alive from both sides.
#ifdef ISOCENTER_TEST_WITH_ITK
#include <itkShiftScaleImageFilter.h>

#include <isocenter/io/itk_image.hpp>
#include <isocenter/isocenter.hpp>

#include "io_test.hpp"

namespace isocenter {
namespace {

Geometry oblique() {
  Geometry g({0.7, 0.8, 2.5}, {-120.25, 33, 401});
  const double c = std::cos(0.3), s = std::sin(0.3);
  const double r[9] = {c, -s * c, s * s, s, c * c, -c * s, 0, s, c};
  std::copy(r, r + 9, g.direction);
  return g;
}

std::vector<float> ramp(std::size_t count) {
  std::vector<float> values(count);
  for (std::size_t i = 0; i < count; ++i) values[i] = static_cast<float>(i);
  return values;
}

TEST(ItkImage, ViewsAVolumeInPlace) {
  const Volume volume = Volume::own(ramp(5 * 4 * 3), 5, 4, 3, oblique(), "HU");
  const auto image = as_itk_image(volume);
  EXPECT_EQ(image->GetBufferPointer(), volume.values().data());
  for (const auto& [i, j, k] : {std::array{0, 0, 0}, {4, 0, 0}, {0, 3, 0}, {4, 3, 2}}) {
    const itk::Index<3> index{{i, j, k}};
    itk::Point<double, 3> point;
    image->TransformIndexToPhysicalPoint(index, point);
    const auto expected = volume.geometry().position_mm(i, j, k);
    for (unsigned axis = 0; axis < 3; ++axis) EXPECT_NEAR(point[axis], expected[axis], 1e-12);
    EXPECT_EQ(image->GetPixel(index), static_cast<float>(i + 5 * (j + 4 * k)));
  }
  image->SetPixel({{1, 2, 0}}, -7);
  EXPECT_EQ(volume.values()[11], -7);
}

TEST(ItkImage, TheImageKeepsTheVolumesMemory) {
  bool released = false;
  itk::Image<float, 3>::Pointer image;
  auto values = ramp(8);
  {
    Volume volume = Volume::wrap(values.data(), 2, 2, 2, {}, "");
    isocenter_payload_set_owner(
        volume.get(), [](void* flag) { *static_cast<bool*>(flag) = true; }, &released, nullptr);
    image = as_itk_image(volume);
  }
  EXPECT_FALSE(released);
  image = nullptr;
  EXPECT_TRUE(released);
}

TEST(ItkImage, TheVolumeKeepsTheImagesMemory) {
  auto image = itk::Image<float, 3>::New();
  image->SetRegions(itk::Size<3>{{4, 3, 2}});
  image->Allocate();
  image->FillBuffer(3.5F);
  const itk::Image<float, 3>::PixelContainerPointer container = image->GetPixelContainer();
  const int before = container->GetReferenceCount();
  {
    const Volume volume = volume_from_itk(image.GetPointer(), "HU");
    EXPECT_EQ(volume.values().data(), image->GetBufferPointer());
    EXPECT_EQ(container->GetReferenceCount(), before + 1);
    image = nullptr;
    EXPECT_EQ(volume.values()[23], 3.5F);
    EXPECT_EQ(volume.unit(), "HU");
  }
  EXPECT_EQ(container->GetReferenceCount(), before - 1);
}

TEST(ItkImage, AnItkFilterWorksOnAVolumeAndGivesOneBack) {
  const Volume volume = Volume::own(ramp(5 * 4 * 3), 5, 4, 3, oblique(), "HU");
  using Image = itk::Image<float, 3>;
  auto filter = itk::ShiftScaleImageFilter<Image, Image>::New();
  filter->SetInput(as_itk_image(volume));
  filter->SetShift(1);
  filter->SetScale(2);
  filter->Update();
  const Volume result = volume_from_itk(filter->GetOutput(), "HU");
  for (std::size_t i = 0; i < 60; ++i) EXPECT_EQ(result.values()[i], 2 * (static_cast<float>(i) + 1));
  const Geometry g = result.geometry(), expected = oblique();
  for (int i = 0; i < 9; ++i) EXPECT_EQ(g.direction[i], expected.direction[i]);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(g.origin_mm[i], expected.origin_mm[i]);
    EXPECT_EQ(g.spacing_mm[i], expected.spacing_mm[i]);
  }
}

TEST(ItkImage, ARegionThatDoesNotStartAtZeroKeepsItsPlace) {
  auto image = itk::Image<float, 3>::New();
  image->SetRegions(itk::ImageRegion<3>({{10, 20, 30}}, {{2, 2, 2}}));
  image->SetSpacing(itk::Vector<double, 3>(2.0));
  image->Allocate();
  const auto first = volume_from_itk(image.GetPointer(), "").geometry().position_mm(0, 0, 0);
  EXPECT_EQ(first[0], 20);
  EXPECT_EQ(first[1], 40);
  EXPECT_EQ(first[2], 60);
}

TEST(ItkImage, TimeIsTheFourthAxis) {
  Geometry g = oblique();
  g.time_origin_s = 1.5;
  g.time_step_s = 0.25;
  Volume series = Volume::describe(3, 2, 2, 4, g, "HU");
  auto values = ramp(48);
  series.set_tensor("voxels", tensor(DType::float32, "tzyx", {4, 2, 2, 3}, values.data()));
  const auto image = as_itk_image<4>(series);
  EXPECT_EQ(image->GetOrigin()[3], 1.5);
  EXPECT_EQ(image->GetSpacing()[3], 0.25);
  EXPECT_EQ(image->GetPixel({{2, 1, 1, 3}}), 47);
  const Volume back = volume_from_itk(image.GetPointer(), "HU");
  EXPECT_EQ(back.nt(), 4);
  EXPECT_EQ(back.geometry().time_step_s, 0.25);
  EXPECT_EQ(back.geometry().time_origin_s, 1.5);
}

TEST(ItkImage, LabelsGoBothWays) {
  Segmentation labels = Segmentation::describe(3, 2, 1, oblique());
  std::vector<std::uint8_t> values{0, 1, 2, 3, 4, 5};
  labels.set_tensor("labels", tensor(DType::uint8, "zyx", {1, 2, 3}, values.data()));
  const auto image = as_itk_image(labels);
  EXPECT_EQ(image->GetPixel({{2, 1, 0}}), 5);
  EXPECT_EQ(segmentation_from_itk(image.GetPointer()).labels().as<std::uint8_t>()[3], 3);
}

TEST(ItkImage, RefusesWhatItCannotView) {
  using io_test::expect_failure;
  const Volume description = Volume::describe(2, 2, 2, {}, "HU");
  expect_failure([&] { as_itk_image(description); }, ErrorCode::invalid_argument, {"a description", "allocate"});
  const Volume volume = Volume::own(ramp(8), 2, 2, 2, {}, "HU");
  expect_failure([&] { as_itk_image<4>(volume); }, ErrorCode::invalid_argument, {"'zyx'", "4 dimensions", "three"});
  auto empty = itk::Image<float, 3>::New();
  expect_failure([&] { volume_from_itk(empty.GetPointer(), ""); }, ErrorCode::invalid_argument,
                 {"no voxels", "Update()"});
}

}  // namespace
}  // namespace isocenter
#endif
