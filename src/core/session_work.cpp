// What each node's own thread does: take, run, hand on, finish.
#include <algorithm>
#include <cstdio>
#include <cstring>

#include "core/session.hpp"

using isocenter::ErrorCode;
using namespace isocenter::detail;

namespace {
double seconds(Clock::duration d) { return std::chrono::duration<double>(d).count(); }

template <class Predicate>
void wait_until(std::condition_variable& wake, std::unique_lock<std::mutex>& lock, Predicate&& ready) {
  while (!ready()) wake.wait_for(lock, longest_wait);
}

/// What other processes are told.
constexpr const char* cancelled_text = "its session was cancelled";
}  // namespace

/// One problem of many processes: a share that is missing cannot be made up for.
void isocenter_session::leave_others(const char* why) const {
  if (const auto* others = isocenter_context_communicator(context.get()); others != nullptr)
    others->leave(others->user, why);
}

void isocenter_session::note_error(Node& node, std::int64_t sequence, isocenter_status code, const char* message) {
  const std::lock_guard lock(mutex);
  isocenter_item_error e{};
  e.struct_size = sizeof e;
  e.code = code;
  e.sequence = sequence;
  std::snprintf(e.node, sizeof e.node, "%s", node.name.c_str());
  // The node's name stands in the message once: operators usually say it already.
  const bool says_where = std::strstr(message, ("'" + node.name + "'").c_str()) != nullptr;
  std::snprintf(e.message, sizeof e.message, "%s%s%s", says_where ? "" : node.where().c_str(), says_where ? "" : ": ",
                message);
  if (errors.size() == 256) errors.erase(errors.begin());
  errors.push_back(e);
  ++node.failed;
  if (!has_first_error && code != ISOCENTER_CANCELLED) {
    has_first_error = true;
    write_error(&first_error, static_cast<ErrorCode>(code), e.message);
  }
  leave_others(e.message);
  if (code == ISOCENTER_DEVICE_LOST) {
    device_lost = true;
    cancel_requested = true;
  }
}

void isocenter_session::work(Node& node) {
  isocenter_error error{sizeof error, ISOCENTER_OK, {}};
  const isocenter_status current = guarded(&error, [&]() -> isocenter_status {
    node.device->make_current();
    return ISOCENTER_OK;
  });
  if (current != ISOCENTER_OK) note_error(node, -1, current, error.message);
  if (node.inputs.empty()) {
    work_source(node);
  } else if (node.batches() && !node.idle) {
    work_batches(node);
  } else {
    Item item;
    while (take_inputs(node, item) && work_item(node, item)) {
    }
    for (auto& out : node.outputs)  // of a group that lacks its end
      if (out->current != nullptr) std::exchange(out->current, nullptr)->release();
  }
  finish(node);
}

void isocenter_session::let_go_of_inputs(Node& node) {
  for (auto& in : node.inputs)
    if (in.current != nullptr) std::exchange(in.current, nullptr)->release();
}

/// Takes items until a batch is full or the stream ends, and gives as many.
void isocenter_session::work_batches(Node& node) {
  std::vector<Item> batch;
  batch.reserve(static_cast<std::size_t>(node.gather));
  Item item;
  bool goes_on = true;
  while (goes_on) {
    goes_on = take_inputs(node, item);
    if (goes_on) {
      node.part = -1;
      if (item.kind == Item::Kind::payload && run_item(node, item) != ISOCENTER_OK) item.kind = Item::Kind::failed;
      let_go_of_inputs(node);
      batch.push_back(item);
    }
    const bool full = batch.size() == batch.capacity();
    if (stopping() || ((full || !goes_on) && !give_batch(node, batch))) return;
  }
}

/// Each item of a batch at its place in the stream, whatever becomes of the others; one that failed when it was taken
/// was not counted by the operator. False when the session stops.
bool isocenter_session::give_batch(Node& node, std::vector<Item>& batch) {
  node.part = 0;
  for (Item& item : batch) {
    if (item.kind == Item::Kind::payload) {
      if (stopping() || !acquire_outputs(node)) return false;
      if (run_item(node, item) != ISOCENTER_OK) item.kind = Item::Kind::failed;
      ++node.part;
    }
    hand_on(node, item, item.kind == Item::Kind::payload);
  }
  batch.clear();
  return true;
}

