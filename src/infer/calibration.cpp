#include "infer/calibration.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <isocenter/error.hpp>

#include "infer/integers.hpp"
#include "infer/onednn_steps.hpp"

namespace isocenter::infer {
namespace {

constexpr std::int64_t fewest_channels = 4;  // not the first layer, whose errors go through the whole network
constexpr double largest_error = 0.05;       // of what a layer multiplies, by its norm, or it stays real
constexpr const char* version = "2";
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

struct Range {
  float low = 0, high = 0, error = 0;
};

/// "low high error name"
Range read_range(const Graph& graph, const std::string& line, const std::string& name) {
  Range range;
  const char *at = line.data(), *end = at + line.size();
  bool good = true;
  for (float* number : {&range.low, &range.high, &range.error}) {
    const auto read = std::from_chars(at, end, *number);
    good = good && read.ec == std::errc{} && read.ptr < end && *read.ptr == ' ' && std::isfinite(*number);
    if (!good) break;
    at = read.ptr + 1;
  }
  if (!good || range.low > range.high || !std::isfinite(range.high - range.low) || range.error < 0)
    refuse(graph, "has the line '" + line + "' where 'LOW HIGH ERROR " + name + "' is needed");
  if (std::string(at, end) != name)
    refuse(graph, "has the range of '" + std::string(at, end) + "' where that of '" + name + "' is needed");
  return range;
}

/// A convolution's border is 0: symmetric where something is negative. A matrix product has no border: uint8 whose zero
/// point lets the range fill it.
Quantised grid_of(const Node& node, const Range& range) {
  Quantised q;
  const bool negative = range.low < 0;
  if (std::holds_alternative<Convolution>(node.operation)) {
    q.is_signed = negative;
    q.scale = negative ? std::max(-range.low, range.high) / 127.0F : range.high / 255.0F;
  } else {
    const float high = std::max(range.high, 0.0F);
    q.scale = negative ? (high - range.low) / 255.0F : high / 255.0F;
    if (negative) q.zero = static_cast<int>(std::lrint(-range.low / q.scale));
  }
  if (!(q.scale > 1e-30F)) q = {1e-30F, 0, negative};  // all of it was 0
  return q;
}

/// Why a node has no range; empty: it has one.
std::string not_for_ranges(const Graph& graph, const Node& node) {
  if (std::string why = not_for_integers(graph, node); !why.empty()) return why;
  const Shape& x = graph.value(node.inputs[0]).shape;
  const auto* conv = std::get_if<Convolution>(&node.operation);
  if (conv != nullptr && conv->groups != 1) return "it is grouped";
  const std::int64_t channels = conv != nullptr ? x[1] : x.back();
  return channels < fewest_channels ? "it reads " + std::to_string(channels) + " channels" : std::string();
}

}  // namespace

std::vector<int> quantisable(const Graph& graph) {
  std::vector<int> found;
  for (std::size_t i = 0; i < graph.nodes.size(); ++i)
    if (not_for_ranges(graph, graph.nodes[i]).empty()) found.push_back(static_cast<int>(i));
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

double RangeRecorder::error(float low, float high) const {
  const double step = static_cast<double>(low < 0 ? high - low : high) / 255.0, rounding = step * step / 12.0;
  double error = 0, norm = 0;
  for (int i = 0; i < bins; ++i) {
    const auto count = static_cast<double>(histogram_[static_cast<std::size_t>(i)]);
    const double v = (i - bins / 2 + 0.5) * static_cast<double>(limit_) / (bins / 2);
    const double out = v - std::clamp(v, static_cast<double>(low), static_cast<double>(std::max(low, high)));
    error += count * (out * out + std::min(rounding, v * v));
    norm += count * v * v;
  }
  return norm > 0 ? std::sqrt(error / norm) : 0.0;
}

CalibrationTarget calibration_target(const Graph& graph) {
  CalibrationTarget target{header(graph), {}};
  for (const int index : quantisable(graph)) target.names.push_back(graph.nodes[static_cast<std::size_t>(index)].name);
  return target;
}

std::string calibration_text(const CalibrationTarget& target, const std::vector<RangeRecorder>& recorders,
                             double percentile) {
  std::string text = target.header + "\n";
  for (std::size_t i = 0; i < target.names.size(); ++i) {
    float low = 0, high = 0;
    recorders[i].range(percentile, low, high);
    char numbers[64];
    std::snprintf(numbers, sizeof numbers, "%.9g %.9g %.3g ", static_cast<double>(low), static_cast<double>(high),
                  recorders[i].error(low, high));
    text += numbers + target.names[i] + "\n";
  }
  return text;
}

namespace {

/// The header is this network's; its ranges are left.
std::string ranges_of(const Graph& graph) {
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
                      "': the ranges are another network's, or of another version");
  return text;
}

/// Why this node with this range stays as it is; empty: it does not.
std::string why_wide(const Graph& graph, const Node& node, const Range& range) {
  const double error = std::hypot(range.error, weight_error(graph, node));
  if (!std::isfinite(error)) return "its weights are not finite";
  if (error > largest_error) {
    char text[64];
    std::snprintf(text, sizeof text, "int8 would change what it multiplies by %.2g", error);
    return text;
  }
  return onednn_plans_integers(graph, node, {}) ? std::string() : "oneDNN has no integer primitive for it";
}

/// Values that are read by products on one grid alone, and whose maker can write it, are kept on it.
void keep_on_grids(Graph& graph) {
  std::vector<Quantised> taken(graph.values.size());
  std::vector<bool> others(graph.values.size());
  for (const ValueId id : graph.outputs) others[static_cast<std::size_t>(id)] = true;
  for (const Node& node : graph.nodes)
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      const auto at = static_cast<std::size_t>(node.inputs[i]);
      const Quantised grid = i == 0 ? product_grid(node) : Quantised{};
      if (grid.none() || (!taken[at].none() && !(taken[at] == grid))) others[at] = true;
      taken[at] = grid;
    }
  for (const Node& node : graph.nodes) {
    const auto at = static_cast<std::size_t>(node.output);
    if (!others[at] && !taken[at].none() && writes_product_on_grid(graph, node, taken[at]))
      graph.value(node.output).grid = taken[at];
  }
}

}  // namespace

void apply_calibration(Graph& graph, std::vector<std::string>& wide) {
  std::string text = ranges_of(graph);
  const std::vector<int> nodes = quantisable(graph);
  std::vector<const Node*> reader(graph.values.size());
  std::vector<Range> ranges(graph.values.size());
  std::size_t next = 0;
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    Node& node = graph.nodes[i];
    if (next == nodes.size() || nodes[next] != static_cast<int>(i)) {
      if (const std::string why = not_for_ranges(graph, node); is_product(graph, node))
        wide.push_back("'" + node.name + "' (" + why + ")");
      continue;
    }
    ++next;
    const std::string line = next_line(text);
    if (line.empty()) refuse(graph, "has no range for '" + node.name + "'");
    const Range range = read_range(graph, line, node.name);
    const auto at = static_cast<std::size_t>(node.inputs[0]);
    if (reader[at] != nullptr && (ranges[at].low != range.low || ranges[at].high != range.high))
      refuse(graph, "gives two ranges to what '" + reader[at]->name + "' and '" + node.name + "' read");
    ranges[at] = range;
    reader[at] = &node;
    set_product_grid(node, grid_of(node, range));
    const std::string why = why_wide(graph, node, range);
    if (why.empty()) continue;
    set_product_grid(node, {});
    wide.push_back("'" + node.name + "' (" + why + ")");
  }
  keep_on_grids(graph);
}

}  // namespace isocenter::infer
