// What an operator may ask and must state while it is planned, and what it sees while it runs.
#include <algorithm>

#include "core/session.hpp"
#include "core/session_memory.hpp"
#include "core/structs.hpp"
#include "core/text.hpp"

using isocenter::ErrorCode;
using isocenter::Failure;
using namespace isocenter::detail;

namespace {

/// Copies that kernels do not wait for have a stream of their own.
void make_stream_beside(SessionNode& node) {
  if (node.beside != nullptr) return;
  const auto& type = node.device->type;
  if (const int e = type.stream_create(type.user, &node.beside); e != 0) node.device->fail(e, "making a stream");
}

void* stream_of(const isocenter_run* run, std::int32_t stream) {
  if (stream != ISOCENTER_STREAM_MAIN && stream != ISOCENTER_STREAM_BESIDE)
    throw Failure(ErrorCode::invalid_argument, run->node->where() + " names stream " + std::to_string(stream),
                  "name ISOCENTER_STREAM_MAIN (0) or ISOCENTER_STREAM_BESIDE (1)");
  return stream == ISOCENTER_STREAM_BESIDE && run->node->beside != nullptr ? run->node->beside : run->node->stream;
}

/// Without saying that the node sizes itself by it.
uint64_t left_of(const isocenter_plan& plan) {
  const uint64_t own = plan.node->table_bytes;
  if (plan.memory_left == UINT64_MAX) return plan.memory_left;
  return plan.memory_left > own ? plan.memory_left - own : 0;
}

}  // namespace

