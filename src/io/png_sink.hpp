#pragma once
// The operator png_sink; see isocenter/io/png_sink.hpp.
#include <isocenter/io/png_sink.hpp>

#include "frame_stack.hpp"
#include "numbered_path.hpp"
#include "png_file.hpp"

namespace isocenter::detail::io {

class PngSinkOperator : public OperatorBase<PngSink> {
 public:
  void plan(PlanContext& plan) override;
  void run(const RunContext& run) override;

 private:
  NumberedPath path_;
  TensorView planned_;
  PngInfo info_;
  std::int64_t written_ = 0;  ///< frames, over all items
};

}  // namespace isocenter::detail::io
