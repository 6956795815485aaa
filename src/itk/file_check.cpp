#include "file_check.hpp"

#include <cmath>

#include "file_bytes.hpp"

namespace isocenter::detail::itk_io {
namespace {
namespace fs = std::filesystem;

/// The first `count` bytes of a file, inflated where its name says that it is compressed.
std::vector<std::byte> read_start(const fs::path& path, std::size_t count) {
  std::vector<std::byte> bytes(count);
  io::DataStream({path, 0, is_gzip_name(path), 0, count, false}).read(bytes);
  return bytes;
}

std::uint64_t bytes_of(const fs::path& path, const std::vector<std::int64_t>& size, std::uint64_t bytes_a_voxel) {
  io::require_grid(path, size, Geometry());
  std::uint64_t bytes = bytes_a_voxel;
  for (const std::int64_t n : size) bytes *= static_cast<std::uint64_t>(n);
  return bytes;
}

/// The width in bytes of a type of voxel, from pairs of the format's code and the width.
template <std::size_t N>
std::uint64_t width_of(const fs::path& path, const char* field, int code, const std::pair<int, int> (&known)[N]) {
  for (const auto& [number, width] : known)
    if (number == code) return static_cast<std::uint64_t>(width);
  fail(ErrorCode::unsupported, path,
       std::string("holds voxels of ") + field + " = " + std::to_string(code) + ", which is not read",
       "save it with real numbers or whole numbers, one for each voxel");
}

/// GIPL: 256 bytes, big-endian: extents at 0 (0 for an axis that is not there), type at 8, magic number at 252.
HeaderFacts check_gipl(const fs::path& path) {
  constexpr std::size_t header_bytes = 256;
  const std::vector<std::byte> h = read_start(path, header_bytes);
  const auto magic = number_at<std::uint32_t>(h, 252, true);
  if (magic != 0xEFFFE9B0 && magic != 0x2AE389B8)
    fail(ErrorCode::bad_data, path, "is not a GIPL file: it has no magic number at byte 252", "give a GIPL file");
  constexpr std::pair<int, int> widths[] = {{1, 1},  {7, 1},  {8, 1},  {15, 2}, {16, 2},
                                            {31, 4}, {32, 4}, {64, 4}, {65, 8}};
  HeaderFacts facts;
  for (std::size_t axis = 0; axis < 4; ++axis) {
    const auto n = number_at<std::uint16_t>(h, 2 * axis, true);
    if (axis < 3 || n > 1) facts.size.push_back(n);
  }
  const auto width = width_of(path, "GIPL type", number_at<std::uint16_t>(h, 8, true), widths);
  const bool is_compressed = is_gzip_name(path);
  facts.data = io::DataLocation{path,
                                is_compressed ? 0 : header_bytes,
                                is_compressed,
                                is_compressed ? header_bytes : 0,
                                bytes_of(path, facts.size, width),
                                true};
  if (is_compressed && facts.data->bytes > std::numeric_limits<std::int32_t>::max())
    fail(ErrorCode::unsupported, path, "holds more than 2 GiB of voxels, and ITK reads less of a compressed GIPL file",
         "decompress it");
  facts.has_orientation = false;
  return facts;
}

/// MRC2014: 1024 bytes and an extended header: extents at 0, mode at 12, the extended header's length at 92, "MAP " at
/// 208, the byte order at 212 (Cheng et al., J. Struct. Biol. 192 (2015) 146, table 1).
HeaderFacts check_mrc(const fs::path& path) {
  constexpr std::size_t header_bytes = 1024;
  const std::vector<std::byte> h = read_start(path, header_bytes);
  if (std::memcmp(&h[208], "MAP", 3) != 0)
    fail(ErrorCode::bad_data, path, "is not an MRC file: it has no 'MAP' at byte 208", "give an MRC file");
  const bool is_big_endian = h[212] == std::byte{17};
  const auto number = [&](std::size_t offset) { return number_at<std::int32_t>(h, offset, is_big_endian); };
  constexpr std::pair<int, int> widths[] = {{0, 1}, {1, 2}, {2, 4}, {6, 2}};
  HeaderFacts facts;
  facts.size = {number(0), number(4), number(8)};
  const auto width = width_of(path, "MRC mode", number(12), widths);
  if (number(92) < 0)
    fail(ErrorCode::bad_data, path, "has an extended header of " + std::to_string(number(92)) + " bytes",
         "correct its header");
  facts.data = io::DataLocation{
      path,         header_bytes + static_cast<std::uint64_t>(number(92)), false, 0, bytes_of(path, facts.size, width),
      is_big_endian};
  facts.has_orientation = false;
  return facts;
}

/// Analyze 7.5: 348 bytes (dbh.h of the Mayo Clinic): their own number at 0, extents at 40, datatype at 70, vox_offset
/// at 108. The voxels are in the .img beside it.
HeaderFacts check_analyze(const fs::path& path) {
  fs::path header = path, image = path;
  header.replace_extension(".hdr");
  image.replace_extension(".img");
  const std::vector<std::byte> h = read_start(header, 348);
  const bool is_big_endian = number_at<std::int32_t>(h, 0, true) == 348;
  if (!is_big_endian && number_at<std::int32_t>(h, 0, false) != 348)
    fail(ErrorCode::bad_data, header, "is not an Analyze header: it does not begin with its own size, 348",
         "give an Analyze file, or name the format with image_io");
  if (std::memcmp(&h[344], "n", 1) == 0)
    fail(ErrorCode::unsupported, header, "is a NIfTI header with its voxels in another file",
         "save it as one .nii file");
  const auto number = [&](std::size_t offset) { return number_at<std::int16_t>(h, offset, is_big_endian); };
  constexpr std::pair<int, int> widths[] = {{2, 1}, {4, 2}, {8, 4}, {16, 4}, {64, 8}};
  HeaderFacts facts;
  const int axes = number(40);
  if (axes < 2 || axes > 7)
    fail(ErrorCode::bad_data, header, "has " + std::to_string(axes) + " axes", "correct its header");
  for (std::size_t axis = 1; axis <= static_cast<std::size_t>(axes); ++axis) {
    if (axis > 4 && number(40 + 2 * axis) > 1)
      fail(ErrorCode::unsupported, header,
           "has " + std::to_string(number(40 + 2 * axis)) + " entries along axis " + std::to_string(axis) +
               ", and x, y, z and t are read",
           "save each component as a file of its own");
    if (axis <= 4) facts.size.push_back(number(40 + 2 * axis));
  }
  const auto offset = number_at<float>(h, 108, is_big_endian);
  if (!(offset >= 0 && offset < 1e9F))
    fail(ErrorCode::bad_data, header, "has vox_offset = " + std::to_string(offset), "correct its header");
  facts.data = io::DataLocation{image,
                                static_cast<std::uint64_t>(offset),
                                false,
                                0,
                                bytes_of(header, facts.size, width_of(header, "Analyze datatype", number(70), widths)),
                                is_big_endian};
  facts.has_orientation = false;
  return facts;
}

/// The HDF5 superblock, which says how long the file is (HDF5 File Format Specification 3.0, section II.A). The library
/// itself checks the rest.
HeaderFacts check_hdf5(const fs::path& path) {
  constexpr unsigned char signature[] = {0x89, 'H', 'D', 'F', '\r', '\n', 0x1A, '\n'};
  const std::vector<std::byte> h = read_start(path, 64);
  const auto version = std::to_integer<int>(h[8]);
  const auto width = h[version < 2 ? 13 : 9];
  if (std::memcmp(h.data(), signature, sizeof signature) != 0 || version > 3 || width != std::byte{8})
    fail(ErrorCode::bad_data, path, "is not an HDF5 file with a superblock of version 0 to 3 and offsets of 8 bytes",
         "give a .h5 file that ITK wrote");
  const auto end = number_at<std::uint64_t>(h, version == 0 ? 40 : version == 1 ? 44 : 28, false);
  if (const std::uint64_t bytes = io::InputFile(path).size(); bytes < end)
    fail(ErrorCode::bad_data, path,
         "is truncated: " + std::to_string(end) + " bytes are needed and it holds " + std::to_string(bytes),
         "get a complete copy of it");
  return {};
}

/// Bruker ParaVision: the parameters are in visu_pars beside the voxels (JCAMP-DX 4.24), and end with ##END. ITK 5.2
/// looks for the next parameter for ever when there is none; it compares the voxels' number with the file itself.
HeaderFacts check_bruker(const fs::path& path) {
  const io::InputFile voxels(path);
  const fs::path parameters = fs::path(path).replace_filename("visu_pars");
  const std::vector<std::byte> bytes = io::read_file(parameters);
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const std::size_t end = text.rfind("\n##END"), last = text.rfind("\n##$");
  if (end == std::string_view::npos || last == std::string_view::npos || last > end)
    fail(ErrorCode::bad_data, parameters, "is truncated: it does not end with ##END after its parameters",
         "get a complete copy of it");
  return {};
}

HeaderFacts check_with_io(const fs::path& path, io::ImageFormat format) {
  HeaderFacts facts;
  facts.image = io::read_image_info(path, format);
  const auto& n = facts.image->size;
  facts.size.assign(n.begin(), n.begin() + (facts.image->has_time ? 4 : 3));
  facts.data = facts.image->data;
  facts.has_orientation = facts.image->has_orientation;
  return facts;
}

}  // namespace

HeaderFacts check_header(const fs::path& path, const Format& format) {
  switch (format.image_io) {
    case ItkImageIo::nifti:
      return check_with_io(path, io::ImageFormat::nifti);
    case ItkImageIo::meta:
      return check_with_io(path, io::ImageFormat::meta);
    case ItkImageIo::nrrd:
      return check_with_io(path, io::ImageFormat::nrrd);
    case ItkImageIo::gipl:
      return check_gipl(path);
    case ItkImageIo::vtk:
      return check_vtk(path);
    case ItkImageIo::tiff:
      return check_tiff(path);
    case ItkImageIo::mrc:
      return check_mrc(path);
    case ItkImageIo::analyze:
      return check_analyze(path);
    case ItkImageIo::hdf5:
      return check_hdf5(path);
    case ItkImageIo::bruker:
      return check_bruker(path);
    case ItkImageIo::automatic:  // no format
      break;
  }
  return {};
}

void check_voxels(const HeaderFacts& facts, const io::ReadProgress& progress) {
  if (!facts.data) return;
  io::DataStream stream(*facts.data);  // compares what is not compressed with the file's size
  if (!facts.data->is_compressed) return;
  std::vector<std::byte> piece(std::size_t{1} << 20);
  for (std::uint64_t done = 0; done < facts.data->bytes;) {
    progress(static_cast<double>(done) / static_cast<double>(facts.data->bytes));
    const auto count = std::min<std::uint64_t>(piece.size(), facts.data->bytes - done);
    stream.read(std::span(piece).first(static_cast<std::size_t>(count)));
    done += count;
  }
  stream.finish();
}

}  // namespace isocenter::detail::itk_io
