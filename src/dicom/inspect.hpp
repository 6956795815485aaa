#pragma once
// Scanning a folder or a file: what is there, and what is wrong with it.
#include <functional>
#include <string>
#include <vector>

#include "series.hpp"
#include "workers.hpp"

namespace isocenter::detail::dicom {

/// Called with the number of files done and in all, from any of the workers; returns false to stop.
using ScanProgress = std::function<bool(std::int64_t done, std::int64_t total)>;

/// Reads the headers of every file under `path` (or of the one file that it is) up to the pixel data, on all workers,
/// and assembles them. What is wrong with a file is a finding and costs no other file.
/// Throws Failure only when `path` does not exist or cannot be listed, or DCMTK is not installed rightly; `cancelled`
/// when `progress` returned false.
Report inspect(const std::string& path, const Workers& workers, const ScanProgress& progress = {});

/// Reads the header of each series' first slice.
void read_series_headers(Report& report, const Workers& workers);

/// Which of a series' header a report shows.
struct ShownHeader {
  bool typed = false;                   ///< the attributes that matter, as isocenter/dicom/dicom_header.hpp types them
  std::vector<std::string> attributes;  ///< others, by keyword or tag
};

/// The report as JSON (see docs/dicom/README.md for its keys), or as lines for a terminal.
std::string to_json(const Report& report, const ShownHeader& shown = {});
std::string to_lines(const Report& report, const ShownHeader& shown = {});

}  // namespace isocenter::detail::dicom
