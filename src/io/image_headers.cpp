#include "image_headers.hpp"

#include <array>
#include <bit>
#include <cmath>
#include <cstring>

#include "number_text.hpp"

namespace isocenter::detail::io {
namespace {

int axes_of(const ImageView& image) { return image.has_time ? 4 : 3; }

bool is_big_endian() { return std::endian::native == std::endian::big; }

/// The fourth axis of the text formats: files without a time step get 1, as ITK does.
double time_step(const ImageView& image) { return image.geometry.time_step_s > 0 ? image.geometry.time_step_s : 1; }

template <class F>
std::string join(int count, F&& text_of) {
  std::string text;
  for (int i = 0; i < count; ++i) text += (i == 0 ? "" : " ") + text_of(i);
  return text;
}

// --- NIfTI ---

int nifti_datatype(VoxelType type) {
  switch (type) {
    case VoxelType::uint8:
      return 2;
    case VoxelType::int16:
      return 4;
    case VoxelType::uint16:
      return 512;
    default:
      return 16;
  }
}

/// Unit quaternion (a, b, c, d) with a >= 0 of a rotation: each component's square from the diagonal, the largest one
/// first and the others from the off-diagonal sums (Shepperd, J. Guidance and Control 1 (1978) 223).
std::array<double, 4> quaternion(const std::array<std::array<double, 3>, 3>& r) {
  const double trace = r[0][0] + r[1][1] + r[2][2];
  const std::array<double, 4> square{1 + trace, 1 + 2 * r[0][0] - trace, 1 + 2 * r[1][1] - trace,
                                     1 + 2 * r[2][2] - trace};
  std::size_t k = 0;
  for (std::size_t i = 1; i < 4; ++i)
    if (square[i] > square[k]) k = i;
  // products[i][j] = 4 q_i q_j
  const double ab = r[2][1] - r[1][2], ac = r[0][2] - r[2][0], ad = r[1][0] - r[0][1];
  const double bc = r[0][1] + r[1][0], bd = r[0][2] + r[2][0], cd = r[1][2] + r[2][1];
  const double products[4][4] = {
      {square[0], ab, ac, ad}, {ab, square[1], bc, bd}, {ac, bc, square[2], cd}, {ad, bd, cd, square[3]}};
  std::array<double, 4> q{};
  const double four_qk = 2 * std::sqrt(square[k]);
  for (std::size_t i = 0; i < 4; ++i) q[i] = products[k][i] / four_qk;
  if (q[0] < 0)
    for (double& v : q) v = -v;
  return q;
}

double determinant(const std::array<std::array<double, 3>, 3>& m) {
  return m[0][0] * (m[1][1] * m[2][2] - m[1][2] * m[2][1]) - m[0][1] * (m[1][0] * m[2][2] - m[1][2] * m[2][0]) +
         m[0][2] * (m[1][0] * m[2][1] - m[1][1] * m[2][0]);
}

class NiftiHeader {
 public:
  template <class T>
  void set(std::size_t offset, T value) {
    std::memcpy(bytes_.data() + offset, &value, sizeof value);
  }
  void set_real(std::size_t offset, double value) { set(offset, static_cast<float>(value)); }
  void set_short(std::size_t offset, std::int64_t value) { set(offset, static_cast<std::int16_t>(value)); }
  void set_text(std::size_t offset, const char* text) { std::memcpy(bytes_.data() + offset, text, std::strlen(text)); }
  std::vector<std::byte> bytes() && { return std::move(bytes_); }

