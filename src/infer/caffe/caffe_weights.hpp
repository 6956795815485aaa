#pragma once
// Trained weights of a Caffe network (.caffemodel). No protobuf type leaves caffe_weights.cpp.
#include <map>
#include <span>
#include <string>
#include <vector>

#include "infer/tensor.hpp"

namespace isocenter::infer {

/// For each layer's name its blobs, float32.
using CaffeWeights = std::map<std::string, std::vector<Array>>;

/// Errors: bad_data (not a weights file, truncated, blobs that contradict themselves), unsupported (HDF5, the oldest
/// form of layers).
CaffeWeights parse_caffe_weights(std::span<const std::byte> bytes, const std::string& source);

}  // namespace isocenter::infer
