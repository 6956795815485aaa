#include "core/session.hpp"

#include <algorithm>

#include "core/structs.hpp"

using isocenter::ErrorCode;
using isocenter::Failure;
using namespace isocenter::detail;
using SNode = isocenter::detail::SessionNode;

namespace isocenter::detail {

OutputPort* SessionNode::output(std::string_view port) {
  for (auto& o : outputs)
    if (o->name == port) return o.get();
  return nullptr;
}
InputPort* SessionNode::input(std::string_view port) {
  for (auto& i : inputs)
    if (i.name == port) return &i;
  return nullptr;
}

void OutputPort::give_back(isocenter_payload* payload) noexcept {
  isocenter_session* owner = session;
  {
    const std::lock_guard lock(owner->mutex);
    free.push_back(payload);
  }
  node->wake.notify_all();
  owner->release();  // each payload outside the pool keeps its session alive
}

OutputPort::~OutputPort() {
  for (auto* p : slots) {
    p->pool = nullptr;
    p->release();
  }
}

}  // namespace isocenter::detail

isocenter_session::~isocenter_session() {
  for (auto& n : nodes) {
    if (n->instance != nullptr) n->type->destroy(n->instance);
    for (void* t : n->tables) n->device->release(t);
    if (n->scratch != nullptr) n->device->release(n->scratch);
    if (n->host_scratch != nullptr) {
      if (n->host_scratch_of->is_cpu())
        n->host_scratch_of->release(n->host_scratch);
      else
        n->host_scratch_of->release_host(n->host_scratch);
    }
    if (n->own_stream) n->device->type.stream_destroy(n->device->type.user, n->stream);
    if (n->beside != nullptr) n->device->type.stream_destroy(n->device->type.user, n->beside);
  }
}

void isocenter_session::empty(Queue& queue) {
  std::unique_lock lock(mutex);
  queue.closed = true;
  while (queue.size > 0) {
    const Item item = queue.pop();
    lock.unlock();
    if (item.payload != nullptr) item.payload->release();
    lock.lock();
  }
}

void isocenter_session::close() {
  cancel_requested = true;
  join();
  for (auto& n : nodes)
    for (auto& in : n->inputs) {
      empty(*in.queue);
      if (in.current != nullptr) std::exchange(in.current, nullptr)->release();
    }
  release();
}

void isocenter_session::start() {
  const std::lock_guard lock(mutex);
  if (started)
    throw Failure(ErrorCode::invalid_state, "the session was started already", "prepare a new session to run again");
  started = true;
  started_at = ended_at = Clock::now();
  for (auto& n : nodes)
    if (n->role == isocenter::detail::Node::Role::operation)
      n->thread = std::thread([this, node = n.get()] { work(*node); });
}

void isocenter_session::join() {
  for (auto& n : nodes)
    if (n->thread.joinable()) n->thread.join();
  joined = true;
}

SNode& isocenter_session::find(std::string_view name, isocenter::detail::Node::Role role) {
  for (auto& n : nodes)
    if (n->role == role && n->name == name) return *n;
  throw Failure(ErrorCode::not_found,
                std::string("the session has no way ") + (role == isocenter::detail::Node::Role::input ? "in" : "out") +
                    " '" + std::string(name) + "'",
                "add it to the pipeline before prepare");
}

void isocenter_session::push(std::string_view input, isocenter_payload* payload) {
  Node& node = find(input, isocenter::detail::Node::Role::input);
  OutputPort& out = *node.outputs.front();
  out.description->require_same_shape(*payload, "input", input);
  if ((payload->device == nullptr ? &context->cpu() : payload->device) != node.device)
    throw Failure(ErrorCode::invalid_argument,
                  "input '" + std::string(input) + "': the payload is on '" + isocenter_payload_device(payload) +
                      "', described was '" + node.device->name + "'",
                  "copy it there, or describe the input with a payload on that device");
  std::unique_lock lock(mutex);
  if (!started || node.finished)
    throw Failure(ErrorCode::invalid_state,
                  "input '" + std::string(input) + "' takes nothing " +
                      (started ? "after its end was said" : "before the session is started"),
                  started ? "prepare a new session" : "call start first");
  Item item;
  item.kind = Item::Kind::payload;
  item.sequence = node.done++;
  item.born = Clock::now();
  item.payload = payload;
  payload->sequence = item.sequence;
  for (Queue* queue : out.consumers) {
    payload->retain();
    send(*queue, item, lock);
  }
  const bool cancelled = stopping();
  lock.unlock();
  if (cancelled) throw isocenter::Error(ErrorCode::cancelled, "the session was cancelled.");
}

