#include "yaml/build.hpp"

#include <filesystem>

#include "core/text.hpp"

namespace isocenter::detail::yaml {
namespace {

class Builder {
 public:
  Builder(const Document& document, isocenter_context* context, isocenter_pipeline* pipeline)
      : document_(document), context_(context), pipeline_(pipeline) {}

  void build(const std::vector<Override>& overrides) {
    // All nodes first, so that their order in the file does not matter to the wires.
    for (const auto& node : document_.nodes) add(node);
    for (const auto& node : document_.nodes)
      for (const auto& wire : node.inputs) connect(wire.from, node.name.text, wire.to);
    for (const auto& node : document_.nodes)
      for (const auto& queue : node.queues) set_queue(node, queue);
    for (const auto& output : document_.outputs) add_output(output);
    for (const auto& o : overrides) apply(o);
    check();
  }

 private:
  /// Calls the C ABI; an error gets the place in the file in front.
  template <class F>
  void at(Place place, F&& f) const {
    try {
      call(f);
    } catch (const Error& e) {
      throw Error(e.code(), document_.at(place) + ": " + e.what());
    }
  }

  void add(const NodeEntry& node) {
    for (const auto& input : document_.inputs)
      if (input.text == node.name.text)
        document_.refuse(node.name.place, "there are a node and an input '" + input.text + "'",
                         "give each a name of its own");
    at(node.operator_name.place, [&](auto* e) -> isocenter_status {
      // The operator's name is wrong more often than the node's, which has its own place.
      if (isocenter_operator_find(context_, node.operator_name.text.c_str()) != nullptr) return ISOCENTER_OK;
      return isocenter_pipeline_add(pipeline_, node.name.text.c_str(), node.operator_name.text.c_str(), e);
    });
    at(node.name.place, [&](auto* e) {
      return isocenter_pipeline_add(pipeline_, node.name.text.c_str(), node.operator_name.text.c_str(), e);
    });
    if (!node.device.text.empty()) set_device(node);
    const isocenter_operator_type& type = type_of(node);
    for (const auto& p : node.parameters) set(node, type, p);
  }

  void set_device(const NodeEntry& node) const {
    isocenter_device_info info{};
    info.struct_size = sizeof info;
    isocenter_error e{sizeof e, ISOCENTER_OK, {}};
    if (isocenter_context_find_device(context_, node.device.text.c_str(), &info, nullptr, 0, &e) != ISOCENTER_OK)
      throw Error(ErrorCode::unsupported,
                  document_.at(node.device.place) + ": node '" + node.name.text + "': " + e.message);
    if ((type_of(node).flags & ISOCENTER_OPERATOR_HOST_ONLY) != 0 && std::string_view(info.type) != "cpu")
      document_.refuse(node.device.place, "node '" + node.name.text + "' cannot run on '" + node.device.text + "'",
                       node.operator_name.text + " runs on \"cpu\" only: remove the device");
    at(node.device.place, [&](auto* error) {
      return isocenter_pipeline_set_device(pipeline_, node.name.text.c_str(), node.device.text.c_str(), error);
    });
  }

  void set(const NodeEntry& node, const isocenter_operator_type& type, const Setting& setting) const {
    const isocenter_parameter* known = nullptr;
    for (std::uint32_t i = 0; i < type.parameter_count; ++i)
      if (const auto* p = isocenter_operator_parameter(&type, i); setting.name.text == p->name) known = p;
    std::string value = setting.value;
    if (known != nullptr && setting.is_list && known->type != ISOCENTER_PARAMETER_NUMBERS)
      document_.refuse(setting.place,
                       "node '" + node.name.text + "': " + setting.name.text + " is a list, wanted is " + "one value",
                       "write the value without brackets");
    if (known != nullptr && (known->flags & ISOCENTER_PARAMETER_PATH) != 0) value = resolve(setting);
    at(known != nullptr ? setting.place : setting.name.place, [&](auto* e) {
      return isocenter_pipeline_set(pipeline_, node.name.text.c_str(), setting.name.text.c_str(), value.c_str(), e);
    });
  }

  /// A relative path in the file is relative to the file; what a variable begins is the caller's own.
  std::string resolve(const Setting& setting) const {
    const std::filesystem::path path(setting.value);
    if (path.empty() || path.is_absolute() || setting.starts_with_variable) return setting.value;
    return (std::filesystem::path(document_.folder) / path).lexically_normal().string();
  }

  struct End {
    std::string node, port;
  };

