// Never run on a GPU so far: its graphs were planned for an H100 without the device (tests/infer).
#include "infer/cuda/cudnn_convolution.hpp"

#include <cudnn_frontend.h>

#include <bit>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <isocenter/error.hpp>
#include <map>
#include <unordered_map>

#include "infer/cuda/device_queue.hpp"
#include "infer/cuda/plan_store.hpp"

namespace isocenter::infer {
namespace {

namespace fe = cudnn_frontend;

enum Uid : std::int64_t { uid_x = 1, uid_w, uid_bias, uid_residual, uid_y };

class Device final : public CudnnDevice {
 public:
  std::unique_ptr<CudnnConvolution> plan(const CudnnProblem& problem, std::string& why_not) override;
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
  Made make(const std::string& name, const CudnnProblem& problem) const;
  std::map<std::string, Made> made_;  ///< by problem: networks pose the same ones again and again
  int not_timed_ = 0;                 ///< of them, where they should have been
};

/// Extents and strides of a channels-last tensor in ONNX's axis order.
std::vector<std::int64_t> channels_last_strides(const Shape& shape) {
  std::vector<std::int64_t> strides(shape.size());
  std::int64_t step = shape[1];
  strides[1] = 1;
  for (std::size_t k = shape.size(); k-- > 2;) {
    strides[k] = step;
    step *= shape[k];
  }
  strides[0] = step;
  return strides;
}

using Tensor = std::shared_ptr<fe::graph::Tensor_attributes>;

fe::DataType_t type_of(ElementType storage) {
  if (storage == ElementType::bf16) return fe::DataType_t::BFLOAT16;
  return storage == ElementType::f16 ? fe::DataType_t::HALF : fe::DataType_t::FLOAT;
}

Tensor add_tensor(fe::graph::Graph& graph, const char* name, Uid uid, const Shape& shape, ElementType storage) {
  return graph.tensor(fe::graph::Tensor_attributes()
                          .set_name(name)
                          .set_uid(uid)
                          .set_dim(shape)
                          .set_stride(channels_last_strides(shape))
                          .set_data_type(type_of(storage)));
}

/// Marks what a node gives: the graph's output, or a value in between, which is float32.
Tensor finish(const Tensor& t, const CudnnProblem& problem, bool last) {
  t->set_dim(problem.y)
      .set_stride(channels_last_strides(problem.y))
      .set_data_type(type_of(last ? problem.result : ElementType::f32));
  if (last) t->set_output(true).set_uid(uid_y);
  return t;
}

bool set_activation(const Activation& a, fe::graph::Pointwise_attributes& p) {
  using M = fe::PointwiseMode_t;
  switch (a.function) {
    case Function::relu:
      p.set_mode(M::RELU_FWD);
      return true;
    case Function::leaky_relu:
      p.set_mode(M::RELU_FWD).set_relu_lower_clip_slope(a.alpha);
      return true;
    case Function::clip:
      p.set_mode(M::RELU_FWD).set_relu_lower_clip(a.alpha).set_relu_upper_clip(a.beta);
      return a.alpha == 0.0F;
    case Function::sigmoid:
      p.set_mode(M::SIGMOID_FWD);
      return true;
    case Function::tanh:
      p.set_mode(M::TANH_FWD);
      return true;
    case Function::elu:
      p.set_mode(M::ELU_FWD).set_elu_alpha(a.alpha);
      return true;
    default:
      return false;
  }
}

/// Builds the graph; false, with the reason, when an activation is not cuDNN's.
bool describe(fe::graph::Graph& graph, const CudnnProblem& problem, std::string& why_not) {
  const Convolution& c = problem.convolution;
  const auto pointwise = [] { return fe::graph::Pointwise_attributes().set_compute_data_type(fe::DataType_t::FLOAT); };
  graph.set_io_data_type(fe::DataType_t::FLOAT)
      .set_intermediate_data_type(fe::DataType_t::FLOAT)
      .set_compute_data_type(fe::DataType_t::FLOAT);
  const Tensor x = add_tensor(graph, "x", uid_x, problem.x, problem.factors),
               w = add_tensor(graph, "w", uid_w, problem.w, problem.factors);
  Tensor y;
  const auto set_window = [&](auto attributes) {
    return attributes.set_pre_padding(c.window.pads_begin)
        .set_post_padding(c.window.pads_end)
        .set_stride(c.window.strides)
        .set_dilation(c.window.dilations);
  };
  if (c.transposed)
    y = graph.conv_dgrad(x, w, set_window(fe::graph::Conv_dgrad_attributes()));
  else
    y = graph.conv_fprop(x, w, set_window(fe::graph::Conv_fprop_attributes()));
  finish(y, problem, !c.bias && !c.residual && c.then.none());
  if (c.bias) {
    Shape shape(problem.y.size(), 1);
    shape[1] = problem.y[1];
    y = graph.pointwise(y, add_tensor(graph, "bias", uid_bias, shape, problem.bias),
                        pointwise().set_mode(fe::PointwiseMode_t::ADD));
    finish(y, problem, !c.residual && c.then.none());
  }
  if (c.residual) {
    y = graph.pointwise(y, add_tensor(graph, "residual", uid_residual, problem.y, problem.residual),
                        pointwise().set_mode(fe::PointwiseMode_t::ADD));
    finish(y, problem, c.then.none());
  }
  if (!c.then.none()) {
    auto activation = pointwise();
    if (!set_activation(c.then, activation)) {
      why_not = "cuDNN has no such activation";
      return false;
    }
    y = finish(graph.pointwise(y, activation), problem, true);
  }
  return true;
}

/// What would make results less exact than asked for, or differ from run to run. Tensor cores multiply float32 as TF32,
/// and numbers of 16 bits as they are.
std::vector<fe::NumericalNote_t> excluded(const CudnnProblem& problem) {
  using N = fe::NumericalNote_t;
  std::vector<N> notes{N::NONDETERMINISTIC,  N::REDUCED_PRECISION_REDUCTION, N::FFT, N::WINOGRAD, N::WINOGRAD_TILE_4x4,
                       N::WINOGRAD_TILE_6x6, N::WINOGRAD_TILE_13x13};
  if (problem.factors == ElementType::f32 && !problem.tf32)
    notes.insert(notes.end(), {N::TENSOR_CORE, N::DOWN_CONVERT_INPUTS});
  return notes;
}

class Planned final : public CudnnConvolution {
 public:
  Planned(Device& device, std::shared_ptr<fe::graph::Graph> graph, const Convolution& what, bool kept)
      : device_(device), graph_(std::move(graph)), bias_(what.bias), residual_(what.residual), kept_(kept) {
    if (auto e = graph_->get_workspace_size(workspace_); e.is_bad())
      throw Failure(ErrorCode::internal, "cuDNN does not tell its workspace: " + e.get_message(),
                    "report this with the model");
    if (graph_->get_plan_name(name_).is_bad()) name_ = "unnamed plan";
  }
  std::int64_t workspace_bytes() const override { return workspace_; }
  std::string plan_name() const override { return name_; }
  bool was_kept() const override { return kept_; }

