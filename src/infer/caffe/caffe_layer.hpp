#pragma once
// One layer of a Caffe description being turned into ONNX nodes. The functions of caffe_*_layers.cpp work on it.
#include <span>
#include <string>
#include <vector>

#include "infer/caffe/caffe_weights.hpp"
#include "infer/caffe/prototxt.hpp"
#include "infer/onnx_model.hpp"

namespace isocenter::infer {

/// A blob's content at one point of the network. Caffe's axes count from the front or the end, so ranks are kept.
struct CaffeValue {
  std::string name;
  int rank = 0;
};

class CaffeLayer {
 public:
  CaffeLayer(OnnxModel& model, const TextMessage& fields, std::string name, std::string type,
             std::vector<CaffeValue> bottoms, std::size_t tops, const CaffeWeights& weights)
      : model_(model),
        fields_(fields),
        name_(std::move(name)),
        type_(std::move(type)),
        bottoms_(std::move(bottoms)),
        top_values_(tops),
        weights_(weights) {}

  const TextMessage& fields() const { return fields_; }
  const std::string& type() const { return type_; }
  std::size_t bottom_count() const { return bottoms_.size(); }
  std::size_t top_count() const { return top_values_.size(); }
  const CaffeValue& bottom(std::size_t i = 0) const { return bottoms_[i]; }
  const std::vector<CaffeValue>& bottoms() const { return bottoms_; }
  std::size_t blob_count() const;
  /// A trained blob; refused where the weights lack it.
  const Array& blob(std::size_t i) const;
  /// Refused where the layer has not exactly that many blobs.
  void expect_blobs(std::size_t count) const;

  /// An axis in [-rank, rank] as one in [0, rank]; `rank` itself is refused unless `end`.
  int axis(std::int64_t axis, int rank, bool end = false) const;

  CaffeValue node(const char* type, std::vector<std::string> inputs, int rank,
                  std::map<std::string, OnnxAttribute> attributes = {});
  /// The same with several outputs, all of that rank.
  std::vector<CaffeValue> nodes(const char* type, std::vector<std::string> inputs, int rank,
                                std::map<std::string, OnnxAttribute> attributes, std::size_t outputs);
  std::string constant(Array array);
  std::string integers(const std::vector<std::int64_t>& values) { return constant(Array::of(values)); }
  std::string number(double value) { return constant(Array::scalar(ElementType::f32, value)); }
  /// The extents of axes [first, last) of a value, int64.
  std::string extents(const CaffeValue& value, int first, int last);
  void top(std::size_t i, CaffeValue value) { top_values_[i] = std::move(value); }
  const std::vector<CaffeValue>& top_values() const { return top_values_; }

  std::string where() const { return "layer '" + name_ + "' (" + type_ + ")"; }
  [[noreturn]] void contradiction(const std::string& what) const;
  [[noreturn]] void unsupported(const std::string& what, const std::string& fix) const;

 private:
  OnnxModel& model_;
  const TextMessage& fields_;
  std::string name_, type_;
  std::vector<CaffeValue> bottoms_;
  std::vector<CaffeValue> top_values_;
  const CaffeWeights& weights_;
};

struct CaffeLayerRow {
  const char* type;
  void (*convert)(CaffeLayer&);
  std::size_t least_bottoms, most_bottoms, most_tops;
};
// One table for each caffe_*_layers.cpp.
std::span<const CaffeLayerRow> caffe_window_layers();
std::span<const CaffeLayerRow> caffe_value_layers();
std::span<const CaffeLayerRow> caffe_shape_layers();

}  // namespace isocenter::infer
