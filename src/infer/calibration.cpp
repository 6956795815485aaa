#include "infer/calibration.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <isocenter/error.hpp>

namespace isocenter::infer {
namespace {

constexpr std::int64_t fewest_channels = 4;  // not the first layer, whose errors go through the whole network
constexpr const char* version = "1";
constexpr const char* fix = "make them with calibrate_network from this model, on volumes like those it will read";

/// FNV-1a over names, shapes and a sample of the weights (Fowler, Noll, Vo; 64 bits).
std::uint64_t fingerprint(const Graph& graph) {
  std::uint64_t hash = 14695981039346656037ULL;
  const auto mix = [&](const void* data, std::size_t bytes) {
    for (std::size_t i = 0; i < bytes; ++i)
      hash = (hash ^ static_cast<const unsigned char*>(data)[i]) * 1099511628211ULL;
  };
  for (const int index : quantisable(graph)) {
    const Node& node = graph.nodes[static_cast<std::size_t>(index)];
    const Value& weights = graph.value(node.inputs[1]);
    mix(node.name.data(), node.name.size());
    mix(weights.shape.data(), weights.shape.size() * sizeof(std::int64_t));
    const std::int64_t step = weights.constant->count() / 256 + 1;
    for (std::int64_t i = 0; i < weights.constant->count(); i += step)
      mix(weights.constant->as<float>() + i, sizeof(float));
  }
  return hash;
}

std::string header(const Graph& graph) {
  char text[64];
  std::snprintf(text, sizeof text, "%s %016llx", version, static_cast<unsigned long long>(fingerprint(graph)));
  return text;
}

/// Takes the next line, or what is left.
std::string next_line(std::string& text) {
  const std::size_t end = std::min(text.find('\n'), text.size());
  std::string line = text.substr(0, end);
  text.erase(0, std::min(end + 1, text.size()));
  return line;
}

[[noreturn]] void refuse(const Graph& graph, const std::string& why) {
  throw Failure(ErrorCode::bad_data, graph.source + ": the metadata '" + std::string(calibration_key) + "' " + why,
                fix);
}

/// "low high name"
Quantised read_range(const Graph& graph, const std::string& line, const std::string& name) {
  float low = 0, high = 0;
  const char *at = line.data(), *end = at + line.size();
  const auto first = std::from_chars(at, end, low);
  const auto second = first.ec == std::errc{} && first.ptr < end ? std::from_chars(first.ptr + 1, end, high) : first;
  if (first.ec != std::errc{} || second.ec != std::errc{} || second.ptr == first.ptr || second.ptr >= end ||
      !std::isfinite(low) || !std::isfinite(high) || low > high)
    refuse(graph, "has the line '" + line + "' where 'LOW HIGH " + name + "' is needed");
  if (std::string(second.ptr + 1, end) != name)
    refuse(graph, "has the range of '" + std::string(second.ptr + 1, end) + "' where that of '" + name + "' is needed");
  Quantised q;
  q.is_signed = low < 0;
  q.scale = q.is_signed ? std::max(-low, high) / 127.0F : high / 255.0F;
  if (!(q.scale > 1e-30F)) q.scale = 1e-30F;  // all of it was 0
  return q;
}

bool keeps_scale(const Convolution& conv) {
  const Function f = conv.then.function;
  return !conv.residual && (f == Function::identity || f == Function::relu || f == Function::leaky_relu);
}

}  // namespace

std::vector<int> quantisable(const Graph& graph) {
  std::vector<int> found;
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    const Node& node = graph.nodes[i];
    const auto* conv = std::get_if<Convolution>(&node.operation);
    if (conv != nullptr && conv->bias && !graph.value(node.inputs[2]).constant) continue;
    if (conv != nullptr && !conv->transposed && conv->groups == 1 && has_kernel(graph, node) &&
        graph.value(node.inputs[0]).shape[1] >= fewest_channels)
      found.push_back(static_cast<int>(i));
  }
  return found;
}

void RangeRecorder::see(const float* values, std::int64_t pixels, std::int64_t channels, std::int64_t step) {
  float least = least_, most = most_;
  for (std::int64_t p = 0; p < pixels; ++p)
    for (std::int64_t c = 0; c < channels; ++c) {
      const float v = values[p * step + c];
      if (!std::isfinite(v)) continue;
      least = std::min(least, v);
      most = std::max(most, v);
    }
  least_ = least;
  most_ = most;
  const float reach = std::max(-least, most);
  if (limit_ == 0.0F) limit_ = reach > 0.0F ? reach : 1.0F;
  while (limit_ < reach) widen();
  const float factor = static_cast<float>(bins / 2) / limit_;
  for (std::int64_t p = 0; p < pixels; ++p)
    for (std::int64_t c = 0; c < channels; ++c) {
      const float v = values[p * step + c];
      if (!std::isfinite(v)) continue;
      const int bin = bins / 2 + static_cast<int>(std::floor(v * factor));
      ++histogram_[static_cast<std::size_t>(std::clamp(bin, 0, bins - 1))];
      ++count_;
    }
}

