#pragma once
// Writing an operator: a description (name, summary, Params, Ports) and a class with plan and run, registered with
// register_operator<Class>(context). Ours and a device maker's are written the same way.
//
//   struct Invert {
//     static constexpr const char* name = "invert";
//     static constexpr const char* module = "acme";
//     static constexpr const char* summary = "Negates every voxel.";
//     struct Params { static constexpr auto describe() { return std::tuple{}; } };
//     struct Ports {
//       In<Volume> input{"input", "Any volume."};
//       Out<Volume> output{"output", "The negated volume."};
//       static constexpr auto describe() { return std::tuple{&Ports::input, &Ports::output}; }
//     };
//   };
//   class InvertOperator : public ic::OperatorBase<Invert> {
//     void plan(ic::PlanContext& plan) override { plan.output("output").like(plan.input("input")); }
//     void run(const ic::RunContext& run) override { ... }
//   };
#include <deque>
#include <isocenter/describe.hpp>
#include <memory>

namespace isocenter::inline v1 {

/// A payload that the session owns, as plan and run see it. Valid during the call.
class PayloadRef : public Payload {
 public:
  explicit PayloadRef(const isocenter_payload* handle) : Payload(Payload::share(handle)) {}
  /// Makes an output description equal to an input's: tensors, geometry, attributes.
  void like(const Payload& other, const char* tensor_name = "voxels") {
    set_tensor(tensor_name, without_data(other.tensor(tensor_name)));
    set_geometry(other.geometry());
    inherit_attributes(other);
  }
  static TensorView without_data(TensorView t) {
    t.data = nullptr;
    for (auto& s : t.strides) s = 0;
    return t;
  }
};

/// What an operator may ask while it is planned, and must state. Throw Failure for whatever is wrong.
class PlanContext {
 public:
  explicit PlanContext(isocenter_plan* plan) : plan_(plan) {}
  const char* node() const { return isocenter_plan_node(plan_); }
  bool has_input(const char* port) const { return isocenter_plan_input(plan_, port) != nullptr; }
  PayloadRef input(const char* port) const { return PayloadRef(isocenter_plan_input(plan_, port)); }
  PayloadRef output(const char* port) const { return PayloadRef(isocenter_plan_output(plan_, port)); }
  bool output_used(const char* port) const { return isocenter_plan_output_used(plan_, port) != 0; }
  isocenter_device_info device() const {
    isocenter_device_info info{};
    info.struct_size = sizeof info;
    detail::call([&](auto* e) { return isocenter_plan_device(plan_, &info, e); });
    return info;
  }
  bool on_cpu() const { return std::strcmp(device().type, "cpu") == 0; }
  isocenter_launcher launcher() const {
    isocenter_launcher l{};
    l.struct_size = sizeof l;
    detail::call([&](auto* e) { return isocenter_plan_launcher(plan_, &l, e); });
    return l;
  }
  /// Bytes on the node's device during a run, 256-byte aligned; RunContext::scratch gives them.
  void scratch(std::uint64_t bytes) { isocenter_plan_scratch(plan_, bytes); }
  /// Zeroed memory on the node's device that lives as long as the session: tables, state between frames.
  template <class T>
  T* allocate(std::uint64_t count, const char* purpose) {
    void* p = nullptr;
    detail::call([&](auto* e) { return isocenter_plan_allocate(plan_, count * sizeof(T), purpose, &p, e); });
    return static_cast<T*>(p);
  }
  /// The same, filled from host memory.
  template <class T>
  T* upload(std::span<const T> values, const char* purpose) {
    T* p = allocate<T>(values.size(), purpose);
    detail::call([&](auto* e) { return isocenter_plan_upload(plan_, p, values.data(), values.size_bytes(), e); });
    return p;
  }
  /// On a device: this port's tensors stay in host memory (isocenter_plan_keep_on_host).
  void keep_on_host(const char* port) {
    detail::call([&](auto* e) { return isocenter_plan_keep_on_host(plan_, port, e); });
  }
  /// Host bytes during a run, 256-byte aligned; RunContext::host_scratch gives them.
  void host_scratch(std::uint64_t bytes) { isocenter_plan_host_scratch(plan_, bytes); }
  std::uint64_t host_memory_left() const { return isocenter_plan_host_memory_left(plan_); }
  void declare_host_memory(std::uint64_t bytes) { isocenter_plan_declare_host_memory(plan_, bytes); }
  std::uint64_t memory_left() const { return isocenter_plan_memory_left(plan_); }
  std::uint64_t memory_budget() const { return isocenter_plan_memory_budget(plan_); }
  void items(std::int64_t count) { isocenter_plan_items(plan_, count); }
  /// One item out for every `count` in: isocenter_plan_gather.
  void gather(std::int64_t count) { isocenter_plan_gather(plan_, count); }
  /// `count` items out for every one in: isocenter_plan_spread, RunContext::part.
  void spread(std::int64_t count) { isocenter_plan_spread(plan_, count); }
  /// Whether all that is connected to an output takes volumes in slabs (isocenter/slabs.hpp).
  bool takes_slabs(const char* port) const { return isocenter_plan_takes_slabs(plan_, port) != 0; }
  void metric(const char* name, const char* unit, std::uint32_t count) {
    isocenter_plan_metric(plan_, name, unit, count);
  }
  void fact(const char* key, const std::string& text) { isocenter_plan_fact(plan_, key, text.c_str()); }
  void warn(const std::string& what, const std::string& fix) { isocenter_plan_warn(plan_, what.c_str(), fix.c_str()); }
  /// Fails when the node's device has no such kernel. K::name is the kernel's name.
  template <class K>
  void require_kernel() const {
    require_kernel(K::name, sizeof(K));
  }
  void require_kernel(const char* name, std::size_t args_bytes) const {
    detail::call([&](auto* e) { return isocenter_plan_require_kernel(plan_, name, args_bytes, e); });
  }
  isocenter_context* context() const { return isocenter_plan_context(plan_); }
  /// The other processes that run this pipeline; null where there are none.
  const isocenter_communicator* communicator() const { return isocenter_context_communicator(context()); }

