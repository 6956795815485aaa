// Any bytes as a Caffe network: a description up to the first zero byte, then its weights. Read, lowered, made smaller
// and laid out in memory. What is wrong with them has to come back as an Error, in bounded memory and time.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <isocenter/error.hpp>
#include <span>

#include "infer/caffe/caffe_model.hpp"
#include "infer/lower.hpp"
#include "infer/passes.hpp"
#include "infer/schedule.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t count) {
  using namespace isocenter::infer;
  const std::uint8_t* end = std::find(bytes, bytes + count, std::uint8_t{0});
  const std::string_view text(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(end - bytes));
  try {
    CaffeWeights weights;
    if (end != bytes + count)
      weights = parse_caffe_weights(std::as_bytes(std::span(end + 1, bytes + count)), "fuzz.caffemodel");
    const OnnxModel model = parse_caffe(text, weights, "fuzz.prototxt");
    // A large input is no finding: the description is free to ask for one, and lower() would plan it.
    for (const auto& port : model.inputs) {
      std::int64_t elements = 1;
      for (const auto& d : *port.shape) {
        elements *= std::clamp<std::int64_t>(d.extent, 1, 1 << 20);
        if (elements > 1 << 20) return 0;
      }
    }
    Graph graph = lower(model, {});
    optimise(graph);
    Schedule schedule = make_schedule(std::move(graph));
    plan_memory(schedule);
  } catch (const isocenter::Error&) {
  }
  return 0;
}
