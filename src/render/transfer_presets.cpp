#include "render/transfer_presets.hpp"

#include <algorithm>
#include <cmath>

namespace isocenter::detail {

TransferStyle preset_style(TransferPreset preset) {
  TransferStyle s;
  switch (preset) {
    case TransferPreset::ct_bone:
      s.points = {{140, 0, 0.75, 0.35, 0.2},
                  {220, 0.25, 0.86, 0.55, 0.38},
                  {350, 0.8, 0.95, 0.84, 0.68},
                  {700, 0.98, 1.0, 0.95, 0.86},
                  {2000, 0.99, 1.0, 1.0, 0.97}};
      s.specular = 0.25F;
      break;
    case TransferPreset::ct_chest:
      s.points = {{-700, 0, 0.9, 0.6, 0.5},    {-500, 0.01, 0.95, 0.66, 0.55}, {-250, 0.012, 0.95, 0.66, 0.55},
                  {-150, 0.0, 0.9, 0.5, 0.4},  {20, 0.0, 0.8, 0.2, 0.15},      {90, 0.02, 0.75, 0.15, 0.1},
                  {160, 0.06, 0.8, 0.3, 0.2},  {240, 0.4, 0.9, 0.7, 0.5},      {400, 0.9, 1.0, 0.93, 0.8},
                  {2000, 0.98, 1.0, 1.0, 0.95}};
      break;
    case TransferPreset::ct_lung:
      s.points = {{-950, 0, 0.2, 0.3, 0.5},      {-900, 0.004, 0.3, 0.45, 0.7}, {-650, 0.03, 0.55, 0.7, 0.85},
                  {-400, 0.15, 0.9, 0.75, 0.65}, {-100, 0.0, 0.9, 0.5, 0.4},    {3000, 0.0, 1, 1, 1}};
      break;
    case TransferPreset::ct_soft_tissue:
      s.points = {{-200, 0, 0.85, 0.6, 0.5}, {-100, 0.05, 0.9, 0.7, 0.55}, {0, 0.2, 0.85, 0.5, 0.4},
                  {60, 0.5, 0.8, 0.35, 0.3}, {200, 0.8, 0.9, 0.8, 0.7},    {1000, 0.95, 1, 1, 0.95}};
      break;
    case TransferPreset::ct_vessels:
      s.points = {{120, 0, 0.7, 0.1, 0.05},
                  {180, 0.3, 0.85, 0.15, 0.1},
                  {300, 0.7, 0.95, 0.4, 0.25},
                  {500, 0.9, 1, 0.9, 0.8},
                  {2000, 0.95, 1, 1, 1}};
      break;
    case TransferPreset::mr:
      s.points = {
          {80, 0, 0.3, 0.25, 0.25}, {200, 0.02, 0.6, 0.45, 0.4}, {450, 0.1, 0.85, 0.7, 0.6}, {1000, 0.4, 1, 0.95, 0.9}};
      break;
  }
  return s;
}

std::vector<TransferPoint> points_of(const std::vector<double>& v) {
  if (v.size() % 5 != 0 || v.size() / 5 > TransferFunction::max_points)
    throw Failure(ErrorCode::invalid_argument,
                  "transfer_points has " + std::to_string(v.size()) + " numbers, and five for each of 1 to " +
                      std::to_string(TransferFunction::max_points) + " points are needed",
                  "give value, opacity, red, green, blue for each point");
  std::vector<TransferPoint> points;
  for (std::size_t i = 0; i < v.size(); i += 5) {
    const TransferPoint p{v[i], v[i + 1], v[i + 2], v[i + 3], v[i + 4]};
    const std::string which = "transfer_points, point " + std::to_string(i / 5 + 1);
    for (std::size_t c = 1; c < 5; ++c)
      if (v[i + c] < 0 || v[i + c] > 1)
        throw Failure(ErrorCode::invalid_argument,
                      which + ": opacity or colour " + to_parameter_text(v[i + c]) + " is outside [0, 1]",
                      "opacity is that of 1 mm, colours are sRGB from 0 to 1");
    if (!points.empty() && p.value <= points.back().value)
      throw Failure(ErrorCode::invalid_argument,
                    which + ": value " + to_parameter_text(p.value) + " does not come after " +
                        to_parameter_text(points.back().value),
                    "order the points by value; for a step give two values that nearly agree");
    points.push_back(p);
  }
  return points;
}

double extinction_of(double opacity) { return -std::log1p(-std::min(opacity, 0.9999)); }

double srgb_decode(double code) { return code <= 0.04045 ? code / 12.92 : std::pow((code + 0.055) / 1.055, 2.4); }

TransferFunction transfer_function(const std::vector<TransferPoint>& points, double opacity_scale) {
  TransferFunction f{};
  f.count = static_cast<int>(points.size());
  for (std::size_t i = 0; i < points.size(); ++i) {
    const TransferPoint& p = points[i];
    f.points[i].value = static_cast<float>(p.value);
    const double channels[] = {extinction_of(p.opacity) * opacity_scale, srgb_decode(p.red), srgb_decode(p.green),
                               srgb_decode(p.blue)};
    for (int c = 0; c < 4; ++c) f.points[i].channel[c] = static_cast<float>(channels[c]);
  }
  for (int i = 0; i + 1 < f.count; ++i)
    for (int c = 0; c < 4; ++c)
      f.points[i].slope[c] =
          (f.points[i + 1].channel[c] - f.points[i].channel[c]) / (f.points[i + 1].value - f.points[i].value);
  return f;
}

}  // namespace isocenter::detail
