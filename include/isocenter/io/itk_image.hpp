#pragma once
// Volumes and segmentations as itk::Image and back, without a copy. The only public header that includes ITK: a program
// that uses it finds ITK itself and links ITKCommon; Isocenter's library needs none.
#include <itkImage.h>
#include <itkImportImageContainer.h>

#include <cstdint>
#include <isocenter/dense.hpp>
#include <isocenter/payload.hpp>
#include <string>
#include <utility>

namespace isocenter::detail {

/// A pixel container over a payload's memory; it keeps the payload.
template <class Pixel>
class PayloadContainer : public itk::ImportImageContainer<itk::SizeValueType, Pixel> {
 public:
  using Self = PayloadContainer;
  using Superclass = itk::ImportImageContainer<itk::SizeValueType, Pixel>;
  using Pointer = itk::SmartPointer<Self>;
  itkFactorylessNewMacro(Self);

  void hold(Payload payload, Pixel* first, itk::SizeValueType count) {
    payload_ = std::move(payload);
    this->SetImportPointer(first, count, false);
  }

 private:
  Payload payload_;
};

template <class Pixel, unsigned Dimension>
typename itk::Image<Pixel, Dimension>::Pointer view_as_itk(const Payload& payload, const TensorView& t) {
  static_assert(Dimension == 3 || Dimension == 4, "volumes have three axes, or four with time");
  constexpr char letters[] = {'x', 'y', 'z', 't'};
  const std::string axes = t.axes;
  if (axes != (Dimension == 3 ? "zyx" : "tzyx"))
    raise(ErrorCode::invalid_argument, "the payload has the axes '" + axes + "', and an itk::Image of " +
                                           std::to_string(Dimension) + " dimensions was asked for. Fix: ask for " +
                                           (axes == "tzyx" ? "four." : "three."));
  if (t.type() != dtype_of<Pixel>())
    raise(ErrorCode::invalid_argument,
          "the payload's elements are of another type than the image's. Fix: ask for the payload's own type.");
  if (t.data == nullptr || std::string(payload.device()) != "cpu")
    raise(ErrorCode::invalid_argument, std::string("the payload has no data in host memory (it is ") +
                                           (t.data == nullptr ? "a description" : payload.device()) +
                                           "). Fix: allocate it, or copy it with Context::copy_to(payload, \"cpu\").");
  if (!is_dense(t))
    raise(ErrorCode::invalid_argument, "the payload's tensor is not dense, and itk::Image needs that. Fix: copy it.");

  const Geometry g = payload.geometry();
  using Image = itk::Image<Pixel, Dimension>;
  typename Image::RegionType region;
  typename Image::PointType origin;
  typename Image::SpacingType spacing;
  typename Image::DirectionType direction;
  direction.SetIdentity();
  for (unsigned i = 0; i < Dimension; ++i) {
    region.SetSize(i, static_cast<itk::SizeValueType>(t.extent(letters[i])));
    origin[i] = i < 3 ? g.origin_mm[i] : g.time_origin_s;
    spacing[i] = i < 3 ? g.spacing_mm[i] : (g.time_step_s > 0 ? g.time_step_s : 1.0);
  }
  for (unsigned row = 0; row < 3; ++row)
    for (unsigned column = 0; column < 3; ++column) direction[row][column] = g.direction[3 * row + column];

  auto container = PayloadContainer<Pixel>::New();
  container->hold(payload, t.as<Pixel>(), static_cast<itk::SizeValueType>(t.count()));
  auto image = Image::New();
  image->SetRegions(region);
  image->SetOrigin(origin);
  image->SetSpacing(spacing);
  image->SetDirection(direction);
  image->SetPixelContainer(container);
  return image;
}

/// The geometry of an image's buffered voxels: its first one need not have the index 0.
template <class Image>
Geometry geometry_of_itk(const Image& image) {
  constexpr unsigned dimension = Image::ImageDimension;
  typename Image::PointType origin;
  image.TransformIndexToPhysicalPoint(image.GetBufferedRegion().GetIndex(), origin);
  Geometry g;
  for (unsigned i = 0; i < 3; ++i) {
    g.origin_mm[i] = origin[i];
    g.spacing_mm[i] = image.GetSpacing()[i];
    for (unsigned column = 0; column < 3; ++column) g.direction[3 * i + column] = image.GetDirection()[i][column];
  }
  if constexpr (dimension == 4) {
    g.time_origin_s = origin[3];
    g.time_step_s = image.GetSpacing()[3];
    for (unsigned i = 0; i < 3; ++i)
      if (image.GetDirection()[i][3] != 0 || image.GetDirection()[3][i] != 0)
        raise(ErrorCode::invalid_argument,
              "the image's fourth axis is not time alone: its direction mixes it with space. Fix: set the direction's "
              "fourth row and column to those of the identity.");
  }
  return g;
}

template <class Typed, class Image>
Typed view_of_itk(Image* image, int kind, const char* tensor_name) {
  constexpr unsigned dimension = Image::ImageDimension;
  static_assert(dimension == 3 || dimension == 4, "volumes have three axes, or four with time");
  if (image == nullptr || image->GetBufferPointer() == nullptr || image->GetBufferedRegion().GetNumberOfPixels() == 0)
    raise(ErrorCode::invalid_argument,
          "the itk::Image holds no voxels. Fix: call Update() on the filter that makes it.");
  const auto size = image->GetBufferedRegion().GetSize();
  const auto n = [&](unsigned i) { return static_cast<std::int64_t>(size[i]); };
  TensorView t;
  if constexpr (dimension == 3)
    t = tensor(dtype_of<typename Image::PixelType>(), "zyx", {n(2), n(1), n(0)}, image->GetBufferPointer());
  else
    t = tensor(dtype_of<typename Image::PixelType>(), "tzyx", {n(3), n(2), n(1), n(0)}, image->GetBufferPointer());
  Typed payload{Payload(kind)};
  payload.set_tensor(tensor_name, t);
  payload.set_geometry(geometry_of_itk(*image));
  using Container = typename Image::PixelContainer;
  auto* kept = new typename Container::Pointer(image->GetPixelContainer());
  call([&](auto* e) {
    return isocenter_payload_set_owner(
        payload.get(), [](void* p) { delete static_cast<typename Container::Pointer*>(p); }, kept, e);
  });
  return payload;
}

}  // namespace isocenter::detail

