// Preparing a session: every node is planned in the order of the wires, then all memory is counted, compared with the
// budget and allocated.
#include <algorithm>
#include <cstring>
#include <limits>
#include <optional>

#include "core/digest.hpp"
#include "core/processes.hpp"
#include "core/session.hpp"
#include "core/session_memory.hpp"
#include "core/slab_join.hpp"
#include "core/structs.hpp"
#include "core/text.hpp"

using isocenter::ErrorCode;
using isocenter::Failure;
using namespace isocenter::detail;

namespace isocenter::detail {
namespace {

// The node that brings a payload to another device; inserted by the planner where a wire crosses.
struct CopyNode {
  isocenter_session* session = nullptr;
  SessionNode* node = nullptr;
};
isocenter_status run_copy(void* instance, const isocenter_run* run, isocenter_error* error) {
  return guarded(error, [&]() -> isocenter_status {
    const auto& self = *static_cast<CopyNode*>(instance);
    const isocenter_payload& from = *self.node->inputs[0].current;
    run->node->outputs[0]->current->copy_data_from(from, run->node->stream);
    // To the host: the work is on the source's device, which the session does not wait for here.
    if (from.device != nullptr && !from.device->is_cpu()) from.device->wait(nullptr, run->node->name.c_str());
    return ISOCENTER_OK;
  });
}
const isocenter_port copy_ports[] = {{sizeof(isocenter_port), 0, 0, ~0U, "input", ""},
                                     {sizeof(isocenter_port), 0, 1, ~0U, "output", ""}};
const isocenter_operator_type copy_type = [] {
  isocenter_operator_type t{};
  t.struct_size = sizeof t;
  t.name = "copy";
  t.module = "core";
  t.version = "1.0.0";
  t.summary = t.help = "";
  t.ports = copy_ports;
  t.port_count = 2;
  t.run = run_copy;
  t.destroy = [](void* p) { delete static_cast<CopyNode*>(p); };
  return t;
}();

void check_status(isocenter_status status, const isocenter_error& error) {
  if (status != ISOCENTER_OK) throw Error(static_cast<ErrorCode>(status), error.message);
}

}  // namespace
}  // namespace isocenter::detail

class SessionPlanner {
 public:
  SessionPlanner(isocenter_session& session, const isocenter_pipeline& pipeline)
      : session_(session), pipeline_(pipeline), by_index_(pipeline.nodes.size(), nullptr) {}

  void plan(const isocenter_session_options& options) {
    const Device& device = session_.context->find_device(
        options.device == nullptr || *options.device == '\0' ? "cpu" : options.device, &session_.device_why);
    find_who_shares(device);
    for (const int index : pipeline_.check()) plan_node(index, device);
    choose_in_flight(session_);
    agree_with_others();
    allocate_memory(session_);
  }

 private:
  void find_who_shares(const Device& device) {
    const auto* others = isocenter_context_communicator(session_.context.get());
    const DeviceShare share = find_device_share(others, device);
    session_.shared_device = &device;
    session_.sharers = share.processes;
    if (share.words.empty() || others->rank > 0) return;
    session_.device_why += "; " + share.words;
    if (session_.context->log != nullptr)
      session_.context->log(session_.context->log_user, ISOCENTER_LOG_WARNING,
                            (share.words + ". Fix: start one process for each GPU.").c_str());
  }

