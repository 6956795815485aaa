#pragma once
// What `isocenter model inspect` tells of a network file.
#include <optional>

#include "infer/executor.hpp"
#include "infer/lower.hpp"

namespace isocenter::infer {

/// For one shape of the inputs.
struct ModelCost {
  std::vector<std::pair<std::string, Shape>> inputs, outputs;
  double operations = 0;  ///< multiplications and additions of convolutions and matrix products, one inference
  PlanSummary cpu;
  std::vector<std::string> not_on_cuda;  ///< "'node' (Type)": refused there by name
};

struct ModelReport {
  OnnxModel model;
  std::string hash;                      ///< SHA-256 of the file
  std::int64_t parameters = 0;           ///< elements of floating point weights
  std::map<std::string, int> operators;  ///< how often each type stands in the file
  std::vector<std::string> unsupported;  ///< "'node' (Type)": on no device
  std::optional<ModelCost> cost;
  std::string no_cost;  ///< why there is none
};

ModelReport inspect_model(const std::string& path, const std::map<std::string, Shape>& shapes);

/// Multiplications and additions of a planned graph.
double count_operations(const Graph& graph);

std::string to_json(const ModelReport& report);
std::string to_lines(const ModelReport& report);

}  // namespace isocenter::infer
