#include "core/pipeline.hpp"

#include <algorithm>
#include <cctype>

#include "core/parameters.hpp"
#include "core/text.hpp"

using isocenter::ErrorCode;
using isocenter::Failure;
using isocenter::detail::did_you_mean;
using isocenter::detail::join;
using isocenter::detail::Node;

namespace isocenter::detail {
namespace {

constexpr std::uint32_t any_kind = ~0U;
const isocenter_port way_in_port{sizeof(isocenter_port), 0, 1, any_kind, "output", "What is pushed."};
const isocenter_port way_out_port{sizeof(isocenter_port), 0, 0, any_kind, "input", "What is pulled."};

// Ways in and out are nodes of these two types, so that wires, checks and reports know one kind of node only.
isocenter_operator_type way_type(const char* name, const isocenter_port* port) {
  isocenter_operator_type type{};
  type.struct_size = sizeof type;
  type.name = name;
  type.module = "core";
  type.version = "1.0.0";
  type.summary = type.help = "";
  type.ports = port;
  type.port_count = 1;
  return type;
}
const isocenter_operator_type way_in = way_type("input", &way_in_port);
const isocenter_operator_type way_out = way_type("output", &way_out_port);

}  // namespace

int Node::find_port(const std::string& port_name, bool output) const {
  std::vector<std::string> names;
  for (std::uint32_t i = 0; i < type->port_count; ++i) {
    if ((type->ports[i].is_output != 0) != output) continue;
    if (port_name == type->ports[i].name) return static_cast<int>(i);
    names.emplace_back(type->ports[i].name);
  }
  throw Failure(
      ErrorCode::not_found,
      where() + " has no " + (output ? "output" : "input") + " port '" + port_name + "'" +
          did_you_mean(port_name, names),
      names.empty() ? std::string("it has no ") + (output ? "outputs" : "inputs") : "use one of: " + join(names));
}

}  // namespace isocenter::detail

int isocenter_pipeline::index_of(const std::string& name) const {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    if (nodes[i].name == name) return static_cast<int>(i);
    names.push_back(nodes[i].name);
  }
  throw Failure(ErrorCode::not_found, "there is no node '" + name + "'" + did_you_mean(name, names),
                names.empty() ? "add a node first" : "use one of: " + join(names));
}

Node& isocenter_pipeline::new_node(const std::string& name) {
  const bool plain = !name.empty() && name.size() < 64 && std::all_of(name.begin(), name.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '_' || c == '-';
  });
  if (!plain)
    throw Failure(ErrorCode::invalid_argument, "'" + name + "' is no name for a node",
                  "use 1 to 63 letters, digits, '_' and '-'");
  for (const auto& n : nodes)
    if (n.name == name)
      throw Failure(ErrorCode::invalid_argument, "there are two nodes '" + name + "'",
                    "give each node a name of its own");
  nodes.emplace_back().name = name;
  return nodes.back();
}

void isocenter_pipeline::add(const std::string& name, const std::string& operator_name) {
  const isocenter_operator_type* type = context->find_operator(operator_name);
  if (type == nullptr) {
    std::string missing;
    for (const auto& m : context->modules)
      if (!m.loaded)
        missing += (missing.empty() ? "; modules that did not load: " : ", ") + m.name + " (" + m.reason + ")";
    throw Failure(ErrorCode::not_found,
                  "node '" + name + "': there is no operator '" + operator_name + "'" +
                      did_you_mean(operator_name, context->operator_names()) + missing,
                  "list them with 'isocenter operators', or load the module that has it");
  }
  new_node(name).type = type;
}

void isocenter_pipeline::add_input(const std::string& name, const isocenter_payload& description) {
  if (description.tensors.empty())
    throw Failure(ErrorCode::invalid_argument, "the description of input '" + name + "' has no tensor",
                  "describe the tensors that will be pushed");
  Node& node = new_node(name);
  node.role = Node::Role::input;
  node.type = &isocenter::detail::way_in;
  node.description = isocenter::detail::Ref<isocenter_payload>::adopt(description.copy_description());
  node.device = description.device == nullptr ? "cpu" : description.device->name;
}

void isocenter_pipeline::add_output(const std::string& name, const std::string& node, const std::string& port) {
  index_of(node);
  Node& way = new_node(name);
  way.role = Node::Role::output;
  way.type = &isocenter::detail::way_out;
  try {
    connect(node, port, name, "input");
  } catch (...) {
    nodes.pop_back();
    throw;
  }
}

void isocenter_pipeline::set(const std::string& node, const std::string& parameter, const std::string& value) {
  Node& n = nodes[static_cast<std::size_t>(index_of(node))];
  const isocenter_parameter* p = isocenter::detail::find_parameter(*n.type, parameter);
  if (p == nullptr) {
    std::vector<std::string> names;
    for (std::uint32_t i = 0; i < n.type->parameter_count; ++i) names.emplace_back(n.type->parameters[i].name);
    throw Failure(ErrorCode::not_found,
                  n.where() + " has no parameter '" + parameter + "'" + did_you_mean(parameter, names),
                  names.empty() ? "it has no parameters" : "use one of: " + join(names));
  }
  isocenter::detail::parse_parameter(*p, value, n.where());
  n.values[parameter] = value;
}

