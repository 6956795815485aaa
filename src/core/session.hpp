#pragma once
// The graph planned, with its memory, running: one thread for each node, bounded queues between them.
//
// Every node's worker takes one item from each of its queues, acquires a free buffer for each output, runs the
// operator, waits for its own stream and hands the item on: errors are known by node and item, and different items
// overlap in different nodes. Nothing is allocated between start and the end of the stream, unless something fails.
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <isocenter/error.hpp>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "core/context.hpp"
#include "core/metrics.hpp"
#include "core/parameters.hpp"
#include "core/payload.hpp"
#include "core/pipeline.hpp"

namespace isocenter::detail {

using Clock = std::chrono::steady_clock;

/// Waits are cut into pieces, so that a cancel from a signal handler, which may not notify, is seen soon.
inline constexpr auto longest_wait = std::chrono::milliseconds(20);

/// What flows: a payload, the mark of an item that failed upstream, or the end of the stream.
struct Item {
  enum class Kind { payload, failed, end };
  Kind kind = Kind::end;
  std::int64_t sequence = 0;
  Clock::time_point born{};
  isocenter_payload* payload = nullptr;  // one reference
  double time_s = 0;                     // the payload's, once it is taken
};

struct SessionNode;

/// A bounded ring of items that ends in one input port. All access is under the session's mutex.
struct Queue {
  SessionNode *producer = nullptr, *consumer = nullptr;
  std::string from, port;  // "denoise.output", "input"
  std::int32_t policy = ISOCENTER_EDGE_BLOCK;
  std::vector<Item> ring;
  std::size_t head = 0, size = 0, deepest = 0;
  std::int64_t dropped = 0;
  bool closed = false;  // its node has finished: what comes is let go
  bool full() const { return size == ring.size(); }
  void push(const Item& item) {
    ring[(head + size) % ring.size()] = item;
    deepest = std::max(deepest, ++size);
  }
  Item& front() { return ring[head]; }
  Item pop() {
    const Item item = ring[head];
    head = (head + 1) % ring.size();
    --size;
    return item;
  }
};

/// An output port's buffers.
struct OutputPort final : PayloadPool {
  SessionNode* node = nullptr;
  std::string name;
  int port = -1;
  Ref<isocenter_payload> description;
  std::vector<isocenter_payload*> free;   // under the session's mutex
  std::vector<isocenter_payload*> slots;  // owned
  std::vector<Queue*> consumers;
  isocenter_session* session = nullptr;
  const Device* device = nullptr;  // where its buffers lie: the node's, or the CPU
  std::uint64_t bytes = 0;
  isocenter_payload* current = nullptr;  // of the item that runs
  ~OutputPort() override;
  void give_back(isocenter_payload* payload) noexcept override;
};

struct InputPort {
  std::string name;
  std::unique_ptr<Queue> queue;
  const isocenter_payload* planned = nullptr;  // the producer's description
  isocenter_payload* current = nullptr;
  SessionNode* from = nullptr;
  OutputPort* source = nullptr;     // of `from`
  bool on_host = false;             // stays there although the node is on a device
  std::uint64_t pending_bytes = 0;  // while its node is planned: of the copy that it will need
};

struct Metric {
  std::string name, unit;
  std::vector<double> values;
  bool set = false;
};

struct Note {
  std::string what, fix;
};

struct SessionNode {
  std::string name;
  Node::Role role = Node::Role::operation;
  const isocenter_operator_type* type = nullptr;
  isocenter_parameter_values values;
  void* instance = nullptr;
  const Device* device = nullptr;
  void* stream = nullptr;
  bool own_stream = false;
  void* beside = nullptr;  // stream of copies that kernels need not wait for; where something stays on the host
  bool is_copy = false;
  std::vector<InputPort> inputs;
  std::vector<std::unique_ptr<OutputPort>> outputs;
  std::vector<void*> tables;
  void *scratch = nullptr, *host_scratch = nullptr;
  const Device* host_scratch_of = nullptr;  // whose memory that is: a device's fast host memory, or the CPU's
  std::uint64_t scratch_bytes = 0, host_scratch_bytes = 0, table_bytes = 0, declared_bytes = 0, output_bytes = 0;
  std::int64_t items = -1;  // a source's word
  std::int64_t gather = 1;  // items taken for one that is given
  std::int64_t spread = 1;  // items given for one that is taken; with the same `gather` a batch, item for item
  bool gives_nothing = false;
  bool sizes_itself = false;  // it asked what the budget has left
  bool idle = false;          // behind one that gives nothing: has no memory and never runs
  std::vector<Metric> metrics;
  std::vector<std::pair<std::string, std::string>> facts;
  std::vector<Note> warnings;
  std::vector<int> ancestors;  // indices of nodes whose records belong to the provenance, this one's last
  std::string record;          // this node's provenance record, JSON

