#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <isocenter/error.hpp>

#include "image_header.hpp"
#include "number_text.hpp"

namespace isocenter::detail::io {
namespace {

/// Byte offsets of the fields that are read here, from nifti1.h and nifti2.h. At 0 stands the header's own size.
struct Layout {
  std::size_t bytes, magic, dim, datatype, pixdim, vox_offset, slope, intercept, units, time_origin, qform, sform,
      quaternion, qoffset, srow;
};
constexpr Layout nifti1{348, 344, 40, 70, 76, 108, 112, 116, 123, 136, 252, 254, 256, 268, 280};
constexpr Layout nifti2{540, 4, 16, 12, 104, 168, 176, 184, 500, 216, 344, 348, 352, 376, 400};

using Matrix = std::array<std::array<double, 4>, 3>;  // index to RAS: three columns of steps, then the origin

[[noreturn]] void fail(ErrorCode code, const std::filesystem::path& path, const std::string& what,
                       const std::string& fix) {
  throw Failure(code, "'" + path.string() + "' " + what, fix);
}

/// Gives fields of both layouts in the machine's byte order.
class Fields {
 public:
  explicit Fields(const std::filesystem::path& path) : path_(path) {
    is_compressed_ = starts_as_gzip();
    read(nifti1.bytes);
    swapped_ = size_field() != nifti1.bytes && size_field() != nifti2.bytes;
    if (size_field() == nifti2.bytes) {
      at_ = &nifti2;
      read(nifti2.bytes);
    }
    if (size_field() != at_->bytes || std::memcmp(&bytes_[at_->magic], is_2() ? "n+2" : "n+1", 4) != 0)
      fail(ErrorCode::bad_data, path,
           "is not a NIfTI file: its header is not that of NIfTI-1 or NIfTI-2 with the voxels in the same file",
           "give a .nii or .nii.gz file");
  }
  const Layout& at() const { return *at_; }
  const std::filesystem::path& path() const { return path_; }
  bool is_compressed() const { return is_compressed_; }
  bool is_swapped() const { return swapped_; }

  /// Reals are float in NIfTI-1 and double in NIfTI-2; must be finite.
  double real(std::size_t offset, std::size_t index, const char* name) const {
    const double value = is_2() ? get<double>(offset + 8 * index) : static_cast<double>(get<float>(offset + 4 * index));
    if (!std::isfinite(value))
      fail(ErrorCode::bad_data, path_, std::string("has the header field ") + name + " = " + number_text(value),
           "correct its header");
    return value;
  }
  /// NaN for what is not finite.
  double any_real(std::size_t offset) const {
    return is_2() ? get<double>(offset) : static_cast<double>(get<float>(offset));
  }
  std::int64_t extent(std::size_t index) const {
    return is_2() ? get<std::int64_t>(at_->dim + 8 * index) : get<std::int16_t>(at_->dim + 2 * index);
  }
  int code(std::size_t offset) const { return is_2() ? get<std::int32_t>(offset) : get<std::int16_t>(offset); }
  int datatype() const { return get<std::int16_t>(at_->datatype); }
  int units() const { return is_2() ? get<std::int32_t>(at_->units) : get<std::uint8_t>(at_->units); }
  double vox_offset() const {
    return is_2() ? static_cast<double>(get<std::int64_t>(at_->vox_offset)) : real(at_->vox_offset, 0, "vox_offset");
  }

 private:
  bool is_2() const { return at_ == &nifti2; }
  std::size_t size_field() const { return static_cast<std::uint32_t>(get<std::int32_t>(0)); }
  template <class T>
  T get(std::size_t offset) const {
    std::array<std::byte, sizeof(T)> bytes;
    std::memcpy(bytes.data(), &bytes_[offset], sizeof(T));
    if (swapped_) std::reverse(bytes.begin(), bytes.end());
    return std::bit_cast<T>(bytes);
  }
  bool starts_as_gzip() const {
    std::array<std::byte, 2> magic{};
    return InputFile(path_).read(0, magic) == 2 && magic[0] == std::byte{0x1f} && magic[1] == std::byte{0x8b};
  }
  void read(std::size_t count) {
    DataStream({path_, 0, is_compressed_, 0, count, false}).read(std::span(bytes_).first(count));
  }

