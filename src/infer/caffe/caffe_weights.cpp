#include "infer/caffe/caffe_weights.hpp"

#include <caffe_weights.pb.h>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include <cstring>
#include <isocenter/error.hpp>
#include <limits>
#include <stdexcept>

namespace isocenter::infer {
namespace {

[[noreturn]] void refuse(ErrorCode code, const std::string& source, const std::string& what, const std::string& fix) {
  throw Failure(code, source + ": " + what, fix);
}

Array read_blob(const caffe::Blob& blob, const std::string& source, const std::string& where) {
  Shape shape{blob.num(), blob.channels(), blob.height(), blob.width()};
  if (blob.has_shape()) shape.assign(blob.shape().dim().begin(), blob.shape().dim().end());
  std::int64_t count = -1;
  try {
    count = element_count(shape);
  } catch (const std::overflow_error&) {
  }
  if (blob.data_size() > 0 && blob.double_data_size() > 0)
    refuse(ErrorCode::bad_data, source,
           where + " holds " + std::to_string(blob.data_size()) + " numbers in 'data' and " +
               std::to_string(blob.double_data_size()) + " in 'double_data'; one of them is allowed",
           "save the weights again; the file is damaged");
  const std::int64_t held = blob.data_size() + blob.double_data_size();
  bool sensible = held == count && shape.size() <= 8;
  for (const std::int64_t extent : shape) sensible = sensible && extent > 0;
  if (!sensible)
    refuse(ErrorCode::bad_data, source,
           where + " holds " + std::to_string(held) + " numbers and has the shape " + to_text(shape),
           "copy or save the weights again; the file is damaged");
  Array array(ElementType::f32, std::move(shape));
  auto* out = array.mutable_as<float>();
  if (blob.data_size() > 0)
    std::memcpy(out, blob.data().data(), static_cast<std::size_t>(held) * sizeof(float));
  else
    for (int i = 0; i < blob.double_data_size(); ++i) out[i] = static_cast<float>(blob.double_data(i));
  return array;
}

template <class Layer>
void add(const Layer& layer, const std::string& source, CaffeWeights& weights) {
  if (layer.blobs_size() == 0) return;
  std::vector<Array> blobs;
  for (int i = 0; i < layer.blobs_size(); ++i)
    blobs.push_back(
        read_blob(layer.blobs(i), source, "blob " + std::to_string(i) + " of layer '" + layer.name() + "'"));
  if (!weights.emplace(layer.name(), std::move(blobs)).second)
    refuse(ErrorCode::bad_data, source, "two layers with weights are called '" + layer.name() + "'",
           "give each layer a name of its own and save the weights again");
}

}  // namespace

CaffeWeights parse_caffe_weights(std::span<const std::byte> bytes, const std::string& source) {
  if (bytes.size() > 4 && std::memcmp(bytes.data(), "\x89HDF", 4) == 0)
    refuse(ErrorCode::unsupported, source, "the weights are in HDF5", "save them as BINARYPROTO (.caffemodel)");
  caffe::Weights proto;
  const bool fits = !bytes.empty() && bytes.size() <= static_cast<std::size_t>(std::numeric_limits<int>::max());
  google::protobuf::io::ArrayInputStream stream(bytes.data(), fits ? static_cast<int>(bytes.size()) : 0);
  google::protobuf::io::CodedInputStream coded(&stream);
  if (!fits || !proto.ParsePartialFromCodedStream(&coded) || !coded.ConsumedEntireMessage())
    refuse(ErrorCode::bad_data, source,
           "the file of " + std::to_string(bytes.size()) + " bytes is not a Caffe weights file, or was cut off",
           "copy it again; files of up to 2 GiB are read");
  CaffeWeights weights;
  for (const auto& layer : proto.layers()) {
    if (layer.has_oldest_form())
      refuse(ErrorCode::unsupported, source, "the weights are in Caffe's oldest form of layers (V0)",
             "bring prototxt and caffemodel up to date with Caffe's upgrade_net_proto programs");
    add(layer, source, weights);
  }
  for (const auto& layer : proto.layer()) add(layer, source, weights);
  return weights;
}

}  // namespace isocenter::infer
