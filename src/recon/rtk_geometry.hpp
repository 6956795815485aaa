#pragma once
// RTK's geometry file.
#include "recon/geometry_file.hpp"

namespace isocenter::detail {

ScanGeometry parse_rtk_geometry(std::string_view text, const std::string& name, const DetectorSampling& sampling);

}  // namespace isocenter::detail
