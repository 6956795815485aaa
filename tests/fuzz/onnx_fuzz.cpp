// Any bytes as an ONNX file: read, lowered for a small input, made smaller and laid out in memory. What is wrong with
// them has to come back as an Error, in bounded memory and time.
#include <cstddef>
#include <cstdint>
#include <isocenter/error.hpp>
#include <span>

#include "infer/lower.hpp"
#include "infer/model_card.hpp"
#include "infer/passes.hpp"
#include "infer/schedule.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t count) {
  using namespace isocenter::infer;
  try {
    const OnnxModel model = parse_onnx({reinterpret_cast<const std::byte*>(bytes), count}, "fuzz.onnx", "");
    read_model_card(model.metadata, model.source);
    LowerOptions options;
    for (const auto& port : model.inputs) {
      Shape shape{1, 1, 8, 8, 8};
      if (port.shape && port.shape->size() <= 8) shape.assign(port.shape->size(), 8);
      for (std::size_t k = 0; port.shape && k < shape.size() && k < port.shape->size(); ++k)
        if (const std::int64_t e = (*port.shape)[k].extent; e > 0 && e <= 64) shape[k] = e;
      if (shape.size() > 1 && (!port.shape || (*port.shape)[0].extent < 0)) shape[0] = 1;
      options.input_shapes[port.name] = shape;
    }
    Graph graph = lower(model, options);
    optimise(graph);
    Schedule schedule = make_schedule(std::move(graph));
    plan_memory(schedule);
  } catch (const isocenter::Error&) {
  }
  return 0;
}
