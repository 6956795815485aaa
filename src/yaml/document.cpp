#include "yaml/document.hpp"

#include <isocenter/yaml.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "core/text.hpp"
#include "yaml/substitute.hpp"

namespace isocenter::detail::yaml {
namespace {

constexpr std::size_t largest_file = 1U << 20U;

Place place_of(const YAML::Mark& mark) { return mark.is_null() ? Place{} : Place{mark.line + 1, mark.column + 1}; }
Place place_of(const YAML::Node& node) { return place_of(node.Mark()); }

const char* kind_of(const YAML::Node& node) {
  if (node.IsMap()) return "a map";
  if (node.IsSequence()) return "a list";
  return node.IsScalar() ? "a text" : "nothing";
}

/// One map of the file with the keys that it may have: unknown, double and empty ones are refused when it is made.
class Map {
 public:
  Map(const Document& document, const YAML::Node& node, Place place, std::string what,
      const std::vector<std::string>& known)
      : document_(document), place_(place), what_(std::move(what)) {
    if (!node.IsMap())
      document.refuse(place, what_ + " is " + kind_of(node) + ", wanted is a map", "write 'key: value' lines");
    for (const auto& pair : node) {
      const Place at = place_of(pair.first);
      if (!pair.first.IsScalar())
        document.refuse(at, "a key of " + what_ + " is " + kind_of(pair.first), "write a plain name before the ':'");
      const std::string& key = pair.first.Scalar();
      if (!known.empty() && std::find(known.begin(), known.end(), key) == known.end())
        document.refuse(at, what_ + " has no key '" + key + "'" + did_you_mean(key, known), "use: " + join(known));
      if (find(key) != nullptr)
        document.refuse(at, "the key '" + key + "' stands twice in " + what_, "remove one of the two");
      if (!pair.second.IsDefined() || pair.second.IsNull())
        document.refuse(at, "'" + key + "' in " + what_ + " has no value", "give it one, or remove the key");
      entries_.push_back({{key, at}, pair.second});
    }
  }

  struct Entry {
    Text key;
    YAML::Node value;
  };
  const std::vector<Entry>& entries() const { return entries_; }
  const Entry* find(const std::string& key) const {
    for (const auto& e : entries_)
      if (e.key.text == key) return &e;
    return nullptr;
  }
  const Entry& require(const std::string& key, const std::string& fix) const {
    const Entry* e = find(key);
    if (e == nullptr) document_.refuse(place_, what_ + " has no '" + key + "'", fix);
    return *e;
  }

 private:
  const Document& document_;
  Place place_;
  std::string what_;
  std::vector<Entry> entries_;
};

/// Where the documents of a text begin; looks at two at most. Not YAML::LoadAll: on a text that begins with ',' it adds
/// empty documents until memory is exhausted (yaml-cpp 0.7).
class DocumentPlaces final : public YAML::EventHandler {
 public:
  explicit DocumentPlaces(const std::string& text) {
    std::istringstream stream(text);
    YAML::Parser parser(stream);
    while (places_.size() < 2 && parser.HandleNextDocument(*this)) {
    }
  }
  const std::vector<YAML::Mark>& operator*() const { return places_; }