void isocenter_pipeline::set_device(const std::string& node, const std::string& device) {
  Node& n = nodes[static_cast<std::size_t>(index_of(node))];
  if (n.role != Node::Role::operation)
    throw Failure(ErrorCode::invalid_argument, "'" + node + "' is a way in or out and runs on no device",
                  "set the device of an operator's node");
  const auto& found = context->find_device(device);
  if ((n.type->flags & ISOCENTER_OPERATOR_HOST_ONLY) != 0 && !found.is_cpu())
    throw Failure(ErrorCode::unsupported, n.where() + " cannot run on '" + device + "'", "it runs on \"cpu\" only");
  n.device = found.name;
}

void isocenter_pipeline::connect(const std::string& from, const std::string& from_port, const std::string& to,
                                 const std::string& to_port) {
  const int a = index_of(from), b = index_of(to);
  const Node& source = nodes[static_cast<std::size_t>(a)];
  Node& target = nodes[static_cast<std::size_t>(b)];
  const int out = source.find_port(from_port, true), in = target.find_port(to_port, false);
  const std::string wire = "'" + from + "." + from_port + "' to '" + to + "." + to_port + "'";
  const std::uint32_t given =
      source.role == Node::Role::input ? 1U << source.description->kind : source.port(out).kinds;
  const std::uint32_t taken = target.port(in).kinds;
  if ((given & taken) == 0)
    throw Failure(ErrorCode::invalid_argument,
                  "cannot connect " + wire + ": it gives " + isocenter::detail::kind_names(given) + ", wanted is " +
                      isocenter::detail::kind_names(taken),
                  "connect ports of the same kind, or put a converting operator between them");
  if (target.edges.count(in) != 0)
    throw Failure(ErrorCode::invalid_argument, "cannot connect " + wire + ": something is connected there already",
                  "an input port takes one wire; an output port may feed many");
  if (a == b)
    throw Failure(ErrorCode::invalid_argument, "cannot connect " + wire + ": a node cannot feed itself",
                  "connect it to another node");
  target.edges[in] = {a, out, ISOCENTER_EDGE_BLOCK, 1};
}

void isocenter_pipeline::set_edge(const std::string& to, const std::string& to_port, std::int32_t policy,
                                  std::uint32_t capacity) {
  Node& target = nodes[static_cast<std::size_t>(index_of(to))];
  const auto edge = target.edges.find(target.find_port(to_port, false));
  if (edge == target.edges.end())
    throw Failure(ErrorCode::invalid_state, "nothing is connected to '" + to + "." + to_port + "' yet",
                  "connect it first, then set its queue");
  if (policy < ISOCENTER_EDGE_BLOCK || policy > ISOCENTER_EDGE_LATEST || capacity < 1 || capacity > 4096)
    throw Failure(ErrorCode::invalid_argument,
                  "the queue of '" + to + "." + to_port + "' cannot have policy " + std::to_string(policy) +
                      " and capacity " + std::to_string(capacity),
                  "policies are block, drop_oldest and latest; capacities 1 to 4096");
  edge->second.policy = policy;
  edge->second.capacity = policy == ISOCENTER_EDGE_LATEST ? 1 : capacity;
}

bool isocenter_pipeline::used(int node, int port) const {
  return std::any_of(nodes.begin(), nodes.end(), [&](const Node& n) {
    return std::any_of(n.edges.begin(), n.edges.end(),
                       [&](const auto& e) { return e.second.from_node == node && e.second.from_port == port; });
  });
}

