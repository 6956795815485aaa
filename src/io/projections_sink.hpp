#pragma once
// The operator projections_sink; see isocenter/io/projections_sink.hpp.
#include <isocenter/io/projections_sink.hpp>

#include "image_writer.hpp"
#include "numbered_path.hpp"

namespace isocenter::detail::io {

class ProjectionsSinkOperator : public OperatorBase<ProjectionsSink> {
 public:
  void plan(PlanContext& plan) override;
  void run(const RunContext& run) override;

 private:
  enum class GeometryFormat { rtk, matrices, gantry_table };

  std::string geometry_text(const Payload& projections) const;

  NumberedPath path_, geometry_path_;
  GeometryFormat format_ = GeometryFormat::rtk;
  TensorView planned_;
  ImageView image_;  ///< without its values
  ImageFileOptions options_;
};

}  // namespace isocenter::detail::io