 private:
  isocenter_plan* plan_;
};

/// Thrown by a source's run when it has no further item.
struct EndOfStream {};
/// Thrown by run when it saw that the session was cancelled.
struct Cancelled {};

/// What an operator sees while it runs one item. Nothing here allocates.
class RunContext {
 public:
  explicit RunContext(const isocenter_run* run) : run_(run) {}
  bool has_input(const char* port) const { return isocenter_run_input(run_, port) != nullptr; }
  PayloadRef input(const char* port) const { return PayloadRef(isocenter_run_input(run_, port)); }
  PayloadRef output(const char* port) const { return PayloadRef(isocenter_run_output(run_, port)); }
  template <class T = void>
  T* scratch() const {
    return static_cast<T*>(isocenter_run_scratch(run_));
  }
  template <class T = void>
  T* host_scratch() const {
    return static_cast<T*>(isocenter_run_host_scratch(run_));
  }
  /// Enqueued on one of the node's streams: isocenter_run_copy, isocenter_run_follow, isocenter_run_wait.
  void copy(void* to, const void* from, std::uint64_t bytes, std::int32_t stream = ISOCENTER_STREAM_MAIN) const {
    detail::call([&](auto* e) { return isocenter_run_copy(run_, to, from, bytes, stream, e); });
  }
  void follow(std::int32_t stream) const {
    detail::call([&](auto* e) { return isocenter_run_follow(run_, stream, e); });
  }
  void wait(std::int32_t stream = ISOCENTER_STREAM_MAIN) const {
    detail::call([&](auto* e) { return isocenter_run_wait(run_, stream, e); });
  }
  isocenter_launcher launcher() const {
    isocenter_launcher l{};
    l.struct_size = sizeof l;
    detail::call([&](auto* e) { return isocenter_run_launcher(run_, &l, e); });
    return l;
  }
  /// The device's queue: a cudaStream_t on CUDA, null on the CPU.
  void* stream() const { return launcher().stream; }
  /// fn(begin, end) over [0, count) on the session's CPU threads.
  template <class F>
  void parallel_for(std::int64_t count, std::int64_t grain, F&& fn) const {
    const isocenter_launcher l = launcher();
    using Fn = std::remove_reference_t<F>;
    l.parallel_for(
        l.pool, count, grain, [](void* data, std::int64_t b, std::int64_t e) { (*static_cast<Fn*>(data))(b, e); },
        const_cast<void*>(static_cast<const void*>(&fn)));
  }
  bool cancelled() const { return isocenter_run_cancelled(run_) != 0; }
  /// Leaves run when the session was cancelled.
  void check_cancelled() const {
    if (cancelled()) throw Cancelled{};
  }
  void progress(double fraction) const { isocenter_run_progress(run_, fraction); }
  void metric(const char* name, std::span<const double> v) const {
    isocenter_run_metric(run_, name, v.data(), static_cast<std::uint32_t>(v.size()));
  }
  void metric(const char* name, double v) const { isocenter_run_metric(run_, name, &v, 1); }
  void warn(const std::string& what, const std::string& fix) const {
    isocenter_run_warn(run_, what.c_str(), fix.c_str());
  }
  std::int64_t sequence() const { return isocenter_run_sequence(run_); }
  std::int64_t part() const { return isocenter_run_part(run_); }

