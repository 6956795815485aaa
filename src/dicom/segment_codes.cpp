#include "segment_codes.hpp"

#include <algorithm>
#include <isocenter/error.hpp>
#include <string_view>

#include "operator_support.hpp"

namespace isocenter::detail::dicom {
namespace {

const Code anatomical_structure{"91723000", "SCT", "Anatomical Structure"};
const Code tissue{"85756007", "SCT", "Tissue"};
const Code abnormal_structure{"49755003", "SCT", "Morphologically Abnormal Structure"};

struct Known {
  const char* name;
  const Code& category;
  const char* value;
  const char* meaning;
};

/// SNOMED CT concepts with their meanings in PS3.16: anatomical structures from CID 7192, tissues from CID 7191,
/// abnormal structures from CID 7194; their categories from CID 7150. tests/interop/segment_codes.py compares.
/// Names in lower case, words separated by spaces.
const Known known[] = {
    {"lung", anatomical_structure, "39607008", "Lung"},
    {"heart", anatomical_structure, "80891009", "Heart"},
    {"spine", anatomical_structure, "421060004", "Spine"},
    {"vertebral column", anatomical_structure, "421060004", "Spine"},
    {"rib", anatomical_structure, "113197003", "Rib"},
    {"skull", anatomical_structure, "89546000", "Skull"},
    {"body", anatomical_structure, "38266002", "Entire body"},
    {"thorax", anatomical_structure, "816094009", "Chest"},
    {"mediastinum", anatomical_structure, "72410000", "Mediastinum"},
    {"trachea", anatomical_structure, "44567001", "Trachea"},
    {"airway", anatomical_structure, "89187006", "Airway structure"},
    {"bronchus", anatomical_structure, "955009", "Bronchus"},
    // SNOMED CT alone: PS3.16 has no concept for both, and CID 7151 is extensible.
    {"lung and airways", anatomical_structure, "20139000", "Structure of respiratory system"},
    {"heart and vessels", anatomical_structure, "113257007", "Cardiovascular system"},
    {"aorta", anatomical_structure, "15825003", "Aorta"},
    {"vessel", anatomical_structure, "59820001", "Blood Vessel"},
    {"esophagus", anatomical_structure, "32849002", "Esophagus"},
    {"liver", anatomical_structure, "10200004", "Liver"},
    {"kidney", anatomical_structure, "64033007", "Kidney"},
    {"spleen", anatomical_structure, "78961009", "Spleen"},
    {"pancreas", anatomical_structure, "15776009", "Pancreas"},
    {"stomach", anatomical_structure, "69695003", "Stomach"},
    {"bladder", anatomical_structure, "89837001", "Bladder"},
    {"prostate", anatomical_structure, "41216001", "Prostate"},
    {"brain", anatomical_structure, "12738006", "Brain"},
    {"spinal cord", anatomical_structure, "2748008", "Spinal cord"},
    {"tissue", tissue, "85756007", "Tissue"},
    {"soft tissue", tissue, "87784001", "Soft tissue"},
    {"bone", tissue, "3138006", "Bone"},
    {"muscle", tissue, "91727004", "Muscle"},
    {"fat", tissue, "55603005", "Fat"},
    {"skin", tissue, "39937001", "Skin"},
    {"lesion", abnormal_structure, "52988006", "Lesion"},
    {"nodule", abnormal_structure, "27925004", "Nodule"},
    {"mass", abnormal_structure, "4147007", "Mass"},
    {"tumor", abnormal_structure, "108369006", "Neoplasm"},
    {"tumour", abnormal_structure, "108369006", "Neoplasm"},
    {"neoplasm", abnormal_structure, "108369006", "Neoplasm"},
};

std::string trimmed(std::string_view s) {
  const auto begin = s.find_first_not_of(" \t\n\r");
  if (begin == std::string_view::npos) return {};
  return std::string(s.substr(begin, s.find_last_not_of(" \t\n\r") - begin + 1));
}

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  for (std::size_t begin = 0;;) {
    const std::size_t end = text.find(separator, begin);
    parts.push_back(trimmed(text.substr(begin, end - begin)));
    if (end == std::string_view::npos) return parts;
    begin = end + 1;
  }
}

std::string normalised(std::string_view name) {
  std::string text = trimmed(name);
  for (char& c : text) c = c == '_' || c == '-' ? ' ' : static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
  return text;
}

}  // namespace