 private:
  void OnDocumentStart(const YAML::Mark& mark) override { places_.push_back(mark); }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark&, YAML::anchor_t) override {}
  void OnAlias(const YAML::Mark&, YAML::anchor_t) override {}
  void OnScalar(const YAML::Mark&, const std::string&, YAML::anchor_t, const std::string&) override {}
  void OnSequenceStart(const YAML::Mark&, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override {}
  void OnSequenceEnd() override {}
  void OnMapStart(const YAML::Mark&, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override {}
  void OnMapEnd() override {}

  std::vector<YAML::Mark> places_;
};

class Reader {
 public:
  Reader(Document& document, const Variables& variables) : document_(document), variables_(variables) {}

  void read(const YAML::Node& root) {
    const Map top(document_, root, place_of(root), "the pipeline file",
                  {"isocenter", "name", "description", "inputs", "nodes", "outputs"});
    check_format(top.require("isocenter", "begin the file with 'isocenter: 1', the version of its format"));
    if (const auto* e = top.find("name")) document_.name = value(*e, "'name'").text;
    if (const auto* e = top.find("description")) document_.description = value(*e, "'description'").text;
    if (const auto* e = top.find("inputs")) read_inputs(*e);
    read_nodes(top.require("nodes", "list the nodes: 'nodes:' and below it '- name: ...' with 'operator: ...'"));
    if (const auto* e = top.find("outputs")) document_.outputs = wires(*e, "'outputs'");
  }

 private:
  /// A plain text, as it stands.
  Text text(const YAML::Node& node, Place key, const std::string& what) const {
    if (!node.IsScalar())
      document_.refuse(node.IsDefined() && !node.IsNull() ? place_of(node) : key,
                       what + " is " + kind_of(node) + ", wanted is a text", "write one value");
    return {node.Scalar(), place_of(node)};
  }
  Text text(const Map::Entry& e, const std::string& what) const { return text(e.value, e.key.place, what); }
  /// A text with its variables put in.
  Text value(const Map::Entry& e, const std::string& what) {
    Text t = text(e, what);
    t.text = substitute(t.text, t.place, variables_, document_);
    return t;
  }

  void check_format(const Map::Entry& e) const {
    const Text version = text(e, "'isocenter'");
    if (version.text != std::to_string(ISOCENTER_YAML_FORMAT))
      document_.refuse(version.place, "isocenter: " + version.text + " is no version of the format",
                       "write 'isocenter: 1', or use a later Isocenter");
  }

  void read_inputs(const Map::Entry& e) {
    if (!e.value.IsSequence())
      document_.refuse(e.key.place, std::string("'inputs' is ") + kind_of(e.value) + ", wanted is a list",
                       "list the names of the ways in: [scan]");
    for (const auto& item : e.value) document_.inputs.push_back(text(item, e.key.place, "an entry of 'inputs'"));
  }

  void read_nodes(const Map::Entry& e) {
    if (!e.value.IsSequence() || e.value.size() == 0)
      document_.refuse(e.key.place,
                       std::string("'nodes' is ") + (e.value.IsSequence() ? "empty" : kind_of(e.value)) +
                           ", wanted is a list of nodes",
                       "begin every node with '- name: ...'");
    for (const auto& item : e.value) document_.nodes.push_back(read_node(item, e.key.place));
  }

  NodeEntry read_node(const YAML::Node& node, Place list) {
    const Place place = node.IsDefined() && !node.IsNull() ? place_of(node) : list;
    const std::string what = node_words(node);
    const Map map(document_, node, place, what, {"name", "operator", "inputs", "parameters", "device", "queue"});
    NodeEntry entry;
    entry.place = place;
    entry.place_text = document_.at(place);
    entry.name = text(map.require("name", "give it a name of its own: 'name: denoise'"), "the name of a node");
    entry.operator_name = text(map.require("operator", "say which operator it runs: 'operator: non_local_means'"),
                               "'operator' in " + what);
    if (const auto* e = map.find("device")) entry.device = value(*e, "'device' in " + what);
    if (const auto* e = map.find("inputs")) entry.inputs = wires(*e, "'inputs' in " + what);
    if (const auto* e = map.find("parameters")) read_parameters(*e, what, entry);
    if (const auto* e = map.find("queue")) read_queues(*e, what, entry);
    return entry;
  }

  /// "node 'denoise'" once the name is known, however wrong the rest is.
  static std::string node_words(const YAML::Node& node) {
    if (!node.IsMap()) return "an entry of 'nodes'";
    const YAML::Node name = node["name"];
    return name.IsDefined() && name.IsScalar() ? "node '" + name.Scalar() + "'" : "a node without a name";
  }

  std::vector<Wire> wires(const Map::Entry& e, const std::string& what) const {
    std::vector<Wire> all;
    const Map map(document_, e.value, e.key.place, what, {});
    for (const auto& wire : map.entries()) all.push_back({wire.key, text(wire, "'" + wire.key.text + "' in " + what)});
    return all;
  }

  void read_parameters(const Map::Entry& e, const std::string& node, NodeEntry& entry) {
    const Map map(document_, e.value, e.key.place, "'parameters' in " + node, {});
    for (const auto& p : map.entries()) {
      const std::string what = "parameter '" + p.key.text + "' of " + node;
      Setting setting{p.key, "", place_of(p.value)};
      if (p.value.IsSequence()) {
        setting.is_list = true;
        for (const auto& element : p.value) {
          const Text t = text(element, p.key.place, "an element of " + what);
          setting.value += (setting.value.empty() ? "" : ", ") + substitute(t.text, t.place, variables_, document_);
        }
      } else {
        const Text raw = text(p, what);
        setting.starts_with_variable = raw.text.rfind("${", 0) == 0;
        setting.value = substitute(raw.text, raw.place, variables_, document_);
      }
      entry.parameters.push_back(std::move(setting));
    }
  }

  void read_queues(const Map::Entry& e, const std::string& node, NodeEntry& entry) {
    const Map map(document_, e.value, e.key.place, "'queue' in " + node, {});
    for (const auto& q : map.entries()) {
      const std::string what = "the queue of port '" + q.key.text + "' of " + node;
      const Map settings(document_, q.value, q.key.place, what, {"policy", "capacity"});
      Queue queue{q.key, q.key.place};
      if (const auto* policy = settings.find("policy")) queue.policy = read_policy(text(*policy, "'policy'"), what);
      if (const auto* capacity = settings.find("capacity")) {
        queue.capacity = read_capacity(text(*capacity, "'capacity'"), what);
        if (queue.policy == ISOCENTER_EDGE_LATEST && queue.capacity != 1)
          document_.refuse(place_of(capacity->value),
                           what + " holds one item with the policy 'latest', not " + std::to_string(queue.capacity),
                           "remove 'capacity', or use the policy 'drop_oldest'");
      }
      entry.queues.push_back(queue);
    }
  }

  std::int32_t read_policy(const Text& policy, const std::string& what) const {
    const std::vector<std::string> names = {"block", "drop_oldest", "latest"};  // in the order of ISOCENTER_EDGE_*
    for (std::size_t i = 0; i < names.size(); ++i)
      if (policy.text == names[i]) return static_cast<std::int32_t>(i);
    document_.refuse(policy.place, what + " has no policy '" + policy.text + "'" + did_you_mean(policy.text, names),
                     "use one of: " + join(names));
  }

  std::uint32_t read_capacity(const Text& capacity, const std::string& what) const {
    std::uint32_t n = 0;
    const char* end = capacity.text.data() + capacity.text.size();
    const auto read = std::from_chars(capacity.text.data(), end, n);
    if (read.ec != std::errc() || read.ptr != end || n < 1 || n > 4096)
      document_.refuse(capacity.place, what + " has capacity '" + capacity.text + "', allowed is 1 to 4096",
                       "give the number of items that may wait");
    return n;
  }

  Document& document_;
  const Variables& variables_;
};

}  // namespace

std::string Document::at(Place place) const {
  return place.line == 0 ? source : source + ":" + std::to_string(place.line) + ":" + std::to_string(place.column);
}

void Document::refuse(Place place, const std::string& what, const std::string& fix, ErrorCode code) const {
  throw Failure(code, at(place) + ": " + what, fix);
}

Document read_document(const std::string& text, const std::string& source, const std::string& folder,
                       const Variables& variables) {
  Document document;
  document.source = source;
  document.folder = folder;
  document.name = std::filesystem::path(source).stem().string();
  YAML::Node root;
  try {
    const DocumentPlaces places(text);
    if ((*places).size() > 1)
      document.refuse(place_of((*places)[1]), "a second document begins here",
                      "write one pipeline a file; remove what separates them");
    root = YAML::Load(text);
  } catch (const YAML::Exception& e) {
    document.refuse(place_of(e.mark), "this is no valid YAML: " + e.msg,
                    "check the indentation (spaces, no tabs), the quotes and the brackets at and above this place");
  }
  if (!root.IsDefined() || root.IsNull())
    document.refuse({}, "the file is empty", "write a pipeline into it; examples/pipelines has some");
  Reader(document, variables).read(root);
  return document;
}

std::string read_text_file(const std::string& path) {
  std::error_code error;
  if (!std::filesystem::exists(path, error))
    throw Failure(ErrorCode::not_found, "there is no pipeline file '" + path + "'", "check the path");
  if (std::filesystem::is_directory(path, error))
    throw Failure(ErrorCode::invalid_argument, "'" + path + "' is a folder, wanted is a pipeline file",
                  "give the path of a .yaml file");
  std::ifstream file(path, std::ios::binary);
  std::string text(largest_file + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(std::max<std::streamsize>(file.gcount(), 0)));
  if (!file.is_open() || file.bad())
    throw Failure(ErrorCode::io_error, "the pipeline file '" + path + "' cannot be read",
                  "check that this user may read it");
  if (text.size() > largest_file || text.find('\0') != std::string::npos)
    throw Failure(
        ErrorCode::invalid_argument,
        "'" + path + "' is no pipeline file: it is " + (text.size() > largest_file ? "larger than 1 MiB" : "no text"),
        "give the path of a .yaml file");
  return text;
}

}  // namespace isocenter::detail::yaml
