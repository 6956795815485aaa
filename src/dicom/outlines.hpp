#pragma once
// The outlines of a mask in one plane as closed polygons. Nothing of DICOM in here.
#include <functional>
#include <vector>

namespace isocenter::detail::dicom {

/// A corner of a pixel: corner (x, y) lies between pixels x - 1 and x, y - 1 and y.
struct Corner {
  int x = 0, y = 0;
  bool operator==(const Corner&) const = default;
};

/// A polygon for each part of the mask whose pixels share an edge (4-connected), along the pixels' edges, so that the
/// pixels whose centre lies inside are exactly the part's. A part with holes is one polygon still: a channel without
/// width leads to each hole (PS3.3 C.8.8.6.3 describes the technique). Corners in the middle of a straight run are left
/// out. Order: by the part's first pixel in row order. Time and memory grow with the number of pixels and the outlines'
/// length.
std::vector<std::vector<Corner>> outlines(int nx, int ny, const std::function<bool(int x, int y)>& inside);

}  // namespace isocenter::detail::dicom
