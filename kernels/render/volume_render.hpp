#pragma once
#include "render/bricks.hpp"
#include "render/ray.hpp"

namespace isocenter::detail {

/// How a surface takes light: Blinn's model (SIGGRAPH 1977) on the gradient as Levoy shades volumes ("Display of
/// surfaces from volume data", IEEE CG&A 8(3), 1988), with Schlick's rational highlight in place of the power ("A fast
/// alternative to Phong's specular model", Graphics Gems IV, 1994). Both sides of a surface are lit.
struct Shading {
  float ambient, diffuse, specular, shininess;
  float flat_gradient;  ///< value per mm below which a sample is no surface and takes its colour unshaded
  float light[3];       ///< unit vector to the light, voxel-aligned mm
};

/// One pixel of direct volume rendering with emission and absorption, front to back (Max, "Optical models for direct
/// volume rendering", IEEE TVCG 1(2), 1995, section 5): with extinction τ and colour c at the samples of a ray,
///   C = Σ T_i (1 - exp(-τ_i Δ)) c_i,   T_i = exp(-Σ_{j<i} τ_j Δ).
/// A ray's way through the volume is cut into equal steps Δ of at most `step` mm; the sample of a step lies at a place
/// in it that differs from pixel to pixel, so that steps make no rings. A ray ends when less than `stop` of the light
/// behind it would come through.
///
/// Labels show as surfaces: within a sample's eight voxels the largest label counts, with the share of those that
/// carry it as its density.
///
/// With `bricks.distance` set, samples in bricks that show nothing are passed over, to the next one on the same ray
/// that may show something: the picture is the same bit for bit.
struct VolumeRenderKernel {
  static constexpr const char* name = "render/volume_render";
  static constexpr int kAllSamples = 1 << 24;  ///< more than a ray has
  Sampler volume;
  const std::uint8_t* labels;  ///< of the same grid, or null
  const float* label_table;    ///< for each of 256 labels: red, green, blue (linear), extinction in 1/mm
  TransferTable transfer;
  BrickGrid bricks;  ///< distance null: every sample is taken
  Camera camera;
  Shading shading;
  float inverse_spacing[3];  ///< 1/mm
  float step, stop;
  float boundary_gain;  ///< mm per value: extinction times min(gradient · gain, 1); 0: extinction as it is
  float background_top[3], background_bottom[3];  ///< linear light
  std::uint8_t* pixels;                           ///< of one frame, RGB
  int width, height;

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes lanes, int x, int y, int) const {
    using Float = typename Lanes::Float;
    const Float px = to_float(Lanes::iota(x)), py = Float{} + static_cast<float>(y);
    const Ray<Float> ray = ray_of(camera, volume, inverse_spacing, px, py);
    const auto count = step_count(ray.length, step);
    const Float dt = ray.length / max(to_float(count), Float{} + 1.0F);
    const Float first = ray.begin + dt * pixel_noise(px, py);
    const Float per_step = 1.0F / max(dt, Float{} + 1e-6F);

    Rgb<Float> light{Float{}, Float{}, Float{}};
    Float through = Float{} + 1.0F;
    auto n = count * 0;
    auto alive = n < count;
    while (any(alive)) {
      // How many samples from here on have the same content, and how many of them all rays that show something share.
      auto same = n * 0 + kAllSamples;
      Float content = labels != nullptr ? Float{} - 1.0F : Float{};
      if (bricks.distance != nullptr) content = brick_content(ray, first + to_float(n) * dt, per_step, same);
      const auto shows = both(alive, content <= 0.0F);
      const int run = any(shows) ? smallest(select(shows, same, n * 0 + kAllSamples)) : 0;
      for (int i = 0; i < run; ++i) {
        const auto taken = both(shows, both(n + i<count, through> stop));
        if (!any(taken)) break;
        const Float t = first + to_float(n + i) * dt;
        add_sample(lanes, ray, taken, content, t, dt, light, through);
      }
      n = n + select(shows, n * 0 + run, same);
      alive = both(n<count, through> stop);
    }

    const float down = static_cast<float>(y) / static_cast<float>(height);
    const Rgb<Float> seen{light.r + through * background(0, down), light.g + through * background(1, down),
                          light.b + through * background(2, down)};
    store_rgb(pixels + (static_cast<std::int64_t>(y) * width + x) * 3,
              Rgb<Float>{srgb_encode(seen.r), srgb_encode(seen.g), srgb_encode(seen.b)});
  }

