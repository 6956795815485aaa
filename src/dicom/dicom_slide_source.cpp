#include "dicom_slide_source.hpp"

#include "picture.hpp"
#include "source_metadata.hpp"

namespace isocenter::detail::dicom {

void DicomSlideSourceOperator::plan(PlanContext& plan) {
  slide_ = open_slide(params.path);
  const std::int64_t width = params.width > 0 ? params.width : slide_.columns - params.x;
  const std::int64_t height = params.height > 0 ? params.height : slide_.rows - params.y;
  if (width < 1 || height < 1 || params.x + width > slide_.columns || params.y + height > slide_.rows)
    throw Failure(ErrorCode::invalid_argument,
                  "x = " + std::to_string(params.x) + ", y = " + std::to_string(params.y) +
                      ", width = " + std::to_string(params.width) + ", height = " + std::to_string(params.height) +
                      " reaches beyond the slide of " + std::to_string(slide_.columns) + " x " +
                      std::to_string(slide_.rows) + " pixels",
                  "ask for a region of the slide");
  region_ = {static_cast<int>(params.x), static_cast<int>(params.y), static_cast<int>(width), static_cast<int>(height)};
  PayloadRef output = plan.output("output");
  output.like(Frames::describe(1, height, width, 0), "pixels");
  write_metadata(metadata_of(slide_.image, params.path, 0), output);
  plan.items(1);
  plan.declare_host_memory(
      (PictureReader::working_bytes(slide_.image) + 3 * static_cast<std::uint64_t>(slide_.image.format.rows) *
                                                        static_cast<std::uint64_t>(slide_.image.format.columns)) *
      static_cast<std::uint64_t>(Workers(plan.launcher()).concurrency()));
  plan.fact("columns", std::to_string(slide_.columns));
  plan.fact("rows", std::to_string(slide_.rows));
}

void DicomSlideSourceOperator::run(const RunContext& run) {
  if (run.sequence() > 0) throw EndOfStream{};
  read_region(
      slide_, region_, Workers(run.launcher()), [&] { run.check_cancelled(); },
      run.output("output").tensor("pixels").span<std::uint8_t>());
}

}  // namespace isocenter::detail::dicom
