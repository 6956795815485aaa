#include "operator_support.hpp"

#include <algorithm>
#include <cstdio>

namespace isocenter::detail::dicom {

namespace {

/// JSON in ASCII: characters beyond it as \u escapes (RFC 8259 section 7), so that provenance stands beside any
/// SpecificCharacterSet.
std::string ascii_json(const std::string& utf8) {
  std::string text;
  const auto escape = [&](unsigned unit) {
    char code[8];
    std::snprintf(code, sizeof code, "\\u%04x", unit & 0xFFFFU);
    text += code;
  };
  for (std::size_t i = 0; i < utf8.size(); ++i) {
    const auto lead = static_cast<unsigned char>(utf8[i]);
    if (lead < 0x80) {
      text += utf8[i];
      continue;
    }
    const std::size_t more = lead >= 0xF0 ? 3 : lead >= 0xE0 ? 2 : 1;
    unsigned point = lead & (0x3FU >> more);
    for (std::size_t k = 1; k <= more && i + 1 < utf8.size(); ++k)
      point = point << 6U | (static_cast<unsigned char>(utf8[++i]) & 0x3FU);
    if (point >= 0x10000) {
      escape(0xD800U + ((point - 0x10000U) >> 10U));
      point = 0xDC00U + ((point - 0x10000U) & 0x3FFU);
    }
    escape(point);
  }
  return text;
}

}  // namespace

int extent(const TensorView& tensor, char axis, const char* what, std::int64_t longest) {
  const std::int64_t n = tensor.extent(axis);
  if (n < 1 || n > longest)
    throw Failure(ErrorCode::unsupported,
                  std::string("the input has ") + std::to_string(n) + " voxels along " + axis + ": " + what +
                      " is from 1 to " + std::to_string(longest),
                  "resample or crop it first");
  return static_cast<int>(n);
}

const char* fix_for_slices(const TensorView& tensor) {
  const std::string_view axes = tensor.axes;
  if (axes.find('t') != axes.npos) return "give one time point at a time";
  if (axes.find('c') != axes.npos) return "put the node select_channel before this one";
  return "put a node before this one that gives these axes and this type";
}

TensorView planned_slices(const Payload& payload, const char* name, DType type, const char* what) {
  const TensorView t = dense_tensor(payload, name);
  if (std::string_view(t.axes) != "zyx" || t.type() != type)
    throw Failure(ErrorCode::unsupported, std::string("the input has the axes '") + t.axes + "': " + what,
                  fix_for_slices(t));
  extent(t, 'x', "Columns (0028,0011)", 65535);
  extent(t, 'y', "Rows (0028,0010)", 65535);
  extent(t, 'z', "the number of slices", 99999);
  return t;
}

Code derivation_code(DicomDerivation derivation) {
  switch (derivation) {
    case DicomDerivation::none:
      return {};
    case DicomDerivation::smoothing:
      return {"113087", "DCM", "Smoothing"};
    case DicomDerivation::spatial_resampling:
      return {"113085", "DCM", "Spatial resampling"};
    case DicomDerivation::multiplanar_reformatting:
      return {"113072", "DCM", "Multiplanar reformatting"};
    case DicomDerivation::segmentation:
      return {"113076", "DCM", "Segmentation"};
    case DicomDerivation::volume_rendering:
      return {"113074", "DCM", "Volume rendering"};
    case DicomDerivation::maximum_intensity_projection:
      return {"113078", "DCM", "Maximum intensity projection"};
  }
  return {};
}

std::string operators_of(const std::string& provenance) {
  constexpr std::string_view mark = "\"operator\":";
  std::string names;
  for (std::size_t at = provenance.find(mark); at != std::string::npos; at = provenance.find(mark, at + 1)) {
    const std::size_t begin = provenance.find('"', at + mark.size());
    const std::size_t end = begin == std::string::npos ? begin : provenance.find('"', begin + 1);
    if (end == std::string::npos) break;
    names += (names.empty() ? "" : ", ") + provenance.substr(begin + 1, end - begin - 1);
  }
  return names;
}

void require_short(const char* parameter, const std::string& text, std::size_t limit) {
  const auto characters = static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
  if (characters > limit)
    throw Failure(ErrorCode::invalid_argument,
                  std::string(parameter) + " has " + std::to_string(characters) + " characters, DICOM allows " +
                      std::to_string(limit),
                  "shorten it");
  const bool broken =
      std::any_of(text.begin(), text.end(), [](char c) { return c == '\\' || static_cast<unsigned char>(c) < 0x20; });
  if (broken)
    throw Failure(ErrorCode::invalid_argument,
                  std::string(parameter) + " holds a backslash or a control character, which DICOM keeps for itself",
                  "leave it away");
}

OutputDescription describe_output(const SinkTexts& t, DicomDerivation derivation, const Payload& input) {
  require_short("series_description", t.series_description, 64);
  require_short("derivation_description", t.derivation_description, 1024);
  require_short("manufacturer", t.manufacturer, 64);
  require_short("model_name", t.model_name, 64);
  require_short("device_serial_number", t.device_serial_number, 64);
  OutputDescription d;
  // General and Enhanced General Equipment want values (PS3.3 C.7.5.2).
  const auto or_default = [](const std::string& text, const char* other) { return text.empty() ? other : text; };
  d.equipment = {or_default(t.manufacturer, "Isocenter"), or_default(t.model_name, "Isocenter SDK"),
                 or_default(t.device_serial_number, "1"), isocenter_version()};
  d.provenance = ascii_json(input.text("provenance"));
  d.series_description = t.series_description;
  d.series_number = static_cast<int>(t.series_number);
  d.derivation = derivation_code(derivation);
  d.derivation_description = t.derivation_description;
  if (d.derivation_description.empty()) {
    const std::string operators = operators_of(d.provenance);
    d.derivation_description =
        "Isocenter " + std::string(isocenter_version()) + (operators.empty() ? "" : ": " + operators);
    if (d.derivation_description.size() > 1024) d.derivation_description.resize(1024);
  }
  return d;
}

}  // namespace isocenter::detail::dicom
