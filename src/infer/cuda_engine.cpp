#include "infer/cuda_engine.hpp"

#include <dlfcn.h>

#include <filesystem>

namespace isocenter::infer {
namespace {

CudaEnginePlan load_engine(std::filesystem::path folder) {
  if (folder.empty()) {
    Dl_info here{};
    dladdr(reinterpret_cast<const void*>(&load_engine), &here);
    folder = std::filesystem::path(here.dli_fname).parent_path() / "engines";
  }
  const auto path = folder / "isocenter_infer_cuda.so";
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    const char* reason = dlerror();
    throw Failure(ErrorCode::unsupported,
                  std::string("networks on CUDA need isocenter_infer_cuda.so, which does not load: ") +
                      (reason == nullptr ? "unknown" : reason),
                  "run this node on \"cpu\", or install cuDNN 9 and the engine that belongs to this library");
  }
  return reinterpret_cast<CudaEnginePlan>(dlsym(library, cuda_engine_symbol));
}

}  // namespace

std::unique_ptr<Executor> plan_on_cuda(Graph graph, Precision precision, const isocenter::detail::Launcher& launcher,
                                       PlanContext& plan, UploadedWeights* weights, const std::string& folder) {
  static const CudaEnginePlan engine = load_engine(folder);
  CudaEngineRequest request;
  request.graph = std::move(graph);
  request.precision = precision;
  request.launcher = launcher;
  request.device_index = plan.device().index;
  struct Target {
    PlanContext& plan;
    UploadedWeights* weights;
  } target{plan, weights};
  request.user = &target;
  request.upload = [](void* user, const void* data, std::size_t bytes) {
    const auto& [to, earlier] = *static_cast<Target*>(user);
    return upload_once(earlier, {static_cast<const std::byte*>(data), bytes}, [&to](std::span<const std::byte> all) {
      return to.upload<std::byte>({all.data(), all.size()}, "weights");
    });
  };
  Executor* executor = nullptr;
  char message[2048] = {};
  if (const int code = engine(&request, &executor, message, sizeof message); code != 0)
    throw Error(static_cast<ErrorCode>(code), message);
  return std::unique_ptr<Executor>(executor);
}

}  // namespace isocenter::infer
