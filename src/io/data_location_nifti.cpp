#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <isocenter/error.hpp>

#include "data_location.hpp"
#include "number_text.hpp"

namespace isocenter::detail::io {
namespace {

/// Byte offsets of the fields that are read here, from nifti1.h. At 0 stands the header's own size, 348.
enum Field : std::size_t {
  field_datatype = 70,
  field_time_step = 92,  // pixdim[4]
  field_vox_offset = 108,
  field_slope = 112,
  field_intercept = 116,
  field_units = 123,
  field_time_origin = 136,
  field_qform = 252,
  field_sform = 254,
  field_magic = 344
};
constexpr std::size_t header_bytes = 348;
constexpr int nifti2_header_bytes = 540;

[[noreturn]] void fail(ErrorCode code, const std::filesystem::path& path, const std::string& what,
                       const std::string& fix) {
  throw Failure(code, "'" + path.string() + "' " + what, fix);
}

class Header {
 public:
  explicit Header(std::span<const std::byte, header_bytes> bytes) {
    std::copy(bytes.begin(), bytes.end(), bytes_.begin());
    swapped_ = size_field() != static_cast<int>(header_bytes) && size_field() != nifti2_header_bytes;
  }
  int size_field() const { return get<std::int32_t>(0); }
  bool is_swapped() const { return swapped_; }
  bool has_magic() const { return std::memcmp(bytes_.data() + field_magic, "n+1", 4) == 0; }
  template <class T>
  T get(std::size_t offset) const {
    std::array<std::byte, sizeof(T)> bytes;
    std::memcpy(bytes.data(), bytes_.data() + offset, sizeof(T));
    if (swapped_) std::reverse(bytes.begin(), bytes.end());
    return std::bit_cast<T>(bytes);
  }
  double real(std::size_t offset) const { return static_cast<double>(get<float>(offset)); }
  int integer(std::size_t offset) const { return get<std::int16_t>(offset); }

 private:
  std::array<std::byte, header_bytes> bytes_{};
  bool swapped_ = false;
};

bool is_gzipped(const std::filesystem::path& path) {
  std::array<std::byte, 2> magic{};
  return InputFile(path).read(0, magic) == 2 && magic[0] == std::byte{0x1f} && magic[1] == std::byte{0x8b};
}

Header read_header(const std::filesystem::path& path, bool is_compressed) {
  std::array<std::byte, header_bytes> bytes{};
  DataStream({path, 0, is_compressed, 0, header_bytes, false}).read(bytes);
  Header header(bytes);
  if (header.size_field() == nifti2_header_bytes)
    fail(ErrorCode::unsupported, path, "is NIfTI-2, and NIfTI-1 is read", "save it as NIfTI-1, .mha or .nrrd");
  if (header.size_field() != static_cast<int>(header_bytes) || !header.has_magic())
    fail(ErrorCode::bad_data, path,
         "is not a NIfTI file: its header is not that of NIfTI-1 with the voxels in the same file",
         "give a .nii or .nii.gz file");
  return header;
}

VoxelType voxel_type_of(const std::filesystem::path& path, int datatype) {
  switch (datatype) {
    case 2:
      return VoxelType::uint8;
    case 4:
      return VoxelType::int16;
    case 8:
      return VoxelType::int32;
    case 16:
      return VoxelType::float32;
    case 64:
      return VoxelType::float64;
    case 256:
      return VoxelType::int8;
    case 512:
      return VoxelType::uint16;
    case 768:
      return VoxelType::uint32;
    case 1024:
      return VoxelType::int64;
    case 1280:
      return VoxelType::uint64;
    default:
      fail(ErrorCode::unsupported, path,
           "holds voxels of NIfTI datatype " + std::to_string(datatype) + ", which is not read",
           "save it with integers of 8 to 64 bits, float or double; colours and complex numbers have no place in a "
           "Volume");
  }
}

/// The codes of xyzt_units: 0 or 2 in its lower bits for mm; 8, 16, 24 in the upper ones for s, ms, us.
double seconds_per_unit(const std::filesystem::path& path, const Header& header) {
  const int units = header.get<std::uint8_t>(field_units);
  // ITK 5.2 scales the spacing of such files and leaves their origin as it is.
  if (const int space = units & 7; space != 0 && space != 2)
    fail(ErrorCode::unsupported, path,
         "gives lengths in another unit than mm (xyzt_units = " + std::to_string(units) + ")", "save it in mm");
  const int time = units & 0x38;
  return time == 16 ? 1e-3 : time == 24 ? 1e-6 : 1;
}

}  // namespace

StoredVoxels locate_nifti(const std::filesystem::path& path) {
  const bool is_compressed = is_gzipped(path);
  const Header header = read_header(path, is_compressed);
  StoredVoxels found;
  // An offset of 0 says no more than that the voxels follow the header and its empty list of extensions.
  const double offset = header.real(field_vox_offset);
  const double begin = offset == 0 ? header_bytes + 4 : offset;
  if (!(begin >= header_bytes && begin < 1e15))
    fail(ErrorCode::bad_data, path, "has vox_offset = " + number_text(offset), "correct its header: 352 or more");
  found.data.file = path;
  found.data.is_compressed = is_compressed;
  found.data.skip = static_cast<std::uint64_t>(begin);
  found.data.is_big_endian = (std::endian::native == std::endian::big) != header.is_swapped();
  found.type = voxel_type_of(path, header.integer(field_datatype));
  // nifti1.h: a slope of 0 means that values are as stored. nibabel writes NaN for the same.
  if (const double slope = header.real(field_slope); std::isfinite(slope) && slope != 0) {
    found.slope = slope;
    found.intercept = header.real(field_intercept);
  }
  const double seconds = seconds_per_unit(path, header);
  found.time_step_s = header.real(field_time_step) * seconds;
  found.time_origin_s = header.real(field_time_origin) * seconds;
  found.has_orientation = header.integer(field_qform) > 0 || header.integer(field_sform) > 0;
  return found;
}

}  // namespace isocenter::detail::io
