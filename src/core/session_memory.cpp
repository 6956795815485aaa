#include "core/session_memory.hpp"

#include <algorithm>
#include <limits>
#include <map>

#include "core/text.hpp"

namespace isocenter::detail {

std::uint64_t slots_for(const std::vector<Queue*>& queues, int in_flight) {
  std::size_t slots = static_cast<std::size_t>(in_flight);
  std::size_t lossy = 0;
  for (const Queue* q : queues) {
    if (q->policy != ISOCENTER_EDGE_BLOCK)
      lossy += q->ring.size() + 1;
    else if (q->ring.size() > 1)
      slots = std::max(slots, q->ring.size() + 1);
  }
  return slots + lossy;
}

namespace {

std::uint64_t slots_of(const OutputPort& out, int in_flight) {
  return out.node->idle || out.node->gives_nothing ? 0 : slots_for(out.consumers, in_flight);
}
std::uint64_t bytes_of(const OutputPort& out, int in_flight) {
  return out.description->bytes() * slots_of(out, in_flight);
}

/// All that a node has on a device.
std::uint64_t bytes_on(const SessionNode& n, const Device& device, int in_flight) {
  if (n.role == Node::Role::input) return 0;
  std::uint64_t sum = 0;
  if (n.device == &device) sum += (n.idle ? 0 : n.scratch_bytes) + n.table_bytes;
  if (device.is_cpu() && !n.idle) sum += n.declared_bytes + n.host_scratch_bytes;
  for (const auto& out : n.outputs)
    if (out->device == &device) sum += bytes_of(*out, in_flight);
  return sum;
}

std::uint64_t planned_on(const isocenter_session& session, const Device& device, int in_flight) {
  std::uint64_t sum = 0;
  for (const auto& n : session.nodes) sum += bytes_on(*n, device, in_flight);
  return sum;
}

/// The budget; without one this process's part of nine tenths of a device's memory, and on the CPU none (0).
std::uint64_t limit_of(const isocenter_session& session, const Device& device) {
  if (session.options.memory_bytes > 0 || device.is_cpu()) return session.options.memory_bytes;
  return device.type.memory_bytes / 10 * 9 / (&device == session.shared_device ? session.sharers : 1);
}

/// `waited_for`: the nodes whose batches items wait for on other ways.
Failure over_budget(const isocenter_session& session, const Device& device, std::uint64_t needed,
                    const std::string& waited_for) {
  std::vector<std::pair<std::uint64_t, std::string>> largest;
  for (const auto& n : session.nodes)
    if (const std::uint64_t bytes = bytes_on(*n, device, session.in_flight); bytes > 0)
      largest.emplace_back(bytes, n->name);
  std::sort(largest.rbegin(), largest.rend());
  std::string text;
  for (std::size_t i = 0; i < std::min<std::size_t>(largest.size(), 4); ++i)
    text += (i == 0 ? "" : ", ") + ("'" + largest[i].second + "' " + format_bytes(largest[i].first));
  return Failure(ErrorCode::out_of_memory,
                 "the plan needs " + format_bytes(needed) + " on '" + device.name + "' and the budget is " +
                     format_bytes(session.options.memory_bytes) + " (the largest: " + text +
                     (waited_for.empty() ? ")" : "; beside the batches of " + waited_for + " items wait for them)"),
                 "raise the budget, use a smaller input or a coarser grid, or keep fewer items in flight" +
                     std::string(waited_for.empty() ? "" : ", or in a batch"));
}

/// The device to which an output in host memory is copied in pieces, or from which it is filled; null where there is
/// none.
const Device* fast_for(const OutputPort& out) {
  if (!out.device->is_cpu()) return nullptr;
  if (!out.node->device->is_cpu()) return out.node->device;
  for (const Queue* q : out.consumers)
    if (!q->consumer->is_copy && !q->consumer->device->is_cpu()) return q->consumer->device;
  return nullptr;
}

void allocate_outputs(isocenter_session& session, SessionNode& node) {
  for (auto& out : node.outputs) {
    out->bytes = bytes_of(*out, session.in_flight);
    node.output_bytes += out->bytes;
    if (out->description->tensors.empty()) continue;
    const std::uint64_t slots = slots_of(*out, session.in_flight);
    out->free.reserve(slots);
    for (std::uint64_t i = 0; i < slots; ++i) {
      isocenter_payload* slot = out->description->copy_description();
      out->slots.push_back(slot);
      slot->allocate(session.context.get(), *out->device, fast_for(*out));
      slot->context = {};  // the session holds the context; a payload outside its pool holds the session
      slot->pool = out.get();
      out->free.push_back(slot);
    }
  }
}

void allocate_scratch(const isocenter_session& session, SessionNode& node) {
  if (node.idle) node.scratch_bytes = node.host_scratch_bytes = node.declared_bytes = 0;
  if (node.scratch_bytes > 0) node.scratch = node.device->allocate(node.scratch_bytes);
  if (node.host_scratch_bytes == 0) return;
  if (!node.device->is_cpu()) node.host_scratch = node.device->allocate_host(node.host_scratch_bytes);
  node.host_scratch_of = node.host_scratch != nullptr ? node.device : &session.context->cpu();
  if (node.host_scratch == nullptr) node.host_scratch = session.context->cpu().allocate(node.host_scratch_bytes);
}

/// The room that the node that is being planned, which is the last one, is to leave on a device.
std::uint64_t held_on(const isocenter_session& session, const Device& device) {
  if (!session.held || session.nodes.empty()) return 0;
  const auto of = [&](const std::map<const Device*, std::uint64_t>& held) {
    const auto found = held.find(&device);
    return found != held.end() ? found->second : 0;
  };
  const auto behind = session.held->behind.find(session.nodes.back()->name);
  return of(session.held->beside_batches) + (behind != session.held->behind.end() ? of(behind->second) : 0);
}

/// For each node that sizes itself by what is left, what those have that were planned after it.
std::map<std::string, std::map<const Device*, std::uint64_t>> bytes_behind(const isocenter_session& session) {
  std::map<std::string, std::map<const Device*, std::uint64_t>> behind;
  std::map<const Device*, std::uint64_t> sum;
  for (auto n = session.nodes.rbegin(); n != session.nodes.rend(); ++n) {
    if ((*n)->sizes_itself && !sum.empty()) behind[(*n)->name] = sum;
    for (const auto& device : session.context->devices)
      if (const std::uint64_t bytes = bytes_on(**n, *device, 1); bytes > 0) sum[device.get()] += bytes;
  }
  return behind;
}

/// What is planned on a device, the copies that the inputs of `planned` will need there, and the room that is held.
std::uint64_t taken_on(const isocenter_session& session, const Device& device, const SessionNode* planned) {
  std::uint64_t taken = planned_on(session, device, 1) + held_on(session, device);
  if (planned != nullptr)
    for (const InputPort& in : planned->inputs) taken += in.pending_bytes;
  return taken;
}

}  // namespace

std::uint64_t memory_left(const isocenter_session& session, const Device& device, const SessionNode* planned) {
  const std::uint64_t budget = limit_of(session, device);
  if (budget == 0) return std::numeric_limits<std::uint64_t>::max();
  const std::uint64_t taken = taken_on(session, device, planned);
  return taken < budget ? budget - taken : 0;
}

std::uint64_t memory_over(const isocenter_session& session, const Device& device, const SessionNode* planned) {
  const std::uint64_t budget = limit_of(session, device), taken = taken_on(session, device, planned);
  return budget > 0 && taken > budget ? taken - budget : 0;
}

namespace {

/// For each node the items that it has to be given before `batching` gives one: a batch, what other batches between the
/// two hold back, counted in the items of a stream that is gathered or spread on the way. 0 where no way leads there.
std::map<const SessionNode*, std::size_t> items_before(const isocenter_session& session, const SessionNode& batching) {
  std::map<const SessionNode*, std::size_t> items;
  for (auto n = session.nodes.rbegin(); n != session.nodes.rend(); ++n) {
    const SessionNode& node = **n;
    const auto gather = static_cast<std::size_t>(node.gather), spread = static_cast<std::size_t>(node.spread);
    std::size_t behind = 0;
    for (const auto& out : node.outputs)
      for (const Queue* q : out->consumers) behind = std::max(behind, items[q->consumer]);
    if (behind > 0 && !node.batches())
      behind = (spread > 1 ? behind / spread + 1 : behind) * gather;
    else if (behind > 0 || &node == &batching)
      behind += gather;
    items[&node] = behind;
  }
  return items;
}

/// The ways on which a stream goes on from each place where it parts. One thread may push to all inputs in turn: they
/// are one such place. Sources have threads of their own.
std::vector<std::vector<Queue*>> forks_of(const isocenter_session& session) {
  std::vector<std::vector<Queue*>> forks(1);
  for (const auto& n : session.nodes) {
    if (n->role != Node::Role::input) forks.emplace_back();
    auto& ways = n->role == Node::Role::input ? forks.front() : forks.back();
    for (const auto& out : n->outputs) ways.insert(ways.end(), out->consumers.begin(), out->consumers.end());
  }
  return forks;
}

/// A node that takes items in batches holds them back: where a stream parts before it, the ways that lead past it have
/// to take as many meanwhile, or the node in which they meet would wait for ever. Gives the names of such nodes.
std::string widen_forks(isocenter_session& session) {
  std::map<Queue*, std::size_t> more;
  std::string names;
  for (const auto& n : session.nodes) {
    if (!n->batches() || n->idle) continue;
    auto items = items_before(session, *n);
    bool widens = false;
    for (const auto& ways : forks_of(session)) {
      std::size_t most = 0;
      for (const Queue* q : ways) most = std::max(most, items[q->consumer]);
      for (Queue* q : ways) {
        if (most == 0 || items[q->consumer] > 0 || q->policy != ISOCENTER_EDGE_BLOCK) continue;
        more[q] = std::max(more[q], most);
        widens = true;
      }
    }
    if (widens) names += (names.empty() ? "'" : ", '") + n->name + "'";
  }
  for (const auto& [queue, items] : more) queue->ring.resize(queue->ring.size() + items);
  return names;
}

}  // namespace

void choose_in_flight(isocenter_session& session) {
  std::map<const Device*, std::uint64_t> beside;
  auto behind = bytes_behind(session);
  for (const auto& device : session.context->devices) beside[device.get()] = planned_on(session, *device, 1);
  const std::string waited_for = widen_forks(session);
  for (auto& [device, bytes] : beside) bytes = planned_on(session, *device, 1) - bytes;
  const isocenter_session_options& options = session.options;
  bool single = true;
  for (const auto& n : session.nodes) {
    if (n->role == Node::Role::input) single = false;
    if (n->role == Node::Role::operation && n->inputs.empty() && n->items != 1) single = false;
  }
  session.in_flight = options.in_flight > 0 ? options.in_flight : single ? 1 : 2;
  for (const auto& device : session.context->devices) {
    const std::uint64_t limit = limit_of(session, *device);
    if (limit == 0) continue;
    if (options.in_flight == 0 && planned_on(session, *device, session.in_flight) > limit) session.in_flight = 1;
    const std::uint64_t needed = planned_on(session, *device, session.in_flight);
    if (options.memory_bytes == 0 || needed <= limit) continue;
    const Failure refusal = over_budget(session, *device, needed, waited_for);
    if ((waited_for.empty() && behind.empty()) || session.held) throw refusal;
    throw NoRoom(refusal, {std::move(beside), std::move(behind)}, !waited_for.empty());
  }
}

void allocate_memory(isocenter_session& session) {
  for (auto& n : session.nodes) {
    if (n->role == Node::Role::input) continue;
    allocate_outputs(session, *n);
    allocate_scratch(session, *n);
  }
}

}  // namespace isocenter::detail
