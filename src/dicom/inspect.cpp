#include "inspect.hpp"

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <isocenter/error.hpp>

#include "file_list.hpp"
#include "header_reader.hpp"
#include "header_text.hpp"
#include "toolkit.hpp"

namespace isocenter::detail::dicom {
namespace {

namespace fs = std::filesystem;

struct Listing {
  std::vector<fs::path> files;
  std::vector<Finding> findings;
};

/// Every regular file below a folder, in the order of its path. Links to folders are not followed.
Listing list_files(const fs::path& root) {
  Listing listing;
  std::error_code error;
  fs::recursive_directory_iterator it(root, error), end;
  if (error)
    throw Failure(ErrorCode::io_error, "the folder '" + root.string() + "' cannot be listed: " + error.message(),
                  "check its permissions");
  while (it != end) {
    std::error_code type_error;
    if (it->is_regular_file(type_error)) listing.files.push_back(it->path());
    const fs::path at = it->path();
    it.increment(error);
    if (!error) continue;
    listing.findings.push_back({FindingCode::unreadable, Severity::error,
                                "the folder cannot be listed: " + error.message(), "check its permissions",
                                at.lexically_relative(root).string(), "", "", "", 0});
    error.clear();
    it.pop(error);
    if (error) break;
  }
  std::sort(listing.files.begin(), listing.files.end());
  return listing;
}

void check_found(Report& report) {
  if (report.dicom_files == 0)
    report.findings.insert(report.findings.begin(),
                           Finding{FindingCode::no_dicom, Severity::error,
                                   "'" + report.path + "' holds no DICOM file (" + std::to_string(report.files) +
                                       (report.files == 1 ? " file was" : " files were") + " looked at)",
                                   "name a folder with DICOM files", "", "", "", "", 0});
  std::string names;
  int loadable = 0;
  for (const Series& s : report.series) {
    if (volume_count(s) == 0) continue;
    ++loadable;
    std::size_t images = 0;
    for (const Stack& stack : s.stacks) images += stack.slices.size();
    if (loadable <= 12)
      names += (names.empty() ? "" : "; ") + (s.number.empty() ? s.uid : s.number) + ": " + s.modality + ", " +
               std::to_string(images) + " images";
  }
  if (loadable > 1)
    report.findings.push_back({FindingCode::several_series, Severity::warning,
                               std::to_string(loadable) + " series could be loaded (" + names + ")",
                               "choose one with the parameter series: its SeriesNumber (0020,0011) or its "
                               "SeriesInstanceUID (0020,000e)",
                               "", text(attribute::series_instance_uid), "", "", 0});
  std::stable_sort(report.findings.begin(), report.findings.end(),
                   [](const Finding& a, const Finding& b) { return a.severity > b.severity; });
}

}  // namespace

Report inspect(const std::string& path, const Workers& workers, const ScanProgress& progress) {
  use_dcmtk();
  Report report;
  report.path = path;
  std::error_code error;
  fs::path root(path);
  const fs::file_status status = fs::status(root, error);
  if (!fs::exists(status))
    throw Failure(ErrorCode::not_found, "'" + path + "' does not exist", "name a folder or a file with DICOM images");
  Listing listing;
  bool named_below = fs::is_directory(status);
  if (named_below) {
    listing = list_files(root);
  } else if (auto list = read_file_list(root)) {
    named_below = true;
    root = list->root;
    listing = {std::move(list->files), std::move(list->findings)};
  } else {
    listing.files.push_back(root);
  }
  report.findings = std::move(listing.findings);

  const auto count = static_cast<std::int64_t>(listing.files.size());
  std::vector<ScannedFile> scanned(listing.files.size());
  std::atomic<std::int64_t> done{0};
  workers.for_each(count, [&](std::int64_t i) {
    const fs::path& file = listing.files[static_cast<std::size_t>(i)];
    const std::string name = named_below ? file.lexically_relative(root).string() : file.filename().string();
    scanned[static_cast<std::size_t>(i)] = read_header(file.string(), name);
    const std::int64_t now = ++done;
    if (progress && !progress(now, count)) throw Error(ErrorCode::cancelled, "cancelled.");
  });

  report.files = count;
  for (ScannedFile& s : scanned) {
    const bool not_dicom = std::any_of(s.findings.begin(), s.findings.end(),
                                       [](const Finding& f) { return f.code == FindingCode::not_dicom; });
    if (!not_dicom) ++report.dicom_files;
    for (Finding& f : s.findings) report.findings.push_back(std::move(f));
    if (s.image) report.images.push_back(std::move(*s.image));
  }
  assemble(report);
  check_found(report);
  return report;
}

void read_series_headers(Report& report, const Workers& workers) {
  workers.for_each(static_cast<std::int64_t>(report.series.size()), [&](std::int64_t i) {
    Series& series = report.series[static_cast<std::size_t>(i)];
    const Slice& first = series.stacks.front().slices.front();
    series.header = header_text(report.images[static_cast<std::size_t>(first.image)].path, first.frame);
  });
}

}  // namespace isocenter::detail::dicom