/// Twice as wide: from the middle on two bins become one.
void RangeRecorder::widen() {
  limit_ *= 2.0F;
  std::int64_t* middle = histogram_.data() + bins / 2;
  for (int i = 0; i < bins / 4; ++i) {
    middle[i] = middle[2 * i] + middle[2 * i + 1];
    middle[-1 - i] = middle[-1 - 2 * i] + middle[-2 - 2 * i];
  }
  std::fill(middle + bins / 4, middle + bins / 2, 0);
  std::fill(middle - bins / 2, middle - bins / 4, 0);
}

void RangeRecorder::range(double percentile, float& low, float& high) const {
  const double out = static_cast<double>(count_) * (1.0 - percentile / 100.0);
  const bool negative = least_ < 0.0F;
  const float width = limit_ / static_cast<float>(bins / 2);
  double left = negative ? out / 2 : out;
  int top = bins - 1, bottom = 0;
  for (; top > bins / 2 && static_cast<double>(histogram_[static_cast<std::size_t>(top)]) <= left; --top)
    left -= static_cast<double>(histogram_[static_cast<std::size_t>(top)]);
  high = std::clamp(static_cast<float>(top + 1 - bins / 2) * width, 0.0F, most_);
  left = out / 2;
  for (; bottom < bins / 2 && static_cast<double>(histogram_[static_cast<std::size_t>(bottom)]) <= left; ++bottom)
    left -= static_cast<double>(histogram_[static_cast<std::size_t>(bottom)]);
  low = negative ? std::clamp(static_cast<float>(bottom - bins / 2) * width, least_, 0.0F) : 0.0F;
}

CalibrationTarget calibration_target(const Graph& graph) {
  CalibrationTarget target{header(graph), {}};
  for (const int index : quantisable(graph)) target.names.push_back(graph.nodes[static_cast<std::size_t>(index)].name);
  return target;
}

std::string calibration_text(const CalibrationTarget& target, const std::vector<RangeRecorder>& recorders,
                             double percentile) {
  std::string text = target.header + "\n";
  for (std::size_t i = 0; i < recorders.size(); ++i) {
    float low = 0, high = 0;
    recorders[i].range(percentile, low, high);
    char numbers[64];
    std::snprintf(numbers, sizeof numbers, "%.9g %.9g ", static_cast<double>(low), static_cast<double>(high));
    text += numbers + target.names[i] + "\n";
  }
  return text;
}

void apply_calibration(Graph& graph) {
  const auto entry = graph.metadata.find(calibration_key);
  if (entry == graph.metadata.end())
    throw Failure(ErrorCode::invalid_argument,
                  graph.source +
                      ": precision = int8 needs the ranges of the network's values, and the model has no "
                      "metadata '" +
                      std::string(calibration_key) + "'",
                  "make a model with ranges by calibrate_network, on volumes like those it will read");
  std::string text = entry->second;
  if (const std::string line = next_line(text); line != header(graph))
    refuse(graph, "begins with '" + line.substr(0, 40) + "', and this network's begins with '" + header(graph) +
                      "': the ranges are another network's");
  const std::vector<int> nodes = quantisable(graph);
  if (nodes.empty())
    throw Failure(ErrorCode::unsupported,
                  graph.source + ": precision = int8 is for convolutions that read " + std::to_string(fewest_channels) +
                      " channels or more, and the network has none",
                  "set precision to float32 or bfloat16");
  for (const int index : nodes) {
    Node& node = graph.nodes[static_cast<std::size_t>(index)];
    const std::string line = next_line(text);
    if (line.empty()) refuse(graph, "has no range for '" + node.name + "'");
    std::get<Convolution>(node.operation).in = read_range(graph, line, node.name);
  }
  // What each value's readers take, where all of them are such convolutions and read it as their input.
  std::vector<Quantised> taken(graph.values.size());
  std::vector<const Node*> reader(graph.values.size());
  std::vector<bool> others(graph.values.size());
  for (const ValueId id : graph.outputs) others[static_cast<std::size_t>(id)] = true;
  for (const Node& node : graph.nodes) {
    const auto* conv = std::get_if<Convolution>(&node.operation);
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      const auto at = static_cast<std::size_t>(node.inputs[i]);
      if (i != 0 || conv == nullptr || conv->in.none()) {
        others[at] = true;
        continue;
      }
      if (reader[at] != nullptr && (taken[at].scale != conv->in.scale || taken[at].is_signed != conv->in.is_signed))
        refuse(graph, "gives two ranges to what '" + reader[at]->name + "' and '" + node.name + "' read");
      taken[at] = conv->in;
      reader[at] = &node;
    }
  }
  for (const int index : nodes) {
    Node& node = graph.nodes[static_cast<std::size_t>(index)];
    auto& conv = std::get<Convolution>(node.operation);
    const auto at = static_cast<std::size_t>(node.output);
    if (!others[at] && !taken[at].none() && keeps_scale(conv)) conv.out = taken[at];
  }
}

}  // namespace isocenter::infer
