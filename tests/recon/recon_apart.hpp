#pragma once
// The device of separate_device.hpp with all kernels of recon and a Fourier transform, and a node that runs there.
#include <chrono>
#include <cmath>
#include <isocenter/isocenter.hpp>
#include <optional>
#include <thread>

#include "core/device_identity.hpp"
#include "plain_fft.hpp"
#include "recon/fbp.hpp"
#include "recon/fdk_device_filter.hpp"
#include "recon/helical.hpp"
#include "recon/hounsfield_calibration.hpp"
#include "recon/joseph_slab.hpp"
#include "recon/line_integrals.hpp"
#include "recon/mask_copy.hpp"
#include "recon/metal_artefact_reduction.hpp"
#include "recon/motion_fdk.hpp"
#include "recon/projector_copy.hpp"
#include "recon/reading_check.hpp"
#include "recon/ring_removal.hpp"
#include "recon/scatter_correction.hpp"
#include "recon/total_variation.hpp"
#include "recon/vector_kernels.hpp"
#include "recon/voxel_driven_stack.hpp"
#include "separate_device.hpp"

namespace isocenter::testing {

inline std::vector<detail::DeviceKernel> recon_kernels() {
  using namespace isocenter::detail;
  return {kernel_apart<JosephForward>(),
          kernel_apart<JosephAdjoint>(),
          kernel_apart<JosephSlab>(),
          kernel_apart<ProjectorCopy>(),
          kernel_apart<FillFloats>(),
          kernel_apart<PointwiseKernel>(),
          kernel_apart<StepKernel>(),
          kernel_apart<MomentumKernel>(),
          kernel_apart<ConjugateKernel>(),
          kernel_apart<ReduceKernel>(),
          kernel_apart<ReducePartsKernel>(),
          kernel_apart<TvPrimal>(),
          kernel_apart<TvDual>(),
          kernel_apart<MaskCopy>(),
          kernel_apart<ReadingCheck>(),
          kernel_apart<FilteredCheck>(),
          kernel_apart<VoxelDrivenArrange>(),
          kernel_apart<FdkBackProject>(),
          kernel_apart<FdkBackProject>("recon/fdk_back_project_columns"),
          kernel_apart<FdkWeightRows>(),
          kernel_apart<FdkMultiplyResponse>(),
          kernel_apart<FdkTranspose>(),
          kernel_apart<FdkTranspose>("recon/fdk_transpose_tuned"),
          kernel_apart<HelicalRebin>(),
          kernel_apart<HelicalBackProject>(),
          kernel_apart<MotionBlend>(),
          kernel_apart<MotionBackProject>(),
          kernel_apart<FbpBackProject>(),
          kernel_apart<FbpWeightLines>(),
          kernel_apart<FbpArrange>(),
          kernel_apart<FrameStatistics>(),
          kernel_apart<DetectorResponse>(),
          kernel_apart<DefectNeighbours>(),
          kernel_apart<CountRows>(),
          kernel_apart<BorderIntensity>(),
          kernel_apart<LineIntegralsKernel>(),
          kernel_apart<ScatterCoarsen>(),
          kernel_apart<ScatterSource>(),
          kernel_apart<ScatterBlur>(),
          kernel_apart<ScatterMean>(),
          kernel_apart<ScatterCombine>(),
          kernel_apart<ScatterSubtract>(),
          kernel_apart<MetalInpaint>(),
          kernel_apart<RingSort>(),
          kernel_apart<RingSmooth>(),
          kernel_apart<RegionRowSums>(),
          kernel_apart<CalibrationLine>(),
          kernel_apart<ApplyCalibration>()};
}

/// The transforms of plain_fft, enqueued as kernels are.
inline const detail::FftService& fft_apart() {
  static const detail::FftService service = [] {
    detail::FftService s = plain_fft();
    s.forward = [](void* plan, float* rows, float* spectra, void* work, void* stream) {
      return SeparateDevice::enqueue_kernel(stream, [=] { plain_fft().forward(plan, rows, spectra, work, nullptr); });
    };
    s.backward = [](void* plan, float* spectra, float* rows, void* work, void* stream) {
      return SeparateDevice::enqueue_kernel(stream, [=] { plain_fft().backward(plan, spectra, rows, work, nullptr); });
    };
    return s;
  }();
  return service;
}

/// A context with one such device, which takes the first kernel of a name.
struct Apart {
  explicit Apart(std::uint64_t memory_bytes, bool eager_copies = false,
                 std::vector<detail::DeviceKernel> kernels = recon_kernels(),
                 const detail::DeviceIdentity* identity = nullptr)
      : device(memory_bytes, std::move(kernels), eager_copies,
               {{detail::FftService::name, &fft_apart()}, {detail::DeviceIdentity::name, identity}}),
        allocator(device.host_allocator()) {
    isocenter_context_options o{};
    o.struct_size = sizeof o;
    o.flags = ISOCENTER_CONTEXT_NO_MODULES;
    o.allocator = &allocator;
    o.thread_count = 2;
    context.emplace(o);
    device.add_to(context->get());
  }
  SeparateDevice device;
  isocenter_allocator allocator;
  std::optional<Context> context;
};

constexpr std::uint64_t ample = 1 << 28;

/// Looks on when a kernel is launched.
struct Watched {
  static inline SeparateDevice* device = nullptr;
  static inline std::uint64_t waits_for = 0;             ///< bytes copied, before a launch goes on
  static inline std::vector<std::uint64_t> copied = {};  ///< at each launch
  static inline bool waited_in_vain = false;

