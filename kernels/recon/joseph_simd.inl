// Included once for each instruction set, after ISOCENTER_SIMD (a target attribute), `variant_name`, `width`, `Vec` and
// the functions on it are defined; see joseph_avx512.cpp and joseph_avx2.cpp. Everything here is in that file's
// anonymous namespace. z stands for the fast axis, k for the plane along the line's own axis.
//
// All rays of a line lie in one plane along z. So in plane k they lie between the same two rows of voxels, at equal
// steps along z: c = a0 + a1 j. Forward, the two rows are blended once into a buffer, out of which each ray is one
// linear interpolation, a register of neighbouring rays at a time from two registers of the buffer. The adjoint turns
// this round: a register of neighbouring voxels collects from the rays within one voxel, two or three of them, with the
// weight 1 - |c - z|, and what it got is added to the two rows.

/// The largest |a1| with which `width` rays stay within two registers, and the largest 1 / |a1| for voxels.
constexpr float near_step = 1.7F, near_inverse = 1.4F;

/// A line in one plane.
struct Crossing {
  float a0, a1;  ///< c of ray j is a0 + a1 j
  int row;       ///< the lower of the two rows: floor(b)
  float weight0, weight1;
  int j_low, j_high;  ///< the rays that may lie on the wanted part of z
  int z_low, z_high;  ///< the voxels that they may meet
};

/// False when no ray of the line has -1 < b < nb and z0 - 1 < c < z1.
ISOCENTER_SIMD inline bool cross(const JosephLine& line, int nb, int k, int z0, int z1, Crossing* x) {
  if (k < line.first || k > line.last) return false;
  const float along = static_cast<float>(k) - line.centre;
  const float b = line.b0 + along * line.b_step0;
  if (!(b > -1.0F && b < static_cast<float>(nb))) return false;
  x->row = floor_to_int(b);
  x->weight1 = b - static_cast<float>(x->row);
  x->weight0 = 1.0F - x->weight1;
  x->a0 = line.c0 + along * line.c_step0;
  x->a1 = line.c1 + along * line.c_step1;
  const float inverse = 1.0F / x->a1;
  const float at0 = (static_cast<float>(z0 - 1) - x->a0) * inverse, at1 = (static_cast<float>(z1) - x->a0) * inverse;
  const auto end = static_cast<float>(line.end);
  x->j_low = floor_to_int(clamp(min(at0, at1), -1.0F, end));
  x->j_high = floor_to_int(clamp(max(at0, at1), -1.0F, end)) + 1;
  x->j_low = x->j_low < 0 ? 0 : x->j_low;
  x->j_high = x->j_high > line.end - 1 ? line.end - 1 : x->j_high;
  if (x->j_low > x->j_high) return false;
  const float c0 = x->a0 + x->a1 * static_cast<float>(x->j_low), c1 = x->a0 + x->a1 * static_cast<float>(x->j_high);
  const auto lowest = static_cast<float>(z0), highest = static_cast<float>(z1 - 1);
  x->z_low = floor_to_int(clamp(min(c0, c1) - 1.0F, lowest, highest));
  x->z_high = floor_to_int(clamp(max(c0, c1) + 2.0F, lowest, highest));
  return true;
}

ISOCENTER_SIMD inline Vec length_of(const JosephLine& line, Vec j) {
  return root(fma(j, fma(j, set(line.l2), set(line.l1)), set(line.l0)));
}

// ---- forward ----

/// buffer[z] = weight0 · row + weight1 · next row over the voxels that the crossing needs, in whole registers.
ISOCENTER_SIMD inline void blend(const Crossing& x, const JosephPlane& p, const float* plane, float* buffer) {
  const float w0 = x.row >= 0 ? x.weight0 : 0.0F, w1 = x.row + 1 < p.nb ? x.weight1 : 0.0F;
  const float* low = plane + static_cast<std::int64_t>(x.row >= 0 ? x.row : 0) * p.stride_b;
  const float* high = plane + static_cast<std::int64_t>(x.row + 1 < p.nb ? x.row + 1 : p.nb - 1) * p.stride_b;
  for (int z = x.z_low & ~(width - 1); z <= x.z_high; z += width)
    store(buffer + z, fma(set(w0), load(low + z), multiply(set(w1), load(high + z))));
}