 private:
  std::vector<std::byte> bytes_ = std::vector<std::byte>(352);
};

}  // namespace

std::vector<std::byte> nifti_header(const ImageView& image, VoxelType stored) {
  const Geometry& g = image.geometry;
  // LPS to RAS: x and y change their sign.
  std::array<std::array<double, 3>, 3> ras;
  for (std::size_t row = 0; row < 3; ++row)
    for (std::size_t column = 0; column < 3; ++column)
      ras[row][column] = (row < 2 ? -1 : 1) * g.direction[3 * row + column];
  const std::array<double, 3> origin{-g.origin_mm[0], -g.origin_mm[1], g.origin_mm[2]};
  auto rotation = ras;
  const double handedness = determinant(ras) < 0 ? -1 : 1;
  for (auto& row : rotation) row[2] *= handedness;
  const auto q = quaternion(rotation);

  constexpr std::int32_t header_bytes = 348;
  constexpr std::int64_t scanner_anatomical = 1, label_intent = 1002, mm = 2, seconds = 8;
  NiftiHeader h;
  h.set(0, header_bytes);
  h.set(38, 'r');
  h.set_short(40, axes_of(image));
  for (std::size_t i = 0; i < 7; ++i) h.set_short(42 + 2 * i, i < 4 ? image.size[i] : 1);
  h.set_short(68, image.is_labels ? label_intent : 0);
  h.set_short(70, nifti_datatype(stored));
  h.set_short(72, static_cast<std::int64_t>(8 * size_of(stored)));
  h.set_real(76, handedness);
  for (std::size_t i = 0; i < 3; ++i) h.set_real(80 + 4 * i, g.spacing_mm[i]);
  h.set_real(92, image.has_time ? time_step(image) : 0);
  h.set_real(108, 352);  // where the voxels begin
  h.set_real(112, 1);    // slope
  h.set(123, static_cast<std::uint8_t>(mm | seconds));
  h.set_real(136, image.has_time ? g.time_origin_s : 0);
  h.set_text(148, "isocenter");
  h.set_short(252, scanner_anatomical);
  h.set_short(254, scanner_anatomical);
  for (std::size_t i = 0; i < 3; ++i) {
    h.set_real(256 + 4 * i, q[i + 1]);
    h.set_real(268 + 4 * i, origin[i]);
    for (std::size_t column = 0; column < 3; ++column)
      h.set_real(280 + 16 * i + 4 * column, ras[i][column] * g.spacing_mm[column]);
    h.set_real(292 + 16 * i, origin[i]);
  }
  h.set_text(344, "n+1");
  return std::move(h).bytes();
}

MetaHeader meta_header(const ImageView& image, VoxelType stored, bool compress, const std::string& data_file) {
  const Geometry& g = image.geometry;
  const int axes = axes_of(image);
  const auto along = [&](int i, const double* values, double time) { return i < 3 ? values[i] : time; };
  const auto direction = [&](int axis, int row) {
    return axis < 3 && row < 3 ? g.direction[3 * row + axis] : axis == row ? 1.0 : 0.0;
  };
  const char* const element = stored == VoxelType::uint8    ? "MET_UCHAR"
                              : stored == VoxelType::uint16 ? "MET_USHORT"
                              : stored == VoxelType::int16  ? "MET_SHORT"
                                                            : "MET_FLOAT";
  MetaHeader header;
  header.text = "ObjectType = Image\nNDims = " + std::to_string(axes) +
                "\nBinaryData = True\nBinaryDataByteOrderMSB = " + (is_big_endian() ? "True" : "False") +
                "\nCompressedData = " + (compress ? "True" : "False") + "\n";
  if (compress) {
    header.text += "CompressedDataSize = " + std::string(compressed_size_digits, ' ');
    header.compressed_size_end = header.text.size();
    header.text += "\n";
  }
  header.text +=
      "TransformMatrix = " + join(axes * axes, [&](int i) { return number_text(direction(i / axes, i % axes)); }) +
      "\nOffset = " + join(axes, [&](int i) { return number_text(along(i, g.origin_mm, g.time_origin_s)); }) +
      "\nElementSpacing = " + join(axes, [&](int i) { return number_text(along(i, g.spacing_mm, time_step(image))); }) +
      "\nDimSize = " + join(axes, [&](int i) { return std::to_string(image.size[static_cast<std::size_t>(i)]); }) +
      "\nElementType = " + element + "\nElementDataFile = " + data_file + "\n";
  return header;
}

std::string nrrd_header(const ImageView& image, VoxelType stored, bool compress) {
  const Geometry& g = image.geometry;
  const int axes = axes_of(image);
  const auto vector = [&](int axis) {
    std::string text = "(";
    for (int row = 0; row < axes; ++row) {
      const double v = axis < 3 ? (row < 3 ? g.direction[3 * row + axis] * g.spacing_mm[axis] : 0.0)
                                : (row < 3 ? 0.0 : time_step(image));
      text += (row == 0 ? "" : ",") + number_text(v);
    }
    return text + ")";
  };
  std::string origin;
  for (int i = 0; i < axes; ++i) origin += (i == 0 ? "" : ",") + number_text(i < 3 ? g.origin_mm[i] : g.time_origin_s);
  const std::string type = stored == VoxelType::float32 ? "float" : to_string(stored);
  return "NRRD0004\ntype: " + type + "\ndimension: " + std::to_string(axes) + "\nspace: left-posterior-superior" +
         (image.has_time ? "-time" : "") +
         "\nsizes: " + join(axes, [&](int i) { return std::to_string(image.size[static_cast<std::size_t>(i)]); }) +
         "\nspace directions: " + join(axes, vector) +
         "\nkinds: " + join(axes, [](int) { return std::string("domain"); }) +
         "\nendian: " + (is_big_endian() ? "big" : "little") + "\nencoding: " + (compress ? "gzip" : "raw") +
         "\nspace origin: (" + origin + ")\n\n";
}

}  // namespace isocenter::detail::io
