#include "operator_text.hpp"

#include <array>
#include <charconv>
#include <sstream>
#include <vector>

#include "core/text.hpp"

namespace isocenter::command {
namespace {

using Json = nlohmann::ordered_json;

std::vector<isocenter_parameter> parameters(const isocenter_operator_type& type) {
  std::vector<isocenter_parameter> all;
  for (std::uint32_t i = 0; i < type.parameter_count; ++i) all.push_back(*isocenter_operator_parameter(&type, i));
  return all;
}

std::vector<isocenter_port> ports(const isocenter_operator_type& type, bool output) {
  std::vector<isocenter_port> all;
  for (std::uint32_t i = 0; i < type.port_count; ++i)
    if (const auto* p = isocenter_operator_port(&type, i); (p->is_output != 0) == output) all.push_back(*p);
  return all;
}

std::vector<std::string> kinds(std::uint32_t bits) {
  constexpr std::array<const char*, 9> names = {"",         "volume",    "projections",  "k_space", "channel_data",
                                                "sinogram", "list_mode", "segmentation", "frames"};
  std::vector<std::string> all;
  for (std::size_t i = 1; i < names.size(); ++i)
    if ((bits >> i & 1U) != 0) all.emplace_back(names[i]);
  return all.size() == names.size() - 1 ? std::vector<std::string>{"any"} : all;
}

const char* type_name(int type) {
  constexpr std::array<const char*, 7> names = {"", "number", "integer", "bool", "text", "choice", "numbers"};
  return names[static_cast<std::size_t>(type)];
}

std::string number(double v) {
  std::array<char, 40> text{};
  return {text.data(), std::to_chars(text.data(), text.data() + text.size(), v).ptr};
}

bool has_range(const isocenter_parameter& p) {
  return p.type == ISOCENTER_PARAMETER_NUMBER || p.type == ISOCENTER_PARAMETER_INTEGER ||
         p.type == ISOCENTER_PARAMETER_NUMBERS;
}

/// "[0.1, 10] mm", "one of a, b", "true or false", "path".
std::string allowed(const isocenter_parameter& p) {
  const std::string unit = *p.unit == '\0' ? "" : std::string(" ") + p.unit;
  if (has_range(p)) {
    const char* kind = p.type == ISOCENTER_PARAMETER_INTEGER   ? "whole number in "
                       : p.type == ISOCENTER_PARAMETER_NUMBERS ? "list of numbers in "
                                                               : "";
    return kind + ("[" + number(p.minimum) + ", " + number(p.maximum) + "]") + unit;
  }
  if (p.type == ISOCENTER_PARAMETER_BOOL) return "true or false";
  if (p.type == ISOCENTER_PARAMETER_CHOICE)
    return "one of " + detail::join(std::vector<std::string>(p.choices, p.choices + p.choice_count));
  return (p.flags & ISOCENTER_PARAMETER_PATH) != 0 ? "path" : "text";
}

std::string default_of(const isocenter_parameter& p) {
  if ((p.flags & ISOCENTER_PARAMETER_REQUIRED) != 0) return "required";
  return *p.default_value == '\0' ? "none" : p.default_value;
}

/// Fills lines of 100 columns; paragraphs stay apart.
std::string wrapped(const std::string& text, const std::string& indent) {
  std::istringstream lines(text);
  std::string result;
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string row;
    for (std::string word; words >> word;) {
      if (!row.empty() && indent.size() + row.size() + 1 + word.size() > 100) {
        result += indent + row + "\n";
        row.clear();
      }
      row += (row.empty() ? "" : " ") + word;
    }
    result += (row.empty() ? "" : indent + row) + "\n";
  }
  return result;
}

std::string port_lines(const isocenter_operator_type& type, bool output) {
  std::string text;
  for (const auto& p : ports(type, output))
    text += "  " + std::string(p.name) + "  (" + detail::join(kinds(p.kinds)) +
            ((p.flags & ISOCENTER_PORT_OPTIONAL) != 0 ? ", optional" : "") + ")\n" + wrapped(p.help, "      ");
  return text.empty() ? "  none\n" : text;
}

/// A node of this operator as it would stand in a file, with what must be given.
std::string file_snippet(const isocenter_operator_type& type) {
  std::string text = "- name: " + std::string(type.name) + "\n  operator: " + type.name + "\n";
  std::string inputs, given;
  for (const auto& p : ports(type, false))
    if ((p.flags & ISOCENTER_PORT_OPTIONAL) == 0) inputs += "    " + std::string(p.name) + ": node.port\n";
  for (const auto& p : parameters(type))
    if ((p.flags & ISOCENTER_PARAMETER_REQUIRED) != 0)
      given += "    " + std::string(p.name) + ": " +
               ((p.flags & ISOCENTER_PARAMETER_PATH) == 0 ? "..."
                : ports(type, true).empty()               ? "${output}/..."
                : ports(type, false).empty()              ? "${input}"
                                                          : "...") +
               "\n";
  if (!inputs.empty()) text += "  inputs:\n" + inputs;
  if (!given.empty()) text += "  parameters:\n" + given;
  return text;
}

std::string indented(const std::string& text) {
  std::istringstream lines(text);
  std::string result;
  for (std::string line; std::getline(lines, line);) result += "  " + line + "\n";
  return result;
}

/// A cell of a Markdown table: one line, '|' escaped.
std::string cell(const std::string& text) {
  std::string result;
  for (const char c : text) result += c == '\n' ? " " : c == '|' ? "\\|" : std::string(1, c);
  return result;
}

std::string port_table(const isocenter_operator_type& type) {
  std::string text;
  for (const bool output : {false, true})
    for (const auto& p : ports(type, output))
      text += "| `" + std::string(p.name) + "` | " + (output ? "out" : "in") +
              ((p.flags & ISOCENTER_PORT_OPTIONAL) != 0 ? ", optional" : "") + " | " + detail::join(kinds(p.kinds)) +
              " | " + cell(p.help) + " |\n";
  return text.empty() ? "" : "| port | | payload | |\n|---|---|---|---|\n" + text + "\n";
}

Json ports_json(const isocenter_operator_type& type, bool output) {
  Json all = Json::array();
  for (const auto& p : ports(type, output))
    all.push_back({{"name", p.name},
                   {"kinds", kinds(p.kinds)},
                   {"optional", (p.flags & ISOCENTER_PORT_OPTIONAL) != 0},
                   {"help", p.help}});
  return all;
}

Json parameter_json(const isocenter_parameter& p) {
  Json json = {{"name", p.name}, {"type", type_name(p.type)}, {"unit", p.unit}, {"default", p.default_value}};
  if (has_range(p)) {
    json["minimum"] = p.minimum;
    json["maximum"] = p.maximum;
  }
  if (p.type == ISOCENTER_PARAMETER_CHOICE)
    json["choices"] = std::vector<std::string>(p.choices, p.choices + p.choice_count);
  json["required"] = (p.flags & ISOCENTER_PARAMETER_REQUIRED) != 0;
  json["path"] = (p.flags & ISOCENTER_PARAMETER_PATH) != 0;
  json["help"] = p.help;
  return json;
}

}  // namespace

