// libFuzzer target: whatever is in a geometry file, the parser gives finite views or an Error; and what it gives can be
// written and read again. The last byte also chooses what matrices mean.
#include <cstdint>
#include <cstdlib>

#include "recon/geometry_file.hpp"

using namespace isocenter;
using namespace isocenter::detail;

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

void write_and_read(const ScanGeometry& scan, const DetectorSampling& sampling) {
  std::string text;
  try {
    text = rtk_geometry_text(scan, sampling);
  } catch (const Error&) {
    return;  // RTK's geometry cannot hold it
  }
  try {
    require(parse_geometry(text, "written", {sampling}).views.size() == scan.views.size());
  } catch (const Error&) {
    // Numbers near the ends of double lose their digits in the matrices; then they are refused.
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  GeometryFileOptions options{{-10, -20, 2, 3}};
  options.matrix_space = (data[size - 1] & 1) != 0 ? MatrixSpace::iec61217 : MatrixSpace::lps;
  options.matrix_target = (data[size - 1] & 2) != 0 ? MatrixTarget::detector_mm : MatrixTarget::elements;
  try {
    const ScanGeometry scan = parse_geometry({reinterpret_cast<const char*>(data), size}, "fuzzed", options);
    require(!scan.views.empty());
    for (const View& v : scan.views)
      for (const Vector3* p : {&v.source_mm, &v.detector_origin_mm, &v.u_step_mm, &v.v_step_mm})
        for (const double x : *p) require(std::isfinite(x));
    write_and_read(scan, options.sampling);
  } catch (const Error&) {
  }
  return 0;
}