  void plan_node(int index, const Device& session_device) {
    const Node& described = pipeline_.nodes[static_cast<std::size_t>(index)];
    SessionNode& node = add(described.name, described.role, described.type);
    by_index_[static_cast<std::size_t>(index)] = &node;
    if (described.role == Node::Role::input) {
      node.device = &session_.context->find_device(described.device);
      OutputPort& out = add_output(node, "output", 0);
      out.description = described.description;
      node.record = record_of(node);
      stamp_provenance(node);
      return;
    }
    const bool host_only = (described.type->flags & ISOCENTER_OPERATOR_HOST_ONLY) != 0;
    node.device = !described.device.empty() ? &session_.context->find_device(described.device)
                  : host_only               ? &session_.context->cpu()
                                            : &session_device;
    if (described.role == Node::Role::output) {
      const OutputPort& from = output_of(described.edges.begin()->second);
      node.device = find_slabs(*from.description) ? &session_.context->cpu() : from.device;
    }
    for (const auto& [port, edge] : described.edges) connect(node, described.port(port).name, edge);
    for (auto& in : node.inputs) {
      for (const int a : in.from->ancestors)
        if (std::find(node.ancestors.begin(), node.ancestors.end(), a) == node.ancestors.end())
          node.ancestors.push_back(a);
      node.idle = node.idle || in.from->idle || in.from->gives_nothing;
    }
    std::sort(node.ancestors.begin(), node.ancestors.end());
    if (described.role == Node::Role::output) return;
    for (auto& in : node.inputs) in.pending_bytes = copy_bytes(node, in);
    node.device->make_current();
    make_stream(node);
    read_values(node, described);
    isocenter_error error{sizeof error, ISOCENTER_OK, {}};
    check_status(node.type->create(node.type->user, &node.values, &node.instance, &error), error);
    for (std::uint32_t p = 0; p < node.type->port_count; ++p) {
      if (node.type->ports[p].is_output == 0) continue;
      OutputPort& out = add_output(node, node.type->ports[p].name, static_cast<int>(p));
      int kind = ISOCENTER_VOLUME;
      while ((node.type->ports[p].kinds >> kind & 1U) == 0) ++kind;
      out.description = Ref<isocenter_payload>::adopt(new isocenter_payload(kind));
    }
    const Device& cpu = session_.context->cpu();
    isocenter_plan plan{&session_,
                        &node,
                        &pipeline_,
                        index,
                        memory_left(session_, *node.device, &node),
                        memory_left(session_, cpu, node.device == &cpu ? &node : nullptr)};
    const isocenter_status status = node.type->plan(node.instance, &plan, &error);
    if (status != ISOCENTER_OK) {
      const bool says_where = std::strstr(error.message, ("'" + node.name + "'").c_str()) != nullptr;
      throw isocenter::Error(static_cast<ErrorCode>(status), (says_where ? "" : node.where() + ": ") + error.message);
    }
    for (auto& in : node.inputs) bring(node, in);
    for (auto& out : node.outputs)
      if (pipeline_.used(index, out->port) && out->description->tensors.empty())
        throw Failure(ErrorCode::internal, node.where() + " did not describe its output '" + out->name + "'",
                      "set the output's description in plan");
    // What all processes could write, one writes.
    if (const auto* others = isocenter_context_communicator(session_.context.get()); others != nullptr)
      node.idle = node.idle || (node.outputs.empty() && others->rank > 0);
    node.record = record_of(node);
    node.ancestors.push_back(static_cast<int>(session_.nodes.size()) - 1);
    stamp_provenance(node);
  }

  SessionNode& add(const std::string& name, Node::Role role, const isocenter_operator_type* type) {
    auto node = std::make_unique<SessionNode>();
    node->name = name;
    node->role = role;
    node->type = type;
    session_.nodes.push_back(std::move(node));
    return *session_.nodes.back();
  }

  OutputPort& add_output(SessionNode& node, const std::string& name, int port) {
    auto out = std::make_unique<OutputPort>();
    out->name = name;
    out->port = port;
    out->session = &session_;
    out->node = &node;
    out->device = node.device;
    node.outputs.push_back(std::move(out));
    return *node.outputs.back();
  }

  void make_stream(SessionNode& node) {
    if (node.device->is_cpu()) return;
    if (session_.options.stream != nullptr) {
      node.stream = session_.options.stream;
      return;
    }
    if (const int e = node.device->type.stream_create(node.device->type.user, &node.stream); e != 0)
      node.device->fail(e, "making a stream");
    node.own_stream = true;
  }

  OutputPort& output_of(const Edge& edge) const {
    const auto& outputs = by_index_[static_cast<std::size_t>(edge.from_node)]->outputs;
    return **std::find_if(outputs.begin(), outputs.end(), [&](const auto& o) { return o->port == edge.from_port; });
  }

  void connect(SessionNode& node, const std::string& port, const Edge& edge) {
    SessionNode* from = by_index_[static_cast<std::size_t>(edge.from_node)];
    OutputPort* out = &output_of(edge);
    const bool takes_slabs = node.type != nullptr && (node.type->flags & ISOCENTER_OPERATOR_TAKES_SLABS) != 0 &&
                             isocenter_context_communicator(session_.context.get()) == nullptr;
    if (find_slabs(*out->description) && !takes_slabs) {
      const Device& cpu = session_.context->cpu();
      if (out->device != &cpu) {
        from = &copied(*from, *out, cpu);
        out = from->outputs.front().get();
      }
      from = &joined(*from, *out);
      out = from->outputs.front().get();
    }
    attach(node, port, *from, *out, edge);
  }

  /// What a copy of an input to the node's device will take; none where one is there already.
  std::uint64_t copy_bytes(const SessionNode& node, const InputPort& in) const {
    if (in.source->device == node.device || find_copy(*in.from, *in.source, *node.device) != nullptr) return 0;
    for (const InputPort& other : node.inputs)
      if (&other != &in && other.source == in.source && other.pending_bytes > 0) return 0;
    return in.planned->bytes() * slots_for({in.queue.get()}, 1);
  }

