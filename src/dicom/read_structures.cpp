#include "read_structures.hpp"

#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dcdeftag.h>

#include <algorithm>
#include <cmath>
#include <isocenter/error.hpp>
#include <map>

#include "dataset_values.hpp"
#include "single_object.hpp"

namespace isocenter::detail::dicom {
namespace {

constexpr Attribute roi_number{0x3006, 0x0022, "ROINumber"};
constexpr Attribute roi_name{0x3006, 0x0026, "ROIName"};
constexpr Attribute display_colour{0x3006, 0x002A, "ROIDisplayColor"};
constexpr Attribute geometric_type{0x3006, 0x0042, "ContourGeometricType"};
constexpr Attribute contour_data{0x3006, 0x0050, "ContourData"};
constexpr Attribute referenced_roi{0x3006, 0x0084, "ReferencedROINumber"};
constexpr Attribute referenced_frame{0x3006, 0x0024, "ReferencedFrameOfReferenceUID"};

constexpr double farthest_mm = 1e6;

void read_contours(const std::string& path, DcmItem& item, Structure3D& structure) {
  for (unsigned long i = 0; DcmItem* const contour = sequence_item(item, DCM_ContourSequence, i); ++i) {
    const std::string type = text_value(*contour, geometric_type);
    if (type != "CLOSED_PLANAR" && type != "CLOSEDPLANAR_XOR") {
      ++structure.other_contours;
      continue;
    }
    const auto values = numbers(*contour, contour_data);
    if (!values || values->size() < 9 || values->size() % 3 != 0)
      throw Failure(ErrorCode::bad_data,
                    "'" + path + "': " + text(contour_data) + " of contour " + std::to_string(i + 1) + " of '" +
                        structure.name + "' is not three numbers for each of at least three points",
                    "export the structure set again");
    std::vector<Vec3> points;
    for (std::size_t k = 0; k < values->size(); k += 3) {
      points.push_back({(*values)[k], (*values)[k + 1], (*values)[k + 2]});
      if (largest_component(points.back()) > farthest_mm)
        throw Failure(ErrorCode::bad_data,
                      "'" + path + "': " + text(contour_data) + " of contour " + std::to_string(i + 1) + " of '" +
                          structure.name + "' has a point beyond 1 km",
                      "export the structure set again");
    }
    structure.contours.push_back(std::move(points));
  }
}

using Polygon = std::vector<Vec3>;  // x and y in voxels

/// Flips the voxels of a plane whose centres lie inside one polygon: between the first and second crossing of their
/// row, the third and fourth, ...
void flip_inside(const Polygon& polygon, int nx, int ny, std::vector<std::uint8_t>& plane) {
  std::vector<double> crossings;
  for (int y = 0; y < ny; ++y) {
    crossings.clear();
    for (std::size_t i = 0; i < polygon.size(); ++i) {
      const Vec3 &a = polygon[i], &b = polygon[(i + 1) % polygon.size()];
      if ((a.y <= y) == (b.y <= y)) continue;
      crossings.push_back(a.x + (y - a.y) / (b.y - a.y) * (b.x - a.x));
    }
    std::sort(crossings.begin(), crossings.end());
    for (std::size_t i = 0; i + 1 < crossings.size(); i += 2) {
      const int begin = static_cast<int>(std::clamp(std::ceil(crossings[i]), 0.0, static_cast<double>(nx)));
      const int end = static_cast<int>(std::clamp(std::ceil(crossings[i + 1]), 0.0, static_cast<double>(nx)));
      for (int x = begin; x < end; ++x)
        plane[static_cast<std::size_t>(y) * static_cast<std::size_t>(nx) + static_cast<std::size_t>(x)] ^= 1U;
    }
  }
}

}  // namespace

StructureSet open_structure_set(const std::string& path) {
  DcmFileFormat header;
  open_header(path, header);
  DcmItem& dataset = *header.getDataset();
  StructureSet set;
  std::map<int, std::size_t> place;
  for (unsigned long i = 0; DcmItem* const item = sequence_item(dataset, DCM_StructureSetROISequence, i); ++i) {
    const auto number = integer(*item, roi_number);
    if (!number)
      throw Failure(ErrorCode::bad_data,
                    "'" + path + "': " + text(roi_number) + " = '" + text_value(*item, roi_number) + "' is no number",
                    "export the structure set again");
    Structure3D s;
    s.number = *number;
    s.name = text_value(*item, roi_name);
    if (s.name.empty()) s.name = "ROI " + std::to_string(*number);
    if (set.frame_of_reference_uid.empty()) set.frame_of_reference_uid = text_value(*item, referenced_frame);
    place[*number] = set.structures.size();
    set.structures.push_back(std::move(s));
  }
  if (set.structures.empty())
    throw Failure(ErrorCode::bad_data, "'" + path + "' has no StructureSetROISequence (3006,0020) with items",
                  "name an RT Structure Set");
  for (unsigned long i = 0; DcmItem* const item = sequence_item(dataset, DCM_ROIContourSequence, i); ++i) {
    const auto number = integer(*item, referenced_roi);
    const auto found = number ? place.find(*number) : place.end();
    if (found == place.end())
      throw Failure(ErrorCode::bad_data,
                    "'" + path + "': " + text(referenced_roi) + " = '" + text_value(*item, referenced_roi) +
                        "' is none of the structures",
                    "export the structure set again");
    Structure3D& structure = set.structures[found->second];
    if (const auto rgb = numbers(*item, display_colour); rgb && rgb->size() == 3)
      for (std::size_t c = 0; c < 3; ++c) structure.srgb[c] = std::clamp((*rgb)[c] / 255, 0.0, 1.0);
    read_contours(path, *item, structure);
  }
  return set;
}

void fill_structure(const Structure3D& structure, const VoxelGrid& grid,
                    const std::function<std::uint8_t(std::uint8_t old)>& claim, std::span<std::uint8_t> mask) {
  std::map<int, std::vector<Polygon>> planes;
  for (std::size_t c = 0; c < structure.contours.size(); ++c) {
    Polygon polygon;
    double low = 1e300, high = -1e300;
    for (const Vec3& p : structure.contours[c]) {
      polygon.push_back(grid.index(p));
      low = std::fmin(low, polygon.back().z);
      high = std::fmax(high, polygon.back().z);
    }
    if (!(high - low <= 0.5))
      throw Failure(ErrorCode::bad_data,
                    "contour " + std::to_string(c + 1) + " of structure '" + structure.name +
                        "' does not lie in one plane of the reference: it spans " + std::to_string(high - low) +
                        " slices",
                    "give the volume on which the structures were drawn as reference");
    const double plane = std::round(0.5 * (low + high));
    if (plane >= 0 && plane < grid.extent[2]) planes[static_cast<int>(plane)].push_back(std::move(polygon));
  }
  const std::size_t area = static_cast<std::size_t>(grid.extent[0]) * static_cast<std::size_t>(grid.extent[1]);
  std::vector<std::uint8_t> inside(area);
  for (const auto& [z, polygons] : planes) {
    std::fill(inside.begin(), inside.end(), std::uint8_t{0});
    for (const Polygon& p : polygons) flip_inside(p, grid.extent[0], grid.extent[1], inside);
    std::uint8_t* voxel = mask.data() + static_cast<std::size_t>(z) * area;
    for (std::size_t i = 0; i < area; ++i)
      if (inside[i] != 0) voxel[i] = claim(voxel[i]);
  }
}

}  // namespace isocenter::detail::dicom