namespace isocenter::inline v1 {

/// The volume as an ITK image over the same memory, which the image keeps alive: what one changes, the other sees.
/// Axes x, y, z (and t, in seconds); geometry in LPS, as both use it. Throws invalid_argument when the volume has other
/// axes than asked for, is a description, or lies on another device than "cpu".
template <unsigned Dimension = 3>
typename itk::Image<float, Dimension>::Pointer as_itk_image(const Volume& volume) {
  return detail::view_as_itk<float, Dimension>(volume, volume.voxels());
}

/// The same of labels (uint8).
template <unsigned Dimension = 3>
typename itk::Image<std::uint8_t, Dimension>::Pointer as_itk_image(const Segmentation& segmentation) {
  return detail::view_as_itk<std::uint8_t, Dimension>(segmentation, segmentation.labels());
}

/// An ITK image's buffer as a volume over the same memory, which the volume keeps alive until it goes; ITK's axes must
/// be x, y, z (and t in seconds). `unit` says what the values are: "HU", "1/mm", ... Throws invalid_argument when the
/// image holds no voxels.
template <unsigned Dimension>
Volume volume_from_itk(itk::Image<float, Dimension>* image, const char* unit) {
  Volume volume = detail::view_of_itk<Volume>(image, ISOCENTER_VOLUME, "voxels");
  volume.set_text("unit", unit);
  return volume;
}

/// The same of labels (uint8).
template <unsigned Dimension>
Segmentation segmentation_from_itk(itk::Image<std::uint8_t, Dimension>* image) {
  return detail::view_of_itk<Segmentation>(image, ISOCENTER_SEGMENTATION, "labels");
}

}  // namespace isocenter::inline v1
