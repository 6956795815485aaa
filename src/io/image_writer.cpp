#include "image_writer.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <isocenter/error.hpp>
#include <limits>
#include <optional>

#include "image_headers.hpp"
#include "number_text.hpp"

namespace isocenter::detail::io {
namespace {

[[noreturn]] void fail(const std::filesystem::path& path, const std::string& what, const std::string& fix) {
  throw Failure(ErrorCode::bad_data, "the image for '" + path.string() + "' " + what, fix);
}

[[noreturn]] void fail_at(const std::filesystem::path& path, const ImageView& image, std::uint64_t index,
                          const std::string& what, const std::string& fix) {
  ImageInfo info;
  info.size = image.size;
  info.has_time = image.has_time;
  const auto before = static_cast<std::uint64_t>(image.first_slice * image.size[0] * image.size[1]);
  info.size[2] += image.first_slice;
  fail(path, "has " + what + " at voxel " + voxel_text(info, static_cast<std::int64_t>(index + before)), fix);
}

template <class T>
void convert(const std::filesystem::path& path, const ImageView& image, std::uint64_t first, std::uint64_t count,
             std::byte* out) {
  constexpr double low = std::numeric_limits<T>::min(), high = std::numeric_limits<T>::max();
  const float* values = static_cast<const float*>(image.voxels) + first;
  for (std::uint64_t i = 0; i < count; ++i) {
    const double rounded = std::nearbyint(static_cast<double>(values[i]));
    if (!(rounded >= low && rounded <= high))
      fail_at(path, image, first + i,
              "the value " + number_text(static_cast<double>(values[i])) + ", which does not fit into " +
                  number_text(low) + " to " + number_text(high) + ",",
              "store it as float32 (voxel_type: input), or rescale the values");
    const T stored = static_cast<T>(rounded);
    std::memcpy(out + i * sizeof(T), &stored, sizeof(T));
  }
}

/// Gives the bytes of the voxels as they are stored.
class StoredBytes {
 public:
  StoredBytes(const std::filesystem::path& path, const ImageView& image, VoxelType stored)
      : path_(path), image_(image), stored_(stored) {}

  /// `offset` and the size of `out` are multiples of a voxel.
  void fill(std::uint64_t offset, std::span<std::byte> out) const {
    const std::size_t width = size_of(stored_);
    const std::uint64_t first = offset / width, count = out.size() / width;
    if (stored_ == VoxelType::int16 && image_.type == VoxelType::float32)
      return convert<std::int16_t>(path_, image_, first, count, out.data());
    if (stored_ == VoxelType::uint8 && image_.type == VoxelType::float32)
      return convert<std::uint8_t>(path_, image_, first, count, out.data());
    if (image_.type == VoxelType::float32) require_finite(first, count);
    std::memcpy(out.data(), static_cast<const std::byte*>(image_.voxels) + offset, out.size());
  }

 private:
  void require_finite(std::uint64_t first, std::uint64_t count) const {
    const float* values = static_cast<const float*>(image_.voxels) + first;
    for (std::uint64_t i = 0; i < count; ++i)
      if (!std::isfinite(values[i]))
        fail_at(path_, image_, first + i, "the value " + number_text(static_cast<double>(values[i])),
                "look for the operator that made it: compare the report's input and output statistics");
  }

  const std::filesystem::path& path_;
  const ImageView& image_;
  VoxelType stored_;
};

std::uint64_t bytes_of(const ImageView& image, VoxelType stored) {
  std::uint64_t n = size_of(stored);
  for (const std::int64_t extent : image.size) n *= static_cast<std::uint64_t>(extent);
  return n;
}

bool ends_with(const std::filesystem::path& path, std::string_view ending) {
  const std::string name = path.filename().string();
  return name.size() >= ending.size() && std::equal(ending.rbegin(), ending.rend(), name.rbegin(), [](char a, char b) {
           return a == static_cast<char>(std::tolower(static_cast<unsigned char>(b)));
         });
}

struct Job {
  const std::filesystem::path& path;
  const ImageView& image;
  const ImageFileOptions& options;
  const isocenter_launcher& launcher;
  const WriteProgress& progress;

