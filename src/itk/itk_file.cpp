#include "itk_file.hpp"

#include <itkBruker2dseqImageIO.h>
#include <itkGiplImageIO.h>
#include <itkHDF5ImageIO.h>
#include <itkMRCImageIO.h>
#include <itkMetaImageIO.h>
#include <itkNiftiImageIO.h>
#include <itkNrrdImageIO.h>
#include <itkTIFFImageIO.h>
#include <itkVTKImageIO.h>
#include <itk_hdf5.h>

#include <mutex>

#include "file_bytes.hpp"
#include "io/number_text.hpp"

// libtiff's handlers of messages: of the copy in ITK, whose names have a prefix, or of the system's.
#ifdef ISOCENTER_ITK_HAS_ITS_OWN_TIFF
#define TIFFSetErrorHandler itk_TIFFSetErrorHandler
#define TIFFSetWarningHandler itk_TIFFSetWarningHandler
#endif
extern "C" {
using TiffHandler = void (*)(const char*, const char*, va_list);
TiffHandler TIFFSetErrorHandler(TiffHandler);
TiffHandler TIFFSetWarningHandler(TiffHandler);
}

namespace isocenter::detail::itk_io {
namespace {
namespace fs = std::filesystem;

/// Silence, and one thread at a time: HDF5 is not thread-safe in every build, the handlers of messages are the
/// process's. What the program had set comes back afterwards.
class QuietItk {
 public:
  QuietItk() {
    itk::Object::GlobalWarningDisplayOff();
    H5Eget_auto2(H5E_DEFAULT, &hdf5_, &hdf5_data_);
    H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
  }
  ~QuietItk() {
    H5Eset_auto2(H5E_DEFAULT, hdf5_, hdf5_data_);
    TIFFSetErrorHandler(tiff_error_);
    TIFFSetWarningHandler(tiff_warning_);
    itk::Object::SetGlobalWarningDisplay(warnings_);
  }
  QuietItk(const QuietItk&) = delete;
  QuietItk& operator=(const QuietItk&) = delete;