  template <class K>
  static int launch(const void* args, std::int64_t nx, std::int64_t ny, std::int64_t nz, void* stream) {
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (device->copied_bytes() < waits_for && std::chrono::steady_clock::now() < until)
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    waited_in_vain = waited_in_vain || device->copied_bytes() < waits_for;
    copied.push_back(device->copied_bytes());
    return enqueue_apart<K>(args, nx, ny, nz, stream);
  }
};
/// Looks on at all launches of K from here on.
template <class K>
void watch(Apart* apart) {
  Watched::device = &apart->device;
  Watched::waits_for = 0;
  Watched::copied.clear();
  Watched::waited_in_vain = false;
  for (auto& k : *apart->device.kernels())
    if (std::string(k.name) == K::name) k.enqueue = &Watched::launch<K>;
}

/// What a node gave, in host memory, and its session's report.
struct Given {
  std::vector<float> values;
  std::string report;
  /// All numbers of a metric.
  std::vector<double> metric(const std::string& name) const {
    std::vector<double> numbers;
    const auto at = report.find("\"" + name + "\":{\"unit\"");
    if (at == std::string::npos) return numbers;
    const char* p = report.c_str() + report.find('[', at) + 1;
    for (char* end = nullptr; *p != ']'; p = *end == ',' ? end + 1 : end) numbers.push_back(std::strtod(p, &end));
    return numbers;
  }
};

struct NodeOnDevice {
  const char* name;
  std::vector<std::pair<const char*, std::string>> settings = {};
  const char* tensor = "voxels";
  const char* output = "output";
};

/// Runs a node once; throws its error. Inputs may be any context's, and come from the memory of `inputs_on`.
inline Given run_node(const Context& in, const char* device, const NodeOnDevice& node,
                      const std::vector<std::pair<const char*, Payload>>& inputs, std::uint64_t budget = 0,
                      const char* inputs_on = "cpu") {
  Pipeline pipeline(in);
  pipeline.add("node", node.name);
  for (const auto& [key, value] : node.settings) pipeline.set("node", key, value);
  std::vector<std::pair<std::string, Payload>> own;
  for (const auto& [port, payload] : inputs) {
    own.emplace_back(std::string("for_") + port, in.copy_to(payload, inputs_on));
    pipeline.add_input(own.back().first.c_str(), own.back().second);
    pipeline.connect(own.back().first.c_str(), "output", "node", port);
  }
  pipeline.add_output("out", "node", node.output);
  SessionOptions options;
  options.device = device;
  options.memory_bytes = budget;
  options.in_flight = 1;
  Session session = pipeline.prepare(options);
  session.start();
  for (const auto& [name, payload] : own) session.push(name.c_str(), payload);
  for (const auto& [name, payload] : own) session.end_input(name.c_str());
  const auto item = session.pull("out");
  if (!item) session.wait();
  const Payload result = in.copy_to(*item, "cpu");
  const auto values = result.tensor(node.tensor).span<const float>();
  return {{values.begin(), values.end()}, session.report()};
}

/// ‖a - b‖ / ‖b‖
inline double apart_by(const std::vector<float>& a, const std::vector<float>& b) {
  if (a.size() != b.size() || a.empty()) return INFINITY;
  double difference = 0.0, norm = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    difference += std::pow(static_cast<double>(a[i]) - b[i], 2);
    norm += std::pow(static_cast<double>(b[i]), 2);
  }
  return std::sqrt(difference / norm);
}

}  // namespace isocenter::testing