extern "C" {

isocenter_context* isocenter_plan_context(isocenter_plan* plan) { return plan->session->context.get(); }
const char* isocenter_plan_node(const isocenter_plan* plan) { return plan->node->name.c_str(); }
isocenter_status isocenter_plan_device(const isocenter_plan* plan, isocenter_device_info* info,
                                       isocenter_error* error) {
  return guarded(error, [&]() -> isocenter_status {
    give_struct(plan->node->device->info(), info, "isocenter_plan_device");
    return ISOCENTER_OK;
  });
}
const isocenter_payload* isocenter_plan_input(const isocenter_plan* plan, const char* port) {
  const auto* in = plan->node->input(port);
  return in == nullptr ? nullptr : in->planned;
}
isocenter_payload* isocenter_plan_output(isocenter_plan* plan, const char* port) {
  auto* out = plan->node->output(port);
  return out == nullptr ? nullptr : out->description.get();
}
int32_t isocenter_plan_output_used(const isocenter_plan* plan, const char* port) {
  const auto* out = plan->node->output(port);
  return out != nullptr && plan->pipeline->used(plan->pipeline_node, out->port) ? 1 : 0;
}
void isocenter_plan_scratch(isocenter_plan* plan, uint64_t bytes) { plan->node->scratch_bytes = bytes; }
isocenter_status isocenter_plan_allocate(isocenter_plan* plan, uint64_t bytes, const char* purpose, void** memory,
                                         isocenter_error* error) {
  return guarded(error, [&]() -> isocenter_status {
    SessionNode& node = *plan->node;
    const bool in_budget = isocenter_plan_memory_budget(plan) > 0;
    if (bytes > left_of(*plan))
      throw Failure(ErrorCode::out_of_memory,
                    node.where() + ": " + purpose + " needs " + format_bytes(bytes) + " on '" + node.device->name +
                        "', and " + (in_budget ? "of the budget " : "") + format_bytes(left_of(*plan)) + " are left",
                    std::string(in_budget ? "raise the budget, or " : "") + "use a smaller input or a coarser grid");
    node.tables.reserve(node.tables.size() + 1);
    *memory = node.device->allocate(bytes);
    node.tables.push_back(*memory);
    node.table_bytes += bytes;
    return ISOCENTER_OK;
  });
}
isocenter_status isocenter_plan_upload(isocenter_plan* plan, void* to, const void* from, uint64_t bytes,
                                       isocenter_error* error) {
  return guarded(error, [&]() -> isocenter_status {
    plan->node->device->copy(to, from, bytes, plan->node->stream);
    plan->node->device->wait(plan->node->stream, plan->node->name.c_str());
    return ISOCENTER_OK;
  });
}
void isocenter_plan_declare_host_memory(isocenter_plan* plan, uint64_t bytes) { plan->node->declared_bytes += bytes; }
isocenter_status isocenter_plan_keep_on_host(isocenter_plan* plan, const char* port, isocenter_error* error) {
  return guarded(error, [&]() -> isocenter_status {
    SessionNode& node = *plan->node;
    const Device& cpu = plan->session->context->cpu();
    if (node.device == &cpu) return ISOCENTER_OK;
    auto* in = node.input(port);
    auto* out = node.output(port);
    if (in == nullptr && out == nullptr)
      throw Failure(ErrorCode::not_found, node.where() + " keeps '" + port + "' on the host, and has no such port",
                    "name a port of the operator that is connected");
    if (in != nullptr && !in->on_host) {
      in->on_host = true;
      in->pending_bytes = 0;
      const uint64_t tables = std::exchange(node.table_bytes, 0);  // isocenter_plan_memory_left takes them off
      plan->memory_left = memory_left(*plan->session, *node.device, &node);
      node.table_bytes = tables;
      const uint64_t copy = in->source->device == &cpu ? 0 : in->planned->bytes();
      if (plan->host_memory_left != UINT64_MAX) plan->host_memory_left -= std::min(plan->host_memory_left, copy);
    }
    if (out != nullptr) out->device = &cpu;
    make_stream_beside(node);
    return ISOCENTER_OK;
  });
}
void isocenter_plan_host_scratch(isocenter_plan* plan, uint64_t bytes) { plan->node->host_scratch_bytes = bytes; }
uint64_t isocenter_plan_memory_left(const isocenter_plan* plan) {
  plan->node->sizes_itself = true;
  return left_of(*plan);
}
uint64_t isocenter_plan_host_memory_left(const isocenter_plan* plan) {
  plan->node->sizes_itself = true;
  return plan->node->device->is_cpu() ? isocenter_plan_memory_left(plan) : plan->host_memory_left;
}
/// Where the nodes before this one, and the copies for its inputs, take more than the budget, that: what a node lacks
/// comes on top of it.
uint64_t isocenter_plan_memory_budget(const isocenter_plan* plan) {
  const isocenter_session& session = *plan->session;
  const SessionNode& node = *plan->node;
  const Device& cpu = session.context->cpu();
  if (session.options.memory_bytes == 0) return 0;
  return session.options.memory_bytes + std::max(memory_over(session, *node.device, &node),
                                                 memory_over(session, cpu, node.device == &cpu ? &node : nullptr));
}
void isocenter_plan_items(isocenter_plan* plan, int64_t count) { plan->node->items = count; }
void isocenter_plan_gather(isocenter_plan* plan, int64_t count) {
  plan->node->gather = std::max<int64_t>(count, 1);
  plan->node->gives_nothing = count == 0;
}
void isocenter_plan_spread(isocenter_plan* plan, int64_t count) { plan->node->spread = std::max<int64_t>(count, 1); }
int32_t isocenter_plan_takes_slabs(const isocenter_plan* plan, const char* port) {
  const auto* out = plan->node->output(port);
  if (out == nullptr || isocenter_context_communicator(plan->session->context.get()) != nullptr) return 0;
  for (const auto& n : plan->pipeline->nodes)
    for (const auto& [in, edge] : n.edges)
      if (edge.from_node == plan->pipeline_node && edge.from_port == out->port &&
          (n.role != Node::Role::operation || (n.type->flags & ISOCENTER_OPERATOR_TAKES_SLABS) == 0))
        return 0;
  return 1;
}
void isocenter_plan_metric(isocenter_plan* plan, const char* name, const char* unit, uint32_t count) {
  plan->node->metrics.push_back({name, unit, std::vector<double>(count), false});
}
void isocenter_plan_fact(isocenter_plan* plan, const char* key, const char* text) {
  plan->node->facts.emplace_back(key, text);
}
void isocenter_plan_warn(isocenter_plan* plan, const char* what, const char* fix) {
  plan->node->warnings.push_back({what, fix});
  const auto& context = *plan->session->context;
  if (context.log != nullptr)
    context.log(context.log_user, ISOCENTER_LOG_WARNING,
                (plan->node->where() + ": " + what + ". Fix: " + fix + ".").c_str());
}
static isocenter_launcher launcher_for(const isocenter_session& session, const SessionNode& node) {
  const Device& d = *node.device;
  return {sizeof(isocenter_launcher),
          session.context->reference_only ? 1U : 0U,
          context_parallel_for,
          session.context.get(),
          d.type.find,
          d.type.user,
          node.stream,
          session.context->threads.concurrency,
          0};
}
isocenter_status isocenter_plan_launcher(const isocenter_plan* plan, isocenter_launcher* launcher,
                                         isocenter_error* error) {
  return guarded(error, [&]() -> isocenter_status {
    give_struct(launcher_for(*plan->session, *plan->node), launcher, "isocenter_plan_launcher");
    return ISOCENTER_OK;
  });
}

const isocenter_payload* isocenter_run_input(const isocenter_run* run, const char* port) {
  const auto* in = run->node->input(port);
  return in == nullptr ? nullptr : in->current;
}
isocenter_payload* isocenter_run_output(const isocenter_run* run, const char* port) {
  auto* out = run->node->output(port);
  return out == nullptr ? nullptr : out->current;
}
void* isocenter_run_scratch(const isocenter_run* run) { return run->node->scratch; }
isocenter_status isocenter_run_launcher(const isocenter_run* run, isocenter_launcher* launcher,
                                        isocenter_error* error) {
  return guarded(error, [&]() -> isocenter_status {
    give_struct(launcher_for(*run->session, *run->node), launcher, "isocenter_run_launcher");
    return ISOCENTER_OK;
  });
}
void* isocenter_run_host_scratch(const isocenter_run* run) { return run->node->host_scratch; }
isocenter_status isocenter_run_copy(const isocenter_run* run, void* to, const void* from, uint64_t bytes,
                                    int32_t stream, isocenter_error* error) {
  return guarded(error, [&]() -> isocenter_status {
    run->node->device->copy(to, from, bytes, stream_of(run, stream));
    return ISOCENTER_OK;
  });
}
isocenter_status isocenter_run_follow(const isocenter_run* run, int32_t stream, isocenter_error* error) {
  return guarded(error, [&]() -> isocenter_status {
    const int32_t other = stream == ISOCENTER_STREAM_MAIN ? ISOCENTER_STREAM_BESIDE : ISOCENTER_STREAM_MAIN;
    run->node->device->follow(stream_of(run, stream), stream_of(run, other), run->node->name.c_str());
    return ISOCENTER_OK;
  });
}
isocenter_status isocenter_run_wait(const isocenter_run* run, int32_t stream, isocenter_error* error) {
  return guarded(error, [&]() -> isocenter_status {
    run->node->device->wait(stream_of(run, stream), run->node->name.c_str());
    return ISOCENTER_OK;
  });
}
int32_t isocenter_run_cancelled(const isocenter_run* run) { return run->session->stopping() ? 1 : 0; }
void isocenter_run_progress(const isocenter_run* run, double fraction) {
  const auto& o = run->session->options;
  if (o.progress != nullptr) o.progress(o.progress_user, run->node->name.c_str(), run->node->sequence, fraction);
}
void isocenter_run_metric(const isocenter_run* run, const char* name, const double* numbers, uint32_t count) {
  const std::lock_guard lock(run->session->mutex);
  for (auto& m : run->node->metrics)
    if (m.name == name) {
      std::copy_n(numbers, std::min<std::size_t>(count, m.values.size()), m.values.begin());
      m.set = true;
    }
}
void isocenter_run_warn(const isocenter_run* run, const char* what, const char* fix) {
  const auto& context = *run->session->context;
  {
    const std::lock_guard lock(run->session->mutex);
    if (run->node->warnings.size() < 1000) run->node->warnings.push_back({what, fix});
  }
  if (context.log != nullptr)
    context.log(context.log_user, ISOCENTER_LOG_WARNING,
                (run->node->where() + ": " + what + ". Fix: " + fix + ".").c_str());
}
int64_t isocenter_run_sequence(const isocenter_run* run) { return run->node->sequence; }
int64_t isocenter_run_part(const isocenter_run* run) { return run->node->part; }

}  // extern "C"
