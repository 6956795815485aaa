#include "series.hpp"

#include <algorithm>
#include <map>

#include "input_file.hpp"
#include "stack_builder.hpp"
#include "stack_geometry.hpp"

namespace isocenter::detail::dicom {
namespace {

bool same_bytes(const std::string& a, const std::string& b) {
  const InputFile f(a), g(b);
  if (!f.is_open() || !g.is_open() || f.size() != g.size()) return false;
  std::vector<std::uint8_t> p(1U << 16U), q(p.size());
  for (std::uint64_t at = 0; at < f.size(); at += p.size()) {
    const std::size_t n = std::min<std::uint64_t>(p.size(), f.size() - at);
    if (!f.read(at, {p.data(), n}) || !g.read(at, {q.data(), n}) ||
        !std::equal(p.begin(), p.begin() + static_cast<std::ptrdiff_t>(n), q.begin()))
      return false;
  }
  return true;
}

/// An object that is there twice, byte for byte, is used once.
void drop_copies(Report& report) {
  std::map<std::string, std::vector<std::size_t>> seen;
  std::vector<Image> kept;
  for (Image& image : report.images) {
    bool copy = false;
    if (!image.sop_instance_uid.empty())
      for (const std::size_t other : seen[image.sop_instance_uid])
        if (!copy && same_bytes(kept[other].path, image.path)) {
          report.findings.push_back({FindingCode::duplicate_file, Severity::warning,
                                     "the file is a copy of '" + kept[other].name + "' and was passed over",
                                     "take one of the two out of the folder", image.name,
                                     text(attribute::sop_instance_uid), image.sop_instance_uid, image.series_uid, 0});
          copy = true;
        }
    if (copy) continue;
    if (!image.sop_instance_uid.empty()) seen[image.sop_instance_uid].push_back(kept.size());
    kept.push_back(std::move(image));
  }
  report.images = std::move(kept);
}

void add_to_series(Series& series, FindingCode code, Severity severity, const std::string& what, const std::string& fix,
                   const std::string& attribute, std::vector<Finding>& findings) {
  findings.push_back({code, severity, what, fix, "", attribute, "", series.uid, 0});
}

void check_series(Report& report, Series& series, const std::vector<int>& bad) {
  for (const Stack& stack : series.stacks)
    if (!stack.has_geometry)
      add_to_series(
          series, FindingCode::no_geometry, Severity::warning,
          std::to_string(stack.slices.size()) + (stack.slices.size() == 1 ? " image has" : " images have") +
              " no place in the patient: ImagePositionPatient (0020,0032), ImageOrientationPatient (0020,0037) "
              "and PixelSpacing (0028,0030) are needed",
          "load a series with positions", text(attribute::image_position_patient), report.findings);
  if (volume_count(series) > 1) {
    std::string names;
    int n = 0;
    for (const Stack& s : series.stacks) {
      ++n;
      if (!s.has_geometry || s.localiser || n > 12) continue;
      names += (names.empty() ? "" : "; ") + std::to_string(n) + ": " + std::to_string(s.slices.size()) + " images" +
               (s.told_apart_by.empty() ? "" : ", " + s.told_apart_by);
    }
    add_to_series(series, FindingCode::several_stacks, Severity::error,
                  "the series holds " + std::to_string(volume_count(series)) + " stacks (" + names + ")",
                  "choose one with the parameter stack, for example stack = 1", "", report.findings);
  }
  if (bad.empty()) return;
  const Image& first = report.images[static_cast<std::size_t>(bad.front())];
  add_to_series(series, FindingCode::incomplete_series, Severity::error,
                (bad.size() == 1 ? "a file" : std::to_string(bad.size()) + " files") +
                    " of the series cannot be used, the first is '" + first.name + "': " + first.unusable,
                "get the file again, or set bad_files = skip to load what is left", "", report.findings);
}

bool counts_as_bad(const Image& image) {
  // A colour picture in a CT series is no hole in its stack.
  return !image.unusable.empty() && image.no_volume.empty() && image.format.samples_per_pixel == 1;
}

}  // namespace

int volume_count(const Series& series) {
  return static_cast<int>(std::count_if(series.stacks.begin(), series.stacks.end(),
                                        [](const Stack& s) { return s.has_geometry && !s.localiser; }));
}

void assemble(Report& report) {
  drop_copies(report);
  std::map<std::string, std::vector<int>> members, bad;
  std::vector<std::string> order;
  for (std::size_t i = 0; i < report.images.size(); ++i) {
    const Image& image = report.images[i];
    if (members.find(image.series_uid) == members.end() && bad.find(image.series_uid) == bad.end())
      order.push_back(image.series_uid);
    if (image.unusable.empty() && image.no_volume.empty())
      members[image.series_uid].push_back(static_cast<int>(i));
    else if (counts_as_bad(image))
      bad[image.series_uid].push_back(static_cast<int>(i));
  }
  for (const std::string& uid : order) {
    if (members[uid].empty()) continue;
    const Image& first = report.images[static_cast<std::size_t>(members[uid].front())];
    Series series{uid, first.study_uid, first.series_number, first.series_description, first.modality, {}};
    std::vector<Finding> found;
    series.stacks = build_stacks(report.images, members[uid], found);
    for (std::size_t s = 0; s < series.stacks.size(); ++s) {
      const std::size_t before = found.size();
      if (series.stacks[s].has_geometry) measure_stack(report.images, series.stacks[s], found);
      for (std::size_t f = before; f < found.size(); ++f) found[f].stack = static_cast<int>(s) + 1;
    }
    for (Finding& f : found) {
      f.series_uid = uid;
      report.findings.push_back(std::move(f));
    }
    check_series(report, series, bad[uid]);
    report.series.push_back(std::move(series));
  }
  std::stable_sort(report.series.begin(), report.series.end(), [](const Series& a, const Series& b) {
    return std::atoi(a.number.c_str()) < std::atoi(b.number.c_str());
  });
}

}  // namespace isocenter::detail::dicom