 private:
  const isocenter_run* run_;
};

template <class Description>
class OperatorBase {
 public:
  using Op = Description;
  using Params = typename Description::Params;
  virtual ~OperatorBase() = default;
  virtual void plan(PlanContext& plan) = 0;
  virtual void run(const RunContext& run) = 0;
  /// After the last item, or when the session was cancelled or failed (completed = false).
  virtual void finish(bool completed) { (void)completed; }

  Params params;
};

}  // namespace isocenter::inline v1

namespace isocenter::detail {

/// The C description of an operator class; made once, lives as long as the library that holds the class.
template <class Class>
class OperatorType {
 public:
  using Op = typename Class::Op;
  using Params = typename Op::Params;
  using Ports = typename Op::Ports;

  static const isocenter_operator_type* get() {
    static const OperatorType instance;
    return &instance.type_;
  }

 private:
  OperatorType() {
    const Params defaults{};
    std::apply([&](const auto&... p) { (add_parameter(p, defaults), ...); }, Params::describe());
    const Ports ports{};
    std::apply([&](auto... member) { (add_port(ports.*member), ...); }, Ports::describe());
    type_.struct_size = sizeof type_;
    if constexpr (requires { Op::host_only; }) type_.flags = Op::host_only ? ISOCENTER_OPERATOR_HOST_ONLY : 0;
    if constexpr (requires { Op::takes_slabs; }) type_.flags |= Op::takes_slabs ? ISOCENTER_OPERATOR_TAKES_SLABS : 0;
    type_.name = Op::name;
    type_.module = Op::module;
    type_.version = version();
    type_.summary = Op::summary;
    type_.help = help();
    type_.parameters = parameters_.data();
    type_.parameter_count = static_cast<std::uint32_t>(parameters_.size());
    type_.ports = ports_.data();
    type_.port_count = static_cast<std::uint32_t>(ports_.size());
    type_.create = [](void*, const isocenter_parameter_values* values, void** out, isocenter_error* error) {
      return guarded(error, [&]() -> isocenter_status {
        auto made = std::make_unique<Class>();
        std::apply([&](const auto&... p) { (read_parameter(p, values, made->params), ...); }, Params::describe());
        *out = made.release();
        return ISOCENTER_OK;
      });
    };
    type_.plan = [](void* self, isocenter_plan* plan, isocenter_error* error) {
      return guarded(error, [&]() -> isocenter_status {
        PlanContext context(plan);
        static_cast<OperatorBase<Op>*>(static_cast<Class*>(self))->plan(context);
        return ISOCENTER_OK;
      });
    };
    type_.run = [](void* self, const isocenter_run* run, isocenter_error* error) {
      return guarded(error, [&]() -> isocenter_status {
        try {
          static_cast<OperatorBase<Op>*>(static_cast<Class*>(self))->run(RunContext(run));
        } catch (const EndOfStream&) {
          return ISOCENTER_END_OF_STREAM;
        } catch (const Cancelled&) {
          return write_error(error, ErrorCode::cancelled, "cancelled.");
        }
        return ISOCENTER_OK;
      });
    };
    type_.finish = [](void* self, std::int32_t completed, isocenter_error* error) {
      return guarded(error, [&]() -> isocenter_status {
        static_cast<OperatorBase<Op>*>(static_cast<Class*>(self))->finish(completed != 0);
        return ISOCENTER_OK;
      });
    };
    type_.destroy = [](void* self) { delete static_cast<Class*>(self); };
  }

