// OpenVINO behind Isocenter's operators: the table of isocenter/infer/engine.h over OpenVINO's C API, for its CPU.
#include <isocenter/infer/engine.h>
#include <openvino/c/openvino.h>

#include <isocenter/error.hpp>
#include <memory>
#include <string>
#include <vector>

namespace {

using isocenter::ErrorCode;
using isocenter::Failure;

/// A handle of OpenVINO's that frees itself.
template <auto free>
struct Free {
  template <class T>
  void operator()(T* handle) const {
    free(handle);
  }
};
using Core = std::unique_ptr<ov_core_t, Free<ov_core_free>>;
using Model = std::unique_ptr<ov_model_t, Free<ov_model_free>>;
using Compiled = std::unique_ptr<ov_compiled_model_t, Free<ov_compiled_model_free>>;
using Request = std::unique_ptr<ov_infer_request_t, Free<ov_infer_request_free>>;
using Port = std::unique_ptr<ov_output_const_port_t, Free<ov_output_const_port_free>>;
using Tensor = std::unique_ptr<ov_tensor_t, Free<ov_tensor_free>>;

void check(ov_status_e status, const char* doing) {
  if (status == OK) return;
  const char* why = ov_get_last_err_msg();
  throw Failure(status == NOT_IMPLEMENTED ? ErrorCode::unsupported : ErrorCode::bad_data,
                std::string("OpenVINO fails ") + doing + ": " + (why != nullptr ? why : ov_get_error_info(status)),
                "look whether OpenVINO takes this model");
}

/// The result of a function whose last argument is where it goes.
template <class Handle, class Function, class... Arguments>
Handle make(const char* doing, Function function, Arguments... arguments) {
  typename Handle::pointer raw = nullptr;
  check(function(arguments..., &raw), doing);
  return Handle(raw);
}

/// One process needs one; its plugins and threads stay.
const ov_core_t* core() {
  static const Core one = make<Core>("to start", ov_core_create);
  return one.get();
}

std::string version() {
  ov_version_t v{};
  if (ov_get_openvino_version(&v) != OK) return "OpenVINO";
  std::string text = std::string("OpenVINO ") + v.buildNumber;
  ov_version_free(&v);
  return text;
}

struct NamedTensor {
  std::string name;
  std::vector<std::int64_t> shape;
};

/// Name, type and shape of a port that the compiled model has fixed.
NamedTensor describe(const ov_output_const_port_t* port, const char* what) {
  ov_element_type_e type{};
  check(ov_port_get_element_type(port, &type), "to tell an element type");
  if (type != F32)
    throw Failure(ErrorCode::unsupported, std::string("the model has ") + what + " that is not float32",
                  "export it with float32 inputs and outputs");
  NamedTensor tensor;
  char* name = nullptr;
  if (ov_port_get_any_name(port, &name) == OK) {
    tensor.name = name;
    ov_free(name);
  }
  ov_shape_t shape{};
  check(ov_const_port_get_shape(port, &shape), "to tell a shape");
  tensor.shape.assign(shape.dims, shape.dims + shape.rank);
  ov_shape_free(&shape);
  return tensor;
}

class Network {
 public:
  explicit Network(const isocenter_inference_request& request) {
    if (std::string(request.device) != "cpu")
      throw Failure(ErrorCode::unsupported,
                    std::string("this engine runs on the CPU, and the device is ") + request.device,
                    "give the node the device 'cpu'");
    const bool narrow = request.precision == ISOCENTER_INFERENCE_BFLOAT16;
    if (!narrow && request.precision != ISOCENTER_INFERENCE_FLOAT32)
      throw Failure(ErrorCode::unsupported, "OpenVINO's CPU computes in float32 or bfloat16", "use one of them");
    precision_ = narrow ? "bfloat16, OpenVINO's choice of where" : "float32";
    Model model = make<Model>("to read the model", ov_core_read_model_from_memory_buffer, core(),
                              static_cast<const char*>(request.model), std::size_t{request.model_bytes}, nullptr);
    for (std::uint32_t i = 0; i < request.input_count; ++i) reshape(*model, request.inputs[i]);
    const std::string threads = std::to_string(request.threads);
    compiled_ = make<Compiled>("to compile the model", [&](auto** out) {
      return ov_core_compile_model(core(), model.get(), "CPU", 6, out, ov_property_key_inference_num_threads,
                                   threads.c_str(), ov_property_key_hint_inference_precision, narrow ? "bf16" : "f32",
                                   ov_property_key_hint_performance_mode, "LATENCY");
    });
    request_ = make<Request>("to prepare a run", ov_compiled_model_create_infer_request, compiled_.get());
    std::size_t inputs = 0, outputs = 0;
    check(ov_compiled_model_inputs_size(compiled_.get(), &inputs), "to count inputs");
    check(ov_compiled_model_outputs_size(compiled_.get(), &outputs), "to count outputs");
    for (std::size_t i = 0; i < inputs; ++i)
      inputs_.push_back(describe(
          make<Port>("to name an input", ov_compiled_model_input_by_index, compiled_.get(), i).get(), "an input"));
    for (std::size_t i = 0; i < outputs; ++i)
      outputs_.push_back(describe(
          make<Port>("to name an output", ov_compiled_model_output_by_index, compiled_.get(), i).get(), "an output"));
  }

