// Never run on a GPU so far: its graphs were planned for an H100 without the device (tests/infer).
#include "infer/cuda/cudnn_convolution.hpp"

#include <cudnn_frontend.h>

#include <bit>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <isocenter/error.hpp>

#include "infer/cuda/plan_store.hpp"

namespace isocenter::infer {
namespace {

namespace fe = cudnn_frontend;

enum Uid : std::int64_t { uid_x = 1, uid_w, uid_bias, uid_residual, uid_y };

class Device final : public CudnnDevice {
 public:
  ~Device() override {
    if (handle != nullptr) cudnnDestroy(handle);
  }
  void set_stream(void* stream) override {
    if (handle != nullptr) cudnnSetStream(handle, static_cast<cudaStream_t>(stream));
  }
  cudnnHandle_t handle = nullptr;
  std::shared_ptr<fe::DeviceProperties> described;
  std::int32_t sm_version = 0;  ///< of a described device: 90 for 9.0
  std::string identity;         ///< what plans for it depend on
  PlanStore plans{""};
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

Tensor add_tensor(fe::graph::Graph& graph, const char* name, Uid uid, const Shape& shape) {
  return graph.tensor(fe::graph::Tensor_attributes()
                          .set_name(name)
                          .set_uid(uid)
                          .set_dim(shape)
                          .set_stride(channels_last_strides(shape))
                          .set_data_type(fe::DataType_t::FLOAT));
}

/// Marks what a node gives: the graph's output, or a value in between.
Tensor finish(const Tensor& t, const Shape& shape, bool last) {
  t->set_dim(shape).set_stride(channels_last_strides(shape)).set_data_type(fe::DataType_t::FLOAT);
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
  const Tensor x = add_tensor(graph, "x", uid_x, problem.x), w = add_tensor(graph, "w", uid_w, problem.w);
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
  finish(y, problem.y, !c.bias && !c.residual && c.then.none());
  if (c.bias) {
    Shape shape(problem.y.size(), 1);
    shape[1] = problem.y[1];
    y = graph.pointwise(y, add_tensor(graph, "bias", uid_bias, shape), pointwise().set_mode(fe::PointwiseMode_t::ADD));
    finish(y, problem.y, !c.residual && c.then.none());
  }
  if (c.residual) {
    y = graph.pointwise(y, add_tensor(graph, "residual", uid_residual, problem.y),
                        pointwise().set_mode(fe::PointwiseMode_t::ADD));
    finish(y, problem.y, c.then.none());
  }
  if (!c.then.none()) {
    auto activation = pointwise();
    if (!set_activation(c.then, activation)) {
      why_not = "cuDNN has no such activation";
      return false;
    }
    y = finish(graph.pointwise(y, activation), problem.y, true);
  }
  return true;
}

/// What would make results less exact than asked for, or differ from run to run. Tensor cores multiply float32 as TF32.
std::vector<fe::NumericalNote_t> excluded(bool tf32) {
  using N = fe::NumericalNote_t;
  std::vector<N> notes{N::NONDETERMINISTIC,  N::REDUCED_PRECISION_REDUCTION, N::FFT, N::WINOGRAD, N::WINOGRAD_TILE_4x4,
                       N::WINOGRAD_TILE_6x6, N::WINOGRAD_TILE_13x13};
  if (!tf32) notes.insert(notes.end(), {N::TENSOR_CORE, N::DOWN_CONVERT_INPUTS});
  return notes;
}

class Planned final : public CudnnConvolution {
 public:
  Planned(std::shared_ptr<CudnnDevice> device, std::shared_ptr<fe::graph::Graph> graph, const Convolution& what,
          bool kept)
      : device_(std::move(device)), graph_(std::move(graph)), bias_(what.bias), residual_(what.residual), kept_(kept) {
    if (auto e = graph_->get_workspace_size(workspace_); e.is_bad())
      throw Failure(ErrorCode::internal, "cuDNN does not tell its workspace: " + e.get_message(),
                    "report this with the model");
    if (graph_->get_plan_name(name_).is_bad()) name_ = "unnamed plan";
  }
  std::int64_t workspace_bytes() const override { return workspace_; }
  std::string plan_name() const override { return name_; }
  bool was_kept() const override { return kept_; }

  void run(const float* x, const float* w, const float* bias, const float* residual, float* y,
           void* workspace) override {
    // Pointers in the order of the tensors' uids, so that no table is made at each run.
    void* pointers[5];
    int n = 0;
    pointers[n++] = const_cast<float*>(x);
    pointers[n++] = const_cast<float*>(w);
    if (bias_) pointers[n++] = const_cast<float*>(bias);
    if (residual_) pointers[n++] = const_cast<float*>(residual);
    pointers[n++] = y;
    auto e = graph_->execute(static_cast<Device&>(*device_).handle, pointers, n, workspace);
    if (e.is_bad())
      throw Failure(ErrorCode::device_lost, "cuDNN failed: " + e.get_message(),
                    "look at the driver's log; the session has to be prepared again");
  }

 private:
  std::shared_ptr<CudnnDevice> device_;
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
  return device;
}

std::shared_ptr<CudnnDevice> CudnnDevice::described(const std::string& json, const std::string& plan_folder) {
  auto device = std::make_shared<Device>();
  device->identity = json;
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
  for (const bool flag : {c.transposed, c.bias, c.residual, p.tf32}) text += flag ? '1' : '0';
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
    return e.is_good() ? graph : nullptr;
  } catch (const std::exception&) {  // of the frontend's JSON
    return nullptr;
  }
}

}  // namespace

std::unique_ptr<CudnnConvolution> plan_cudnn(const std::shared_ptr<CudnnDevice>& device, const CudnnProblem& problem,
                                             std::string& why_not) {
  auto& d = static_cast<Device&>(*device);
  const std::string name = name_of_problem(d, problem);
  if (auto kept = find_kept(d, name))
    return std::make_unique<Planned>(device, std::move(kept), problem.convolution, true);
  const auto graph = graph_for(d);
  if (!describe(*graph, problem, why_not)) return nullptr;
  auto failed = [&](fe::error_t e) {
    if (e.is_bad()) why_not = e.get_message();
    return e.is_bad();
  };
  if (failed(graph->validate())) return nullptr;
  if (failed(d.handle != nullptr ? graph->build_operation_graph(d.handle) : graph->build_operation_graph()))
    return nullptr;
  if (failed(graph->create_execution_plans({fe::HeurMode_t::A, fe::HeurMode_t::FALLBACK}))) return nullptr;
  graph->deselect_numeric_notes(excluded(problem.tf32));
  if (failed(graph->check_support())) return nullptr;
  if (failed(graph->build_plans())) return nullptr;
  if (std::vector<std::uint8_t> data; graph->serialize(data, false).is_good()) d.plans.keep(name, data);
  return std::make_unique<Planned>(device, graph, problem.convolution, false);
}

std::string cudnn_version() {
  const std::size_t v = cudnnGetVersion();
  return "cuDNN " + std::to_string(v / 10000) + "." + std::to_string(v / 100 % 100) + "." + std::to_string(v % 100);
}

}  // namespace isocenter::infer
