#include "image_header_itk.hpp"

#include <itkMetaImageIO.h>
#include <itkNiftiImageIO.h>
#include <itkNrrdImageIO.h>

#include <isocenter/error.hpp>

namespace isocenter::detail::io {
namespace {

itk::ImageIOBase::Pointer make_io(ImageFormat format) {
  switch (format) {
    case ImageFormat::nifti:
      return itk::NiftiImageIO::New().GetPointer();
    case ImageFormat::meta:
      return itk::MetaImageIO::New().GetPointer();
    case ImageFormat::nrrd:
      return itk::NrrdImageIO::New().GetPointer();
  }
  return nullptr;
}

VoxelType voxel_type_of(const std::filesystem::path& path, itk::IOComponentEnum component) {
  using Component = itk::IOComponentEnum;
  const bool is_long_64 = sizeof(long) == 8;
  switch (component) {
    case Component::UCHAR:
      return VoxelType::uint8;
    case Component::CHAR:
      return VoxelType::int8;
    case Component::USHORT:
      return VoxelType::uint16;
    case Component::SHORT:
      return VoxelType::int16;
    case Component::UINT:
      return VoxelType::uint32;
    case Component::INT:
      return VoxelType::int32;
    case Component::ULONG:
      return is_long_64 ? VoxelType::uint64 : VoxelType::uint32;
    case Component::LONG:
      return is_long_64 ? VoxelType::int64 : VoxelType::int32;
    case Component::ULONGLONG:
      return VoxelType::uint64;
    case Component::LONGLONG:
      return VoxelType::int64;
    case Component::FLOAT:
      return VoxelType::float32;
    case Component::DOUBLE:
      return VoxelType::float64;
    default:
      throw Failure(ErrorCode::unsupported, "'" + path.string() + "' holds voxels of a type that is not read",
                    "save it with integers of 8 to 64 bits, float or double");
  }
}

/// ITK's message on one line, without the class and the address that it begins with.
std::string reason(const itk::ExceptionObject& e) {
  std::string text = e.GetDescription();
  if (const auto start = text.find("): "); start != std::string::npos) text.erase(0, start + 3);
  for (char& c : text)
    if (c == '\n' || c == '\r') c = ' ';
  while (!text.empty() && (text.back() == ' ' || text.back() == '.')) text.pop_back();
  return text;
}

}  // namespace

ItkHeader read_header_with_itk(const std::filesystem::path& path, ImageFormat format) try {
  const itk::ImageIOBase::Pointer io = make_io(format);
  io->SetFileName(path.string());
  io->ReadImageInformation();
  ItkHeader header;
  for (unsigned i = 0; i < io->GetNumberOfDimensions(); ++i) {
    header.size.push_back(static_cast<std::int64_t>(io->GetDimensions(i)));
    header.origin.push_back(io->GetOrigin(i));
    header.spacing.push_back(io->GetSpacing(i));
    header.direction.push_back(io->GetDirection(i));
  }
  header.components = static_cast<int>(io->GetNumberOfComponents());
  header.type = voxel_type_of(path, io->GetComponentType());
  return header;
} catch (const itk::ExceptionObject& e) {
  throw Failure(ErrorCode::bad_data, "the header of '" + path.string() + "' cannot be read: " + reason(e),
                "check the file with the program that wrote it, or get an undamaged copy");
}

}  // namespace isocenter::detail::io
