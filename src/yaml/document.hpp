#pragma once
// A pipeline file as it was written: every text with its place, its structure already checked. What the texts mean
// (operators, ports, parameters) is build.cpp's concern.
#include <cstdint>
#include <isocenter/error.hpp>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace isocenter::detail::yaml {

/// Line and column, both from 1; line 0 is nowhere.
struct Place {
  int line = 0, column = 0;
};

struct Text {
  std::string text;
  Place place;
};

/// `port: node.port` in a node's inputs or in the file's outputs.
struct Wire {
  Text to, from;
};

struct Setting {
  Text name;
  std::string value;  ///< variables put in; a list's elements joined by ", "
  Place place;        ///< of the value
  bool is_list = false;
  bool starts_with_variable = false;  ///< a path that the caller gave: not relative to the file
};

struct Queue {
  Text port;
  Place place;
  std::int32_t policy = 0;
  std::uint32_t capacity = 1;
};

struct NodeEntry {
  Text name, operator_name, device;  ///< device "" is the session's
  std::vector<Wire> inputs;
  std::vector<Setting> parameters;
  std::vector<Queue> queues;
  Place place;
  std::string place_text;
};

struct Document {
  std::string source;  ///< what messages call the file
  std::string folder;  ///< what relative paths are relative to
  std::string name, description;
  std::vector<Text> inputs;
  std::vector<NodeEntry> nodes;
  std::vector<Wire> outputs;
  std::set<std::string> used_variables;

  /// "study.yaml:12:5"
  std::string at(Place place) const;
  [[noreturn]] void refuse(Place place, const std::string& what, const std::string& fix,
                           ErrorCode code = ErrorCode::invalid_argument) const;
};

using Variables = std::map<std::string, std::string>;

/// Reads the text of a file. Throws Error for whatever is wrong with its structure, with file:line:column.
Document read_document(const std::string& text, const std::string& source, const std::string& folder,
                       const Variables& variables);

/// The text of a pipeline file; not_found, io_error or invalid_argument when it cannot be one.
std::string read_text_file(const std::string& path);

}  // namespace isocenter::detail::yaml
