#pragma once
// Caffe networks: a description for deployment (.prototxt) and its trained weights (.caffemodel), as the nodes of
// ONNX's operator set 17 that compute the same. What the nodes mean is lower.hpp's matter, as for an ONNX file.
#include <span>
#include <string>
#include <vector>

#include "infer/caffe/caffe_weights.hpp"
#include "infer/onnx_model.hpp"

namespace isocenter::infer {

/// Reads an ONNX file, or a .prototxt with the weights beside it: the .caffemodel of the same name, or the only one in
/// the folder. `hash`, where given, gets the SHA-256 of the file, for Caffe of both files, the description first.
/// Errors: as read_onnx; unsupported and bad_data by line, layer and field.
OnnxModel read_model(const std::string& path, std::string* hash = nullptr);

/// A description with its weights. A layer type that is not known becomes a node of the domain "caffe", which lower()
/// refuses by name.
OnnxModel parse_caffe(std::string_view prototxt, const CaffeWeights& weights, const std::string& source);

}  // namespace isocenter::infer
