#include "infer/caffe/caffe_model.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <isocenter/error.hpp>
#include <map>
#include <set>

#include "infer/caffe/caffe_layer.hpp"
#include "infer/sha256.hpp"

namespace isocenter::infer {
namespace {

namespace fs = std::filesystem;

/// The operator set that the layers' nodes belong to.
constexpr std::int64_t written_opset = 17;

const CaffeLayerRow* find_layer(const std::string& type) {
  for (const auto rows : {caffe_window_layers(), caffe_value_layers(), caffe_shape_layers()})
    for (const auto& row : rows)
      if (type == row.type) return &row;
  return nullptr;
}

std::vector<std::string> known_layers() {
  std::vector<std::string> types{"Input"};
  for (const auto rows : {caffe_window_layers(), caffe_value_layers(), caffe_shape_layers()})
    for (const auto& row : rows) types.emplace_back(row.type);
  std::sort(types.begin(), types.end());
  return types;
}

/// The enumerators of the older descriptions' "layers", where they are not the type's name in capitals.
std::string type_of(const TextMessage& layer, bool older, const std::vector<std::string>& all) {
  std::string type = layer.text("type", "");
  if (!older) return type;
  type.erase(std::remove(type.begin(), type.end(), '_'), type.end());
  for (const auto& known : all) {
    std::string capitals = known;
    for (char& c : capitals)
      if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
    if (capitals == type) return known;
  }
  return type;
}

/// Caffe's rules for a network in its test phase, at level 0 and without stages.
bool meets(const TextMessage& rule) {
  const std::string phase = rule.text("phase", "TEST");
  rule.set_aside({"not_stage"});
  return (phase == "TEST" || phase == "1") && rule.integer("min_level", 0) <= 0 && rule.integer("max_level", 0) >= 0 &&
         rule.texts("stage").empty();
}
bool is_left_out(const TextMessage& layer) {
  const auto include = layer.messages("include"), exclude = layer.messages("exclude");
  const auto met = [](const TextMessage* rule) { return meets(*rule); };
  return (!include.empty() && std::none_of(include.begin(), include.end(), met)) ||
         std::any_of(exclude.begin(), exclude.end(), met);
}

class Conversion {
 public:
  Conversion(std::string_view prototxt, const CaffeWeights& weights, const std::string& source)
      : net_(parse_prototxt(prototxt, source)), weights_(weights) {
    model_.source = source;
    model_.producer = "Caffe";
    model_.opset = written_opset;
    model_.layer_types = known_layers();
  }

  OnnxModel run() {
    net_.set_aside({"name", "state", "force_backward", "debug_info"});
    const auto older = net_.messages("layers");
    auto layers = net_.messages("layer");
    if (!older.empty() && !layers.empty())
      refuse(older[0]->line(), "the description has both 'layer' and 'layers'", "write all layers in one form");
    if (!older.empty()) layers = older;
    declared_inputs();
    for (const TextMessage* layer : layers) convert(*layer, !older.empty());
    net_.refuse_unread("the network");
    name_outputs();
    return std::move(model_);
  }

 private:
  [[noreturn]] void refuse(int line, const std::string& what, const std::string& fix) const {
    throw Failure(ErrorCode::bad_data, model_.source + ":" + std::to_string(line) + ": " + what, fix);
  }

  void add_input(const std::string& name, const std::vector<std::int64_t>& dims, int line) {
    if (dims.empty() || dims.size() > 8)
      refuse(line, "input '" + name + "' has " + std::to_string(dims.size()) + " extents; one to eight are needed",
             "state its shape, for example input_param { shape { dim: 1 dim: 3 dim: 224 dim: 224 } }");
    OnnxPort port{name, ElementType::f32, std::vector<OnnxDimension>{}};
    for (const std::int64_t extent : dims) port.shape->push_back({extent > 0 ? extent : -1, {}});
    if (name.empty() || !blobs_.emplace(name, CaffeValue{name, static_cast<int>(dims.size())}).second)
      refuse(line, "an input is called '" + name + "', which is empty or taken", "give it a name of its own");
    model_.inputs.push_back(std::move(port));
  }

