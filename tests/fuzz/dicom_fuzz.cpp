// Any bytes as a DICOM file: scanned, assembled, loaded, shown and labelled when something in them can be. What is
// wrong with them has to come back as findings or a Failure, in bounded memory and time.
#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dcfilefo.h>

#include <cstddef>
#include <cstdint>
#include <isocenter/dicom/dicom_header.hpp>
#include <isocenter/error.hpp>
#include <string>

#include "dicom/encapsulated_document.hpp"
#include "dicom/frame_numbers.hpp"
#include "dicom/header_text.hpp"
#include "dicom/inspect.hpp"
#include "dicom/load.hpp"
#include "dicom/picture.hpp"
#include "dicom/read_segmentation.hpp"
#include "dicom/single_object.hpp"
#include "fuzz/memory_file.hpp"

namespace {

using namespace isocenter::detail::dicom;
using isocenter::testing::MemoryFile;

constexpr std::int64_t largest_picture = 1 << 22;  // pixels; the session's memory budget decides about larger ones

/// The first and the last frame as dicom_frames_source shows them.
void look_at_pictures(const std::string& path) {
  const Image image = open_image(path);
  const auto pixels = static_cast<std::int64_t>(image.format.rows) * image.format.columns;
  if (!why_no_picture(image).empty() || pixels > largest_picture) return;
  bool unstated = false;
  const GreyDisplay display = read_grey_display(path, image, unstated);
  std::vector<std::uint8_t> rgb(3 * static_cast<std::size_t>(pixels));
  PictureReader reader;
  reader.read(image, 0, display, rgb);
  reader.read(image, static_cast<int>(image.frames.size()) - 1, display, rgb);
}

void look_at_labels(const std::string& path) {
  const SegmentationObject object = open_segmentation(path);
  const VoxelGrid grid = natural_grid(object);
  const double voxels = static_cast<double>(grid.extent[0]) * grid.extent[1] * grid.extent[2];
  if (voxels > static_cast<double>(largest_picture)) return;
  std::vector<std::uint8_t> labels(static_cast<std::size_t>(voxels));
  read_labels(object, grid, 0.5, SegmentOverlap::last, labels, [](double) {});
}

/// The header as text, in UTF-8 whatever character sets it claims, and typed.
void look_at_header(const std::string& path) {
  const isocenter::DicomHeader header(header_text(path, 0));
  header.acquisition();
  header.radiopharmaceutical();
  header.xray();
  header.nuclear_medicine();
}

/// Angles, index vectors and times of the frames, and the views that they make.
void look_at_frames(const std::string& path) {
  const Image image = open_image(path);
  DcmFileFormat format;
  open_header(path, format);
  std::vector<std::string> problems;
  std::string missing;
  const std::vector<FrameNumbers> numbers = read_frame_numbers(image, *format.getDataset(), problems);
  xray_views(image, *format.getDataset(), numbers, missing);
  spacing_of(image, *format.getDataset(), 0);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t count) {
  const MemoryFile file(bytes, count);
  try {
    const Report report = inspect(file.path(), Workers());
    LoadOptions options;
    options.stack = 1;
    options.skip_bad_files = options.keep_first_duplicate = options.resample_uneven = true;
    options.shear_tilt = options.identity_rescale = true;
    const LoadPlan plan = plan_load(report, options);
    const auto voxels = static_cast<std::int64_t>(plan.grid.nx) * plan.grid.ny * plan.grid.nz;
    if (voxels > (1 << 22)) return 0;  // the session's memory budget decides about such volumes
    std::vector<float> volume(static_cast<std::size_t>(voxels));
    load(plan, Workers(), volume);
  } catch (const isocenter::Error&) {
  }
  try {
    const EncapsulatedDocument document(file.path());
  } catch (const isocenter::Error&) {
  }
  try {
    look_at_header(file.path());
    look_at_frames(file.path());
    look_at_pictures(file.path());
    look_at_labels(file.path());
  } catch (const isocenter::Error&) {
  }
  return 0;
}
