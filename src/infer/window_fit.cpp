#include "infer/window_fit.hpp"

#include <algorithm>

#include "infer/lower.hpp"

namespace isocenter::infer {
namespace {

using Extents = std::array<int, 3>;

/// What strides multiply to in networks: halves, thirds, patches of 14, windows of attention of 7.
constexpr int steps[] = {1, 2, 4, 8, 16, 32, 64, 128, 3, 6, 12, 24, 48, 5, 10, 20, 7, 14, 28};

int below(int extent, int step) { return std::max(extent / step, 1) * step; }
int above(int extent, int step) { return (extent + step - 1) / step * step; }

class Fitting {
 public:
  Fitting(const OnnxModel& model, const WindowAsk& ask) : model_(model), ask_(ask), axes_(ask.flat ? 2 : 3) {}

  bool takes(const Extents& window) const {
    Shape shape{ask_.batch, ask_.channels};
    for (std::size_t k = axes_; k-- > 0;) shape.push_back(window[k]);
    try {
      const Graph graph = lower(model_, {.input_shapes = {{model_.inputs[0].name, shape}}, .constant_inputs = {}});
      if (!ask_.on_grid) return true;
      Shape out = graph.value(graph.outputs[0]).shape;
      if (out.size() == shape.size()) out[1] = shape[1];
      return out == shape;
    } catch (const Error&) {
      return false;
    }
  }

  /// The least step along each axis at which this window's next multiple and the one after it are taken; one of all
  /// axes first, then less along each.
  std::optional<Extents> steps_of() const {
    for (const int step : steps) {
      Extents each{step, step, step};
      if (!takes_multiples(each)) continue;
      for (std::size_t k = 0; k < axes_; ++k)
        for (const int less : steps) {
          Extents tried = each;
          tried[k] = less;
          if (less < each[k] && step % less == 0 && takes_multiples(tried)) each = tried;
        }
      return each;
    }
    return std::nullopt;
  }

  Extents rounded(const Extents& step, int (*round)(int, int)) const {
    Extents window = ask_.window;
    for (std::size_t k = 0; k < axes_; ++k) window[k] = round(window[k], step[k]);
    return window;
  }

 private:
  bool takes_multiples(const Extents& step) const {
    Extents window = rounded(step, above);
    if (!takes(window)) return false;
    for (std::size_t k = 0; k < axes_; ++k) window[k] += step[k];
    return takes(window);
  }

  const OnnxModel& model_;
  const WindowAsk& ask_;
  std::size_t axes_;
};

std::string text(const Extents& e) {
  return std::to_string(e[0]) + ", " + std::to_string(e[1]) + ", " + std::to_string(e[2]);
}

}  // namespace

std::optional<WindowMisfit> window_misfit(const OnnxModel& model, const WindowAsk& ask) {
  const Fitting fitting(model, ask);
  if (fitting.takes(ask.window)) return std::nullopt;
  const auto step = fitting.steps_of();
  if (!step) return std::nullopt;
  const Extents smaller = fitting.rounded(*step, below), larger = fitting.rounded(*step, above);
  std::string needs;
  for (std::size_t k = 0; k < (ask.flat ? 2U : 3U); ++k)
    needs += (k == 0 ? "" : ", ") + std::to_string((*step)[k]) + " along " + "xyz"[k];
  std::string fix = "set window to " + text(larger);
  if (smaller != larger && smaller != ask.window && fitting.takes(smaller))
    fix = "set window to " + text(smaller) + " or " + text(larger);
  return WindowMisfit{"window = " + text(ask.window) + " (x, y, z) does not suit " + model.source +
                          ", whose strides need multiples of " + needs,
                      fix};
}

}  // namespace isocenter::infer
