#include "infer/engine_executor.hpp"

#include <dlfcn.h>
#include <isocenter/infer/engine.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <isocenter/error.hpp>
#include <isocenter/struct_size.hpp>
#include <span>
#include <stdexcept>

#include "infer/sha256.hpp"

namespace isocenter::detail {

ISOCENTER_STRUCT_VERSION(isocenter_inference_tensor, shape);
ISOCENTER_STRUCT_VERSION(isocenter_inference_plan, memory_bytes);
ISOCENTER_STRUCT_VERSION(isocenter_inference_engine, destroy);

}  // namespace isocenter::detail

namespace isocenter::infer {
namespace {

namespace fs = std::filesystem;

/// "name" is a file of the folder "engines" beside this module.
fs::path engine_file(const std::string& engine) {
  if (engine.find('/') != std::string::npos) return engine;
  Dl_info here{};
  dladdr(reinterpret_cast<const void*>(&plan_with_engine), &here);
  return fs::path(here.dli_fname).parent_path() / "engines" / ("isocenter_engine_" + engine + ".so");
}

/// The file stays loaded: its network, its threads and what it registered may outlive the executor.
isocenter_inference_engine load_engine(const std::string& engine) {
  const fs::path file = engine_file(engine);
  std::error_code error;
  if (!fs::is_regular_file(file, error))
    throw Failure(ErrorCode::not_found, "engine = '" + engine + "': there is no file " + file.string(),
                  "install the engine there, give the path of its shared object, or leave 'engine' out");
  void* library = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    const char* reason = dlerror();
    throw Failure(ErrorCode::unsupported,
                  "engine = '" + engine + "' does not load: " + (reason == nullptr ? "unknown" : reason),
                  "install what it needs, or leave 'engine' out");
  }
  const auto get =
      reinterpret_cast<isocenter_inference_engine_function>(dlsym(library, ISOCENTER_INFERENCE_ENGINE_SYMBOL));
  if (get == nullptr)
    throw Failure(ErrorCode::unsupported,
                  "engine = '" + engine + "': " + file.string() + " exports no " + ISOCENTER_INFERENCE_ENGINE_SYMBOL,
                  "give an engine that was built against isocenter/infer/engine.h");
  const isocenter_inference_engine* given = get(ISOCENTER_INFERENCE_ENGINE_VERSION);
  isocenter_inference_engine table{};
  if (given == nullptr || given->version != ISOCENTER_INFERENCE_ENGINE_VERSION ||
      isocenter::detail::copy_in(given, table) != isocenter::detail::CopiedIn::yes || table.plan == nullptr ||
      table.run == nullptr || table.destroy == nullptr)
    throw Failure(ErrorCode::unsupported,
                  "engine = '" + engine + "' is for another version of the interface; this library has version " +
                      std::to_string(ISOCENTER_INFERENCE_ENGINE_VERSION),
                  "build it again against this library's headers");
  return table;
}

std::vector<char> read_whole(const std::string& path) {
  std::ifstream in(path, std::ios::binary | std::ios::ate);
  std::vector<char> bytes(in ? static_cast<std::size_t>(in.tellg()) : 0);
  in.seekg(0);
  if (!in.read(bytes.data(), static_cast<std::streamsize>(bytes.size())))
    throw Failure(ErrorCode::io_error, path + ": the model file cannot be read", "check its rights and the disk");
  return bytes;
}

isocenter_error empty_error() {
  isocenter_error error{};
  error.struct_size = sizeof error;
  return error;
}

class EngineExecutor final : public Executor {
 public:
  EngineExecutor(const OnnxModel& model, const Shape& shape, const EngineOptions& options)
      : name_(options.engine), source_(model.source), engine_(load_engine(options.engine)) {
    if (!model.layer_types.empty())
      throw Failure(ErrorCode::unsupported,
                    source_ + " is a Caffe network, and engine = '" + name_ + "' reads ONNX files",
                    "leave 'engine' out");
    if (static_cast<std::int32_t>(options.precision) > ISOCENTER_INFERENCE_BFLOAT16)
      throw Failure(ErrorCode::unsupported, "engine = '" + name_ + "' computes in float32, tf32 or bfloat16",
                    "set precision to one of them, or leave 'engine' out");
    isocenter_inference_tensor input{};
    input.struct_size = sizeof input;
    input.name = model.inputs.at(0).name.c_str();
    input.rank = static_cast<std::int32_t>(shape.size());
    if (shape.size() > ISOCENTER_INFERENCE_MAX_RANK)
      throw Failure(ErrorCode::unsupported,
                    source_ + ": an input of " + to_text(shape) + " has too many axes for an engine",
                    "use at most " + std::to_string(ISOCENTER_INFERENCE_MAX_RANK));
    std::copy(shape.begin(), shape.end(), input.shape);
    const std::vector<char> bytes = read_whole(source_);
    if (!options.digest.empty() && sha256(std::as_bytes(std::span(bytes))) != options.digest)
      throw Failure(ErrorCode::io_error, source_ + ": the model file changed while it was read", "plan again");
    isocenter_inference_request request{};
    request.struct_size = sizeof request;
    request.precision = static_cast<std::int32_t>(options.precision);
    request.device = options.device.c_str();
    request.model_path = source_.c_str();
    request.model = bytes.data();
    request.model_bytes = bytes.size();
    request.inputs = &input;
    request.input_count = 1;
    request.threads = static_cast<std::uint32_t>(options.threads);
    isocenter_inference_plan plan{};
    plan.struct_size = sizeof plan;
    isocenter_error error = empty_error();
    if (const isocenter_status status = engine_.plan(&request, &plan, &error); status != ISOCENTER_OK)
      refuse(status, error, "cannot plan " + source_);
    network_ = plan.network;
    try {
      take(plan, {{model.inputs[0].name, ElementType::f32, shape, 0}});
    } catch (...) {
      engine_.destroy(network_);
      throw;
    }
  }
  EngineExecutor(const EngineExecutor&) = delete;
  EngineExecutor& operator=(const EngineExecutor&) = delete;
  ~EngineExecutor() override { engine_.destroy(network_); }

