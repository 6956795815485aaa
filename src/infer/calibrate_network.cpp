#include "infer/calibrate_network.hpp"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <span>

#include "infer/calibration.hpp"
#include "infer/sha256.hpp"

namespace isocenter::infer {
namespace {

/// Protocol Buffers' base-128 numbers, and a field of bytes (its encoding specification, "Message structure").
std::string number(std::uint64_t v) {
  std::string s;
  for (; v >= 128; v >>= 7) s += static_cast<char>((v & 127U) | 128U);
  return s + static_cast<char>(v);
}
std::string field(std::uint64_t index, const std::string& bytes) {
  return number(index << 3 | 2U) + number(bytes.size()) + bytes;
}

[[noreturn]] void cannot_write(const std::string& path) {
  throw Failure(ErrorCode::io_error, "file = '" + path + "' cannot be written",
                "check the folder, its rights and the disk");
}

/// Under a name of this process's own until it is whole; on an error nothing is left.
void write_whole(const std::string& path, const std::string& bytes) {
  const std::string part = path + "." + std::to_string(::getpid()) + ".part";
  std::ofstream out(part, std::ios::binary);
  out << bytes;
  out.close();
  std::error_code error;
  if (out) std::filesystem::rename(part, path, error);
  if (out && !error) return;
  std::error_code ignored;
  std::filesystem::remove(part, ignored);
  cannot_write(path);
}

}  // namespace

std::string with_metadata(std::string file, const std::string& key, const std::string& value) {
  return file + field(14, field(1, key) + field(2, value));  // ModelProto.metadata_props; repeated fields add up
}

void CalibrateNetworkOperator::plan(PlanContext& plan) {
  shape_ = isocenter::detail::grid_shape(plan.input("input"), "input", "voxels", DType::float32);
  if (read_onnx(params.model, &digest_).external_data)
    throw Failure(ErrorCode::unsupported,
                  params.model + ": the model has weights in other files, and one file is written",
                  "export it with its weights inside");
  std::error_code error;
  if (std::filesystem::equivalent(params.model, params.file, error))
    throw Failure(ErrorCode::invalid_argument, "file = '" + params.file + "' is the model itself",
                  "give another name, so that the model stays what was released");
  const auto folder = std::filesystem::path(params.file).parent_path();
  if (!folder.empty() && !std::filesystem::is_directory(folder, error)) cannot_write(params.file);
  network_.plan(plan, shape_, {params.model, params.window, static_cast<double>(params.overlap), params.intensity});
  network_.executor().record_ranges();
  plan.scratch(static_cast<std::uint64_t>(network_.scratch_bytes() + shape_.frame_voxels()));
  plan.fact("file", params.file);
}

void CalibrateNetworkOperator::run(const RunContext& run) {
  const float* in = run.input("input").tensor("voxels").as<const float>();
  auto* scratch = run.scratch<std::byte>();
  auto* labels = reinterpret_cast<std::uint8_t*>(scratch + network_.scratch_bytes());
  for (int t = 0; t < shape_.nt; ++t)
    network_.run_labels(run, scratch, in + t * shape_.frame_voxels(), labels, 0.0F, t, shape_.nt);
  seen_ = true;
}

void CalibrateNetworkOperator::finish(bool completed) {
  if (!completed || !seen_) return;
  std::ifstream in(params.model, std::ios::binary);
  std::string bytes{std::istreambuf_iterator<char>(in), {}};
  if (!in)
    throw Failure(ErrorCode::io_error, params.model + ": the model file cannot be read",
                  "check its rights and the disk");
  if (sha256(std::as_bytes(std::span(bytes))) != digest_)
    throw Failure(
        ErrorCode::io_error,
        params.model + ": the model file is another one than when its ranges were planned (SHA-256 " + digest_ + ")",
        "leave the model alone while it is calibrated, and calibrate it again");
  const std::string text = network_.executor().recorded_ranges(params.percentile);
  write_whole(params.file, with_metadata(std::move(bytes), calibration_key, text));
}

}  // namespace isocenter::infer
