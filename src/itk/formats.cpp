#include "formats.hpp"

#include <algorithm>
#include <cmath>
#include <isocenter/error.hpp>

namespace isocenter::detail::itk_io {
namespace {

const std::vector<Format>& formats() {
  static const std::vector<Format> all{
      {.image_io = ItkImageIo::nifti,
       .title = "NIfTI",
       .endings = {".nii", ".nii.gz"},
       .most_voxels = std::numeric_limits<std::int16_t>::max(),
       .keeps_time_origin = false},
      {.image_io = ItkImageIo::meta, .title = "MetaImage", .endings = {".mha", ".mhd"}, .has_compression = true},
      {.image_io = ItkImageIo::nrrd, .title = "NRRD", .endings = {".nrrd", ".nhdr"}, .has_compression = true},
      {.image_io = ItkImageIo::gipl,
       .title = "GIPL",
       .endings = {".gipl", ".gipl.gz"},
       .most_voxels = std::numeric_limits<std::uint16_t>::max(),
       .keeps_direction = false},
      {.image_io = ItkImageIo::vtk,
       .title = "legacy VTK",
       .endings = {".vtk"},
       .most_axes = 3,
       .keeps_direction = false,
       .keeps_single_slice = false},
      {.image_io = ItkImageIo::tiff,
       .title = "TIFF",
       .endings = {".tif", ".tiff"},
       .has_compression = true,
       .most_axes = 3,
       .keeps_direction = false,
       .keeps_origin = false,
       .keeps_slice_spacing = false,
       .keeps_single_slice = false},
      {.image_io = ItkImageIo::mrc,
       .title = "MRC",
       .endings = {".mrc", ".rec"},
       .most_axes = 3,
       .keeps_direction = false},
      {.image_io = ItkImageIo::hdf5, .title = "HDF5", .endings = {".h5", ".hdf5"}, .has_compression = true},
      {.image_io = ItkImageIo::analyze, .title = "Analyze", .endings = {".hdr", ".img"}, .is_written = false},
      {.image_io = ItkImageIo::bruker, .title = "Bruker", .endings = {"2dseq"}, .is_written = false}};
  return all;
}

std::string lower_name(const std::filesystem::path& path) {
  std::string name = path.filename().string();
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return name;
}

bool is_identity(const Geometry& g) {
  for (int i = 0; i < 9; ++i)
    if (std::abs(g.direction[i] - (i % 4 == 0 ? 1 : 0)) > 1e-9) return false;
  return true;
}

}  // namespace

const Format& format_of(const std::filesystem::path& path, ItkImageIo asked) {
  const std::string name = lower_name(path);
  std::string known;
  for (const Format& format : formats()) {
    if (asked == format.image_io) return format;
    for (const std::string_view ending : format.endings) {
      if (asked == ItkImageIo::automatic && name.ends_with(ending)) return format;
      known += (known.empty() ? "" : ", ") + std::string(ending);
    }
  }
  throw Failure(ErrorCode::unsupported, "'" + path.string() + "' has an ending that stands for no known format",
                "name the format with image_io, or use one of " + known);
}

bool is_gzip_name(const std::filesystem::path& path) { return lower_name(path).ends_with(".gz"); }

KeptGeometry kept_geometry(const Format& format, const ImageInfo& image) {
  KeptGeometry kept{image.geometry, ""};
  Geometry& g = kept.geometry;
  const auto lose = [&](bool is_there, const char* what) {
    if (is_there) kept.lost += (kept.lost.empty() ? "" : ", ") + std::string(what);
  };
  const bool is_picture = !format.keeps_single_slice && image.size[2] == 1;
  if (!format.keeps_direction && !is_identity(g)) {
    lose(true, "orientation");
    std::copy_n(Geometry().direction, 9, g.direction);
  }
  if (!format.keeps_origin || is_picture) {
    const int first = format.keeps_origin ? 2 : 0;
    lose(std::any_of(g.origin_mm + first, g.origin_mm + 3, [](double v) { return v != 0; }), "origin");
    std::fill(g.origin_mm + first, g.origin_mm + 3, 0.0);
  }
  if (!format.keeps_slice_spacing || is_picture) {
    lose(g.spacing_mm[2] != 1, "slice spacing");
    g.spacing_mm[2] = 1;
  }
  if (!format.keeps_time_origin && image.has_time) {
    lose(g.time_origin_s != 0, "time of the first volume");
    g.time_origin_s = 0;
  }
  return kept;
}

Apart apart(const Geometry& a, const Geometry& b, const ImageInfo& grid) {
  Apart most;
  for (int corner = 0; corner < 8; ++corner) {
    const auto index = [&](int i) { return (corner >> i & 1) != 0 ? static_cast<double>(grid.size[i] - 1) : 0.0; };
    const auto p = a.position_mm(index(0), index(1), index(2)), q = b.position_mm(index(0), index(1), index(2));
    most.mm = std::max(most.mm, std::hypot(p[0] - q[0], p[1] - q[1], p[2] - q[2]));
  }
  for (int i = 0; i < 3; ++i) most.mm = std::max(most.mm, std::abs(a.spacing_mm[i] - b.spacing_mm[i]));
  if (grid.has_time) {
    const auto last = static_cast<double>(grid.size[3] - 1);
    most.s = std::max(std::abs(a.time_origin_s - b.time_origin_s),
                      std::abs(a.time_origin_s + a.time_step_s * last - b.time_origin_s - b.time_step_s * last));
  }
  return most;
}

Apart tolerance(const ImageInfo& image) {
  const Geometry& g = image.geometry;
  double reach = 0;
  for (int i = 0; i < 3; ++i) reach += std::abs(g.origin_mm[i]) + g.spacing_mm[i] * static_cast<double>(image.size[i]);
  const double time = std::abs(g.time_origin_s) + g.time_step_s * static_cast<double>(image.size[3]);
  return {1e-6 * reach, 1e-6 * time};
}

}  // namespace isocenter::detail::itk_io