 private:
  ISOCENTER_HD float background(int channel, float down) const {
    return background_top[channel] + down * (background_bottom[channel] - background_top[channel]);
  }
  ISOCENTER_HD bool lit() const { return shading.diffuse > 0.0F || shading.specular > 0.0F; }

  /// What the brick at t shows, and how many samples from there on are in it, or in the empty bricks around it.
  template <class Float, class Int>
  ISOCENTER_HD Float brick_content(const Ray<Float>& ray, Float t, Float per_step, Int& same) const {
    const Float sx = ray.ox + t * ray.dx, sy = ray.oy + t * ray.dy, sz = ray.oz + t * ray.dz;
    const auto brick = bricks.at(clamp(sx, 0.0F, static_cast<float>(volume.nx - 1)),
                                 clamp(sy, 0.0F, static_cast<float>(volume.ny - 1)),
                                 clamp(sz, 0.0F, static_cast<float>(volume.nz - 1)));
    const Float content = gather(bricks.distance, brick.index);
    same = bricks.samples_inside(brick, sx, sy, sz, ray.dx, ray.dy, ray.dz, max(content - 1.0F, Float{}), per_step);
    return content;
  }

  template <class Lanes, class Float, class Condition>
  ISOCENTER_HD void add_sample(Lanes lanes, const Ray<Float>& ray, Condition shows, Float content, Float t, Float dt,
                               Rgb<Float>& light, Float& through) const {
    const Float x = ray.ox + t * ray.dx, y = ray.oy + t * ray.dy, z = ray.oz + t * ray.dz;
    const auto cell = volume.cell(x, y, z);
    Float looks[4];
    gather_four(lanes, transfer.table, transfer.at(volume.value(lanes, cell)), looks);
    Float tau = select(shows, looks[3], Float{});
    Rgb<Float> colour{looks[0], looks[1], looks[2]};
    if ((boundary_gain > 0.0F || lit()) && any(tau > 0.0F)) {
      Gradient<Float> g;
      volume.central_differences(lanes, cell, g.x, g.y, g.z);
      scale(g);
      if (boundary_gain > 0.0F) tau = tau * min(g.length * boundary_gain, Float{} + 1.0F);
      if (lit()) colour = shade(ray, g, colour, shading.flat_gradient);
    }
    const auto labelled = both(shows, content < 0.0F);
    if (any(labelled)) add_labels(ray, labelled, x, y, z, tau, colour);
    const Float passed = exp_negative(tau * dt);
    const Float weight = through * (1.0F - passed);
    light.r += weight * colour.r;
    light.g += weight * colour.g;
    light.b += weight * colour.b;
    through = through * passed;
  }

  template <class Float>
  struct Gradient {
    Float x, y, z;  ///< value per mm, voxel-aligned
    Float length;
  };
  /// From values per voxel to values per mm.
  template <class Float>
  ISOCENTER_HD void scale(Gradient<Float>& g) const {
    g.x = g.x * inverse_spacing[0];
    g.y = g.y * inverse_spacing[1];
    g.z = g.z * inverse_spacing[2];
    g.length = square_root(g.x * g.x + g.y * g.y + g.z * g.z);
  }

