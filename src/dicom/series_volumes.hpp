#pragma once
// Series that come one after the other, each in a folder of its own, as volumes of the first one's shape.
#include <isocenter/operator.hpp>
#include <memory>
#include <string>

#include "inspect.hpp"
#include "load.hpp"

namespace isocenter::detail::dicom {

class SeriesVolumes {
 public:
  /// The first series sets the output's shape, geometry, unit and attributes.
  void describe(const std::string& folder, const Workers& workers, PayloadRef output);
  /// A series into the port "output". Throws Failure(bad_data) when it has another shape.
  void load(const std::string& folder, const RunContext& run);

 private:
  LoadPlan plan_series(const std::string& folder, const Workers& workers);

  std::unique_ptr<Report> report_;  ///< what a plan points into
  int nx_ = 0, ny_ = 0, nz_ = 0;
};

}  // namespace isocenter::detail::dicom