Code parse_code(const std::string& text, const std::string& parameter) {
  const std::vector<std::string> parts = split(text, '^');
  if (parts.size() == 3 && !parts[0].empty() && parts[0].size() <= 16 && !parts[1].empty() && !parts[2].empty() &&
      parts[2].size() <= 64)
    return {parts[0], parts[1], parts[2]};
  throw Failure(ErrorCode::invalid_argument, "'" + text + "' in '" + parameter + "' is no coded concept",
                "write value^scheme^meaning, for example 39607008^SCT^Lung");
}

bool find_segment_codes(const std::string& name, Segment& segment) {
  const std::string wanted = normalised(name);
  for (const Known& k : known) {
    if (wanted != k.name && wanted != std::string(k.name) + "s") continue;
    segment.category = k.category;
    segment.type = {k.value, "SCT", k.meaning};
    return true;
  }
  return false;
}

void apply_segment_codes(const std::string& text, std::vector<Segment>& segments) {
  if (trimmed(text).empty()) return;
  for (const std::string& entry : split(text, ';')) {
    if (entry.empty()) continue;
    const std::size_t equals = entry.find('=');
    const std::string name = equals == std::string::npos ? std::string() : trimmed(entry.substr(0, equals));
    const std::vector<std::string> parts =
        equals == std::string::npos ? std::vector<std::string>() : split(entry.substr(equals + 1), '/');
    if (name.empty() || parts.size() < 2 || parts.size() > 3)
      throw Failure(ErrorCode::invalid_argument,
                    "codes = '" + entry + "' does not have the form name = category / type",
                    "write for example lungs = 91723000^SCT^Anatomical Structure / 39607008^SCT^Lung");
    const auto segment = std::find_if(segments.begin(), segments.end(),
                                      [&](const Segment& s) { return normalised(s.name) == normalised(name); });
    if (segment == segments.end())
      throw Failure(ErrorCode::invalid_argument,
                    "codes names a label '" + name + "' that the segmentation does not have",
                    "use the names of the attribute labels.names");
    segment->category = parse_code(parts[0], entry);
    segment->type = parse_code(parts[1], entry);
    if (parts.size() == 3) segment->anatomy = parse_code(parts[2], entry);
  }
}

std::vector<Segment> segments_of(const Payload& input, const std::string& codes) {
  const std::vector<std::string> names = split(input.text("labels.names"), '\\');
  const auto colours = input.numbers("labels.colours");
  if (names.size() < 2)
    throw Failure(ErrorCode::bad_data,
                  "the segmentation has no attribute labels.names, so that its labels mean nothing",
                  "set it to the labels' names, joined by backslashes, the background first");
  if (names.size() > 256)
    throw Failure(ErrorCode::unsupported,
                  "the segmentation has " + std::to_string(names.size()) + " names for 8-bit labels",
                  "use at most 255 labels");
  std::vector<Segment> segments;
  for (std::size_t i = 1; i < names.size(); ++i) {
    Segment s;
    s.label = static_cast<int>(i);
    s.name = names[i];
    require_short("labels.names", s.name, 64);
    if (3 * i + 2 < colours.size()) s.colour = {colours[3 * i], colours[3 * i + 1], colours[3 * i + 2]};
    segments.push_back(std::move(s));
  }
  complete_codes(codes, segments);
  return segments;
}

void complete_codes(const std::string& codes, std::vector<Segment>& segments) {
  for (Segment& s : segments)
    if (s.type.value.empty()) find_segment_codes(s.name, s);
  apply_segment_codes(codes, segments);
  for (const Segment& s : segments)
    if (s.type.value.empty())
      throw Failure(
          ErrorCode::invalid_argument,
          "no coded concept is known for label " + std::to_string(s.label) + ", '" + s.name + "', and DICOM needs one",
          "add it to the parameter codes: " + s.name + " = category / type, each value^scheme^meaning");
}

}  // namespace isocenter::detail::dicom