  /// "input" with "input_shape" or four "input_dim" each, of descriptions before the Input layer.
  void declared_inputs() {
    const auto names = net_.texts("input");
    const auto shapes = net_.messages("input_shape");
    const auto dims = net_.integers("input_dim");
    if (shapes.empty() ? dims.size() != 4 * names.size() : shapes.size() != names.size() || !dims.empty())
      refuse(1,
             std::to_string(names.size()) + " inputs have " + std::to_string(shapes.size()) + " input_shape and " +
                 std::to_string(dims.size()) + " input_dim",
             "state one input_shape, or four input_dim, for each input");
    for (std::size_t i = 0; i < names.size(); ++i) {
      if (shapes.empty()) {
        const auto first = dims.begin() + static_cast<std::ptrdiff_t>(4 * i);
        add_input(names[i], {first, first + 4}, 1);
      } else {
        add_input(names[i], shapes[i]->integers("dim"), shapes[i]->line());
      }
    }
  }

  void input_layer(const TextMessage& layer, const std::vector<std::string>& tops) {
    const auto shapes = layer.message("input_param").messages("shape");
    if (shapes.size() != 1 && shapes.size() != tops.size())
      refuse(layer.line(),
             "an Input layer has " + std::to_string(tops.size()) + " tops and " + std::to_string(shapes.size()) +
                 " shapes",
             "state one shape for all or one for each");
    for (std::size_t i = 0; i < tops.size(); ++i)
      add_input(tops[i], shapes[shapes.size() == 1 ? 0 : i]->integers("dim"), layer.line());
  }

  void convert(const TextMessage& fields, bool older) {
    const std::string name = fields.text("name", ""), type = type_of(fields, older, model_.layer_types);
    const bool left_out = is_left_out(fields);
    const auto bottoms = fields.texts("bottom"), tops = fields.texts("top");
    fields.set_aside({"phase", "loss_weight", "param", "blobs", "propagate_down", "blobs_lr", "weight_decay",
                      "blob_share_mode", "transform_param", "loss_param"});
    if (left_out) return forget(fields);
    const std::string where = "layer '" + name + "' (" + type + ")";
    if (type == "Input") {
      input_layer(fields, tops);
      return fields.refuse_unread(where);
    }
    std::vector<CaffeValue> values;
    for (const auto& bottom : bottoms) {
      const auto it = blobs_.find(bottom);
      if (it == blobs_.end())
        refuse(fields.line(), where + " reads '" + bottom + "', which no layer before it makes",
               "write the layers in their order");
      values.push_back(it->second);
      consumed_.insert(bottom);
    }
    const CaffeLayerRow* row = find_layer(type);
    if (row == nullptr) {
      forget(fields);
      return unknown(name, type, values, tops);
    }
    if (values.size() < row->least_bottoms || values.size() > row->most_bottoms || tops.size() > row->most_tops ||
        (tops.empty() && row->most_tops > 0))
      refuse(fields.line(),
             where + " has " + std::to_string(values.size()) + " bottoms and " + std::to_string(tops.size()) +
                 " tops; " + std::to_string(row->least_bottoms) + " to " + std::to_string(row->most_bottoms) +
                 " bottoms and at most " + std::to_string(row->most_tops) + " tops are known",
             "correct the layer");
    CaffeLayer layer(model_, fields, name, type, std::move(values), tops.size(), weights_);
    row->convert(layer);
    fields.refuse_unread(where);
    for (std::size_t i = 0; i < tops.size(); ++i) set_blob(tops[i], layer.top_values()[i]);
  }

  /// A layer that is left out, or refused by its type: what else it says does not matter.
  static void forget(const TextMessage& fields) {
    for (const auto& field : fields.fields) field.mark();
  }

  void unknown(const std::string& name, const std::string& type, const std::vector<CaffeValue>& bottoms,
               const std::vector<std::string>& tops) {
    OnnxNode node;
    node.name = name;
    node.op_type = node.layer_type = type;
    node.domain = "caffe";
    for (const auto& bottom : bottoms) node.inputs.push_back(bottom.name);
    for (std::size_t i = 0; i < tops.size(); ++i) {
      node.outputs.push_back(":" + std::to_string(model_.nodes.size()) + "." + std::to_string(i));
      set_blob(tops[i], {node.outputs.back(), 4});
    }
    model_.nodes.push_back(std::move(node));
  }