/// Adds to `out` what the line's rays sum up in planes k0 .. k1 - 1.
ISOCENTER_SIMD inline void forward_planes(const JosephLine& line, const JosephPlane& p, const float* volume, int k0,
                                          int k1, int buffer_stride, float* buffers, float* out) {
  Crossing crossing[joseph_planes_at_once];
  int n = 0, j_low = line.end, j_high = -1;
  bool wide = false;
  for (int k = k0; k < k1; ++k) {
    Crossing& x = crossing[n];
    if (!cross(line, p.nb, k, 0, p.nc, &x)) continue;
    blend(x, p, volume + k * p.stride_a, buffers + n * buffer_stride + joseph_pad);
    j_low = x.j_low < j_low ? x.j_low : j_low;
    j_high = x.j_high > j_high ? x.j_high : j_high;
    wide = wide || !(x.a1 < near_step && x.a1 > -near_step);
    ++n;
  }
  const float lowest = static_cast<float>(-joseph_pad), highest = static_cast<float>((p.nc + 15) / 16 * 16);
  for (int j = j_low & ~(width - 1); j <= j_high; j += width) {
    const auto first = static_cast<float>(j);
    Vec sum = load(out + j);
    for (int i = 0; i < n; ++i) {
      const Crossing& x = crossing[i];
      const float* buffer = buffers + i * buffer_stride + joseph_pad;
      const float c = x.a0 + x.a1 * first, c_last = c + x.a1 * static_cast<float>(width - 1);
      if (wide) {
        const Vec at = fma(lanes(), set(x.a1), set(c));
        const Vec on = minimum(maximum(at, set(-1.0F)), set(static_cast<float>(p.nc)));
        sum = add(sum, interpolate_far(buffer - 1, add(on, set(1.0F))));
      } else {
        const int base = floor_to_int(clamp(min(c, c_last) - 0.01F, lowest, highest));
        sum = add(sum, interpolate_near(buffer + base, fma(lanes(), set(x.a1), set(c - static_cast<float>(base)))));
      }
    }
    store(out + j, sum);
  }
}

ISOCENTER_SIMD void forward_task(const JosephForward& job, int fast, int first, int last, int line0, int line1,
                                 float* scratch) {
  const JosephScan& s = job.scan;
  const int buffer_stride = (s.plane[fast].na + 15) / 16 * 16 + 2 * joseph_pad;
  for (int i = 0; i < joseph_planes_at_once; ++i)
    for (int z = 0; z < buffer_stride; z += width) store(scratch + i * buffer_stride + z, set(0.0F));
  const auto line_of = [&](int n, int l) {
    return job.out + n * (static_cast<std::int64_t>(s.stack.lines) * s.stack.stride) +
           static_cast<std::int64_t>(l) * s.stack.stride;
  };
  for (int n = first; n < last; ++n)
    for (int l = line0; l < line1; ++l)
      for (int j = 0; j < s.stack.stride; j += width) store(line_of(n, l) + j, set(0.0F));
  for (int axis = 0; axis < 3; ++axis) {
    if (axis == fast) continue;
    const JosephPlane& p = s.plane[axis];
    for (int k = 0; k < p.na; k += joseph_planes_at_once) {
      const int end = k + joseph_planes_at_once < p.na ? k + joseph_planes_at_once : p.na;
      for (int n = first; n < last; ++n)
        for (int l = line0; l < line1; ++l) {
          const JosephLine& line = *s.line(n, l);
          if (line.axis == axis) forward_planes(line, p, job.volume, k, end, buffer_stride, scratch, line_of(n, l));
        }
    }
  }
  for (int n = first; n < last; ++n)
    for (int l = line0; l < line1; ++l) {
      const JosephLine& line = *s.line(n, l);
      float* out = line_of(n, l);
      for (int j = 0; j < s.stack.stride; j += width)
        store(out + j, multiply(load(out + j), length_of(line, add(lanes(), set(static_cast<float>(j))))));
      for (int j = s.stack.elements; j < s.stack.stride; ++j) out[j] = 0.0F;
    }
}

// ---- adjoint ----

/// What a register of voxels z .. collects from the rays; values[j] is ray j's.
ISOCENTER_SIMD inline Vec collect(const Crossing& x, const float* values, int z, bool wide, int taps, int first,
                                  int last) {
  const float inverse = 1.0F / x.a1, step = x.a1 < 0.0F ? -x.a1 : x.a1, half = 1.0F / step;
  const float at = (static_cast<float>(z) - x.a0) * inverse;  // in rays, where the first voxel lies
  const float at_last = at + inverse * static_cast<float>(width - 1);
  const int base =
      floor_to_int(clamp(min(at, at_last) - half, static_cast<float>(first - joseph_pad), static_cast<float>(last)));
  // Ray `base` lies this far from the first voxel, in voxels: rounded as it is in the forward projection.
  const float offset = (static_cast<float>(z) - (x.a0 + x.a1 * static_cast<float>(base))) * inverse;
  const Vec position = fma(lanes(), set(inverse), set(offset));
  Vec ray = floor_of(add(position, set(1.0F - half)));
  Vec sum = set(0.0F);
  for (int m = 0; m < taps; ++m) {
    const Vec distance = subtract(ray, position);
    const Vec weight = maximum(subtract(set(1.0F), multiply(set(step), absolute(distance))), set(0.0F));
    Vec value;
    if (wide) {
      const Vec lowest = set(static_cast<float>(first - joseph_pad - base)),
                highest = set(static_cast<float>(last + 15 - base));
      value = look_up_far(values + base, minimum(maximum(ray, lowest), highest));
    } else {
      value = look_up_near(values + base, ray);
    }
    sum = fma(weight, value, sum);
    ray = add(ray, set(1.0F));
  }
  return sum;
}