void isocenter_session::end_input(std::string_view input) {
  Node& node = find(input, isocenter::detail::Node::Role::input);
  std::unique_lock lock(mutex);
  if (node.finished) return;
  node.finished = true;
  for (Queue* queue : node.outputs.front()->consumers) send(*queue, Item{}, lock);
}

isocenter_status isocenter_session::pull(std::string_view output, double timeout_s, isocenter_payload** payload) {
  Node& node = find(output, isocenter::detail::Node::Role::output);
  Queue& queue = *node.inputs.front().queue;
  const auto until = Clock::now() + std::chrono::duration_cast<Clock::duration>(
                                        std::chrono::duration<double>(timeout_s < 0 ? 1e8 : std::min(timeout_s, 1e8)));
  std::unique_lock lock(mutex);
  if (!started)
    throw Failure(ErrorCode::invalid_state, "nothing can be pulled before the session is started", "call start first");
  for (;;) {
    while (queue.size == 0) {
      if (stopping()) return ISOCENTER_CANCELLED;
      if (Clock::now() >= until) return ISOCENTER_TIMEOUT;
      node.wake.wait_for(lock, std::min<Clock::duration>(longest_wait, until - Clock::now()));
    }
    if (queue.front().kind == Item::Kind::end) return ISOCENTER_END_OF_STREAM;
    const Item item = queue.pop();
    queue.producer->wake.notify_all();
    if (item.kind == Item::Kind::failed) continue;  // its error is in the session's error output
    ++node.done;
    *payload = item.payload;
    return ISOCENTER_OK;
  }
}

void isocenter_session::wait() {
  {
    const std::lock_guard lock(mutex);
    if (!started) throw Failure(ErrorCode::invalid_state, "the session was not started", "call start before wait");
  }
  join();
  const std::lock_guard lock(mutex);
  if (has_first_error) throw isocenter::Error(static_cast<ErrorCode>(first_error.code), first_error.message);
  if (stopping()) throw isocenter::Error(ErrorCode::cancelled, "the session was cancelled; what was finished is kept.");
}

// ---- C ABI ----

extern "C" {

void isocenter_session_retain(isocenter_session* session) { session->handles.fetch_add(1); }
void isocenter_session_release(isocenter_session* session) {
  if (session != nullptr && session->handles.fetch_sub(1) == 1) session->close();
}
isocenter_status isocenter_session_start(isocenter_session* session, isocenter_error* error) {
  return guarded(error, [&]() -> isocenter_status {
    session->start();
    return ISOCENTER_OK;
  });
}
isocenter_status isocenter_session_push(isocenter_session* session, const char* input, isocenter_payload* payload,
                                        isocenter_error* error) {
  return guarded(error, [&]() -> isocenter_status {
    session->push(input, payload);
    return ISOCENTER_OK;
  });
}
isocenter_status isocenter_session_end_input(isocenter_session* session, const char* input, isocenter_error* error) {
  return guarded(error, [&]() -> isocenter_status {
    session->end_input(input);
    return ISOCENTER_OK;
  });
}
isocenter_status isocenter_session_pull(isocenter_session* session, const char* output, double timeout_s,
                                        isocenter_payload** payload, isocenter_error* error) {
  return guarded(error, [&]() -> isocenter_status {
    const isocenter_status status = session->pull(output, timeout_s, payload);
    if (status == ISOCENTER_CANCELLED) return write_error(error, ErrorCode::cancelled, "the session was cancelled.");
    return status;
  });
}
isocenter_status isocenter_session_wait(isocenter_session* session, isocenter_error* error) {
  return guarded(error, [&]() -> isocenter_status {
    session->wait();
    return ISOCENTER_OK;
  });
}
void isocenter_session_cancel(isocenter_session* session) {
  session->cancelled_by_caller.store(true, std::memory_order_relaxed);
  session->cancel_requested.store(true, std::memory_order_relaxed);
}
isocenter_status isocenter_session_next_error(isocenter_session* session, isocenter_item_error* item,
                                              isocenter_error* error) {
  return guarded(error, [&]() -> isocenter_status {
    const std::lock_guard lock(session->mutex);
    if (session->errors.empty()) return ISOCENTER_END_OF_STREAM;
    isocenter::detail::give_struct(session->errors.front(), item, "isocenter_session_next_error");
    session->errors.erase(session->errors.begin());
    return ISOCENTER_OK;
  });
}

}  // extern "C"
