#pragma once
// Products of 8-bit integers on the CPU (precision = int8): which convolutions and matrix products run so, on what
// grids, from the model's own QuantizeLinear and DequantizeLinear or from ranges that were measured (calibration.hpp).
#include <string>
#include <vector>

#include "infer/graph.hpp"

namespace isocenter::infer {

/// How a network runs with precision = int8.
struct IntegerPlan {
  bool own_grids = false;  ///< the model came quantised
  int convolutions = 0, integer_convolutions = 0;
  int products = 0, integer_products = 0;
  std::vector<std::string>
      wide;  ///< what multiplies real values, with the reason: "'head' (its weights are not constant)"
};

/// Sets Convolution::in, MatrixProduct::in and Value::grid, from the model's own grids where it came quantised, else
/// from its ranges. Whatever has no integer primitive, or would lose too much, stays as it is and is named.
/// Errors: those of apply_calibration; unsupported where nothing is left to run on integers.
IntegerPlan plan_integers(Graph& graph);

/// Brings each pair of QuantizeLinear and DequantizeLinear, as they are lowered, to one copy whose output has a grid,
/// where it is of int8 or uint8 with one scale. False when there is none.
bool find_grids(Graph& graph);

/// A convolution or matrix product in float32, for which oneDNN is asked.
bool is_product(const Graph& graph, const Node& node);

/// The integer product can write its output on the grid.
bool writes_product_on_grid(const Graph& graph, const Node& node, const Quantised& grid);

/// What int8 is for: convolutions that are not transposed, and matrix products with a constant second factor of two
/// axes; without a bias, or with a constant one. Empty, or why not.
std::string not_for_integers(const Graph& graph, const Node& node);

/// Relative error (root of the mean square) of the weights of such a node as int8; not a number where one of them is
/// infinite or none.
double weight_error(const Graph& graph, const Node& node);

/// The grid that a node which multiplies integers reads its first input on; none for every other node.
Quantised product_grid(const Node& node);
void set_product_grid(Node& node, const Quantised& grid);

}  // namespace isocenter::infer