ISOCENTER_SIMD inline void adjoint_line(const JosephLine& line, const JosephPlane& p, const float* in, int stride,
                                        int k0, int k1, int z0, int z1, float* values, float* tile) {
  Crossing crossing[joseph_adjoint_planes];
  bool any_ray[joseph_adjoint_planes];
  int j_low = line.end, j_high = -1;
  for (int k = k0; k < k1; ++k) {
    Crossing& x = crossing[k - k0];
    any_ray[k - k0] = cross(line, p.nb, k, z0, z1, &x);
    if (!any_ray[k - k0]) continue;
    j_low = x.j_low < j_low ? x.j_low : j_low;
    j_high = x.j_high > j_high ? x.j_high : j_high;
  }
  if (j_high < 0) return;
  // The rays' values, times their lengths, with zeros on both sides as far as a register can reach.
  const int first = j_low & ~(width - 1), last = (j_high + width) & ~(width - 1);
  for (int j = -joseph_pad; j < 0; j += width) store(values + first + j, set(0.0F));
  for (int j = first; j < last; j += width)
    store(values + j, multiply(load(in + j), length_of(line, add(lanes(), set(static_cast<float>(j))))));
  const int behind = stride + joseph_pad;  // the buffer's end
  for (int j = last; j < behind && j < last + joseph_pad; j += width) store(values + j, set(0.0F));
  for (int k = k0; k < k1; ++k) {
    if (!any_ray[k - k0]) continue;
    const Crossing& x = crossing[k - k0];
    const float step = x.a1 < 0.0F ? -x.a1 : x.a1;
    const bool wide = !(1.0F / step < near_inverse);
    const int taps = -floor_to_int(-2.0F / step) + (wide ? 1 : 0);
    float* row = tile + static_cast<std::int64_t>((k - k0) * (p.nb + 2) + x.row + 1) * joseph_tile_stride;
    float* next = row + joseph_tile_stride;
    for (int z = (x.z_low - z0) & ~(width - 1); z <= x.z_high - z0; z += width) {
      const Vec sum = collect(x, values, z0 + z, wide, taps, first, last);
      store(row + z, fma(set(x.weight0), sum, load(row + z)));
      store(next + z, fma(set(x.weight1), sum, load(next + z)));
    }
  }
}

ISOCENTER_SIMD void adjoint_task(const JosephAdjoint& job, int axis, int k0, int k1, int z0, int z1, float* scratch) {
  const JosephScan& s = job.scan;
  const JosephPlane& p = s.plane[axis];
  const int rows = (k1 - k0) * (p.nb + 2);
  float* tile = scratch;
  float* values =
      scratch + static_cast<std::int64_t>(joseph_adjoint_planes) * (p.nb + 2) * joseph_tile_stride + joseph_pad;
  for (std::int64_t i = 0; i < static_cast<std::int64_t>(rows) * joseph_tile_stride; i += width)
    store(tile + i, set(0.0F));
  for (int n = 0; n < s.views; ++n)
    for (int l = 0; l < s.stack.lines; ++l) {
      const JosephLine& line = *s.line(n, l);
      if (line.axis != axis) continue;
      const float* in = job.in + n * (static_cast<std::int64_t>(s.stack.lines) * s.stack.stride) +
                        static_cast<std::int64_t>(l) * s.stack.stride;
      adjoint_line(line, p, in, s.stack.stride, k0, k1, z0, z1, values, tile);
    }
  for (int k = k0; k < k1; ++k)
    for (int b = 0; b < p.nb; ++b) {
      const float* from = tile + (static_cast<std::int64_t>(k - k0) * (p.nb + 2) + b + 1) * joseph_tile_stride;
      float* to = job.volume + k * p.stride_a + static_cast<std::int64_t>(b) * p.stride_b + z0;
      for (int z = 0; z < z1 - z0; ++z) to[z] += from[z];
    }
}