  /// "node" or "node.port".
  End resolve_output(const Text& reference) const {
    const std::size_t dot = reference.text.find('.');
    const std::string name = reference.text.substr(0, dot);
    for (const auto& input : document_.inputs)
      if (input.text == name) return {name, dot == std::string::npos ? "output" : reference.text.substr(dot + 1)};
    std::vector<std::string> names;
    for (const auto& node : document_.nodes) {
      if (node.name.text == name)
        return {name, dot == std::string::npos ? only_output(node, reference) : reference.text.substr(dot + 1)};
      names.push_back(node.name.text);
    }
    for (const auto& input : document_.inputs) names.push_back(input.text);
    document_.refuse(reference.place, "there is no node '" + name + "'" + did_you_mean(name, names),
                     "use one of: " + join(names), ErrorCode::not_found);
  }

  std::string only_output(const NodeEntry& node, const Text& reference) const {
    const isocenter_operator_type& type = type_of(node);
    std::vector<std::string> ports, full;
    for (std::uint32_t i = 0; i < type.port_count; ++i) {
      const isocenter_port* port = isocenter_operator_port(&type, i);
      if (port->is_output == 0) continue;
      ports.emplace_back(port->name);
      full.push_back(node.name.text + "." + port->name);
    }
    if (ports.empty())
      document_.refuse(reference.place, "node '" + node.name.text + "' (" + type.name + ") has no outputs",
                       "connect a node that gives something");
    if (ports.size() > 1)
      document_.refuse(
          reference.place,
          "'" + reference.text + "' is ambiguous: " + type.name + " has " + std::to_string(ports.size()) + " outputs",
          "write one of: " + join(full));
    return ports.front();
  }

  void connect(const Text& from, const std::string& to, const Text& port) const {
    const End end = resolve_output(from);
    // A wrong port of this node stands at the key, everything else at the value.
    const bool port_known = has_input(to, port.text);
    at(port_known ? from.place : port.place, [&](auto* e) {
      const isocenter_status status =
          isocenter_pipeline_connect(pipeline_, end.node.c_str(), end.port.c_str(), to.c_str(), port.text.c_str(), e);
      if (status == ISOCENTER_NOT_FOUND && is_way_in(end.node) && port_known)
        return write_error(e, ErrorCode::invalid_state,
                           ("the way in '" + end.node +
                            "' is not there. Fix: a program adds it to the pipeline and "
                            "pushes into it; from files alone, use a source operator.")
                               .c_str());
      return status;
    });
  }

  void set_queue(const NodeEntry& node, const Queue& queue) const {
    at(queue.place, [&](auto* e) {
      return isocenter_pipeline_set_edge(pipeline_, node.name.text.c_str(), queue.port.text.c_str(), queue.policy,
                                         queue.capacity, e);
    });
  }

  void add_output(const Wire& output) const {
    const End end = resolve_output(output.from);
    at(output.from.place, [&](auto* e) {
      return isocenter_pipeline_add_output(pipeline_, output.to.text.c_str(), end.node.c_str(), end.port.c_str(), e);
    });
  }

  void apply(const Override& o) const {
    try {
      call([&](auto* e) {
        return isocenter_pipeline_set(pipeline_, o.node.c_str(), o.parameter.c_str(), o.value.c_str(), e);
      });
    } catch (const Error& e) {
      throw Error(e.code(), "setting " + o.node + "." + o.parameter + ": " + e.what());
    }
  }

  /// What can only be told of the whole: unconnected ports, required parameters, cycles. Core names the node at the
  /// beginning of its message, or in a cycle's path; that gives the place.
  void check() const {
    isocenter_error e{sizeof e, ISOCENTER_OK, {}};
    const isocenter_status status = isocenter_pipeline_check(pipeline_, &e);
    if (status == ISOCENTER_OK) return;
    const std::string message = e.message;
    Place place;
    for (const auto& node : document_.nodes)
      if (message.rfind(node.operator_name.text + " '" + node.name.text + "'", 0) == 0 ||
          message.find("cycle: " + node.name.text + " ") != std::string::npos)
        place = node.place;
    throw Error(static_cast<ErrorCode>(status), document_.at(place) + ": " + message);
  }

  const isocenter_operator_type& type_of(const NodeEntry& node) const {
    return *isocenter_operator_find(context_, node.operator_name.text.c_str());
  }
  bool is_way_in(const std::string& name) const {
    for (const auto& input : document_.inputs)
      if (input.text == name) return true;
    return false;
  }
  bool has_input(const std::string& node_name, const std::string& port) const {
    for (const auto& node : document_.nodes) {
      if (node.name.text != node_name) continue;
      const auto& type = type_of(node);
      for (std::uint32_t i = 0; i < type.port_count; ++i)
        if (const auto* p = isocenter_operator_port(&type, i); p->is_output == 0 && port == p->name) return true;
    }
    return false;
  }

  const Document& document_;
  isocenter_context* context_;
  isocenter_pipeline* pipeline_;
};

}  // namespace

void build(const Document& document, const std::vector<Override>& overrides, isocenter_context* context,
           isocenter_pipeline* pipeline) {
  Builder(document, context, pipeline).build(overrides);
}

}  // namespace isocenter::detail::yaml