/// All items that a node gives for what it took. False when the session stops.
bool isocenter_session::spread_item(Node& node, Item& item) {
  const std::int64_t taken = item.sequence;
  bool ok = item.kind == Item::Kind::payload;
  for (node.part = 0; node.part < node.spread; ++node.part) {
    item.sequence = taken;
    if (ok && !acquire_outputs(node)) return false;
    ok = ok && run_item(node, item) == ISOCENTER_OK;
    if (node.part + 1 == node.spread || !ok) let_go_of_inputs(node);
    item.sequence = taken * node.spread + node.part;
    item.kind = ok ? Item::Kind::payload : Item::Kind::failed;
    hand_on(node, item, ok);
  }
  return true;
}

/// Runs a node on what it took, and hands on what is complete. False when the session stops.
bool isocenter_session::work_item(Node& node, Item& item) {
  if (node.idle) {
    let_go_of_inputs(node);
    return true;
  }
  if (node.spread > 1) return spread_item(node, item);
  const std::int64_t group = item.sequence / node.gather;
  if (group != node.group) node.group_failed = false;  // outputs of a group whose end was lost serve the next one
  node.group = group;
  bool ok = item.kind == Item::Kind::payload && !node.group_failed;
  if (ok && !node.group_has_outputs) {
    if (!acquire_outputs(node)) return false;
    node.group_has_outputs = true;
  }
  ok = ok && run_item(node, item) == ISOCENTER_OK;
  node.group_failed = !ok;
  let_go_of_inputs(node);
  if (node.gives_nothing || (item.sequence + 1) % node.gather != 0) return true;
  item.sequence = group;
  item.kind = ok ? Item::Kind::payload : Item::Kind::failed;
  node.group_has_outputs = false;
  hand_on(node, item, ok);
  return true;
}

void isocenter_session::work_source(Node& node) {
  Item item;
  item.kind = Item::Kind::payload;
  for (item.sequence = 0; !stopping() && (node.items < 0 || item.sequence < node.items); ++item.sequence) {
    if (!acquire_outputs(node)) break;
    item.born = Clock::now();
    const isocenter_status status = run_item(node, item);
    if (status == ISOCENTER_END_OF_STREAM) {
      for (auto& out : node.outputs)
        if (out->current != nullptr) std::exchange(out->current, nullptr)->release();
      break;
    }
    item.kind = status == ISOCENTER_OK ? Item::Kind::payload : Item::Kind::failed;
    hand_on(node, item, status == ISOCENTER_OK);
    item.kind = Item::Kind::payload;
    if (status == ISOCENTER_CANCELLED) break;
  }
}

/// Takes the next item from every queue. Where a queue lost items by its policy, the others skip to the same place.
bool isocenter_session::take_inputs(Node& node, Item& item) {
  std::unique_lock lock(mutex);
  for (;;) {
    wait_until(node.wake, lock, [&] {
      return stopping() ||
             std::all_of(node.inputs.begin(), node.inputs.end(), [](const auto& in) { return in.queue->size > 0; });
    });
    if (stopping()) return false;
    std::int64_t newest = -1;
    for (auto& in : node.inputs) {
      if (in.queue->front().kind == Item::Kind::end) return false;
      newest = std::max(newest, in.queue->front().sequence);
    }
    bool aligned = true;
    for (auto& in : node.inputs)
      while (in.queue->size > 0 && in.queue->front().kind != Item::Kind::end && in.queue->front().sequence < newest) {
        const Item lost = in.queue->pop();
        ++in.queue->dropped;
        lock.unlock();
        if (lost.payload != nullptr) lost.payload->release();
        in.queue->producer->wake.notify_all();
        lock.lock();
        aligned = false;
      }
    if (!aligned) continue;
    item.kind = Item::Kind::payload;
    item.sequence = newest;
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      const Item taken = node.inputs[i].queue->pop();
      node.inputs[i].current = taken.payload;
      if (taken.kind == Item::Kind::failed) item.kind = Item::Kind::failed;
      item.born = i == 0 ? taken.born : std::min(item.born, taken.born);
      if (taken.payload != nullptr) item.time_s = taken.payload->time_s;
    }
    lock.unlock();
    for (auto& in : node.inputs) in.queue->producer->wake.notify_all();
    return true;
  }
}

bool isocenter_session::acquire_outputs(Node& node) {
  std::unique_lock lock(mutex);
  for (auto& out : node.outputs) {
    if (out->slots.empty()) continue;
    wait_until(node.wake, lock, [&] { return stopping() || !out->free.empty(); });
    if (stopping()) {
      for (auto& o : node.outputs)
        if (o->current != nullptr) {
          o->free.push_back(std::exchange(o->current, nullptr));
        }
      return false;
    }
    out->current = out->free.back();
    out->free.pop_back();
  }
  // A payload outside its pool holds the session; release() of its last user gives both back.
  for (auto& out : node.outputs)
    if (out->current != nullptr) retain();
  return true;
}