  template <class Float>
  ISOCENTER_HD Rgb<Float> shade(const Ray<Float>& ray, const Gradient<Float>& g, const Rgb<Float>& colour,
                                float flat_gradient) const {
    // Half way between the light and the eye, which looks along the ray.
    const Float hx = shading.light[0] - ray.mx, hy = shading.light[1] - ray.my, hz = shading.light[2] - ray.mz;
    const Float half = inverse_sqrt(max(hx * hx + hy * hy + hz * hz, Float{} + 1e-12F));
    const Float unit = 1.0F / max(g.length, Float{} + 1e-12F);
    const Float towards_light = (g.x * shading.light[0] + g.y * shading.light[1] + g.z * shading.light[2]) * unit;
    const Float towards_half = (g.x * hx + g.y * hy + g.z * hz) * unit * half;
    const Float lambert = max(towards_light, 0.0F - towards_light);
    const Float mirrored = max(towards_half, 0.0F - towards_half);
    const Float highlight = mirrored / (shading.shininess - shading.shininess * mirrored + mirrored);
    const Float surface = g.length / (g.length + flat_gradient + 1e-12F);
    const float flat = shading.ambient + 0.5F * shading.diffuse;
    const Float body = flat + surface * (shading.ambient + shading.diffuse * lambert - flat);
    const Float gloss = surface * shading.specular * highlight;
    return {colour.r * body + gloss, colour.g * body + gloss, colour.b * body + gloss};
  }

  /// Adds the label around a place to its extinction and colour.
  template <class Float, class Condition>
  ISOCENTER_HD void add_labels(const Ray<Float>& ray, Condition shows, Float x, Float y, Float z, Float& tau,
                               Rgb<Float>& colour) const {
    const auto label = largest_label(x, y, z);
    const Float strongest = gather(label_table, label * 4 + 3);
    if (!any(both(shows, strongest > 0.0F))) return;
    const Float share = label_share(label, x, y, z);
    const Float edge = clamp((share - 0.25F) * 2.0F, 0.0F, 1.0F);  // a surface at one half
    const Float own = select(shows, strongest * edge * edge * (3.0F - 2.0F * edge), Float{});
    if (!any(own > 0.0F)) return;
    const Rgb<Float> paint{gather(label_table, label * 4), gather(label_table, label * 4 + 1),
                           gather(label_table, label * 4 + 2)};
    Gradient<Float> g;
    g.x = 0.5F * (label_share(label, x + 1.0F, y, z) - label_share(label, x - 1.0F, y, z));
    g.y = 0.5F * (label_share(label, x, y + 1.0F, z) - label_share(label, x, y - 1.0F, z));
    g.z = 0.5F * (label_share(label, x, y, z + 1.0F) - label_share(label, x, y, z - 1.0F));
    scale(g);
    const Rgb<Float> shaded = shade(ray, g, paint, 0.02F);
    const Float sum = max(tau + own, Float{} + 1e-12F);
    colour.r = (colour.r * tau + shaded.r * own) / sum;
    colour.g = (colour.g * tau + shaded.g * own) / sum;
    colour.b = (colour.b * tau + shaded.b * own) / sum;
    tau = tau + own;
  }
  /// The largest of the eight labels around a place.
  template <class Float>
  ISOCENTER_HD auto largest_label(Float x, Float y, Float z) const {
    const auto c = volume.cell(x, y, z);
    auto most = gather_byte(labels, c.index);
    for (int corner = 1; corner < 8; ++corner) {
      const int offset = ((corner & 1) != 0 ? volume.step_x() : 0) + ((corner & 2) != 0 ? volume.step_y() : 0) +
                         ((corner & 4) != 0 ? volume.step_z() : 0);
      most = max(most, gather_byte(labels + offset, c.index));
    }
    return most;
  }
  /// The share of the eight voxels around a place that carry `label`, weighted as trilinear interpolation does.
  template <class Float, class Int>
  ISOCENTER_HD Float label_share(Int label, Float x, Float y, Float z) const {
    const auto c = volume.cell(x, y, z);
    const int sy = volume.step_y(), sz = volume.step_z();
    return c.mix_yz(label_row(label, c.index, c.fx), label_row(label, c.index + sy, c.fx),
                    label_row(label, c.index + sz, c.fx), label_row(label, c.index + (sy + sz), c.fx));
  }
  template <class Float, class Int>
  ISOCENTER_HD Float label_row(Int label, Int index, Float fx) const {
    const Float one = Float{} + 1.0F;
    const Float a = select(gather_byte(labels, index) == label, one, Float{});
    const Float b = select(gather_byte(labels + volume.step_x(), index) == label, one, Float{});
    return a + fx * (b - a);
  }
};

}  // namespace isocenter::detail
