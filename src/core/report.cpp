// What a session says of itself, as JSON.
#include <algorithm>

#include "core/session.hpp"
#include "core/text.hpp"

using namespace isocenter::detail;

namespace {

void write_footprint(JsonWriter& json, const isocenter_session& session) {
  json.begin_object();
  for (const auto& device : session.context->devices) {
    std::uint64_t sum = 0;
    for (const auto& n : session.nodes) {
      if (n->device == device.get()) sum += n->scratch_bytes + n->table_bytes;
      if (device->is_cpu()) sum += n->declared_bytes + n->host_scratch_bytes;
      for (const auto& out : n->outputs)
        if (out->device == device.get()) sum += out->bytes;
    }
    if (sum > 0) json.field(device->name, static_cast<long long>(sum));
  }
  json.end_object();
}

void write_node_memory(JsonWriter& json, const SessionNode& n) {
  json.begin_object();
  json.field("outputs", static_cast<long long>(n.output_bytes))
      .field("scratch", static_cast<long long>(n.scratch_bytes));
  json.field("tables", static_cast<long long>(n.table_bytes))
      .field("declared_host", static_cast<long long>(n.declared_bytes))
      .field("host_scratch", static_cast<long long>(n.host_scratch_bytes));
  json.end_object();
}

void write_times(JsonWriter& json, const Histogram& h) {
  json.begin_object().field("count", static_cast<long long>(h.count())).field("total", h.sum());
  json.field("p50", h.percentile(0.50)).field("p95", h.percentile(0.95)).field("p99", h.percentile(0.99));
  json.field("max", h.max()).end_object();
}

void write_node(JsonWriter& json, const SessionNode& n) {
  json.begin_object().field("name", n.name).field("operator", n.type->name).field("module", n.type->module);
  json.field("version", n.type->version).field("device", n.device->name);
  json.key("parameters").begin_object();
  for (const auto& [name, value] : n.values.values) json.field(name, value.text);
  json.end_object().key("inputs").begin_object();
  for (const auto& in : n.inputs) {
    json.key(in.name).begin_object().field("from", in.queue->from);
    json.field("capacity", static_cast<long long>(in.queue->ring.size()));
    json.field("deepest", static_cast<long long>(in.queue->deepest));
    json.field("dropped", static_cast<long long>(in.queue->dropped)).end_object();
  }
  json.end_object().key("outputs").begin_object();
  for (const auto& out : n.outputs) {
    json.key(out->name).begin_object();
    for (const auto& t : out->description->tensors) json.field(t.name, shape_text(t.view));
    json.end_object();
  }
  json.end_object();
  json.field("items", static_cast<long long>(n.done)).field("failed", static_cast<long long>(n.failed));
  json.key("time_s");
  write_times(json, n.time);
  json.key("memory_bytes");
  write_node_memory(json, n);
  json.key("metrics").begin_object();
  for (const auto& m : n.metrics) {
    if (!m.set) continue;
    json.key(m.name).begin_object().field("unit", m.unit).key("values").begin_array();
    for (const double v : m.values) json.value(v);
    json.end_array().end_object();
  }
  json.end_object().key("facts").begin_object();
  for (const auto& [key, text] : n.facts) json.field(key, text);
  json.end_object().key("warnings").begin_array();
  for (const auto& w : n.warnings) json.begin_object().field("what", w.what).field("fix", w.fix).end_object();
  json.end_array().end_object();
}

std::string footprint(const isocenter_session& session) {
  JsonWriter json;
  json.begin_object().field("in_flight", static_cast<long long>(session.in_flight)).key("devices");
  write_footprint(json, session);
  json.key("nodes").begin_object();
  for (const auto& n : session.nodes) {
    json.key(n->name).begin_object().field("device", n->device->name).key("memory_bytes");
    write_node_memory(json, *n);
    json.end_object();
  }
  json.end_object().end_object();
  return json.text();
}

std::string report(const isocenter_session& session) {
  const std::lock_guard lock(session.mutex);
  const bool running = session.started && std::any_of(session.nodes.begin(), session.nodes.end(), [](const auto& n) {
                         return n->role == isocenter::detail::Node::Role::operation && !n->finished;
                       });
  const char* status = !session.started          ? "prepared"
                       : running                 ? "running"
                       : session.has_first_error ? "failed"
                       : session.stopping()      ? "cancelled"
                                                 : "completed";
  const auto until = running ? Clock::now() : session.ended_at;
  JsonWriter json;
  json.begin_object().field("isocenter", isocenter_version()).field("status", status);
  json.field("device", session.device_why);
  json.field("wall_s", std::chrono::duration<double>(until - session.started_at).count());
  json.field("in_flight", static_cast<long long>(session.in_flight));
  json.field("threads", static_cast<long long>(session.context->threads.concurrency));
  json.key("memory_bytes");
  write_footprint(json, session);
  json.key("latency_s");
  write_times(json, session.latency);
  json.field("deadline_misses", static_cast<long long>(session.deadline_misses));
  json.key("nodes").begin_array();
  for (const auto& n : session.nodes) write_node(json, *n);
  json.end_array().key("errors").begin_array();
  for (const auto& e : session.errors) {
    json.begin_object()
        .field("node", static_cast<const char*>(e.node))
        .field("item", static_cast<long long>(e.sequence));
    json.field("message", static_cast<const char*>(e.message)).end_object();
  }
  json.end_array().end_object();
  return json.text();
}

std::string trace(const isocenter_session& session) {
  const std::lock_guard lock(session.mutex);
  JsonWriter json;
  json.begin_object().key("traceEvents").begin_array();
  long long thread = 0;
  for (const auto& n : session.nodes) {
    ++thread;
    json.begin_object().field("ph", "M").field("name", "thread_name").field("pid", 1LL).field("tid", thread);
    json.key("args").begin_object().field("name", n->name).end_object().end_object();
    n->spans.for_each([&](const SpanRing::Span& s) {
      json.begin_object().field("ph", "X").field("name", n->type->name).field("pid", 1LL).field("tid", thread);
      json.field("ts", s.begin_s * 1e6).field("dur", (s.end_s - s.begin_s) * 1e6);
      json.key("args").begin_object().field("item", static_cast<long long>(s.sequence)).end_object().end_object();
    });
  }
  json.end_array().end_object();
  return json.text();
}

}  // namespace

extern "C" {
size_t isocenter_session_footprint(const isocenter_session* session, char* text, size_t capacity) {
  return copy_text(footprint(*session), text, capacity);
}
size_t isocenter_session_report(const isocenter_session* session, char* text, size_t capacity) {
  return copy_text(report(*session), text, capacity);
}
size_t isocenter_session_trace(const isocenter_session* session, char* text, size_t capacity) {
  return copy_text(trace(*session), text, capacity);
}
}
