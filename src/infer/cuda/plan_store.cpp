#include "infer/cuda/plan_store.hpp"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <span>

#include "infer/sha256.hpp"

namespace isocenter::infer {
namespace {

template <class T>
std::string digest(const T& bytes) {
  return sha256(std::as_bytes(std::span(bytes)));
}

}  // namespace

std::string PlanStore::file_of(const std::string& problem) const { return folder_ + "/" + digest(problem) + ".plan"; }

/// A file is the digest of what follows, in 64 letters, then the plan.
std::optional<std::vector<std::uint8_t>> PlanStore::find(const std::string& problem) const {
  if (folder_.empty()) return std::nullopt;
  std::ifstream in(file_of(problem), std::ios::binary);
  std::string sum(64, '\0');
  if (!in.read(sum.data(), static_cast<std::streamsize>(sum.size()))) return std::nullopt;
  std::vector<std::uint8_t> plan{std::istreambuf_iterator<char>(in), {}};
  if (digest(plan) != sum) return std::nullopt;
  return plan;
}

void PlanStore::keep(const std::string& problem, const std::vector<std::uint8_t>& plan) const {
  if (folder_.empty()) return;
  std::error_code error;
  std::filesystem::create_directories(folder_, error);
  const std::string file = file_of(problem), part = file + "." + std::to_string(::getpid());
  {
    std::ofstream out(part, std::ios::binary);
    out << digest(plan);
    out.write(reinterpret_cast<const char*>(plan.data()), static_cast<std::streamsize>(plan.size()));
    if (out.flush()) std::filesystem::rename(part, file, error);
  }
  std::filesystem::remove(part, error);
}

}  // namespace isocenter::infer