  /// A top of a bottom's name takes its place: who reads it later reads the new content.
  void set_blob(const std::string& name, CaffeValue value) {
    blobs_[name] = std::move(value);
    consumed_.erase(name);
    order_.push_back(name);
  }

  /// What no layer reads goes out, in the order in which it was made, under the blob's name.
  void name_outputs() {
    std::map<std::string, std::string> renamed;
    std::set<std::string> done;
    for (auto it = order_.rbegin(); it != order_.rend(); ++it) {
      if (consumed_.count(*it) != 0 || !done.insert(*it).second) continue;
      std::string name = *it;
      for (const auto& input : model_.inputs)
        if (input.name == name) name += " (out)";
      renamed[blobs_[*it].name] = name;
      model_.outputs.push_back({name, ElementType::f32, std::nullopt});
    }
    std::reverse(model_.outputs.begin(), model_.outputs.end());
    if (model_.outputs.empty())
      refuse(1, "no layer makes an output", "give a description for deployment: an input, layers, what they end in");
    for (auto& node : model_.nodes)
      for (auto* names : {&node.inputs, &node.outputs})
        for (auto& name : *names)
          if (const auto it = renamed.find(name); it != renamed.end()) name = it->second;
  }

  TextMessage net_;
  const CaffeWeights& weights_;
  OnnxModel model_;
  std::map<std::string, CaffeValue> blobs_;  ///< what each name stands for at this point
  std::set<std::string> consumed_;           ///< names whose content a layer has read
  std::vector<std::string> order_;
};

std::vector<std::byte> read_whole(const fs::path& path, const char* what) {
  std::error_code error;
  if (!fs::is_regular_file(path, error))
    throw Failure(ErrorCode::not_found, path.string() + ": there is no such " + what, "check the path");
  std::ifstream in(path, std::ios::binary | std::ios::ate);
  const auto size = static_cast<std::int64_t>(in.tellg());
  std::vector<std::byte> bytes(size > 0 ? static_cast<std::size_t>(size) : 0);
  in.seekg(0);
  if (!in || !in.read(reinterpret_cast<char*>(bytes.data()), size))
    throw Failure(ErrorCode::io_error, path.string() + ": the " + what + " cannot be read",
                  "check its rights and the disk");
  return bytes;
}

/// The weights of the description's name, or the only ones in its folder.
fs::path weights_beside(const fs::path& prototxt) {
  fs::path same = prototxt;
  same.replace_extension(".caffemodel");
  std::error_code error;
  if (fs::is_regular_file(same, error)) return same;
  std::vector<fs::path> found;
  const fs::path folder = prototxt.parent_path().empty() ? fs::path(".") : prototxt.parent_path();
  for (const auto& entry : fs::directory_iterator(folder, error))
    if (entry.path().extension() == ".caffemodel") found.push_back(entry.path());
  if (found.size() == 1) return found[0];
  throw Failure(ErrorCode::not_found,
                prototxt.string() + ": the weights '" + same.filename().string() + "' are not beside it, and " +
                    std::to_string(found.size()) + " other .caffemodel files are",
                "put the trained weights beside it under that name");
}

}  // namespace

OnnxModel parse_caffe(std::string_view prototxt, const CaffeWeights& weights, const std::string& source) {
  return Conversion(prototxt, weights, source).run();
}

OnnxModel read_model(const std::string& path, std::string* hash) {
  const fs::path file(path);
  if (file.extension() == ".caffemodel")
    throw Failure(ErrorCode::invalid_argument, path + " has a Caffe network's weights and not its description",
                  "give the .prototxt for deployment; the weights are looked for beside it");
  if (file.extension() != ".prototxt") return read_onnx(path, hash);
  std::vector<std::byte> bytes = read_whole(file, "model file");
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const fs::path beside = weights_beside(file);
  const std::vector<std::byte> trained = read_whole(beside, "weights file");
  OnnxModel model = parse_caffe(text, parse_caffe_weights(trained, beside.string()), path);
  if (hash != nullptr) {
    bytes.insert(bytes.end(), trained.begin(), trained.end());
    *hash = sha256(bytes);
  }
  return model;
}

}  // namespace isocenter::infer
