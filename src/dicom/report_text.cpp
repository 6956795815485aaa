// A report as JSON and as lines for people.
#include <cstdio>
#include <map>
#include <string_view>

#include "inspect.hpp"

namespace isocenter::detail::dicom {
namespace {

/// Length of the UTF-8 sequence at the front of `s`, or 0 when it is none.
std::size_t utf8_length(std::string_view s) {
  const auto lead = static_cast<unsigned char>(s.front());
  const std::size_t n = lead < 0x80                   ? 1
                        : lead >= 0xC2 && lead < 0xE0 ? 2
                        : lead >= 0xE0 && lead < 0xF0 ? 3
                        : lead >= 0xF0 && lead < 0xF5 ? 4
                                                      : 0;
  if (n == 0 || n > s.size()) return 0;
  for (std::size_t i = 1; i < n; ++i)
    if ((static_cast<unsigned char>(s[i]) & 0xC0U) != 0x80U) return 0;
  return n;
}

/// Valid UTF-8: file names and broken values may hold any byte, which then becomes '?'.
std::string clean(std::string_view s) {
  std::string text;
  while (!s.empty()) {
    const std::size_t n = utf8_length(s);
    if (n == 0)
      text += '?';
    else
      text += s.substr(0, n);
    s.remove_prefix(n == 0 ? 1 : n);
  }
  return text;
}

std::string quoted(std::string_view s) {
  std::string text = "\"";
  for (const char c : clean(s)) {
    if (c == '"' || c == '\\') {
      text += '\\';
      text += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      char code[8];
      std::snprintf(code, sizeof code, "\\u%04x", static_cast<unsigned>(c));
      text += code;
    } else {
      text += c;
    }
  }
  return text + '"';
}

std::string number(double v) {
  char text[40];
  std::snprintf(text, sizeof text, "%.9g", v);
  return text;
}
std::string numbers(Vec3 v) { return "[" + number(v.x) + ", " + number(v.y) + ", " + number(v.z) + "]"; }

std::string stack_json(const Stack& s, std::size_t index) {
  const StackGeometry& g = s.geometry;
  std::string text = "{\"number\": " + std::to_string(index + 1) + ", \"images\": " + std::to_string(s.slices.size()) +
                     ", \"localiser\": " + (s.localiser ? "true" : "false") +
                     ", \"has_geometry\": " + (s.has_geometry ? "true" : "false") +
                     ", \"told_apart_by\": " + quoted(s.told_apart_by);
  if (s.has_geometry)
    text += ", \"size\": [" + std::to_string(g.nx) + ", " + std::to_string(g.ny) + ", " + std::to_string(g.nz) +
            "], \"spacing_mm\": " + numbers({g.dx_mm, g.dy_mm, g.dz_mm}) + ", \"origin_mm\": " + numbers(g.origin) +
            ", \"row_direction\": " + numbers(g.row) + ", \"column_direction\": " + numbers(g.column);
  return text + "}";
}

/// Findings about files and the folder: the first few of each kind, and how many more there are.
std::string lines_of_files(const Report& report) {
  constexpr int shown = 5;
  std::map<std::pair<Severity, FindingCode>, int> seen;
  std::string text;
  for (const Finding& f : report.findings) {
    const bool of_series = !f.series_uid.empty() && f.file.empty();
    if (of_series || ++seen[{f.severity, f.code}] > shown) continue;
    text += (text.empty() ? "\n" : "") + std::string(name(f.severity)) + " " + name(f.code) + ": " +
            (f.file.empty() ? "" : "'" + clean(f.file) + "': ") + clean(f.what) + ". Fix: " + clean(f.fix) + ".\n";
  }
  for (const auto& [kind, count] : seen)
    if (count > shown)
      text +=
          std::string(name(kind.first)) + " " + name(kind.second) + ": " + std::to_string(count - shown) + " more.\n";
  return text;
}

}  // namespace

std::string to_json(const Report& report) {
  std::string text = "{\"path\": " + quoted(report.path) + ", \"files\": " + std::to_string(report.files) +
                     ", \"dicom_files\": " + std::to_string(report.dicom_files) +
                     ", \"images\": " + std::to_string(report.images.size()) + ",\n \"series\": [";
  for (std::size_t i = 0; i < report.series.size(); ++i) {
    const Series& s = report.series[i];
    text += std::string(i == 0 ? "\n" : ",\n") + "  {\"uid\": " + quoted(s.uid) +
            ", \"study_uid\": " + quoted(s.study_uid) + ", \"number\": " + quoted(s.number) +
            ", \"description\": " + quoted(s.description) + ", \"modality\": " + quoted(s.modality) + ", \"stacks\": [";
    for (std::size_t k = 0; k < s.stacks.size(); ++k) text += (k == 0 ? "" : ", ") + stack_json(s.stacks[k], k);
    text += "]}";
  }
  text += "],\n \"findings\": [";
  for (std::size_t i = 0; i < report.findings.size(); ++i) {
    const Finding& f = report.findings[i];
    text += std::string(i == 0 ? "\n" : ",\n") + "  {\"code\": " + quoted(name(f.code)) +
            ", \"severity\": " + quoted(name(f.severity)) + ", \"what\": " + quoted(f.what) +
            ", \"fix\": " + quoted(f.fix) + ", \"file\": " + quoted(f.file) +
            ", \"attribute\": " + quoted(f.attribute) + ", \"value\": " + quoted(f.value) +
            ", \"series_uid\": " + quoted(f.series_uid) + ", \"stack\": " + std::to_string(f.stack) + "}";
  }
  return text + "]}\n";
}

std::string to_lines(const Report& report) {
  std::string text = std::to_string(report.files) + " files, " + std::to_string(report.dicom_files) +
                     " of them DICOM, " + std::to_string(report.series.size()) + " series with images\n";
  for (const Series& s : report.series) {
    text += "\nseries " + (s.number.empty() ? "without a number" : clean(s.number)) + "  " + clean(s.modality) +
            (s.description.empty() ? "" : "  " + clean(s.description)) + "\n  " + s.uid + "\n";
    for (std::size_t k = 0; k < s.stacks.size(); ++k) {
      const Stack& stack = s.stacks[k];
      const StackGeometry& g = stack.geometry;
      char line[200];
      if (stack.has_geometry)
        std::snprintf(line, sizeof line, "  stack %zu: %zu images, %d x %d x %d, %.4f x %.4f x %.4f mm%s", k + 1,
                      stack.slices.size(), g.nx, g.ny, g.nz, g.dx_mm, g.dy_mm, g.dz_mm,
                      stack.localiser ? ", localiser" : "");
      else
        std::snprintf(line, sizeof line, "  stack %zu: %zu images without a position", k + 1, stack.slices.size());
      text += line + (stack.told_apart_by.empty() ? std::string() : ", " + clean(stack.told_apart_by)) + "\n";
    }
    for (const Finding& f : report.findings)
      if (f.series_uid == s.uid && f.file.empty())
        text += std::string("  ") + name(f.severity) + " " + name(f.code) +
                (f.stack > 0 ? " (stack " + std::to_string(f.stack) + ")" : "") + ": " + clean(f.what) +
                ". Fix: " + clean(f.fix) + ".\n";
  }
  text += lines_of_files(report);
  return text;
}

}  // namespace isocenter::detail::dicom