  /// Once a node is planned it is known where it wants its inputs: a copy goes in between where they lie elsewhere.
  void bring(SessionNode& node, InputPort& in) {
    const Device& wanted = in.on_host ? session_.context->cpu() : *node.device;
    in.pending_bytes = 0;
    if (in.source->device == &wanted) return;
    auto& consumers = in.source->consumers;
    consumers.erase(std::find(consumers.begin(), consumers.end(), in.queue.get()));
    SessionNode& copy = copied(*in.from, *in.source, wanted);
    in.from = in.queue->producer = &copy;
    in.source = copy.outputs.front().get();
    in.planned = in.source->description.get();
    in.queue->from = copy.name + "." + in.source->name;
    in.source->consumers.push_back(in.queue.get());
  }

  void attach(SessionNode& node, const std::string& port, SessionNode& from, OutputPort& out, const Edge& edge) {
    out.description->device = out.device;  // so that operators can ask whether an input lies on their device
    InputPort in;
    in.name = port;
    in.planned = out.description.get();
    in.from = &from;
    in.source = &out;
    in.queue = std::make_unique<Queue>();
    in.queue->from = from.name + "." + out.name;
    in.queue->port = port;
    in.queue->producer = &from;
    in.queue->consumer = &node;
    in.queue->policy = edge.policy;
    in.queue->ring.resize(edge.capacity);
    out.consumers.push_back(in.queue.get());
    node.inputs.push_back(std::move(in));
  }

  static std::string copy_name(const SessionNode& from, const OutputPort& out, const Device& to) {
    return from.name + "." + out.name + "->" + to.name;
  }
  SessionNode* find_copy(const SessionNode& from, const OutputPort& out, const Device& to) const {
    for (auto& n : session_.nodes)
      if (n->is_copy && n->name == copy_name(from, out, to)) return n.get();
    return nullptr;
  }

  /// One copy for each output and device, however many nodes there want it.
  SessionNode& copied(SessionNode& from, OutputPort& out, const Device& to) {
    if (SessionNode* made = find_copy(from, out, to)) return *made;
    // The copy must stand before the node that is being planned, which is the last one.
    auto copy = std::make_unique<SessionNode>();
    SessionNode& node = *copy;
    session_.nodes.insert(session_.nodes.end() - 1, std::move(copy));
    node.name = copy_name(from, out, to);
    node.type = &copy_type;
    node.is_copy = true;
    // The stream and the wait belong to the GPU of the two.
    node.device = &to;
    node.ancestors = from.ancestors;
    attach(node, "input", from, out, Edge{});
    OutputPort& made = add_output(node, "output", 1);
    made.description = Ref<isocenter_payload>::adopt(out.description->copy_description());
    node.instance = new CopyNode{&session_, &node};
    make_stream(node);
    return node;
  }

  /// The slabs of an output as one volume in host memory, for all who want it whole.
  SessionNode& joined(SessionNode& from, OutputPort& out) {
    const std::string name = from.name + "." + out.name + "->whole";
    for (auto& n : session_.nodes)
      if (n->is_copy && n->name == name) return *n;
    auto join = std::make_unique<SessionNode>();
    SessionNode& node = *join;
    session_.nodes.insert(session_.nodes.end() - 1, std::move(join));
    node.name = name;
    node.is_copy = true;
    node.device = out.device;
    node.ancestors = from.ancestors;
    node.idle = from.idle || from.gives_nothing;
    attach(node, "input", from, out, Edge{});
    plan_slab_join(session_, node, *out.description, add_output(node, "output", 1));
    return node;
  }

  static void read_values(SessionNode& node, const Node& described) {
    for (std::uint32_t p = 0; p < node.type->parameter_count; ++p) {
      const auto& parameter = node.type->parameters[p];
      const auto given = described.values.find(parameter.name);
      node.values.values[parameter.name] = parse_parameter(
          parameter, given != described.values.end() ? given->second : parameter.default_value, described.where());
    }
  }

  static std::string record_of(const SessionNode& node) {
    JsonWriter json;
    json.begin_object().field("node", node.name).field("operator", node.type->name).field("module", node.type->module);
    json.field("version", node.type->version)
        .field("isocenter", isocenter_version())
        .field("device", node.device->name);
    json.key("parameters").begin_object();
    for (const auto& [name, value] : node.values.values) json.field(name, value.text);
    json.end_object().key("facts").begin_object();
    for (const auto& [key, text] : node.facts) json.field(key, text);
    json.end_object().end_object();
    return json.text();
  }

