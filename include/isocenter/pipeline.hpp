#pragma once
// Context, pipeline and session: the graph as described, then planned with its memory, running.
#include <deque>
#include <isocenter/describe.hpp>
#include <optional>

namespace isocenter::inline v1 {

/// Devices, modules and operators. Made once; everything else is made from it.
class Context {
 public:
  Context()
      : Context(isocenter_context_options{sizeof(isocenter_context_options), 0, nullptr, nullptr, 0, nullptr, nullptr,
                                          nullptr}) {}
  explicit Context(const isocenter_context_options& options) {
    detail::call([&](auto* e) { return isocenter_context_create(&options, &handle_, e); });
  }
  static Context share(isocenter_context* handle) {
    isocenter_context_retain(handle);
    return Context(handle);
  }
  Context(const Context& other) : handle_(other.handle_) { isocenter_context_retain(handle_); }
  Context(Context&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  Context& operator=(Context other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  ~Context() { isocenter_context_release(handle_); }
  isocenter_context* get() const { return handle_; }

  void load_module(const std::string& path) {
    detail::call([&](auto* e) { return isocenter_context_load_module(handle_, path.c_str(), e); });
  }
  std::vector<isocenter_device_info> devices() const {
    std::vector<isocenter_device_info> all(isocenter_context_device_count(handle_));
    for (std::uint32_t i = 0; i < all.size(); ++i) {
      all[i].struct_size = sizeof all[i];
      detail::call([&](auto* e) { return isocenter_context_device(handle_, i, &all[i], e); });
    }
    return all;
  }
  /// The device that a name, a type or "best" stands for; throws with the reason when it is not there.
  isocenter_device_info find_device(const std::string& name, std::string* why = nullptr) const {
    isocenter_device_info info{};
    info.struct_size = sizeof info;
    char text[1024] = {};
    detail::call(
        [&](auto* e) { return isocenter_context_find_device(handle_, name.c_str(), &info, text, sizeof text, e); });
    if (why != nullptr) *why = text;
    return info;
  }
  /// Gives a described payload zeroed memory on a device.
  void allocate(Payload& payload, const char* device = "cpu") const {
    detail::call([&](auto* e) { return isocenter_payload_allocate(payload.get(), handle_, device, e); });
  }
  Payload copy_to(const Payload& payload, const char* device) const {
    isocenter_payload* copy = nullptr;
    detail::call([&](auto* e) { return isocenter_payload_copy_to(payload.get(), handle_, device, &copy, e); });
    return Payload::adopt(copy);
  }

 private:
  explicit Context(isocenter_context* handle) : handle_(handle) {}
  isocenter_context* handle_ = nullptr;
};

struct SessionOptions {
  std::string device = "cpu";
  std::uint64_t memory_bytes = 0;  ///< for each device; 0: no limit
  int in_flight = 0;               ///< 0: two, or one when a source has one item
  void* stream = nullptr;          ///< the embedder's own cudaStream_t
  double deadline_s = 0;
  void (*progress)(void* user, const char* node, std::int64_t sequence, double fraction) = nullptr;
  void* progress_user = nullptr;
};

/// A planned pipeline with its memory.
class Session {
 public:
  Session() = default;
  explicit Session(isocenter_session* adopted) : handle_(adopted) {}
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  Session(Session&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  Session& operator=(Session&& other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  ~Session() { isocenter_session_release(handle_); }
  isocenter_session* get() const { return handle_; }

  void start() {
    detail::call([&](auto* e) { return isocenter_session_start(handle_, e); });
  }
  void push(const char* input, const Payload& payload) {
    detail::call([&](auto* e) { return isocenter_session_push(handle_, input, payload.get(), e); });
  }
  void end_input(const char* input) {
    detail::call([&](auto* e) { return isocenter_session_end_input(handle_, input, e); });
  }
  /// The next item, or nothing at the end of the stream.
  std::optional<Payload> pull(const char* output) {
    isocenter_error e{sizeof e, ISOCENTER_OK, {}};
    isocenter_payload* p = nullptr;
    const isocenter_status status = isocenter_session_pull(handle_, output, -1.0, &p, &e);
    if (status == ISOCENTER_OK) return Payload::adopt(p);
    if (status != ISOCENTER_END_OF_STREAM) detail::raise(static_cast<ErrorCode>(status), e.message);
    return std::nullopt;
  }
  Result<Payload> try_pull(const char* output, double timeout_s) noexcept {
    isocenter_error e{sizeof e, ISOCENTER_OK, {}};
    isocenter_payload* p = nullptr;
    e.code = isocenter_session_pull(handle_, output, timeout_s, &p, &e);
    if (e.code != ISOCENTER_OK) return e;
    return Payload::adopt(p);
  }
  Result<bool> try_push(const char* input, const Payload& payload) noexcept {
    isocenter_error e{sizeof e, ISOCENTER_OK, {}};
    e.code = isocenter_session_push(handle_, input, payload.get(), &e);
    if (e.code != ISOCENTER_OK) return e;
    return true;
  }
  void wait() {
    detail::call([&](auto* e) { return isocenter_session_wait(handle_, e); });
  }
  /// start() and wait(): for pipelines whose sources and sinks are nodes.
  void run() {
    start();
    wait();
  }
  void cancel() noexcept { isocenter_session_cancel(handle_); }
  std::string footprint() const {
    return detail::read_text([&](char* t, std::size_t n) { return isocenter_session_footprint(handle_, t, n); });
  }
  std::string report() const {
    return detail::read_text([&](char* t, std::size_t n) { return isocenter_session_report(handle_, t, n); });
  }
  std::string trace() const {
    return detail::read_text([&](char* t, std::size_t n) { return isocenter_session_trace(handle_, t, n); });
  }
  /// Takes the oldest item error.
  std::optional<isocenter_item_error> next_error() {
    isocenter_item_error item{};
    item.struct_size = sizeof item;
    if (isocenter_session_next_error(handle_, &item, nullptr) != ISOCENTER_OK) return std::nullopt;
    return item;
  }

 private:
  isocenter_session* handle_ = nullptr;
};

/// A graph of operators. Wires are typed: a wrong one does not compile; by name it is refused at once.
class Pipeline {
 public:
  explicit Pipeline(const Context& context) : context_(context) {
    detail::call([&](auto* e) { return isocenter_pipeline_create(context_.get(), &handle_, e); });
  }
  Pipeline(const Pipeline&) = delete;
  Pipeline& operator=(const Pipeline&) = delete;
  Pipeline(Pipeline&& other) noexcept
      : context_(other.context_), handle_(std::exchange(other.handle_, nullptr)), names_(std::move(other.names_)) {}
  ~Pipeline() { isocenter_pipeline_release(handle_); }
  isocenter_pipeline* get() const { return handle_; }
  const Context& context() const { return context_; }

  /// Adds a node and gives its ports.
  template <class Op>
  typename Op::Ports add(const std::string& node, const typename Op::Params& params = {}) {
    detail::call([&](auto* e) { return isocenter_pipeline_add(handle_, node.c_str(), Op::name, e); });
    const typename Op::Params defaults{};
    std::apply(
        [&](const auto&... p) {
          ((detail::parameter_text(p, params) != detail::parameter_text(p, defaults)
                ? set(node, p.name, detail::parameter_text(p, params))
                : void()),
           ...);
        },
        Op::Params::describe());
    const char* kept = names_.emplace_back(node).c_str();
    typename Op::Ports ports{};
    std::apply([&](auto... member) { (((ports.*member).node = kept), ...); }, Op::Ports::describe());
    return ports;
  }
  /// By name, for operators without a header.
  void add(const std::string& node, const std::string& operator_name) {
    detail::call([&](auto* e) { return isocenter_pipeline_add(handle_, node.c_str(), operator_name.c_str(), e); });
  }
  void set(const std::string& node, const std::string& parameter, const std::string& value) {
    detail::call(
        [&](auto* e) { return isocenter_pipeline_set(handle_, node.c_str(), parameter.c_str(), value.c_str(), e); });
  }
  void set_device(const std::string& node, const std::string& device) {
    detail::call([&](auto* e) { return isocenter_pipeline_set_device(handle_, node.c_str(), device.c_str(), e); });
  }
  template <class T, class U>
  requires((T::kinds & U::kinds) != 0) void connect(const Out<T>& from, const In<U>& to) {
    connect(from.node, from.name, to.node, to.name);
  }
  template <class T, class U>
  requires((T::kinds & U::kinds) ==
           0) void connect(const Out<T>& from,
                           const In<U>& to) = delete;  // these ports carry different kinds of payload
  void connect(const std::string& from, const std::string& from_port, const std::string& to,
               const std::string& to_port) {
    detail::call([&](auto* e) {
      return isocenter_pipeline_connect(handle_, from.c_str(), from_port.c_str(), to.c_str(), to_port.c_str(), e);
    });
  }
  void set_edge(const std::string& to_node, const std::string& to_port, int policy, std::uint32_t capacity) {
    detail::call([&](auto* e) {
      return isocenter_pipeline_set_edge(handle_, to_node.c_str(), to_port.c_str(), policy, capacity, e);
    });
  }
  /// A way in for payloads like `description`.
  template <class T>
  Out<T> add_input(const std::string& name, const T& description) {
    detail::call([&](auto* e) { return isocenter_pipeline_add_input(handle_, name.c_str(), description.get(), e); });
    return {"output", "", 0, names_.emplace_back(name).c_str()};
  }
  template <class T>
  void add_output(const std::string& name, const Out<T>& from) {
    add_output(name, from.node, from.name);
  }
  void add_output(const std::string& name, const std::string& node, const std::string& port) {
    detail::call(
        [&](auto* e) { return isocenter_pipeline_add_output(handle_, name.c_str(), node.c_str(), port.c_str(), e); });
  }
  void check() const {
    detail::call([&](auto* e) { return isocenter_pipeline_check(handle_, e); });
  }
  Session prepare(const SessionOptions& options = {}) {
    isocenter_session_options o{};
    o.struct_size = sizeof o;
    o.in_flight = options.in_flight;
    o.device = options.device.c_str();
    o.memory_bytes = options.memory_bytes;
    o.stream = options.stream;
    o.deadline_s = options.deadline_s;
    o.progress = options.progress;
    o.progress_user = options.progress_user;
    isocenter_session* session = nullptr;
    detail::call([&](auto* e) { return isocenter_pipeline_prepare(handle_, &o, &session, e); });
    return Session(session);
  }

 private:
  Context context_;
  isocenter_pipeline* handle_ = nullptr;
  std::deque<std::string> names_;
};

/// Plans and runs one operator with one input and one output on one payload; the result is in host memory.
template <class Op, class T>
Payload apply(const Context& context, const typename Op::Params& params, const T& input,
              const SessionOptions& options = {}) {
  Pipeline pipeline(context);
  const auto in = pipeline.add_input("input", input);
  const auto node = pipeline.add<Op>(Op::name, params);
  pipeline.connect(in, node.input);
  pipeline.add_output("output", node.output);
  Session session = pipeline.prepare(options);
  session.start();
  session.push("input", input);
  session.end_input("input");
  std::optional<Payload> result = session.pull("output");
  if (!result) session.wait();  // throws the item's error
  if (!result) detail::raise(ErrorCode::internal, "the operator gave no result.");
  // The session's buffer goes with the session: the caller gets a copy that is its own.
  return context.copy_to(*result, "cpu");
}

}  // namespace isocenter::inline v1
