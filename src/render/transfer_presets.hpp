#pragma once
// Transfer functions as people write them, and how kernels take them.
#include <isocenter/render/volume_render.hpp>

#include "render/transfer_function.hpp"

namespace isocenter::detail {

/// Value, opacity of 1 mm, and colour in sRGB.
struct TransferPoint {
  double value, opacity, red, green, blue;
};

/// A preset's points, and how its surfaces stand out.
struct TransferStyle {
  std::vector<TransferPoint> points;
  double boundary = 0;  ///< gradient, value per mm, at which a sample has its full opacity; 0: anywhere
  float flat_gradient = 30;
  float ambient = 0.25F, diffuse = 0.75F, specular = 0.15F, shininess = 24;
};
TransferStyle preset_style(TransferPreset preset);

/// Points from the parameter's list of fives; throws when it is not one.
std::vector<TransferPoint> points_of(const std::vector<double>& fives);

/// Extinction -ln(1 - opacity) · scale and linear light at the points, lines between them.
TransferFunction transfer_function(const std::vector<TransferPoint>& points, double opacity_scale);

/// The same at TransferTable::entries equal steps, four numbers each, and where its entries lie (table: null).
std::vector<float> transfer_entries(const TransferFunction& function, TransferTable& placed);

/// -ln(1 - opacity) in 1/mm; opacity is held to 0.9999.
double extinction_of(double opacity);
/// Linear light from an sRGB code value (IEC 61966-2-1).
double srgb_decode(double code);

}  // namespace isocenter::detail