  const std::vector<Port>& inputs() const override { return inputs_; }
  const std::vector<Port>& outputs() const override { return outputs_; }
  const PlanSummary& summary() const override { return summary_; }

  void bind(std::byte* arena) override {
    for (std::size_t i = 0; i < inputs_.size(); ++i) from_[i] = arena + inputs_[i].offset;
    for (std::size_t i = 0; i < outputs_.size(); ++i) to_[i] = arena + outputs_[i].offset;
  }
  void run(void* stream) override {
    isocenter_error error = empty_error();
    if (const isocenter_status status = engine_.run(network_, from_.data(), to_.data(), stream, &error);
        status != ISOCENTER_OK)
      refuse(status, error, "cannot run " + source_);
  }

 private:
  [[noreturn]] void refuse(isocenter_status status, isocenter_error& error, const std::string& what) const {
    error.message[sizeof error.message - 1] = '\0';
    const bool known = status > ISOCENTER_OK && status <= ISOCENTER_INTERNAL;
    std::string why = error.message, fix = "look at what the engine's runtime takes, or leave 'engine' out";
    if (const std::size_t own = why.rfind(". Fix: "); own != std::string::npos) {  // the engine says it itself
      fix = why.substr(own + std::strlen(". Fix: "));
      why.resize(own);
    }
    for (std::string* text : {&why, &fix})
      while (!text->empty() && text->back() == '.') text->pop_back();
    throw Failure(known ? static_cast<ErrorCode>(status) : ErrorCode::internal,
                  "engine = '" + name_ + "' " + what + ": " + (why.empty() ? "no reason given" : why), fix);
  }

  /// Inputs and outputs lie behind one another in the arena.
  void take(const isocenter_inference_plan& plan, std::vector<Port> inputs) {
    const auto place = [&](Port& port) {
      port.offset = summary_.arena_bytes;
      summary_.arena_bytes += (element_count(port.shape) * bytes_of(port.type) + 255) / 256 * 256;
    };
    inputs_ = std::move(inputs);
    for (Port& port : inputs_) place(port);
    if (plan.output_count == 0 || plan.outputs == nullptr)
      throw Failure(ErrorCode::internal, "engine = '" + name_ + "' finds no output in " + source_,
                    "correct the engine");
    const auto* bytes = reinterpret_cast<const unsigned char*>(plan.outputs);
    for (std::uint32_t i = 0; i < plan.output_count; ++i) {
      isocenter_inference_tensor tensor{};
      const auto* given =
          reinterpret_cast<const isocenter_inference_tensor*>(bytes + std::size_t{i} * plan.outputs->struct_size);
      if (isocenter::detail::copy_in(given, tensor) != isocenter::detail::CopiedIn::yes || tensor.name == nullptr ||
          tensor.rank < 0 || tensor.rank > ISOCENTER_INFERENCE_MAX_RANK ||
          std::any_of(tensor.shape, tensor.shape + tensor.rank, [](std::int64_t e) { return e < 1; }))
        throw Failure(ErrorCode::internal,
                      "engine = '" + name_ + "' describes output " + std::to_string(i) + " of " + source_ + " wrongly",
                      "correct the engine: name, rank of at most 8 and extents of at least 1 are needed");
      outputs_.push_back({tensor.name, ElementType::f32, Shape(tensor.shape, tensor.shape + tensor.rank), 0});
      place(outputs_.back());
    }
    from_.resize(inputs_.size());
    to_.resize(outputs_.size());
    summary_.sum_of_values_bytes = summary_.arena_bytes;
    summary_.constant_bytes = static_cast<std::int64_t>(plan.memory_bytes);
    summary_.engine = plan.description == nullptr ? name_ : plan.description;
    summary_.precision = plan.precision == nullptr ? "the engine's" : plan.precision;
  }

  std::string name_, source_;
  isocenter_inference_engine engine_{};
  void* network_ = nullptr;
  std::vector<Port> inputs_, outputs_;
  std::vector<const void*> from_;
  std::vector<void*> to_;
  PlanSummary summary_;
};

}  // namespace

std::unique_ptr<Executor> plan_with_engine(const OnnxModel& model, const Shape& shape, const EngineOptions& options) {
  return std::make_unique<EngineExecutor>(model, shape, options);
}

}  // namespace isocenter::infer
