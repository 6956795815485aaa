// A report as JSON and as lines for people.
#include <cstdio>
#include <isocenter/dicom/dicom_header.hpp>
#include <map>
#include <string_view>
#include <type_traits>

#include "inspect.hpp"
#include "utf8.hpp"

namespace isocenter::detail::dicom {
namespace {

std::string quoted(std::string_view s) {
  std::string text = "\"";
  for (const char c : valid_utf8(s)) {
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

/// A typed attribute: numbers stand as they are in JSON, the unit is in the key.
struct Row {
  const char* group;
  const char* key;
  std::string text;
  bool is_number;
};

/// What a header says, without what it leaves open.
std::vector<Row> rows_of(const DicomHeader& header) {
  std::vector<Row> rows;
  const char* group = "";
  const auto add = [&](const char* key, const auto& value) {
    if constexpr (std::is_same_v<std::decay_t<decltype(value)>, std::string>) {
      if (!value.empty()) rows.push_back({group, key, value, false});
    } else {
      if (value) rows.push_back({group, key, number(*value), true});
    }
  };
  group = "patient";
  const auto patient = header.patient();
  add("name", patient.name);
  add("id", patient.id);
  add("birth_date", patient.birth_date);
  add("sex", patient.sex);
  add("age", patient.age);
  add("weight_kg", patient.weight_kg);
  add("height_m", patient.height_m);
  group = "study";
  const auto study = header.study();
  add("instance_uid", study.instance_uid);
  add("id", study.id);
  add("date", study.date);
  add("time", study.time);
  add("description", study.description);
  add("accession_number", study.accession_number);
  add("referring_physician", study.referring_physician);
  group = "series";
  const auto series = header.series();
  add("protocol", series.protocol);
  add("body_part", series.body_part);
  add("laterality", series.laterality);
  add("patient_position", series.patient_position);
  add("date", series.date);
  add("time", series.time);
  group = "equipment";
  const auto equipment = header.equipment();
  add("manufacturer", equipment.manufacturer);
  add("model", equipment.model);
  add("serial_number", equipment.serial_number);
  add("station", equipment.station);
  add("software", equipment.software);
  add("institution", equipment.institution);
  group = "acquisition";
  const auto a = header.acquisition();
  add("date", a.date);
  add("time", a.time);
  add("number", a.number);
  add("tube_voltage_kv", a.tube_voltage_kv);
  add("tube_current_ma", a.tube_current_ma);
  add("exposure_time_ms", a.exposure_time_ms);
  add("exposure_mas", a.exposure_mas);
  add("gantry_tilt_deg", a.gantry_tilt_deg);
  add("reconstruction_diameter_mm", a.reconstruction_diameter_mm);
  add("pitch", a.pitch);
  add("ctdi_vol_mgy", a.ctdi_vol_mgy);
  add("kernel", a.kernel);
  add("filter", a.filter);
  add("field_strength_t", a.field_strength_t);
  add("echo_time_ms", a.echo_time_ms);
  add("repetition_time_ms", a.repetition_time_ms);
  add("inversion_time_ms", a.inversion_time_ms);
  add("flip_angle_deg", a.flip_angle_deg);
  add("echo_train_length", a.echo_train_length);
  add("pixel_bandwidth_hz", a.pixel_bandwidth_hz);
  add("b_value_s_per_mm2", a.b_value_s_per_mm2);
  add("scanning_sequence", a.scanning_sequence);
  add("sequence_name", a.sequence_name);
  add("slice_thickness_mm", a.slice_thickness_mm);
  add("contrast_agent", a.contrast_agent);
  group = "radiopharmaceutical";
  const auto r = header.radiopharmaceutical();
  add("name", r.name);
  add("nuclide", r.nuclide);
  add("route", r.route);
  add("start_time", r.start_time);
  add("start_date_time", r.start_date_time);
  add("total_dose_bq", r.total_dose_bq);
  add("half_life_s", r.half_life_s);
  add("positron_fraction", r.positron_fraction);
  add("units", r.units);
  add("decay_correction", r.decay_correction);
  group = "frame_of_reference";
  const auto frame = header.frame_of_reference();
  add("uid", frame.uid);
  add("position_reference", frame.position_reference);
  group = "timing";
  const auto timing = header.timing();
  add("content_date", timing.content_date);
  add("content_time", timing.content_time);
  add("trigger_time_ms", timing.trigger_time_ms);
  add("frame_time_ms", timing.frame_time_ms);
  add("frame_reference_time_ms", timing.frame_reference_time_ms);
  add("frame_duration_ms", timing.frame_duration_ms);
  return rows;
}

/// ", \"header\": {...}, \"attributes\": {...}" of a series, as far as they are shown.
std::string header_json(const Series& series, const ShownHeader& shown) {
  const DicomHeader header(series.header);
  std::string text;
  if (shown.typed) {
    std::string_view group;
    for (const Row& row : rows_of(header)) {
      text += group == row.group ? ", " : std::string(group.empty() ? "" : "}, ") + quoted(row.group) + ": {";
      text += quoted(row.key) + ": " + (row.is_number ? row.text : quoted(row.text));
      group = row.group;
    }
    text = ", \"header\": {" + text + (group.empty() ? "}" : "}}");
  }
  if (shown.attributes.empty()) return text;
  std::string values;
  for (const std::string& name : shown.attributes)
    if (const DicomHeader::Element* e = header.find(name))
      values += (values.empty() ? "" : ", ") + quoted(name) + ": {\"tag\": " + quoted(e->tag) +
                ", \"keyword\": " + quoted(e->keyword) + ", \"vr\": " + quoted(e->vr) +
                ", \"value\": " + quoted(e->value) + "}";
  return text + ", \"attributes\": {" + values + "}";
}

std::string header_lines(const Series& series, const ShownHeader& shown) {
  const DicomHeader header(series.header);
  std::string text;
  std::string_view group;
  if (shown.typed)
    for (const Row& row : rows_of(header)) {
      text += group == row.group ? ", " : std::string(group.empty() ? "  " : "\n  ") + row.group + ": ";
      text += std::string(row.key) + " " + valid_utf8(row.text);
      group = row.group;
    }
  if (!group.empty()) text += "\n";
  for (const std::string& name : shown.attributes) {
    const DicomHeader::Element* const e = header.find(name);
    text += "  " + valid_utf8(name) + (e == nullptr ? " is not there" : " (" + e->tag + ") = " + valid_utf8(e->value)) +
            "\n";
  }
  return text;
}

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
            (f.file.empty() ? "" : "'" + valid_utf8(f.file) + "': ") + valid_utf8(f.what) +
            ". Fix: " + valid_utf8(f.fix) + ".\n";
  }
  for (const auto& [kind, count] : seen)
    if (count > shown)
      text +=
          std::string(name(kind.first)) + " " + name(kind.second) + ": " + std::to_string(count - shown) + " more.\n";
  return text;
}

}  // namespace

std::string to_json(const Report& report, const ShownHeader& shown) {
  std::string text = "{\"path\": " + quoted(report.path) + ", \"files\": " + std::to_string(report.files) +
                     ", \"dicom_files\": " + std::to_string(report.dicom_files) +
                     ", \"images\": " + std::to_string(report.images.size()) + ",\n \"series\": [";
  for (std::size_t i = 0; i < report.series.size(); ++i) {
    const Series& s = report.series[i];
    text += std::string(i == 0 ? "\n" : ",\n") + "  {\"uid\": " + quoted(s.uid) +
            ", \"study_uid\": " + quoted(s.study_uid) + ", \"number\": " + quoted(s.number) +
            ", \"description\": " + quoted(s.description) + ", \"modality\": " + quoted(s.modality) + ", \"stacks\": [";
    for (std::size_t k = 0; k < s.stacks.size(); ++k) text += (k == 0 ? "" : ", ") + stack_json(s.stacks[k], k);
    text += "]" + header_json(s, shown) + "}";
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

std::string to_lines(const Report& report, const ShownHeader& shown) {
  std::string text = std::to_string(report.files) + " files, " + std::to_string(report.dicom_files) +
                     " of them DICOM, " + std::to_string(report.series.size()) + " series with images\n";
  for (const Series& s : report.series) {
    text += "\nseries " + (s.number.empty() ? "without a number" : valid_utf8(s.number)) + "  " +
            valid_utf8(s.modality) + (s.description.empty() ? "" : "  " + valid_utf8(s.description)) + "\n  " + s.uid +
            "\n";
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
      text += line + (stack.told_apart_by.empty() ? std::string() : ", " + valid_utf8(stack.told_apart_by)) + "\n";
    }
    text += header_lines(s, shown);
    for (const Finding& f : report.findings)
      if (f.series_uid == s.uid && f.file.empty())
        text += std::string("  ") + name(f.severity) + " " + name(f.code) +
                (f.stack > 0 ? " (stack " + std::to_string(f.stack) + ")" : "") + ": " + valid_utf8(f.what) +
                ". Fix: " + valid_utf8(f.fix) + ".\n";
  }
  text += lines_of_files(report);
  return text;
}

}  // namespace isocenter::detail::dicom
