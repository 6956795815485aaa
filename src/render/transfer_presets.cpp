#include "render/transfer_presets.hpp"

#include <algorithm>
#include <cmath>

namespace isocenter::detail {

TransferStyle preset_style(TransferPreset preset) {
  TransferStyle s;
  switch (preset) {
    case TransferPreset::ct_bone:
      s.points = {{160, 0, 0.72, 0.36, 0.24},
                  {230, 0.3, 0.86, 0.62, 0.46},
                  {380, 0.9, 0.95, 0.87, 0.76},
                  {800, 0.98, 0.99, 0.95, 0.89},
                  {2000, 0.99, 1.0, 1.0, 0.98}};
      s.ambient = 0.2F;
      s.diffuse = 0.85F;
      break;
    case TransferPreset::ct_chest:
      // Bones in front of lungs in front of skin: surfaces only, so that what they enclose stays clear.
      s.points = {{-900, 0, 0.25, 0.45, 0.8},    {-820, 0.015, 0.25, 0.45, 0.8}, {-700, 0.035, 0.4, 0.6, 0.85},
                  {-500, 0.07, 0.8, 0.55, 0.55}, {-300, 0.05, 0.95, 0.66, 0.52}, {-150, 0.006, 0.95, 0.7, 0.55},
                  {-60, 0.002, 0.9, 0.65, 0.45}, {30, 0.006, 0.8, 0.25, 0.2},    {90, 0.012, 0.8, 0.2, 0.15},
                  {160, 0.03, 0.8, 0.4, 0.3},    {240, 0.5, 0.88, 0.68, 0.52},   {420, 0.97, 0.96, 0.9, 0.81},
                  {1200, 0.99, 1.0, 0.98, 0.95}};
      s.boundary = 250;
      s.ambient = 0.2F;
      s.diffuse = 0.85F;
      break;
    case TransferPreset::ct_lung:
      // Airways and vessels inside the lungs; skin passes the same values, but within a millimetre.
      s.points = {{-960, 0, 0.3, 0.5, 0.85},    {-900, 0.003, 0.3, 0.5, 0.85}, {-800, 0.005, 0.4, 0.6, 0.9},
                  {-680, 0.03, 0.85, 0.6, 0.6}, {-500, 0.1, 0.95, 0.55, 0.5},  {-350, 0.14, 0.97, 0.62, 0.55},
                  {-220, 0.05, 0.97, 0.7, 0.6}, {-150, 0, 0.95, 0.7, 0.6}};
      s.specular = 0.1F;
      break;
    case TransferPreset::ct_soft_tissue:
      s.points = {{-400, 0, 0.9, 0.7, 0.6},      {-250, 0.35, 0.93, 0.72, 0.6}, {-120, 0.1, 0.95, 0.75, 0.5},
                  {-20, 0.12, 0.85, 0.45, 0.35}, {60, 0.5, 0.8, 0.3, 0.25},     {200, 0.8, 0.9, 0.75, 0.65},
                  {500, 0.97, 0.97, 0.92, 0.84}, {1500, 0.99, 1, 1, 0.96}};
      break;
    case TransferPreset::ct_vessels:
      s.points = {{130, 0, 0.7, 0.1, 0.05},
                  {180, 0.25, 0.82, 0.15, 0.1},
                  {300, 0.6, 0.93, 0.4, 0.25},
                  {450, 0.9, 0.95, 0.85, 0.75},
                  {2000, 0.97, 1, 1, 0.98}};
      break;
    case TransferPreset::mr:
      s.points = {{60, 0, 0.35, 0.3, 0.3},
                  {150, 0.03, 0.55, 0.45, 0.42},
                  {350, 0.12, 0.8, 0.66, 0.58},
                  {700, 0.35, 0.95, 0.87, 0.8},
                  {1000, 0.6, 1, 0.97, 0.94}};
      s.boundary = 60;
      s.flat_gradient = 20;
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

std::vector<float> transfer_entries(const TransferFunction& f, TransferTable& placed) {
  const float first = f.points[0].value, last = f.points[f.count - 1].value;
  placed = {nullptr, first, last > first ? (TransferTable::entries - 1) / (last - first) : 0.0F};
  std::vector<float> entries;
  entries.reserve(4 * TransferTable::entries);
  for (int i = 0; i < TransferTable::entries; ++i) {
    const float v = first + (last - first) * static_cast<float>(i) / (TransferTable::entries - 1);
    for (const int channel : {1, 2, 3, 0}) entries.push_back(f.channel(channel, v));
  }
  return entries;
}

}  // namespace isocenter::detail