  std::thread thread;
  std::condition_variable wake;  // something came, a queue that it fills has room, or a buffer is free
  std::int64_t done = 0, failed = 0;
  std::int64_t sequence = 0;  // of the item that runs
  std::int64_t part = 0;      // which of the items that are given for it; -1: it is taken into a batch
  std::int64_t group = -1;    // of the items that are gathered: which, whether it has its outputs, whether one failed
  bool group_has_outputs = false, group_failed = false;
  Histogram time;
  SpanRing spans;
  bool finished = false;

  bool batches() const { return gather > 1 && spread == gather; }
  std::string where() const { return std::string(type->name) + " '" + name + "'"; }
  std::uint64_t bytes() const {
    return scratch_bytes + host_scratch_bytes + table_bytes + declared_bytes + output_bytes;
  }
  OutputPort* output(std::string_view port);
  InputPort* input(std::string_view port);
};

/// What nodes that size themselves by what the budget has left are to leave of it, after a plan that did not fit.
struct HeldRoom {
  std::map<const Device*, std::uint64_t> beside_batches;                 // of items that wait there
  std::map<std::string, std::map<const Device*, std::uint64_t>> behind;  // of all nodes that are planned after this one
};

}  // namespace isocenter::detail

struct isocenter_session final : isocenter::detail::RefCounted {
  isocenter_session(isocenter_pipeline& pipeline, const isocenter_session_options& options);
  ~isocenter_session() override;

  using Node = isocenter::detail::SessionNode;

  isocenter::detail::Ref<isocenter_context> context;
  isocenter_session_options options{};
  std::string device_why;
  // The session's device, and how many processes have it: they share its memory.
  const isocenter::detail::Device* shared_device = nullptr;
  std::uint64_t sharers = 1;
  int in_flight = 2;
  std::vector<std::unique_ptr<Node>> nodes;         // in an order that respects the wires
  std::optional<isocenter::detail::HeldRoom> held;  // in the second plan: NoRoom

  mutable std::mutex mutex;
  std::atomic<bool> cancel_requested{false};
  std::atomic<bool> cancelled_by_caller{false};  // and not just closed
  std::atomic<int> handles{1};                   // the users'; payloads outside their pools hold the session itself
  bool started = false, joined = false, device_lost = false;
  std::vector<isocenter_item_error> errors;  // the newest 256
  bool has_first_error = false;
  isocenter_error first_error{};
  isocenter::detail::Histogram latency;
  std::int64_t deadline_misses = 0;
  isocenter::detail::Clock::time_point started_at{}, ended_at{};

  void prepare(const isocenter_pipeline& pipeline);
  void start();
  void push(std::string_view input, isocenter_payload* payload);
  void end_input(std::string_view input);
  isocenter_status pull(std::string_view output, double timeout_s, isocenter_payload** payload);
  void wait();
  /// The last user's handle is gone: cancels, waits for the threads, lets go of everything in the queues.
  void close();
  bool stopping() const { return cancel_requested.load(std::memory_order_relaxed); }
  Node& find(std::string_view name, isocenter::detail::Node::Role role);
  void leave_others(const char* why) const;
  void note_error(Node& node, std::int64_t sequence, isocenter_status code, const char* message);

 private:
  void work(Node& node);
  void work_source(Node& node);
  bool work_item(Node& node, isocenter::detail::Item& item);
  bool spread_item(Node& node, isocenter::detail::Item& item);
  void work_batches(Node& node);
  bool give_batch(Node& node, std::vector<isocenter::detail::Item>& batch);
  static void let_go_of_inputs(Node& node);
  bool take_inputs(Node& node, isocenter::detail::Item& item);
  bool acquire_outputs(Node& node);
  isocenter_status run_item(Node& node, const isocenter::detail::Item& item);
  void hand_on(Node& node, const isocenter::detail::Item& item, bool with_payload);
  void send(isocenter::detail::Queue& queue, isocenter::detail::Item item, std::unique_lock<std::mutex>& lock);
  void finish(Node& node);
  void empty(isocenter::detail::Queue& queue);
  void join();
};

// What the operator functions get.
struct isocenter_plan {
  isocenter_session* session;
  isocenter::detail::SessionNode* node;
  const isocenter_pipeline* pipeline;
  int pipeline_node;
  std::uint64_t memory_left, host_memory_left;
};
struct isocenter_run {
  isocenter_session* session;
  isocenter::detail::SessionNode* node;
};
