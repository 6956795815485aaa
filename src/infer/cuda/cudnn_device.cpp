// Never run on a GPU so far: its graphs were planned for an H100 without the device (tests/infer).
#include <bit>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <isocenter/error.hpp>
#include <map>
#include <unordered_map>

#include "infer/cuda/cudnn_graphs.hpp"
#include "infer/cuda/device_queue.hpp"
#include "infer/cuda/plan_store.hpp"

namespace isocenter::infer {
namespace {

class Device final : public CudnnDevice {
 public:
  std::unique_ptr<CudnnConvolution> plan(const CudnnProblem& problem, std::string& why_not) override;
  std::unique_ptr<CudnnPlan> plan(const CudnnOperation& operation, std::string& why_not) override;
  ~Device() override {
    if (handle != nullptr) cudnnDestroy(handle);
  }
  void set_stream(void* stream) override {
    if (handle != nullptr) cudnnSetStream(handle, static_cast<cudaStream_t>(stream));
  }
  std::string name() const override {
    const std::size_t v = cudnnGetVersion();
    return "cuDNN " + std::to_string(v / 10000) + "." + std::to_string(v / 100 % 100) + "." + std::to_string(v % 100) +
           ", plans " + (choice == PlanChoice::autotuned ? "autotuned" : "heuristic") +
           (not_timed_ > 0 ? ", " + std::to_string(not_timed_) + " not timed" : "");
  }
  cudnnHandle_t handle = nullptr;
  std::shared_ptr<fe::DeviceProperties> described;
  std::int32_t sm_version = 0;  ///< of a described device: 90 for 9.0
  std::string identity;         ///< what plans for it depend on
  PlanChoice choice = PlanChoice::heuristic;
  PlanStore plans{""};

 private:
  struct Made {
    std::shared_ptr<fe::graph::Graph> graph;  ///< null: there is no plan
    bool kept = false, timed = false;
    std::string why_not;
  };
  template <class Problem>
  Made make(const std::string& name, const Problem& problem) const;
  /// The plan that was made for this before, or one made anew.
  template <class Problem>
  const Made& made_for(const Problem& problem);
  std::map<std::string, Made> made_;  ///< by problem: networks pose the same ones again and again
  int not_timed_ = 0;                 ///< of them, where they should have been
};

/// A graph with its plan.
class PlannedGraph {
 public:
  PlannedGraph(Device& device, std::shared_ptr<fe::graph::Graph> graph, std::size_t arguments)
      : device_(device), graph_(std::move(graph)) {
    if (auto e = graph_->get_workspace_size(workspace_); e.is_bad())
      throw Failure(ErrorCode::internal, "cuDNN does not tell its workspace: " + e.get_message(),
                    "report this with the model");
    if (const std::size_t own = graph_->get_variant_pack_uids_sorted().size(); own != arguments)
      throw Failure(ErrorCode::internal,
                    "a plan of cuDNN's takes " + std::to_string(own) + " pointers where its graph has " +
                        std::to_string(arguments),
                    "empty the folder that ISOCENTER_PLAN_FOLDER names, and report this with the model");
    if (graph_->get_plan_name(name_).is_bad()) name_ = "unnamed plan";
  }
  std::int64_t workspace_bytes() const { return workspace_; }
  const std::string& name() const { return name_; }
  /// Pointers in the order of the tensors' uids, so that no table is made at each run.
  void run(void** pointers, int count, void* workspace) {
    auto e = graph_->execute(device_.handle, pointers, count, workspace);
    if (e.is_bad())
      throw Failure(ErrorCode::device_lost, "cuDNN failed: " + e.get_message(),
                    "look at the driver's log; the session has to be prepared again");
  }

 private:
  Device& device_;
  std::shared_ptr<fe::graph::Graph> graph_;
  std::int64_t workspace_ = 0;
  std::string name_;
};

class PlannedConvolution final : public CudnnConvolution {
 public:
  PlannedConvolution(PlannedGraph graph, const Convolution& what, bool kept)
      : graph_(std::move(graph)), bias_(what.bias), residual_(what.residual), kept_(kept) {}
  std::int64_t workspace_bytes() const override { return graph_.workspace_bytes(); }
  std::string plan_name() const override { return graph_.name(); }
  bool was_kept() const override { return kept_; }

  void run(const void* x, const void* w, const void* bias, const void* residual, void* y, void* workspace) override {
    void* pointers[5];
    int n = 0;
    pointers[n++] = const_cast<void*>(x);
    pointers[n++] = const_cast<void*>(w);
    if (bias_) pointers[n++] = const_cast<void*>(bias);
    if (residual_) pointers[n++] = const_cast<void*>(residual);
    pointers[n++] = y;
    graph_.run(pointers, n, workspace);
  }

 private:
  PlannedGraph graph_;
  bool bias_, residual_, kept_;
};

class PlannedOperation final : public CudnnPlan {
 public:
  explicit PlannedOperation(PlannedGraph graph) : graph_(std::move(graph)) {}
  std::int64_t workspace_bytes() const override { return graph_.workspace_bytes(); }
  std::string plan_name() const override { return graph_.name(); }
  void run(const std::vector<const void*>& inputs, void* output, void* workspace) override {
    void* pointers[5];
    int n = 0;
    for (const void* input : inputs) pointers[n++] = const_cast<void*>(input);
    pointers[n++] = output;
    graph_.run(pointers, n, workspace);
  }