  void stamp_provenance(SessionNode& node) {
    JsonWriter json;
    json.begin_array();
    for (const int a : node.ancestors) json.raw(session_.nodes[static_cast<std::size_t>(a)]->record);
    json.end_array();
    if (node.role == Node::Role::input) return;  // the pusher's own attribute stays
    for (auto& out : node.outputs) out->description->set_attribute("provenance", json.text());
  }

  /// Processes that share a volume must do the same: they would wait for one another in different places otherwise.
  void agree_with_others() const {
    const auto* others = isocenter_context_communicator(session_.context.get());
    if (others == nullptr) return;
    if (std::none_of(session_.nodes.begin(), session_.nodes.end(),
                     [](const auto& n) { return n->type != nullptr && n->is_copy && n->name.ends_with("->whole"); }))
      throw Failure(
          ErrorCode::unsupported,
          std::to_string(others->ranks) + " processes run this pipeline, and none of its nodes shares its work",
          "start one process");
    std::string told;
    for (const auto& n : session_.nodes) {
      if (n->type == nullptr || n->is_copy) continue;  // copies are as the processes' devices are
      told += n->name + " " + n->type->name + "\n";
      for (std::uint32_t p = 0; p < n->type->parameter_count; ++p)
        if ((n->type->parameters[p].flags & ISOCENTER_PARAMETER_PATH) == 0)
          told += n->values.values.at(n->type->parameters[p].name).text + "\n";
    }
    const std::vector<double> of_rank = numbers_of_ranks(*others, digest_of(told));
    for (std::size_t r = 1; r < of_rank.size(); ++r)
      if (of_rank[r] != of_rank[0])
        throw Failure(ErrorCode::invalid_argument,
                      "rank " + std::to_string(r) + " of " + std::to_string(of_rank.size()) +
                          " runs a pipeline with other nodes or parameters than rank 0",
                      "start all ranks with the same command");
  }

  isocenter_session& session_;
  const isocenter_pipeline& pipeline_;
  std::vector<SessionNode*> by_index_;
};

isocenter_session::isocenter_session(isocenter_pipeline& pipeline, const isocenter_session_options& given)
    : context(pipeline.context), options(given) {
  first_error.struct_size = sizeof first_error;
  errors.reserve(256);
}

void isocenter_session::prepare(const isocenter_pipeline& pipeline) { SessionPlanner(*this, pipeline).plan(options); }

namespace {

/// Made first and planned then: when planning throws, the destructor frees what was planned so far.
Ref<isocenter_session> prepared(isocenter_pipeline& pipeline, const isocenter_session_options& options,
                                const std::optional<HeldRoom>& held) {
  auto made = Ref<isocenter_session>::adopt(new isocenter_session(pipeline, options));
  made->held = held;
  made->prepare(pipeline);
  return made;
}

/// What the nodes behind a node need, and how far queues beside batches widen, is known when all nodes are planned.
/// Where those that size themselves by what the budget has left took that room, all is planned once more with it taken
/// off; processes that share a volume stay with their first plan, since each of their plans is a meeting.
Ref<isocenter_session> prepared(isocenter_pipeline& pipeline, const isocenter_session_options& options) {
  std::optional<NoRoom> refusal;
  try {
    return prepared(pipeline, options, std::nullopt);
  } catch (const NoRoom& e) {
    if (isocenter_context_communicator(pipeline.context.get()) != nullptr) throw;
    refusal = e;
  }
  try {
    return prepared(pipeline, options, refusal->held);
  } catch (const std::exception&) {  // not enough for a node's least either, which it names
    if (!refusal->beside) throw;
    throw *refusal;
  }
}

}  // namespace

// ---- C ABI ----

extern "C" {

isocenter_status isocenter_pipeline_prepare(isocenter_pipeline* pipeline, const isocenter_session_options* options,
                                            isocenter_session** session, isocenter_error* error) {
  return guarded(error, [&]() -> isocenter_status {
    isocenter_session_options none{};
    none.struct_size = sizeof none;
    const auto chosen = take_struct(options != nullptr ? options : &none, "isocenter_pipeline_prepare");
    if (chosen.in_flight < 0 || chosen.in_flight > 64)
      throw Failure(ErrorCode::invalid_argument,
                    "in_flight = " + std::to_string(chosen.in_flight) + " is outside [0, 64]",
                    "give 0 for the default or the number of items between two nodes");
    try {
      *session = prepared(*pipeline, chosen).detach();
    } catch (const std::exception& e) {
      if (const auto* others = isocenter_context_communicator(pipeline->context.get()))
        others->leave(others->user, e.what());
      throw;
    }
    return ISOCENTER_OK;
  });
}

}  // extern "C"