  void fill(isocenter_inference_plan& plan) {
    for (const NamedTensor& output : outputs_) {
      isocenter_inference_tensor tensor{};
      tensor.struct_size = sizeof tensor;
      tensor.name = output.name.c_str();
      if (output.shape.size() > ISOCENTER_INFERENCE_MAX_RANK)
        throw Failure(ErrorCode::unsupported, "output '" + output.name + "' has too many axes",
                      "reshape it in the model");
      tensor.rank = static_cast<std::int32_t>(output.shape.size());
      std::copy(output.shape.begin(), output.shape.end(), tensor.shape);
      described_.push_back(tensor);
    }
    plan.network = this;
    plan.outputs = described_.data();
    plan.output_count = static_cast<std::uint32_t>(described_.size());
    plan.description = description_.c_str();
    plan.precision = precision_.c_str();
  }

  void run(const void* const* inputs, void* const* outputs) {
    for (std::size_t i = 0; i < inputs_.size(); ++i) bind(true, i, inputs_[i], const_cast<void*>(inputs[i]));
    for (std::size_t i = 0; i < outputs_.size(); ++i) bind(false, i, outputs_[i], outputs[i]);
    check(ov_infer_request_infer(request_.get()), "to run the model");
  }

 private:
  static void reshape(const ov_model_t& model, const isocenter_inference_tensor& input) {
    ov_shape_t shape{};
    check(ov_shape_create(input.rank, input.shape, &shape), "to take a shape");
    ov_partial_shape_t partial{};
    const ov_status_e taken = ov_shape_to_partial_shape(shape, &partial);
    ov_shape_free(&shape);
    check(taken, "to take a shape");
    const ov_status_e reshaped = ov_model_reshape_input_by_name(&model, input.name, partial);
    ov_partial_shape_free(&partial);
    check(reshaped, "to give the input its shape");
  }

  /// The caller's memory as the request's tensor; done again only when it moves.
  void bind(bool input, std::size_t i, const NamedTensor& tensor, void* memory) {
    auto& bound = input ? bound_inputs_ : bound_outputs_;
    bound.resize(std::max(bound.size(), i + 1));
    if (bound[i].first == memory) return;
    ov_shape_t shape{};
    check(ov_shape_create(static_cast<std::int64_t>(tensor.shape.size()), tensor.shape.data(), &shape),
          "to take a shape");
    ov_tensor_t* raw = nullptr;
    const ov_status_e made = ov_tensor_create_from_host_ptr(F32, shape, memory, &raw);
    ov_shape_free(&shape);
    check(made, "to take the caller's memory");
    Tensor taken(raw);
    check(input ? ov_infer_request_set_input_tensor_by_index(request_.get(), i, raw)
                : ov_infer_request_set_output_tensor_by_index(request_.get(), i, raw),
          "to take the caller's memory");
    bound[i] = {memory, std::move(taken)};
  }

  Compiled compiled_;
  Request request_;
  std::vector<NamedTensor> inputs_, outputs_;
  std::vector<std::pair<void*, Tensor>> bound_inputs_, bound_outputs_;
  std::vector<isocenter_inference_tensor> described_;
  std::string description_ = version(), precision_;
};

isocenter_status plan(const isocenter_inference_request* request, isocenter_inference_plan* plan,
                      isocenter_error* error) {
  return isocenter::detail::guarded(error, [&] {
    auto network = std::make_unique<Network>(*request);
    network->fill(*plan);
    network.release();
    return ISOCENTER_OK;
  });
}

isocenter_status run(void* network, const void* const* inputs, void* const* outputs, void*, isocenter_error* error) {
  return isocenter::detail::guarded(error, [&] {
    static_cast<Network*>(network)->run(inputs, outputs);
    return ISOCENTER_OK;
  });
}

void destroy(void* network) { delete static_cast<Network*>(network); }

constexpr isocenter_inference_engine table{
    sizeof(isocenter_inference_engine), ISOCENTER_INFERENCE_ENGINE_VERSION, "openvino", plan, run, destroy};

}  // namespace

extern "C" ISOCENTER_API const isocenter_inference_engine* isocenter_get_inference_engine(std::uint32_t version) {
  return version == ISOCENTER_INFERENCE_ENGINE_VERSION ? &table : nullptr;
}