std::vector<int> isocenter_pipeline::check() const {
  if (nodes.empty()) throw Failure(ErrorCode::invalid_state, "the pipeline has no nodes", "add at least one");
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const Node& n = nodes[i];
    for (std::uint32_t p = 0; p < n.type->parameter_count; ++p) {
      const auto& parameter = n.type->parameters[p];
      const auto given = n.values.find(parameter.name);
      if ((parameter.flags & ISOCENTER_PARAMETER_REQUIRED) != 0 && (given == n.values.end() || given->second.empty()))
        throw Failure(ErrorCode::invalid_argument, n.where() + ": " + parameter.name + " is not set",
                      "give " + isocenter::detail::allowed_text(parameter) + ": " +
                          isocenter::detail::without_full_stop(parameter.help));
    }
    bool has_output = false, output_used = false;
    for (std::uint32_t p = 0; p < n.type->port_count; ++p) {
      const auto& port = n.type->ports[p];
      if (port.is_output != 0) {
        has_output = true;
        output_used = output_used || used(static_cast<int>(i), static_cast<int>(p));
      } else if ((port.flags & ISOCENTER_PORT_OPTIONAL) == 0 && n.edges.count(static_cast<int>(p)) == 0) {
        throw Failure(ErrorCode::invalid_argument, n.where() + ": input port '" + port.name + "' is not connected",
                      std::string("connect a ") + isocenter::detail::kind_names(port.kinds) +
                          " to it: " + isocenter::detail::without_full_stop(port.help));
      }
    }
    if (has_output && !output_used)
      throw Failure(ErrorCode::invalid_argument, n.where() + ": nothing takes what it gives",
                    "connect one of its outputs, or remove the node");
  }
  // Kahn's algorithm: take nodes whose inputs are all taken; what is left stands on a cycle or behind one.
  std::vector<int> order;
  std::vector<bool> taken(nodes.size(), false);
  for (bool found = true; found;) {
    found = false;
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      if (taken[i] || std::any_of(nodes[i].edges.begin(), nodes[i].edges.end(),
                                  [&](const auto& e) { return !taken[static_cast<std::size_t>(e.second.from_node)]; }))
        continue;
      taken[i] = found = true;
      order.push_back(static_cast<int>(i));
    }
  }
  if (order.size() < nodes.size()) {
    // Walk backwards from any node left over until one comes again: that is the cycle.
    int at = static_cast<int>(std::find(taken.begin(), taken.end(), false) - taken.begin());
    std::vector<int> path;
    while (std::find(path.begin(), path.end(), at) == path.end()) {
      path.push_back(at);
      for (const auto& e : nodes[static_cast<std::size_t>(at)].edges)
        if (!taken[static_cast<std::size_t>(e.second.from_node)]) at = e.second.from_node;
    }
    std::string text = nodes[static_cast<std::size_t>(at)].name;
    std::reverse(path.begin(), path.end());
    for (const int n : path) {
      text += " -> " + nodes[static_cast<std::size_t>(n)].name;
      if (n == at) break;
    }
    throw Failure(ErrorCode::invalid_argument, "the graph has a cycle: " + text,
                  "remove one of these wires; a graph flows one way");
  }
  return order;
}

// ---- C ABI ----

using isocenter::detail::guarded;

extern "C" {

isocenter_status isocenter_pipeline_create(isocenter_context* context, isocenter_pipeline** pipeline,
                                           isocenter_error* error) {
  return guarded(error, [&]() -> isocenter_status {
    *pipeline = new isocenter_pipeline(context);
    return ISOCENTER_OK;
  });
}
void isocenter_pipeline_retain(isocenter_pipeline* pipeline) { pipeline->retain(); }
void isocenter_pipeline_release(isocenter_pipeline* pipeline) {
  if (pipeline != nullptr) pipeline->release();
}
isocenter_status isocenter_pipeline_add(isocenter_pipeline* pipeline, const char* node, const char* operator_name,
                                        isocenter_error* error) {
  return guarded(error, [&]() -> isocenter_status {
    pipeline->add(node, operator_name);
    return ISOCENTER_OK;
  });
}
isocenter_status isocenter_pipeline_set(isocenter_pipeline* pipeline, const char* node, const char* parameter,
                                        const char* value, isocenter_error* error) {
  return guarded(error, [&]() -> isocenter_status {
    pipeline->set(node, parameter, value);
    return ISOCENTER_OK;
  });
}
isocenter_status isocenter_pipeline_set_device(isocenter_pipeline* pipeline, const char* node, const char* device,
                                               isocenter_error* error) {
  return guarded(error, [&]() -> isocenter_status {
    pipeline->set_device(node, device);
    return ISOCENTER_OK;
  });
}
isocenter_status isocenter_pipeline_connect(isocenter_pipeline* pipeline, const char* from_node, const char* from_port,
                                            const char* to_node, const char* to_port, isocenter_error* error) {
  return guarded(error, [&]() -> isocenter_status {
    pipeline->connect(from_node, from_port, to_node, to_port);
    return ISOCENTER_OK;
  });
}
isocenter_status isocenter_pipeline_set_edge(isocenter_pipeline* pipeline, const char* to_node, const char* to_port,
                                             int32_t policy, uint32_t capacity, isocenter_error* error) {
  return guarded(error, [&]() -> isocenter_status {
    pipeline->set_edge(to_node, to_port, policy, capacity);
    return ISOCENTER_OK;
  });
}
isocenter_status isocenter_pipeline_add_input(isocenter_pipeline* pipeline, const char* name,
                                              const isocenter_payload* description, isocenter_error* error) {
  return guarded(error, [&]() -> isocenter_status {
    pipeline->add_input(name, *description);
    return ISOCENTER_OK;
  });
}
isocenter_status isocenter_pipeline_add_output(isocenter_pipeline* pipeline, const char* name, const char* node,
                                               const char* port, isocenter_error* error) {
  return guarded(error, [&]() -> isocenter_status {
    pipeline->add_output(name, node, port);
    return ISOCENTER_OK;
  });
}
isocenter_status isocenter_pipeline_check(const isocenter_pipeline* pipeline, isocenter_error* error) {
  return guarded(error, [&]() -> isocenter_status {
    pipeline->check();
    return ISOCENTER_OK;
  });
}

}  // extern "C"