isocenter_status isocenter_session::run_item(Node& node, const Item& item) {
  node.sequence = item.sequence;
  for (auto& out : node.outputs)
    if (out->current != nullptr) {
      out->current->sequence = node.batches()
                                   ? item.sequence
                                   : item.sequence / node.gather * node.spread + (node.spread > 1 ? node.part : 0);
      out->current->time_s = item.time_s;
    }
  const isocenter_run run{this, &node};
  isocenter_error error{sizeof error, ISOCENTER_OK, {}};
  const auto begin = Clock::now();
  isocenter_status status = guarded(&error, [&]() -> isocenter_status {
    const isocenter_status s = node.type->run(node.instance, &run, &error);
    if (s != ISOCENTER_OK) return s;
    if (node.beside != nullptr) node.device->wait(node.beside, node.name.c_str());
    node.device->wait(node.stream, node.name.c_str());
    return s;
  });
  // What a failed run has enqueued still reads and writes buffers that others will get. Its own error is what counts.
  if (status != ISOCENTER_OK && !node.device->is_cpu()) {
    const auto& type = node.device->type;
    if (node.beside != nullptr) type.stream_wait(type.user, node.beside);
    type.stream_wait(type.user, node.stream);
  }
  const auto end = Clock::now();
  if (status == ISOCENTER_END_OF_STREAM && node.inputs.empty()) return status;
  {
    const std::lock_guard lock(mutex);
    const bool gives = node.part >= 0;  // taking an item into a batch is not its end
    if (gives) node.time.add(seconds(end - begin));
    node.spans.add({item.sequence, seconds(begin - started_at), seconds(end - started_at)});
    if (status == ISOCENTER_OK && gives) ++node.done;
    const bool last =
        std::all_of(node.outputs.begin(), node.outputs.end(), [](const auto& o) { return o->consumers.empty(); });
    if (last && gives) {
      const double age = seconds(end - item.born);
      latency.add(age);
      if (options.deadline_s > 0 && age > options.deadline_s) ++deadline_misses;
    }
  }
  if (status == ISOCENTER_CANCELLED && stopping())
    leave_others(cancelled_text);
  else if (status != ISOCENTER_OK)
    note_error(node, item.sequence, status, error.message);
  if (status == ISOCENTER_OK && node.part >= 0 && options.progress != nullptr)
    options.progress(options.progress_user, node.name.c_str(), item.sequence, 1.0);
  return status;
}

void isocenter_session::hand_on(Node& node, const Item& item, bool with_payload) {
  for (auto& out : node.outputs) {
    isocenter_payload* payload = std::exchange(out->current, nullptr);
    std::unique_lock lock(mutex);
    for (Queue* queue : out->consumers) {
      Item copy = item;
      copy.payload = with_payload ? payload : nullptr;
      if (copy.payload != nullptr) copy.payload->retain();
      send(*queue, copy, lock);
    }
    lock.unlock();
    if (payload != nullptr) payload->release();
  }
}

void isocenter_session::send(Queue& queue, Item item, std::unique_lock<std::mutex>& lock) {
  const auto drop = [&](const Item& lost) {
    if (lost.payload == nullptr) return;
    lock.unlock();
    lost.payload->release();
    lock.lock();
  };
  if (queue.policy == ISOCENTER_EDGE_BLOCK || item.kind == Item::Kind::end) {
    wait_until(queue.producer->wake, lock, [&] { return stopping() || queue.closed || !queue.full(); });
  }
  if (queue.closed || (stopping() && queue.full())) return drop(item);
  if (queue.policy != ISOCENTER_EDGE_BLOCK && item.kind != Item::Kind::end) {
    while (queue.full()) {
      const Item oldest = queue.pop();
      ++queue.dropped;
      drop(oldest);
    }
  }
  queue.push(item);
  queue.consumer->wake.notify_all();
}

void isocenter_session::finish(Node& node) {
  const bool completed = !stopping();
  isocenter_error error{sizeof error, ISOCENTER_OK, {}};
  if (node.type->finish != nullptr && !node.idle) {
    const isocenter_status status =
        guarded(&error, [&] { return node.type->finish(node.instance, completed ? 1 : 0, &error); });
    if (status != ISOCENTER_OK) note_error(node, -1, status, error.message);
  }
  if (!completed && cancelled_by_caller) leave_others(cancelled_text);
  for (auto& in : node.inputs) {
    empty(*in.queue);
    in.queue->producer->wake.notify_all();
  }
  Item end;
  end.kind = Item::Kind::end;
  hand_on(node, end, false);
  {
    const std::lock_guard lock(mutex);
    node.finished = true;
    ended_at = std::max(ended_at, Clock::now());
  }
}