  std::filesystem::path path_;
  std::array<std::byte, nifti2.bytes> bytes_{};
  const Layout* at_ = &nifti1;
  bool is_compressed_ = false, swapped_ = false;
};

VoxelType voxel_type_of(const Fields& f) {
  switch (f.datatype()) {
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
      fail(ErrorCode::unsupported, f.path(),
           "holds voxels of NIfTI datatype " + std::to_string(f.datatype()) + ", which is not read",
           "save it with integers of 8 to 64 bits, float or double; colours and complex numbers have no place in a "
           "Volume");
  }
}

/// dim[0] says how many axes there are; those after the fourth must be of one voxel.
std::vector<std::int64_t> extents(const Fields& f) {
  const std::int64_t axes = f.extent(0);
  if (axes < 2 || axes > 7)
    fail(ErrorCode::bad_data, f.path(),
         "has dim[0] = " + std::to_string(axes) + ", and NIfTI allows 1 to 7 axes, of which at least 2 are needed",
         "correct its header");
  for (std::size_t i = 5; i <= static_cast<std::size_t>(axes); ++i)
    if (f.extent(i) > 1)
      fail(ErrorCode::unsupported, f.path(),
           "has " + std::to_string(f.extent(i)) + " entries along axis " + std::to_string(i) +
               ", and x, y, z and t are read",
           "save each component as a file of its own");
  std::vector<std::int64_t> size{f.extent(1), f.extent(2), axes >= 3 ? f.extent(3) : 1};
  if (axes >= 4) size.push_back(f.extent(4));
  return size;
}

/// Method 3 of nifti1.h.
Matrix matrix_of_sform(const Fields& f) {
  Matrix m{};
  for (std::size_t row = 0; row < 3; ++row)
    for (std::size_t column = 0; column < 4; ++column) m[row][column] = f.real(f.at().srow, 4 * row + column, "srow");
  return m;
}

/// Method 2 of nifti1.h: a rotation by the unit quaternion (a, b, c, d), the third axis turned round by qfac.
Matrix matrix_of_qform(const Fields& f) {
  double b = f.real(f.at().quaternion, 0, "quatern_b"), c = f.real(f.at().quaternion, 1, "quatern_c"),
         d = f.real(f.at().quaternion, 2, "quatern_d");
  const double square = b * b + c * c + d * d;
  double a = 0;
  if (square < 1) {
    a = std::sqrt(1 - square);
  } else {  // rounding: half a turn
    const double length = std::sqrt(square);
    b /= length, c /= length, d /= length;
  }
  const double qfac = f.real(f.at().pixdim, 0, "pixdim[0]") < 0 ? -1 : 1;
  const double r[3][3] = {{a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)},
                          {2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)},
                          {2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - b * b - c * c}};
  Matrix m{};
  for (std::size_t row = 0; row < 3; ++row) {
    for (std::size_t i = 0; i < 3; ++i)
      m[row][i] = r[row][i] * f.real(f.at().pixdim, i + 1, "pixdim") * (i == 2 ? qfac : 1);
    m[row][3] = f.real(f.at().qoffset, row, "qoffset");
  }
  return m;
}

double dot(const Matrix& m, std::size_t i, std::size_t j) {
  return m[0][i] * m[0][j] + m[1][i] * m[1][j] + m[2][i] * m[2][j];
}

bool has_right_angles(const Matrix& m) {
  for (const auto& [i, j] : {std::pair<std::size_t, std::size_t>{0, 1}, {0, 2}, {1, 2}})
    if (!(std::abs(dot(m, i, j)) <= 1e-3 * std::sqrt(dot(m, i, i) * dot(m, j, j)))) return false;
  return true;
}