std::string to_text(const isocenter_operator_type& type) {
  std::string text = std::string(type.name) + "  (module " + type.module + ", version " + type.version + ")\n" +
                     wrapped(type.summary, "  ");
  if (*type.help != '\0') text += "\n" + wrapped(type.help, "  ");
  text += "\nInputs:\n" + port_lines(type, false) + "\nOutputs:\n" + port_lines(type, true) + "\nParameters:\n";
  for (const auto& p : parameters(type))
    text += "  " + std::string(p.name) + " = " + default_of(p) + "  (" + allowed(p) + ")\n" + wrapped(p.help, "      ");
  if (type.parameter_count == 0) text += "  none\n";
  return text + "\nIn a pipeline file:\n" + indented(file_snippet(type));
}

std::string to_markdown(const isocenter_operator_type& type) {
  std::string text = "# " + std::string(type.name) + "\n\n" + type.summary + " Module `" + type.module + "`, version " +
                     type.version + ".\n\n";
  if (*type.help != '\0') text += std::string(type.help) + "\n\n";
  text += port_table(type);
  if (type.parameter_count > 0) text += "| parameter | default | allowed | |\n|---|---|---|---|\n";
  for (const auto& p : parameters(type))
    text += "| `" + std::string(p.name) + "` | " + cell(default_of(p)) + " | " + cell(allowed(p)) + " | " +
            cell(p.help) + " |\n";
  return text + "\n```yaml\n" + file_snippet(type) + "```\n";
}

Json to_json(const isocenter_operator_type& type) {
  Json all = Json::array();
  for (const auto& p : parameters(type)) all.push_back(parameter_json(p));
  return {{"name", type.name},
          {"module", type.module},
          {"version", type.version},
          {"summary", type.summary},
          {"help", type.help},
          {"host_only", (type.flags & ISOCENTER_OPERATOR_HOST_ONLY) != 0},
          {"inputs", ports_json(type, false)},
          {"outputs", ports_json(type, true)},
          {"parameters", all}};
}

}  // namespace isocenter::command