  void run(const void* x, const void* w, const void* bias, const void* residual, void* y, void* workspace) override {
    // Pointers in the order of the tensors' uids, so that no table is made at each run.
    void* pointers[5];
    int n = 0;
    pointers[n++] = const_cast<void*>(x);
    pointers[n++] = const_cast<void*>(w);
    if (bias_) pointers[n++] = const_cast<void*>(bias);
    if (residual_) pointers[n++] = const_cast<void*>(residual);
    pointers[n++] = y;
    auto e = graph_->execute(device_.handle, pointers, n, workspace);
    if (e.is_bad())
      throw Failure(ErrorCode::device_lost, "cuDNN failed: " + e.get_message(),
                    "look at the driver's log; the session has to be prepared again");
  }

 private:
  Device& device_;
  std::shared_ptr<fe::graph::Graph> graph_;
  bool bias_, residual_, kept_;
  std::int64_t workspace_ = 0;
  std::string name_;
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

/// Everything that a plan depends on.
std::string name_of_problem(const Device& device, const CudnnProblem& p) {
  const Convolution& c = p.convolution;
  std::string text =
      device.identity + "\n" + std::to_string(cudnnGetVersion()) + " " + std::to_string(CUDNN_FRONTEND_VERSION) + "\n";
  for (const Shape* s : {&p.x, &p.w, &p.y, &c.window.kernel, &c.window.strides, &c.window.dilations,
                         &c.window.pads_begin, &c.window.pads_end})
    text += to_text(*s) + "; ";
  if (device.choice == PlanChoice::autotuned) text += "autotuned; ";
  for (const bool flag : {c.transposed, c.bias, c.residual, p.tf32}) text += flag ? '1' : '0';
  for (const ElementType type : {p.factors, p.bias, p.residual, p.result}) text += std::string(" ") + name_of(type);
  return text + " " + std::to_string(c.groups) + " " + std::to_string(static_cast<int>(c.then.function)) + " " +
         std::to_string(std::bit_cast<std::uint32_t>(c.then.alpha)) + " " +
         std::to_string(std::bit_cast<std::uint32_t>(c.then.beta));
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
bool time_candidates(fe::graph::Graph& graph, cudnnHandle_t handle, const CudnnProblem& p) {
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
  const std::size_t x = place(element_count(p.x) * bytes_of(p.factors)),
                    w = place(element_count(p.w) * bytes_of(p.factors)), bias = place(p.y[1] * bytes_of(p.bias)),
                    residual = place(p.convolution.residual ? element_count(p.y) * bytes_of(p.residual) : 0),
                    y = place(element_count(p.y) * bytes_of(p.result)),
                    workspace = place(graph.get_autotune_workspace_size());
  if (cudaMalloc(reinterpret_cast<void**>(&memory.start), bytes) != cudaSuccess ||
      cudaMemset(memory.start, 0, bytes) != cudaSuccess) {
    (void)cudaGetLastError();
    return false;
  }
  std::unordered_map<std::int64_t, void*> pointers{
      {uid_x, memory.start + x}, {uid_w, memory.start + w}, {uid_y, memory.start + y}};
  if (p.convolution.bias) pointers[uid_bias] = memory.start + bias;
  if (p.convolution.residual) pointers[uid_residual] = memory.start + residual;
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

Device::Made Device::make(const std::string& name, const CudnnProblem& problem) const {
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
    made.timed = time_candidates(*graph, handle, problem);
    if (auto fastest = alone(*this, *graph)) graph = fastest;
  }
  const bool as_chosen = choice == PlanChoice::heuristic || made.timed;
  if (std::vector<std::uint8_t> data; as_chosen && graph->serialize(data, false).is_good()) plans.keep(name, data);
  made.graph = std::move(graph);
  return made;
}

std::unique_ptr<CudnnConvolution> Device::plan(const CudnnProblem& problem, std::string& why_not) {
  const std::string name = name_of_problem(*this, problem);
  auto it = made_.find(name);
  const bool is_new = it == made_.end();
  if (is_new) it = made_.emplace(name, make(name, problem)).first;
  const Made& made = it->second;
  if (is_new && choice == PlanChoice::autotuned && made.graph != nullptr && !made.kept && !made.timed) ++not_timed_;
  why_not = made.why_not;
  if (made.graph == nullptr) return nullptr;
  return std::make_unique<Planned>(*this, made.graph, problem.convolution, made.kept);
}

}  // namespace isocenter::infer