 private:
  PlannedGraph graph_;
};

}  // namespace

std::shared_ptr<CudnnDevice> CudnnDevice::present() {
  auto device = std::make_shared<Device>();
  if (const cudnnStatus_t status = cudnnCreate(&device->handle); status != CUDNN_STATUS_SUCCESS) {
    device->handle = nullptr;
    throw Failure(ErrorCode::unsupported,
                  std::string("cuDNN does not start on this device: ") + cudnnGetErrorString(status),
                  "install a cuDNN 9 that fits the driver, or run this node on \"cpu\"");
  }
  int index = 0;
  cudaDeviceProp properties{};
  if (cudaGetDevice(&index) == cudaSuccess && cudaGetDeviceProperties(&properties, index) == cudaSuccess) {
    device->identity = std::string(properties.name) + " " + std::to_string(properties.major) + "." +
                       std::to_string(properties.minor) + " " + std::to_string(properties.multiProcessorCount);
    if (const char* folder = std::getenv("ISOCENTER_PLAN_FOLDER")) device->plans = PlanStore(folder);
  }
  device->choice = plan_choice(std::getenv("ISOCENTER_PLAN_CHOICE"));
  return device;
}

std::shared_ptr<CudnnDevice> CudnnDevice::described(const std::string& json, const std::string& plan_folder,
                                                    PlanChoice choice) {
  auto device = std::make_shared<Device>();
  device->identity = json;
  device->choice = choice;
  device->plans = PlanStore(plan_folder);
  device->described = std::make_shared<fe::DeviceProperties>();
  if (auto e = device->described->deserialize(std::vector<std::uint8_t>(json.begin(), json.end())); e.is_bad())
    throw Failure(ErrorCode::bad_data, "cuDNN does not take the device's description: " + e.get_message(),
                  "capture it again with the installed cuDNN (9.8 or newer)");
  const std::size_t key = json.find("\"deviceVer\":");
  if (key != std::string::npos) device->sm_version = std::atoi(json.c_str() + key + std::strlen("\"deviceVer\":")) / 10;
  return device;
}

namespace {

/// Everything beside the problem that a plan depends on.
std::string name_of(const Device& device) {
  return device.identity + "\n" + std::to_string(cudnnGetVersion()) + " " + std::to_string(CUDNN_FRONTEND_VERSION) +
         "\n" + (device.choice == PlanChoice::autotuned ? "autotuned; " : "");
}

std::string bits_of(float v) { return std::to_string(std::bit_cast<std::uint32_t>(v)); }

std::string name_of(const Activation& a) {
  return std::to_string(static_cast<int>(a.function)) + " " + bits_of(a.alpha) + " " + bits_of(a.beta);
}

std::string name_of(const CudnnProblem& p) {
  const Convolution& c = p.convolution;
  std::string text;
  for (const Shape* s : {&p.x, &p.w, &p.y, &c.window.kernel, &c.window.strides, &c.window.dilations,
                         &c.window.pads_begin, &c.window.pads_end})
    text += to_text(*s) + "; ";
  for (const bool flag : {c.transposed, c.bias, c.residual, p.tf32}) text += flag ? '1' : '0';
  for (const ElementType type : {p.factors, p.bias, p.residual, p.result})
    text += std::string(" ") + infer::name_of(type);
  return text + " " + std::to_string(c.groups) + " " + name_of(c.then);
}

std::string name_of(const CudnnOperation& op) {
  std::string text = "operation " + std::to_string(static_cast<int>(op.kind)) + ": ";
  std::vector<CudnnTensor> tensors = op.inputs;
  tensors.push_back(op.output);
  for (const CudnnTensor& t : tensors)
    text += to_text(t.shape) + " by " + to_text(t.strides) + " " + infer::name_of(t.type) + "; ";
  const Window& w = op.pool.window;
  for (const Shape* s : {&w.kernel, &w.strides, &w.pads_begin, &w.pads_end}) text += to_text(*s) + "; ";
  for (const bool flag : {op.pool.kind == Pool::Kind::max, op.pool.count_pads, op.tf32}) text += flag ? '1' : '0';
  return text + " " + bits_of(op.factor) + " " + name_of(op.then);
}

std::shared_ptr<fe::graph::Graph> graph_for(const Device& d) {
  auto graph = std::make_shared<fe::graph::Graph>();
  if (d.described) graph->set_device_properties(d.described).set_sm_version(d.sm_version);
  return graph;
}

/// The plan as it was kept; null where there is none, or cuDNN does not take it.
std::shared_ptr<fe::graph::Graph> find_kept(const Device& d, const std::string& problem) {
  const auto data = d.plans.find(problem);
  if (!data) return nullptr;
  const auto graph = graph_for(d);
  try {
    const auto e = d.handle != nullptr ? graph->deserialize(d.handle, *data) : graph->deserialize(*data);
    std::int64_t workspace = 0;
    return e.is_good() && graph->get_workspace_size(workspace).is_good() ? graph : nullptr;
  } catch (const std::exception&) {  // of the frontend's JSON
    return nullptr;
  }
}

/// Times cuDNN's first candidates on the device, in memory of their own, and leaves the fastest as the graph's plan.
/// False without that memory, or where none can be timed: the heuristic's choice stays.
bool time_candidates(fe::graph::Graph& graph, cudnnHandle_t handle, const std::vector<CudnnArgument>& arguments) {
  if (handle == nullptr) return false;
  constexpr int most_timed = 8;  // engines that are compiled as they are planned take seconds each
  int built = 0;
  for (std::int64_t i = 0; i < graph.get_execution_plan_count() && built < most_timed; ++i)
    built += graph.build_plan_at_index(i).is_good() ? 1 : 0;
  const std::lock_guard alone(recording_mutex());
  struct Memory {
    std::byte* start = nullptr;
    ~Memory() { cudaFree(start); }
  } memory;
  std::size_t bytes = 0;
  const auto place = [&](std::int64_t wanted) {
    const std::size_t at = bytes;
    bytes += (static_cast<std::size_t>(wanted) + 255) / 256 * 256;
    return at;
  };
  std::vector<std::size_t> places;
  for (const CudnnArgument& argument : arguments) places.push_back(place(argument.bytes));
  const std::size_t workspace = place(graph.get_autotune_workspace_size());
  if (cudaMalloc(reinterpret_cast<void**>(&memory.start), bytes) != cudaSuccess ||
      cudaMemset(memory.start, 0, bytes) != cudaSuccess) {
    (void)cudaGetLastError();
    return false;
  }
  std::unordered_map<std::int64_t, void*> pointers;
  for (std::size_t i = 0; i < arguments.size(); ++i) pointers[arguments[i].uid] = memory.start + places[i];
  if (graph.autotune(handle, pointers, memory.start + workspace).is_good()) return true;
  (void)cudaGetLastError();
  return false;
}

/// The graph with its chosen plan and no other.
std::shared_ptr<fe::graph::Graph> alone(const Device& d, const fe::graph::Graph& graph) {
  std::vector<std::uint8_t> data;
  if (graph.serialize(data, false).is_bad()) return nullptr;
  auto copy = graph_for(d);
  return copy->deserialize(d.handle, data).is_good() ? copy : nullptr;
}

}  // namespace

template <class Problem>
Device::Made Device::make(const std::string& name, const Problem& problem) const {
  if (auto kept = find_kept(*this, name)) return {std::move(kept), true, false, {}};
  Made made;
  auto graph = graph_for(*this);
  if (!describe(*graph, problem, made.why_not)) return made;
  const auto failed = [&](fe::error_t e) {
    if (e.is_bad()) made.why_not = e.get_message();
    return e.is_bad();
  };
  if (failed(graph->validate())) return made;
  if (failed(handle != nullptr ? graph->build_operation_graph(handle) : graph->build_operation_graph())) return made;
  if (failed(graph->create_execution_plans({fe::HeurMode_t::A, fe::HeurMode_t::FALLBACK}))) return made;
  graph->deselect_numeric_notes(excluded(problem));
  if (failed(graph->check_support())) return made;
  if (failed(graph->build_plans())) return made;
  if (choice == PlanChoice::autotuned) {
    made.timed = time_candidates(*graph, handle, arguments_of(problem));
    if (auto fastest = alone(*this, *graph)) graph = fastest;
  }
  const bool as_chosen = choice == PlanChoice::heuristic || made.timed;
  if (std::vector<std::uint8_t> data; as_chosen && graph->serialize(data, false).is_good()) plans.keep(name, data);
  made.graph = std::move(graph);
  return made;
}

template <class Problem>
const Device::Made& Device::made_for(const Problem& problem) {
  const std::string name = name_of(*this) + name_of(problem);
  auto it = made_.find(name);
  if (it != made_.end()) return it->second;
  it = made_.emplace(name, make(name, problem)).first;
  const Made& made = it->second;
  if (choice == PlanChoice::autotuned && made.graph != nullptr && !made.kept && !made.timed) ++not_timed_;
  return made;
}

std::unique_ptr<CudnnConvolution> Device::plan(const CudnnProblem& problem, std::string& why_not) {
  const Made& made = made_for(problem);
  why_not = made.why_not;
  if (made.graph == nullptr) return nullptr;
  return std::make_unique<PlannedConvolution>(PlannedGraph(*this, made.graph, arguments_of(problem).size()),
                                              problem.convolution, made.kept);
}

std::unique_ptr<CudnnPlan> Device::plan(const CudnnOperation& operation, std::string& why_not) {
  const Made& made = made_for(operation);
  why_not = made.why_not;
  if (made.graph == nullptr) return nullptr;
  return std::make_unique<PlannedOperation>(PlannedGraph(*this, made.graph, arguments_of(operation).size()));
}

}  // namespace isocenter::infer
