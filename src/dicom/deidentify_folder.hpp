#pragma once
// A folder of DICOM files de-identified into another. No DCMTK in the interface.
#include <functional>
#include <string>

#include "load.hpp"
#include "workers.hpp"

namespace isocenter::detail::dicom {

struct DeidentificationOptions;

/// Writes 000001.dcm, 000002.dcm, ... into `output`, in the order of the input's sorted paths; gives the report as
/// JSON. `progress(done, total)` returns false to stop. Throws Failure as DicomDeidentify says.
std::string deidentify_folder(const std::string& input, const std::string& output,
                              const DeidentificationOptions& options, const Workers& workers,
                              const LoadProgress& progress = {});

}  // namespace isocenter::detail::dicom