  static const char* version() {
    if constexpr (requires { Op::version; })
      return Op::version;
    else
      return "1.0.0";
  }
  static const char* help() {
    if constexpr (requires { Op::help; })
      return Op::help;
    else
      return "";
  }
  template <class P, class T>
  void add_parameter(const Param<P, T>& p, const P& defaults) {
    texts_.push_back(parameter_text(p, defaults));
    isocenter_parameter c{};
    c.struct_size = sizeof c;
    c.flags = p.flags;
    c.type = parameter_type<T>();
    c.choice_count = p.choice_count;
    c.name = p.name;
    c.unit = to_string(p.unit);
    c.default_value = texts_.back().c_str();
    c.minimum = p.low;
    c.maximum = p.high;
    c.choices = p.choices;
    c.help = p.help;
    parameters_.push_back(c);
  }
  template <class Port>
  void add_port(const Port& port) {
    isocenter_port c{};
    c.struct_size = sizeof c;
    c.flags = port.flags;
    c.is_output = Port::is_output ? 1 : 0;
    c.kinds = Port::type::kinds;
    c.name = port.name;
    c.help = port.help;
    ports_.push_back(c);
  }

  isocenter_operator_type type_{};
  std::deque<std::string> texts_;
  std::vector<isocenter_parameter> parameters_;
  std::vector<isocenter_port> ports_;
};

}  // namespace isocenter::detail

namespace isocenter::inline v1 {

/// Adds an operator class to a context; its name can then be used in pipelines and files.
template <class Class>
void register_operator(isocenter_context* context) {
  detail::call([&](auto* e) { return isocenter_register_operator(context, detail::OperatorType<Class>::get(), e); });
}

}  // namespace isocenter::inline v1

/// The entry of a run-time module: ISOCENTER_MODULE(FooOperator, BarOperator) in one of its source files.
#define ISOCENTER_MODULE(...)                                                                     \
  extern "C" ISOCENTER_API const std::uint32_t isocenter_module_abi;                              \
  extern "C" const std::uint32_t isocenter_module_abi = ISOCENTER_VERSION_MAJOR;                  \
  extern "C" ISOCENTER_API isocenter_status isocenter_module_register(isocenter_context* context, \
                                                                      isocenter_error* error) {   \
    return isocenter::detail::guarded(error, [&]() -> isocenter_status {                          \
      [&]<class... Classes>(std::type_identity<std::tuple<Classes...>>) {                         \
        (isocenter::register_operator<Classes>(context), ...);                                    \
      }(std::type_identity<std::tuple<__VA_ARGS__>>{});                                           \
      return ISOCENTER_OK;                                                                        \
    });                                                                                           \
  }
