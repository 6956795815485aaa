#include "infer/model_inspect.hpp"

#include <charconv>

#include "infer/model_report.hpp"

namespace isocenter::infer {
namespace {

[[noreturn]] void refuse(const std::string& text, const std::string& why) {
  throw Failure(ErrorCode::invalid_argument, "shapes = '" + text + "' " + why, "write INPUT=1x1x96x96x96,OTHER=1x3");
}

/// "input=1x1x96x96x96,mask=1x1x96x96x96"; the last '=' of each part divides: names may hold one.
std::map<std::string, Shape> read_shapes(const std::string& text) {
  std::map<std::string, Shape> shapes;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t comma = std::min(text.find(',', at), text.size());
    const std::string part = text.substr(at, comma - at);
    at = comma + 1;
    const std::size_t equals = part.rfind('=');
    if (equals == std::string::npos || equals == 0) refuse(text, "has a part '" + part + "' without a name and '='");
    Shape shape;
    for (const char* p = part.data() + equals + 1; p != part.data() + part.size();) {
      std::int64_t extent = 0;
      const auto [end, error] = std::from_chars(p, part.data() + part.size(), extent);
      const bool last = end == part.data() + part.size();
      if (error != std::errc{} || extent < 1 || (!last && (*end != 'x' || end + 1 == part.data() + part.size())))
        refuse(text, "has a part '" + part + "' whose extents are not positive numbers between 'x'");
      shape.push_back(extent);
      p = last ? end : end + 1;
    }
    shapes[part.substr(0, equals)] = std::move(shape);
  }
  return shapes;
}

}  // namespace

void ModelInspectOperator::plan(PlanContext& plan) {
  const ModelReport report = inspect_model(params.model, read_shapes(params.shapes));
  plan.items(0);
  plan.fact("model.report", to_json(report));
  plan.fact("model.report.text", to_lines(report));
}

void ModelInspectOperator::run(const RunContext&) { throw EndOfStream{}; }

}  // namespace isocenter::infer