/// How far apart two matrices put the corner of the image.
double difference_mm(const Matrix& a, const Matrix& b, const std::vector<std::int64_t>& size) {
  double largest = 0;
  for (int corner = 0; corner < 8; ++corner) {
    double square = 0;
    for (std::size_t row = 0; row < 3; ++row) {
      double d = a[row][3] - b[row][3];
      for (std::size_t i = 0; i < 3; ++i)
        if ((corner >> i & 1) != 0) d += (a[row][i] - b[row][i]) * static_cast<double>(size[i] - 1);
      square += d * d;
    }
    largest = std::max(largest, std::sqrt(square));
  }
  return largest;
}

Matrix choose_matrix(const Fields& f, ImageHeader& header) {
  const bool has_sform = f.code(f.at().sform) > 0, has_qform = f.code(f.at().qform) > 0;
  header.has_orientation = has_sform || has_qform;
  if (has_sform && has_qform) {
    const Matrix s = matrix_of_sform(f), q = matrix_of_qform(f);
    const double apart = difference_mm(s, q, header.size);
    const bool use_sform = has_right_angles(s);
    if (apart > 0.01)
      header.remark = "its matrix (sform) and its quaternion (qform) place the image up to " +
                      number_text(std::round(apart * 100) / 100) + " mm apart; the " +
                      (use_sform ? "matrix" : "quaternion, as the matrix is sheared,") + " is taken";
    return use_sform ? s : q;
  }
  if (has_sform) return matrix_of_sform(f);
  if (has_qform) return matrix_of_qform(f);
  Matrix m{};  // no orientation: the voxel axes are taken for L, P, S
  for (std::size_t i = 0; i < 3; ++i) m[i][i] = (i < 2 ? -1 : 1) * std::abs(f.real(f.at().pixdim, i + 1, "pixdim"));
  return m;
}

/// xyzt_units: 1, 2, 3 for m, mm, um in the lower bits; 8, 16, 24 for s, ms, us in the upper ones.
double mm_per_unit(int units) { return (units & 7) == 1 ? 1e3 : (units & 7) == 3 ? 1e-3 : 1; }
double seconds_per_unit(int units) { return (units & 0x38) == 16 ? 1e-3 : (units & 0x38) == 24 ? 1e-6 : 1; }

/// RAS to LPS: x and y change their sign.
Geometry geometry_of(const Matrix& ras, double mm) {
  Geometry g;
  for (std::size_t i = 0; i < 3; ++i) {
    const double length = std::sqrt(dot(ras, i, i));
    g.spacing_mm[i] = length * mm;
    for (std::size_t row = 0; row < 3; ++row) g.direction[3 * row + i] = (row < 2 ? -1 : 1) * ras[row][i] / length;
    g.origin_mm[i] = (i < 2 ? -1 : 1) * ras[i][3] * mm;
  }
  return g;
}

}  // namespace

ImageHeader read_nifti_header(const std::filesystem::path& path) {
  const Fields f(path);
  ImageHeader header;
  header.size = extents(f);
  header.geometry = geometry_of(choose_matrix(f, header), mm_per_unit(f.units()));
  if (header.size.size() == 4) {
    header.geometry.time_step_s = f.real(f.at().pixdim, 4, "pixdim[4]") * seconds_per_unit(f.units());
    header.geometry.time_origin_s = f.real(f.at().time_origin, 0, "toffset") * seconds_per_unit(f.units());
  }
  header.type = voxel_type_of(f);
  // nifti1.h: a slope of 0 means that values are as stored. nibabel writes NaN for the same.
  if (const double slope = f.any_real(f.at().slope); std::isfinite(slope) && slope != 0) {
    header.slope = slope;
    header.intercept = f.real(f.at().intercept, 0, "scl_inter");
  }
  // An offset of 0 says no more than that the voxels follow the header and its empty list of extensions.
  const double offset = f.vox_offset();
  const auto least = static_cast<double>(f.at().bytes);
  const double begin = offset == 0 ? least + 4 : offset;
  if (!(begin >= least && begin < 1e15))
    fail(ErrorCode::bad_data, path, "has vox_offset = " + number_text(offset), "correct its header");
  header.data = {path,
                 0,
                 f.is_compressed(),
                 static_cast<std::uint64_t>(begin),
                 0,
                 (std::endian::native == std::endian::big) != f.is_swapped()};
  return header;
}

}  // namespace isocenter::detail::io
