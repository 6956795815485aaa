#pragma once
// What the operators that find boxes give: a segmentation with labels in the boxes, and the boxes as its attributes.
// See isocenter/volume/detections.hpp.
#include <cmath>
#include <isocenter/operator.hpp>
#include <string>
#include <vector>

#include "volume/box_suppression.hpp"
#include "volume/label_colours.hpp"

namespace isocenter::detail {

inline constexpr std::size_t numbers_a_box = 14;

/// The names between the '/' of a parameter.
inline std::vector<std::string> split_names(const std::string& names) {
  std::vector<std::string> all;
  for (std::size_t at = 0, end = 0; end != std::string::npos; at = end + 1) {
    end = names.find('/', at);
    all.push_back(names.substr(at, end - at));
  }
  return all;
}

/// `names` without the background; a name may hold a '/'. `where` is what messages call them.
inline void check_class_names(const std::vector<std::string>& names, const std::string& where) {
  if (names.size() > 255)
    throw Failure(ErrorCode::invalid_argument, where + " names " + std::to_string(names.size()) + " classes",
                  "name at most 255");
  for (const std::string& name : names)
    if (name.find('\\') != std::string::npos)
      throw Failure(ErrorCode::invalid_argument, where + " has the class '" + name + "', with a backslash",
                    "write lesion/nodule, for example");
}

/// Describes the output on the grid of `from`, x, y, z voxels.
inline void describe_boxes(PayloadRef output, const PayloadRef& from, const std::array<int, 3>& extent,
                           const std::vector<std::string>& class_names, int dimensions) {
  std::string names = "background";
  for (const std::string& name : class_names) names += "\\" + name;
  output.set_tensor("labels", tensor(DType::uint8, "zyx", {extent[2], extent[1], extent[0]}));
  output.set_geometry(from.geometry());
  output.inherit_attributes(from);
  isocenter_payload_set_text(output.get(), "unit", nullptr, nullptr);
  output.set_text("labels.names", names);
  output.set_numbers("labels.colours", label_colours(static_cast<int>(class_names.size()) + 1));
  output.set_text("detections.names", names);
  output.set_numbers("detections.dimensions", std::array{static_cast<double>(dimensions)});
}

/// Where boxes are painted.
struct BoxCanvas {
  std::array<int, 3> extent{};  ///< of the labels
  int dimensions = 3;
  bool outline = false;  ///< the box's outermost voxels alone, along the axes that it has
};

/// Voxel i is in a box that holds its centre, i + 1/2.
inline void paint_box(const ScoredBox& box, const BoxCanvas& canvas, std::uint8_t* labels) {
  std::array<std::int64_t, 3> begin{}, end{};
  for (std::size_t i = 0; i < 3; ++i) {
    begin[i] = static_cast<std::int64_t>(std::ceil(box.low[i] - 0.5));
    end[i] = std::min<std::int64_t>(static_cast<std::int64_t>(std::floor(box.high[i] - 0.5)) + 1, canvas.extent[i]);
  }
  const auto outermost = [&](std::size_t i, std::int64_t at) { return at == begin[i] || at + 1 == end[i]; };
  for (std::int64_t z = begin[2]; z < end[2]; ++z)
    for (std::int64_t y = begin[1]; y < end[1]; ++y) {
      const bool all = !canvas.outline || outermost(1, y) || (canvas.dimensions == 3 && outermost(2, z));
      std::uint8_t* const row = labels + (z * canvas.extent[1] + y) * canvas.extent[0];
      for (std::int64_t x = begin[0]; x < end[0]; ++x)
        if (all || outermost(0, x)) row[x] = static_cast<std::uint8_t>(box.category + 1);
    }
}

inline void append_box(const ScoredBox& box, const Geometry& geometry, std::vector<double>& values) {
  values.push_back(box.category + 1);
  values.push_back(box.score);
  for (const double v : geometry.position_mm(box.low[0] - 0.5, box.low[1] - 0.5, box.low[2] - 0.5)) values.push_back(v);
  for (std::size_t i = 0; i < 3; ++i)
    for (const double along : geometry.axis(static_cast<int>(i)))
      values.push_back(along * geometry.spacing_mm[i] * (box.high[i] - box.low[i]));
}

/// The boxes, best first, into the output's attributes, and their labels into host memory. `values` has room for them.
inline void give_boxes(const std::vector<ScoredBox>& boxes, const Geometry& geometry, const BoxCanvas& canvas,
                       std::vector<double>& values, PayloadRef output, std::uint8_t* labels) {
  const auto& extent = canvas.extent;
  std::fill_n(labels, static_cast<std::int64_t>(extent[0]) * extent[1] * extent[2], std::uint8_t{0});
  for (auto box = boxes.rbegin(); box != boxes.rend(); ++box) paint_box(*box, canvas, labels);
  values.clear();
  for (const ScoredBox& box : boxes) append_box(box, geometry, values);
  output.set_numbers("detections.boxes", values);
}

}  // namespace isocenter::detail
