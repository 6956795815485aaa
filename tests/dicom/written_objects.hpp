#pragma once
// What tests of writing share: a source to write from, a look into a file, and a disk that is too small.
#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dctk.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <array>
#include <cmath>
#include <csignal>
#include <filesystem>
#include <string>
#include <vector>

#include "dicom/inspect.hpp"
#include "dicom/load.hpp"
#include "dicom/output_description.hpp"
#include "dicom/source_metadata.hpp"
#include "dicom/synthetic_series.hpp"
#include "dicom/write_series.hpp"

namespace isocenter::testing {

using namespace isocenter::detail::dicom;
namespace fs = std::filesystem;

/// A loaded series with what writers need of it.
struct Source {
  Report report;
  LoadPlan plan;
  std::vector<float> voxels;
  SourceMetadata metadata;
  VolumeToWrite volume;

  explicit Source(const fs::path& path) : report(inspect(path.string(), Workers())), plan(plan_load(report, {})) {
    const StackGeometry& g = plan.grid;
    voxels.resize(static_cast<std::size_t>(g.nx) * static_cast<std::size_t>(g.ny) * static_cast<std::size_t>(g.nz));
    load(plan, Workers(), voxels);
    metadata = source_metadata(plan);
    volume.voxels = voxels;
    volume.nx = g.nx;
    volume.ny = g.ny;
    volume.nz = g.nz;
    volume.unit = plan.unit;
    volume.geometry = Geometry({g.dx_mm, g.dy_mm, g.dz_mm}, {g.origin.x, g.origin.y, g.origin.z});
    const Vec3 axes[] = {g.row, g.column, g.normal};
    for (int i = 0; i < 3; ++i) {
      volume.geometry.direction[i] = axes[i].x;
      volume.geometry.direction[3 + i] = axes[i].y;
      volume.geometry.direction[6 + i] = axes[i].z;
    }
  }
};

inline OutputDescription description() {
  OutputDescription d;
  d.equipment.software_version = "1.0.0";
  d.provenance = "[{\"operator\": \"test\"}]";
  d.series_description = "Derived";
  d.series_number = 1001;
  d.derivation_description = "Smoothed";
  d.derivation = {"113087", "DCM", "Smoothing"};
  return d;
}

inline void write_oblique(const fs::path& folder, int count = 4) {
  // Rotated about z, then tilted about the row: no axis of the patient is an axis of the volume.
  const double a = 0.4, b = 0.3;
  const std::array<double, 3> row{std::cos(a), std::sin(a), 0};
  const std::array<double, 3> column{-std::sin(a) * std::cos(b), std::cos(a) * std::cos(b), std::sin(b)};
  const std::array<double, 3> normal{row[1] * column[2] - row[2] * column[1], row[2] * column[0] - row[0] * column[2],
                                     row[0] * column[1] - row[1] * column[0]};
  fs::create_directories(folder);
  for (int k = 0; k < count; ++k) {
    SyntheticSlice s;
    s.orientation = {row[0], row[1], row[2], column[0], column[1], column[2]};
    for (std::size_t i = 0; i < 3; ++i) s.position[i] = 11 + 5 * static_cast<double>(i) + 3 * k * normal[i];
    s.row_spacing = 0.8;
    s.column_spacing = 0.6;
    s.instance_number = k + 1;
    s.set = {{0x00100010, "Oblique^Patient"}, {0x00100040, "F"}, {0x00081030, "A study"}};
    write_slice(folder / ("o" + std::to_string(k)), s);
  }
}

inline std::string value(const fs::path& file, const DcmTagKey& tag) {
  DcmFileFormat format;
  EXPECT_TRUE(format.loadFile(OFFilename(file.c_str())).good()) << file;
  OFString text;
  if (format.getDataset()->findAndGetOFStringArray(tag, text).bad())
    format.getDataset()->findAndGetOFStringArray(tag, text, OFTrue);  // inside a sequence
  return text.c_str();
}

/// Files of this process cannot grow beyond a size while it lives: what a full disk does, without one.
class SmallDisk {
 public:
  explicit SmallDisk(rlim_t bytes) {
    handler_ = std::signal(SIGXFSZ, SIG_IGN);
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit now{bytes, before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &now);
  }
  ~SmallDisk() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }

 private:
  rlimit before_{};
  void (*handler_)(int) = nullptr;
};

}  // namespace isocenter::testing
