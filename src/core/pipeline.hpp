#pragma once
// The graph as described: nodes, parameters, wires, ways in and out.
#include <isocenter/error.hpp>
#include <map>
#include <string>
#include <vector>

#include "core/context.hpp"
#include "core/payload.hpp"

namespace isocenter::detail {

/// The queue that ends in one input port.
struct Edge {
  int from_node = -1;
  int from_port = -1;  // index among the type's ports
  std::int32_t policy = ISOCENTER_EDGE_BLOCK;
  std::uint32_t capacity = 1;
};

struct Node {
  enum class Role { operation, input, output };
  std::string name;
  Role role = Role::operation;
  const isocenter_operator_type* type = nullptr;
  std::map<std::string, std::string> values;  // as given; the rest are defaults
  std::string device;                         // "" is the session's
  Ref<isocenter_payload> description;         // of a way in
  std::map<int, Edge> edges;                  // by the index of the input port

  /// "non_local_means 'denoise'": how messages name it.
  std::string where() const { return std::string(type->name) + " '" + name + "'"; }
  const isocenter_port& port(int index) const { return type->ports[index]; }
  int find_port(const std::string& port_name, bool output) const;
};

}  // namespace isocenter::detail

struct isocenter_pipeline final : isocenter::detail::RefCounted {
  explicit isocenter_pipeline(isocenter_context* owner)
      : context(isocenter::detail::Ref<isocenter_context>::share(owner)) {}

  isocenter::detail::Ref<isocenter_context> context;
  std::vector<isocenter::detail::Node> nodes;

  void add(const std::string& name, const std::string& operator_name);
  void add_input(const std::string& name, const isocenter_payload& description);
  void add_output(const std::string& name, const std::string& node, const std::string& port);
  void set(const std::string& node, const std::string& parameter, const std::string& value);
  void set_device(const std::string& node, const std::string& device);
  void connect(const std::string& from, const std::string& from_port, const std::string& to,
               const std::string& to_port);
  void set_edge(const std::string& to, const std::string& to_port, std::int32_t policy, std::uint32_t capacity);
  /// Throws for anything wrong that can be told without input; gives the nodes in an order that respects the wires.
  std::vector<int> check() const;
  /// Whether anything is connected to an output port.
  bool used(int node, int port) const;

 private:
  int index_of(const std::string& name) const;
  isocenter::detail::Node& new_node(const std::string& name);
};
