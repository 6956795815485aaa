#include "infer/caffe/caffe_layer.hpp"

#include <isocenter/error.hpp>

namespace isocenter::infer {
namespace {

constexpr int most_axes = 8;

}  // namespace

std::size_t CaffeLayer::blob_count() const {
  const auto it = weights_.find(name_);
  return it == weights_.end() ? 0 : it->second.size();
}

const Array& CaffeLayer::blob(std::size_t i) const {
  const std::size_t count = blob_count();
  if (i >= count)
    throw Failure(ErrorCode::bad_data,
                  model_.source + ": " + where() + " needs at least " + std::to_string(i + 1) +
                      " trained blobs, and the weights have " + std::to_string(count) + " for it",
                  "give the weights that were trained for this description");
  return weights_.at(name_)[i];
}

void CaffeLayer::expect_blobs(std::size_t count) const {
  if (blob_count() != count)
    throw Failure(ErrorCode::bad_data,
                  model_.source + ": " + where() + " takes " + std::to_string(count) +
                      " trained blobs, and the weights have " + std::to_string(blob_count()) + " for it",
                  "give the weights that were trained for this description");
}

int CaffeLayer::axis(std::int64_t axis, int rank, bool end) const {
  if (axis < -rank || axis > rank || (axis == rank && !end))
    contradiction("has axis " + std::to_string(axis) + " for a blob of " + std::to_string(rank) + " axes");
  return static_cast<int>(axis < 0 ? axis + rank : axis);
}

CaffeValue CaffeLayer::node(const char* type, std::vector<std::string> inputs, int rank,
                            std::map<std::string, OnnxAttribute> attributes) {
  return nodes(type, std::move(inputs), rank, std::move(attributes), 1)[0];
}

std::vector<CaffeValue> CaffeLayer::nodes(const char* type, std::vector<std::string> inputs, int rank,
                                          std::map<std::string, OnnxAttribute> attributes, std::size_t outputs) {
  if (rank > most_axes)
    contradiction("makes a blob of " + std::to_string(rank) + " axes; at most " + std::to_string(most_axes) +
                  " are known");
  OnnxNode node;
  node.name = name_;
  node.op_type = type;
  node.layer_type = type_;
  node.inputs = std::move(inputs);
  node.attributes = std::move(attributes);
  std::vector<CaffeValue> values;
  for (std::size_t i = 0; i < outputs; ++i) {
    values.push_back({":" + std::to_string(model_.nodes.size()) + "." + std::to_string(i), rank});
    node.outputs.push_back(values.back().name);
  }
  model_.nodes.push_back(std::move(node));
  return values;
}

std::string CaffeLayer::constant(Array array) {
  std::string name = ":constant " + std::to_string(model_.initialisers.size());
  model_.initialisers.emplace(name, std::move(array));
  return name;
}

std::string CaffeLayer::extents(const CaffeValue& value, int first, int last) {
  return node("Shape", {value.name}, 1, {{"start", std::int64_t{first}}, {"end", std::int64_t{last}}}).name;
}

void CaffeLayer::contradiction(const std::string& what) const {
  throw Failure(ErrorCode::bad_data, model_.source + ":" + std::to_string(fields_.line()) + ": " + where() + " " + what,
                "correct the description, or give the weights that belong to it");
}
void CaffeLayer::unsupported(const std::string& what, const std::string& fix) const {
  throw Failure(ErrorCode::unsupported,
                model_.source + ":" + std::to_string(fields_.line()) + ": " + where() + " " + what, fix);
}

}  // namespace isocenter::infer