  void write_voxels(StagedFile& file, Envelope envelope) const {
    const StoredBytes voxels(path, image, options.stored);
    write_block(
        file, envelope, bytes_of(image, options.stored),
        [&](std::uint64_t offset, std::span<std::byte> out) { voxels.fill(offset, out); }, launcher, progress);
  }
};

void write_nifti(const Job& job) {
  const std::vector<std::byte> header = nifti_header(job.image, job.options.stored);
  StagedFile file(job.path);
  if (!ends_with(job.path, ".gz")) {
    file.write(header);
    job.write_voxels(file, Envelope::none);
  } else {
    // Header and voxels are one compressed stream; its pieces need not begin with a whole voxel's first byte, but do:
    // the header's 352 bytes and the pieces are multiples of 32.
    const StoredBytes voxels(job.path, job.image, job.options.stored);
    const auto source = [&](std::uint64_t offset, std::span<std::byte> out) {
      if (offset < header.size()) {
        const std::size_t n = std::min(out.size(), header.size() - static_cast<std::size_t>(offset));
        std::memcpy(out.data(), header.data() + offset, n);
        out = out.subspan(n);
        offset += n;
      }
      voxels.fill(offset - header.size(), out);
    };
    write_block(file, Envelope::gzip, header.size() + bytes_of(job.image, job.options.stored), source, job.launcher,
                job.progress);
  }
  file.commit();
}

void fill_in_compressed_size(StagedFile& file, const MetaHeader& header, std::uint64_t size) {
  const std::string digits = std::to_string(size);
  file.overwrite(header.compressed_size_end - digits.size(), std::as_bytes(std::span(digits)));
}

void write_meta(const Job& job) {
  const bool compress = job.options.compress;
  const Envelope envelope = compress ? Envelope::zlib : Envelope::none;
  StagedFile file(job.path);
  if (ends_with(job.path, ".mha")) {
    const MetaHeader header = meta_header(job.image, job.options.stored, compress, "LOCAL");
    file.write(header.text);
    job.write_voxels(file, envelope);
    if (compress) fill_in_compressed_size(file, header, file.size() - header.text.size());
    file.commit();
    return;
  }
  std::filesystem::path data_path = job.path;
  data_path.replace_extension(compress ? ".zraw" : ".raw");
  StagedFile data(data_path);
  job.write_voxels(data, envelope);
  const MetaHeader header = meta_header(job.image, job.options.stored, compress, data_path.filename().string());
  file.write(header.text);
  if (compress) fill_in_compressed_size(file, header, data.size());
  data.commit();
  file.commit();
}

void write_nrrd(const Job& job) {
  StagedFile file(job.path);
  file.write(nrrd_header(job.image, job.options.stored, job.options.compress));
  job.write_voxels(file, job.options.compress ? Envelope::gzip : Envelope::none);
  file.commit();
}

}  // namespace

void require_storable(const std::filesystem::path& path, const ImageView& image) {
  const ImageFormat format = image_format_of(path);
  if (ends_with(path, ".nhdr"))
    throw Failure(ErrorCode::unsupported,
                  "'" + path.string() + "' asks for a NRRD header without its data, which is only read", "write .nrrd");
  const Geometry& g = image.geometry;
  for (std::size_t i = 0; i < 4; ++i) {
    if (image.size[i] < 1) fail(path, "has no voxels", "check the node that makes it");
    if (format == ImageFormat::nifti && image.size[i] > std::numeric_limits<std::int16_t>::max())
      fail(path,
           "has " + std::to_string(image.size[i]) + " voxels along " + "xyzt"[i] + ", and NIfTI-1 holds at most 32767",
           "write .mha or .nrrd");
  }
  for (int i = 0; i < 3; ++i) {
    const auto axis = g.axis(i);
    const double length = std::sqrt(axis[0] * axis[0] + axis[1] * axis[1] + axis[2] * axis[2]);
    if (!(g.spacing_mm[i] > 0) || !std::isfinite(g.spacing_mm[i]) || !std::isfinite(g.origin_mm[i]) ||
        !(std::abs(length - 1) < 1e-3))
      fail(path,
           "has spacing " + number_text(g.spacing_mm[i]) + " mm, origin " + number_text(g.origin_mm[i]) +
               " mm and a direction of length " + number_text(length) + " along " + "xyz"[i],
           "give the volume a geometry with positive spacing and unit directions");
  }
  if (image.size[3] > 1 && !(g.time_step_s > 0 && std::isfinite(g.time_step_s)))
    fail(
        path,
        "has " + std::to_string(image.size[3]) + " time points and a time step of " + number_text(g.time_step_s) + " s",
        "set the geometry's time_step_s");
}

SlabImageFile::SlabImageFile(const std::filesystem::path& path, const ImageView& whole, const ImageFileOptions& options)
    : path_(path), options_(options), file_(path) {
  require_storable(path, whole);
  std::string data_name = "LOCAL";
  if (ends_with(path, ".mhd")) {
    std::filesystem::path data = path;
    data.replace_extension(".raw");
    data_name = data.filename().string();
    data_.emplace(data);
  }
  switch (image_format_of(path)) {
    case ImageFormat::nifti:
      file_.write(nifti_header(whole, options.stored));
      break;
    case ImageFormat::meta:
      file_.write(meta_header(whole, options.stored, false, data_name).text);
      break;
    case ImageFormat::nrrd:
      file_.write(nrrd_header(whole, options.stored, false));
      break;
  }
}

void SlabImageFile::append(const ImageView& slab, const isocenter_launcher& launcher, const WriteProgress& progress) {
  Job{path_, slab, options_, launcher, progress}.write_voxels(data_ ? *data_ : file_, Envelope::none);
}

void SlabImageFile::commit() {
  if (data_) data_->commit();
  file_.commit();
}

std::string why_no_slabs(const std::filesystem::path& path, const ImageFileOptions& options) {
  return options.compress || ends_with(path, ".gz") ? "is compressed as one stream" : "";
}

void write_image(const std::filesystem::path& path, const ImageView& image, const ImageFileOptions& options,
                 const isocenter_launcher& launcher, const WriteProgress& progress) {
  require_storable(path, image);
  const Job job{path, image, options, launcher, progress};
  switch (image_format_of(path)) {
    case ImageFormat::nifti:
      return write_nifti(job);
    case ImageFormat::meta:
      return write_meta(job);
    case ImageFormat::nrrd:
      return write_nrrd(job);
  }
}

}  // namespace isocenter::detail::io