 private:
  static std::mutex& mutex() {
    static std::mutex m;
    return m;
  }
  std::lock_guard<std::mutex> lock_{mutex()};
  bool warnings_ = itk::Object::GetGlobalWarningDisplay();
  H5E_auto2_t hdf5_ = nullptr;
  void* hdf5_data_ = nullptr;
  TiffHandler tiff_error_ = TIFFSetErrorHandler(nullptr);
  TiffHandler tiff_warning_ = TIFFSetWarningHandler(nullptr);
};

/// An ImageIO that no factory replaces: ITK's New() would load libraries from ITK_AUTOLOAD_PATH.
template <class Io>
class Direct : public Io {
 public:
  using Self = Direct;
  using Superclass = Io;
  using Pointer = itk::SmartPointer<Self>;
  itkFactorylessNewMacro(Self);
};

itk::ImageIOBase::Pointer make_io(ItkImageIo image_io) {
  switch (image_io) {
    case ItkImageIo::meta:
      return Direct<itk::MetaImageIO>::New().GetPointer();
    case ItkImageIo::nrrd:
      return Direct<itk::NrrdImageIO>::New().GetPointer();
    case ItkImageIo::gipl:
      return Direct<itk::GiplImageIO>::New().GetPointer();
    case ItkImageIo::vtk:
      return Direct<itk::VTKImageIO>::New().GetPointer();
    case ItkImageIo::tiff:
      return Direct<itk::TIFFImageIO>::New().GetPointer();
    case ItkImageIo::mrc:
      return Direct<itk::MRCImageIO>::New().GetPointer();
    case ItkImageIo::hdf5:
      return Direct<itk::HDF5ImageIO>::New().GetPointer();
    case ItkImageIo::bruker:
      return Direct<itk::Bruker2dseqImageIO>::New().GetPointer();
    default:
      return Direct<itk::NiftiImageIO>::New().GetPointer();
  }
}

/// ITK's words without the object's address, on one line.
std::string words_of(const itk::ExceptionObject& e) {
  std::string text = e.GetDescription();
  if (constexpr std::string_view start = "ITK ERROR: "; text.starts_with(start)) text.erase(0, start.size());
  if (const auto address = text.find("): "); address != std::string::npos) text.erase(0, address + 3);
  std::replace_if(
      text.begin(), text.end(), [](unsigned char c) { return std::isspace(c) != 0; }, ' ');
  while (!text.empty() && std::string_view(" .!").find(text.back()) != std::string_view::npos) text.pop_back();
  return text.substr(0, 200);
}

/// Runs f; what ITK and its libraries throw becomes a Failure.
template <class F>
void guarded(ErrorCode code, const fs::path& path, const Format& format, const char* doing, F&& f) {
  std::string words;
  try {
    const QuietItk quiet;
    return f();
  } catch (const Error&) {
    throw;
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const itk::ExceptionObject& e) {
    words = words_of(e);
  } catch (const std::exception& e) {
    words = e.what();
  } catch (...) {
    words = "it does not say why";  // HDF5's exceptions have no base
  }
  throw Failure(
      code, std::string("ITK cannot ") + doing + " '" + path.string() + "' as " + format.title + ": " + words,
      code == ErrorCode::io_error
          ? "check the disk, or write another format"
          : "read NIfTI, MetaImage and NRRD with image_source; otherwise get an undamaged copy of it, or name its "
            "format with image_io");
}

io::VoxelType voxel_type_of(const itk::ImageIOBase& image_io, const fs::path& path) {
  using C = itk::IOComponentEnum;
  using T = io::VoxelType;
  constexpr T of_width[2][4] = {{T::uint8, T::uint16, T::uint32, T::uint64}, {T::int8, T::int16, T::int32, T::int64}};
  const auto whole = [&](bool is_signed) {
    return of_width[is_signed][std::bit_width(image_io.GetComponentSize()) - 1];
  };
  switch (image_io.GetComponentType()) {
    case C::FLOAT:
      return T::float32;
    case C::DOUBLE:
      return T::float64;
    case C::UCHAR:
    case C::USHORT:
    case C::UINT:
    case C::ULONG:
    case C::ULONGLONG:
      return whole(false);
    case C::CHAR:
    case C::SHORT:
    case C::INT:
    case C::LONG:
    case C::LONGLONG:
      return whole(true);
    default:
      fail(ErrorCode::unsupported, path, "holds voxels of a type that ITK does not name", "save it with real numbers");
  }
}

itk::IOComponentEnum component_of(io::VoxelType type) {
  return type == io::VoxelType::uint8    ? itk::IOComponentEnum::UCHAR
         : type == io::VoxelType::uint16 ? itk::IOComponentEnum::USHORT
                                         : itk::IOComponentEnum::FLOAT;
}

std::string extents_text(const std::array<std::int64_t, 4>& n) {
  return std::to_string(n[0]) + " × " + std::to_string(n[1]) + " × " + std::to_string(n[2]) + " × " +
         std::to_string(n[3]);
}

itk::ImageIORegion whole_region(const itk::ImageIOBase& image_io) {
  const unsigned axes = image_io.GetNumberOfDimensions();
  itk::ImageIORegion region(axes);
  for (unsigned i = 0; i < axes; ++i) region.SetSize(i, image_io.GetDimensions(i));
  return region;
}

}  // namespace

struct ItkFile::Reader {
  itk::ImageIOBase::Pointer image_io;
};

ItkFile::ItkFile(const fs::path& path, const Format& format)
    : format_(format), facts_(check_header(path, format)), reader_(std::make_unique<Reader>()) {
  info_.path = path;
  if (facts_.data) io::DataStream{*facts_.data};  // there, and as long as it has to be
  try {
    guarded(ErrorCode::bad_data, path, format, "read", [&] {
      reader_->image_io = make_io(format.image_io);
      reader_->image_io->SetFileName(path.string());
      reader_->image_io->ReadImageInformation();
      take_information();
    });
    require_header();
  } catch (const Error&) {
    check_voxels(facts_, [](double) {});  // damaged compressed data say more than what ITK made of them
    throw;
  }
}

ItkFile::~ItkFile() {
  const QuietItk quiet;
  reader_.reset();
}

void ItkFile::take_information() {
  const itk::ImageIOBase& image_io = *reader_->image_io;
  const fs::path& path = info_.path;
  if (image_io.GetNumberOfComponents() != 1 || image_io.GetPixelType() != itk::IOPixelEnum::SCALAR)
    fail(ErrorCode::unsupported, path,
         "has " + std::to_string(image_io.GetNumberOfComponents()) + " numbers for each voxel (" +
             itk::ImageIOBase::GetPixelTypeAsString(image_io.GetPixelType()) + "), and 1 is read",
         "save each component as a file of its own");
  const unsigned axes = image_io.GetNumberOfDimensions();
  for (unsigned i = 4; i < axes; ++i)
    if (image_io.GetDimensions(i) > 1)
      fail(ErrorCode::unsupported, path, "has " + std::to_string(axes) + " axes, and x, y, z and t are read",
           "save each component as a file of its own");
  if (axes < 2)
    fail(ErrorCode::unsupported, path, "has " + std::to_string(axes) + " axis, and at least x and y are needed",
         "save it as a volume");
  std::vector<std::int64_t> size;
  Geometry& g = info_.geometry;
  for (unsigned i = 0; i < std::min(axes, 4U); ++i) {
    size.push_back(static_cast<std::int64_t>(image_io.GetDimensions(i)));
    if (i == 3) {
      g.time_step_s = image_io.GetSpacing(3);
      g.time_origin_s = image_io.GetOrigin(3);
      continue;
    }
    g.spacing_mm[i] = image_io.GetSpacing(i);
    g.origin_mm[i] = image_io.GetOrigin(i);
    const std::vector<double> direction = image_io.GetDirection(i);
    for (unsigned row = 0; row < std::min(axes, 3U); ++row) g.direction[3 * row + i] = direction[row];
  }
  io::require_grid(path, size, g);
  std::copy(size.begin(), size.end(), info_.size.begin());
  info_.has_time = size.size() == 4;
  info_.has_orientation = facts_.has_orientation;
  info_.type = voxel_type_of(image_io, path);
}

void ItkFile::require_header() {
  std::array<std::int64_t, 4> size{1, 1, 1, 1};
  std::copy(facts_.size.begin(), facts_.size.end(), size.begin());
  if (!facts_.size.empty() && size != info_.size)
    fail(ErrorCode::bad_data, info_.path,
         "has " + extents_text(size) + " voxels by its header and " + extents_text(info_.size) + " as ITK reads it",
         "get an undamaged copy of it, or name its format with image_io");
  if (!facts_.image) return;
  info_.remark = facts_.image->remark;
  if (!facts_.image->has_orientation || !info_.remark.empty()) return;  // there is more than one reading
  const Geometry& stated = facts_.image->geometry;
  constexpr double largest_mm = 0.01;
  const Apart far = apart(info_.geometry, stated, info_), limit = tolerance(info_);
  if (far.mm > largest_mm || far.s > limit.s)
    fail(ErrorCode::unsupported, info_.path,
         "is read by ITK with another geometry than its header states, voxels " + io::number_text(far.mm) +
             " mm and times " + io::number_text(far.s) + " s apart (units, or the time of the first volume)",
         "read it with image_source, or save it in mm and s from time 0 on");
}

void ItkFile::read(std::byte* out, const io::ReadProgress& progress) {
  check_voxels(facts_, progress);
  guarded(ErrorCode::bad_data, info_.path, format_, "read", [&] {
    reader_->image_io->SetIORegion(whole_region(*reader_->image_io));
    if (static_cast<std::uint64_t>(reader_->image_io->GetImageSizeInBytes()) != bytes())
      fail(ErrorCode::bad_data, info_.path, "has another size than its header said", "get an undamaged copy of it");
    reader_->image_io->Read(out);
  });
}

void write_with_itk(const fs::path& path, const Format& format, const ImageInfo& image, const void* voxels,
                    bool compress, const std::function<void()>& hold_room) {
  guarded(ErrorCode::io_error, image.path, format, "write", [&] {
    const itk::ImageIOBase::Pointer image_io = make_io(format.image_io);
    const unsigned axes = image.has_time ? 4 : 3;
    const Geometry& g = image.geometry;
    image_io->SetFileName(path.string());
    image_io->SetNumberOfDimensions(axes);
    for (unsigned i = 0; i < axes; ++i) {
      std::vector<double> direction(axes, 0.0);
      for (unsigned row = 0; row < axes; ++row)
        direction[row] = i < 3 && row < 3 ? g.direction[3 * row + i] : (i == row ? 1.0 : 0.0);
      image_io->SetDimensions(i, static_cast<itk::SizeValueType>(image.size[i]));
      image_io->SetSpacing(i, i < 3 ? g.spacing_mm[i] : g.time_step_s);
      image_io->SetOrigin(i, i < 3 ? g.origin_mm[i] : g.time_origin_s);
      image_io->SetDirection(i, direction);
    }
    image_io->SetIORegion(whole_region(*image_io));
    image_io->SetNumberOfComponents(1);
    image_io->SetPixelType(itk::IOPixelEnum::SCALAR);
    image_io->SetComponentType(component_of(image.type));
    image_io->SetUseCompression(compress);
    image_io->WriteImageInformation();
    if (format.image_io == ItkImageIo::hdf5) hold_room();
    image_io->Write(voxels);
  });
}

}  // namespace isocenter::detail::itk_io
