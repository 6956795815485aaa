// Included once for each instruction set, after joseph_simd.inl. Everything here is in that file's anonymous namespace.
// c is the axis of a plane that is contiguous in memory, b the other one; z stands for c in the adjoint.
//
// A register of neighbouring rays spans a few rows of voxels and less than two registers of each. So the bilinear
// sample is a sum over the rows: the hat weight 1 - |b - row| times one linear interpolation out of two registers; no
// gathers. The adjoint turns this round: what the rays of a line share is computed once a plane, then a register of
// neighbouring voxels collects from the rays within one voxel along c, out of two registers again, for all rows that
// these rays meet. A 2-D scan has one row.

/// Rounding of a position, in voxels, that a choice of rows or registers must survive.
constexpr float slack = 0.01F;

ISOCENTER_SIMD inline Vec hat(Vec distance) { return maximum(subtract(set(1.0F), absolute(distance)), set(0.0F)); }
ISOCENTER_SIMD inline int limit(int i, int low, int high) { return i < low ? low : i > high ? high : i; }

// ---- forward ----

/// b and c of one ray in plane k: centre + (k - line.centre) step.
struct RayEnd {
  float b_centre, b_step, c_centre, c_step;
  ISOCENTER_SIMD RayEnd(const JosephLine& line, int ray) {
    const auto j = static_cast<float>(ray);
    const float r = 1.0F / (1.0F + line.r1 * j);
    b_centre = (line.b0 + line.b1 * j) * r, b_step = (line.b_step0 + line.b_step1 * j) * r;
    c_centre = (line.c0 + line.c1 * j) * r, c_step = (line.c_step0 + line.c_step1 * j) * r;
  }
};

/// Where a register of rays meets joseph_any_planes planes; the planes are the lanes here.
struct Meeting {
  alignas(64) float c_low[joseph_any_planes], c_high[joseph_any_planes];
  alignas(64) std::int32_t base[joseph_any_planes];  ///< of the two registers, kept within a row
  alignas(64) std::int32_t row_begin[joseph_any_planes], row_end[joseph_any_planes];

  ISOCENTER_SIMD Meeting(const JosephLine& line, const JosephPlane& p, int k0, const RayEnd& one, const RayEnd& other) {
    const auto room = static_cast<float>((p.nc + 15) / 16 * 16 - 2 * width);
    for (int i = 0; i < joseph_any_planes; i += width) {
      const Vec along = add(lanes(), set(static_cast<float>(k0 + i) - line.centre));
      const Vec c0 = fma(along, set(one.c_step), set(one.c_centre)),
                c1 = fma(along, set(other.c_step), set(other.c_centre));
      const Vec b0 = fma(along, set(one.b_step), set(one.b_centre)),
                b1 = fma(along, set(other.b_step), set(other.b_centre));
      const Vec low = subtract(minimum(c0, c1), set(slack));
      store(c_low + i, low);
      store(c_high + i, add(maximum(c0, c1), set(slack)));
      store_integers(base + i, minimum(maximum(floor_of(low), set(0.0F)), set(room)));
      const Vec begin = floor_of(subtract(minimum(b0, b1), set(slack)));
      const Vec end = add(floor_of(add(maximum(b0, b1), set(slack))), set(2.0F));
      const auto rows = static_cast<float>(p.nb);
      store_integers(row_begin + i, minimum(maximum(begin, set(0.0F)), set(rows)));
      store_integers(row_end + i, minimum(maximum(end, set(0.0F)), set(rows)));
    }
  }
};

/// What a register of rays that begins with `first` sums up in planes k0 .. k1 - 1, joseph_any_planes at most.
ISOCENTER_SIMD inline Vec sum_planes(const JosephLine& line, const JosephPlane& p, const float* volume, int k0, int k1,
                                     int first) {
  const int last = first + width < line.end ? first + width - 1 : line.end - 1;
  const Meeting at(line, p, k0, RayEnd(line, first), RayEnd(line, last));
  const Vec j = add(lanes(), set(static_cast<float>(first)));
  const Vec r = divide(set(1.0F), fma(set(line.r1), j, set(1.0F)));
  const Vec b_centre = multiply(fma(set(line.b1), j, set(line.b0)), r);
  const Vec b_step = multiply(fma(set(line.b_step1), j, set(line.b_step0)), r);
  const Vec c_centre = multiply(fma(set(line.c1), j, set(line.c0)), r);
  const Vec c_step = multiply(fma(set(line.c_step1), j, set(line.c_step0)), r);
  const bool two_registers = (p.nc + 15) / 16 * 16 >= 2 * width;
  const auto end = static_cast<float>(p.nc);
  Vec sum = set(0.0F);
  for (int k = k0; k < k1; ++k) {
    const float c_low = at.c_low[k - k0], c_high = at.c_high[k - k0];
    if (!(c_high > -1.0F && c_low < end)) continue;
    const Vec along = set(static_cast<float>(k) - line.centre);
    const Vec c = fma(along, c_step, c_centre), b = fma(along, b_step, b_centre);
    const int base = at.base[k - k0], row_end = at.row_end[k - k0];
    const float* plane = volume + k * p.stride_a;
    if (two_registers && c_low >= 0.0F && c_high <= end - 1.0F &&
        c_high - static_cast<float>(base) < static_cast<float>(2 * width - 1)) {
      const Vec place = subtract(c, set(static_cast<float>(base)));
      for (int row = at.row_begin[k - k0]; row < row_end; ++row)
        sum = fma(hat(subtract(b, set(static_cast<float>(row)))),
                  interpolate_near(plane + static_cast<std::int64_t>(row) * p.stride_b + base, place), sum);
      continue;
    }
    // At the volume's border the two neighbours along c get hat weights too, which vanish beyond it.
    const Vec low = minimum(maximum(floor_of(c), set(0.0F)), set(p.nc > 1 ? end - 2.0F : 0.0F));
    const Vec distance = subtract(c, low);
    const Vec weight_low = hat(distance), weight_high = hat(subtract(distance, set(1.0F)));
    const bool near = two_registers && c_high - max(c_low, 0.0F) < static_cast<float>(2 * width - 2);
    const Vec place = near ? subtract(low, set(static_cast<float>(base))) : low;
    const Vec one_up = add(place, set(1.0F));
    for (int row = at.row_begin[k - k0]; row < row_end; ++row) {
      const float* from = plane + static_cast<std::int64_t>(row) * p.stride_b;
      const Vec v0 = near ? look_up_near(from + base, place) : look_up_far(from, place);
      const Vec v1 = near ? look_up_near(from + base, one_up) : look_up_far(from, one_up);
      const Vec weight = hat(subtract(b, set(static_cast<float>(row))));
      sum = fma(weight, fma(weight_low, v0, multiply(weight_high, v1)), sum);
    }
  }
  return sum;
}

ISOCENTER_SIMD void forward_any_task(const JosephForward& job, const JosephTurned& turned, int first, int last,
                                     int line0, int line1) {
  const JosephScan& s = job.scan;
  const auto line_of = [&](int n, int l) {
    return job.out + n * (static_cast<std::int64_t>(s.stack.lines) * s.stack.stride) +
           static_cast<std::int64_t>(l) * s.stack.stride;
  };
  for (int n = first; n < last; ++n)
    for (int l = line0; l < line1; ++l)
      for (int j = 0; j < s.stack.stride; j += width) store(line_of(n, l) + j, set(0.0F));
  for (int axis = 0; axis < 3; ++axis) {
    const JosephPlane& p = axis == turned.fast ? turned.plane : s.plane[axis];
    const float* volume = axis == turned.fast ? turned.volume : job.volume;
    for (int k = 0; k < p.na; k += joseph_any_planes)
      for (int n = first; n < last; ++n)
        for (int l = line0; l < line1; ++l)
          for (int run = 0; run < s.runs; ++run) {
            const JosephLine& line = s.line(n, l)[run];
            if (line.axis != axis) continue;
            const int k0 = k > line.first ? k : line.first;
            const int k1 = k + joseph_any_planes <= line.last ? k + joseph_any_planes : line.last + 1;
            if (k0 >= k1) continue;
            float* out = line_of(n, l);
            for (int j = line.begin; j < line.end; j += width) {
              const int count = limit(line.end - j, 0, width);
              store_part(out + j, add(load_part(out + j, count), sum_planes(line, p, volume, k0, k1, j)), count);
            }
          }
  }
  for (int n = first; n < last; ++n)
    for (int l = line0; l < line1; ++l)
      for (int run = 0; run < s.runs; ++run) {
        const JosephLine& line = s.line(n, l)[run];
        float* out = line_of(n, l);
        for (int i = line.begin; i < line.end; i += width) {
          const Vec j = add(lanes(), set(static_cast<float>(i)));
          const Vec length = divide(length_of(line, j), absolute(fma(set(line.r1), j, set(1.0F))));
          const int count = limit(line.end - i, 0, width);
          store_part(out + i, multiply(load_part(out + i, count), length), count);
        }
      }
}

// ---- adjoint ----

/// The rays of a line with zeros on both sides: what they carry, and where they meet one plane.
struct LineOfRays {
  float *value, *b_centre, *b_step, *c_centre, *c_step;  ///< of the line
  float *weighted, *b, *c;                               ///< in the plane; `weighted` for a single row
  const float* carried;                                  ///< value, or weighted
  bool even;                                             ///< rays from the line's first on lie at equal steps along c
  bool level;                                            ///< of a single row: b is the same in every plane
  int begin, count;                                      ///< the first ray's number; place i is ray begin + i
  int z_begin, z_end;                                    ///< the voxels that they may meet
  float a0, a1, r1;                                      ///< ray j lies at c = (a0 + a1 j) / (1 + r1 j)
  float c_least, c_most;
  float half;  ///< how many rays lie within one voxel on one side, at most
  int taps;    ///< and on both
};

constexpr int arrays_of_a_line = 8;

ISOCENTER_SIMD inline LineOfRays room_for_rays(float* scratch, int stride) {
  const std::int64_t room = stride + 2 * joseph_pad;
  for (std::int64_t i = 0; i < arrays_of_a_line * room; i += width) store(scratch + i, set(0.0F));
  const auto array = [&](int i) { return scratch + joseph_pad + i * room; };
  LineOfRays x{};
  x.value = array(0), x.b_centre = array(1), x.b_step = array(2), x.c_centre = array(3), x.c_step = array(4);
  x.weighted = array(5), x.b = array(6), x.c = array(7);
  return x;
}

/// Whether some ray may have -1 < b < nb and z0 - 1 < c < z1 in some plane of k0 .. k1: b and c of a plane are
/// monotonous along the line, those of a ray from plane to plane, so that the four corners decide.
ISOCENTER_SIMD inline bool may_meet(const JosephLine& line, const JosephPlane& p, int k0, int k1, int z0, int z1) {
  const RayEnd ends[2] = {RayEnd(line, line.begin), RayEnd(line, line.end - 1)};
  float b_low = 1e30F, b_high = -1e30F, c_low = 1e30F, c_high = -1e30F;
  for (const RayEnd& ray : ends)
    for (const int k : {k0, k1}) {
      const float along = static_cast<float>(k) - line.centre;
      const float b = ray.b_centre + along * ray.b_step, c = ray.c_centre + along * ray.c_step;
      b_low = min(b_low, b), b_high = max(b_high, b), c_low = min(c_low, c), c_high = max(c_high, c);
    }
  return b_high + slack > -1.0F && b_low - slack < static_cast<float>(p.nb) &&
         c_high + slack > static_cast<float>(z0 - 1) && c_low - slack < static_cast<float>(z1);
}

/// Whether a ray's distance from a single row changes by less than rounding over all planes.
ISOCENTER_SIMD inline bool is_level(const JosephLine& line, const JosephPlane& p) {
  const auto deep = static_cast<float>(p.na);
  for (const RayEnd& ray : {RayEnd(line, line.begin), RayEnd(line, line.end - 1)})
    if (!(ray.b_step * deep < 1e-6F && ray.b_step * deep > -1e-6F)) return false;
  return p.nb == 1;
}

ISOCENTER_SIMD inline void take_line(const JosephLine& line, const JosephPlane& p, const float* in, LineOfRays* x) {
  // What an earlier, longer line left behind this one's end.
  const int count = line.end - line.begin;
  for (int i = count; i < x->count; i += width)
    for (float* array : {x->value, x->weighted}) store(array + i, set(0.0F));
  x->begin = line.begin, x->count = count, x->r1 = line.r1;
  x->even = line.r1 == 0.0F && line.begin == 0, x->level = is_level(line, p);
  for (int i = 0; i < count; i += width) {
    const Vec j = add(lanes(), set(static_cast<float>(line.begin + i)));
    const Vec r = divide(set(1.0F), fma(set(line.r1), j, set(1.0F)));
    const int part = limit(count - i, 0, width);
    store_part(x->value + i, multiply(multiply(load_part(in + line.begin + i, part), length_of(line, j)), absolute(r)),
               part);
    store_part(x->b_centre + i, multiply(fma(set(line.b1), j, set(line.b0)), r), part);
    store_part(x->b_step + i, multiply(fma(set(line.b_step1), j, set(line.b_step0)), r), part);
    store_part(x->c_centre + i, multiply(fma(set(line.c1), j, set(line.c0)), r), part);
    store_part(x->c_step + i, multiply(fma(set(line.c_step1), j, set(line.c_step0)), r), part);
    if (x->level) store(x->weighted + i, multiply(load(x->value + i), hat(load(x->b_centre + i))));
  }
}

/// False when no ray has z0 - 1 < c < z1.
ISOCENTER_SIMD inline bool meet(const JosephLine& line, const JosephPlane& p, int k, int z0, int z1, LineOfRays* x) {
  const float along = static_cast<float>(k) - line.centre;
  const int last = x->count - 1;
  const float c0 = x->c_centre[0] + along * x->c_step[0], c1 = x->c_centre[last] + along * x->c_step[last];
  x->c_least = min(c0, c1), x->c_most = max(c0, c1);
  const auto low_z = static_cast<float>(z0 - 1), high_z = static_cast<float>(z1);
  if (!(x->c_most > low_z && x->c_least < high_z)) return false;
  x->z_begin = limit(floor_to_int(max(x->c_least - 1.0F, low_z)), z0, z1 - 1);
  x->z_end = limit(floor_to_int(min(x->c_most + 2.0F, high_z)) + 1, x->z_begin + 1, z1);
  x->a0 = line.c0 + along * line.c_step0, x->a1 = line.c1 + along * line.c_step1;
  const float d0 = 1.0F + line.r1 * static_cast<float>(line.begin),
              d1 = 1.0F + line.r1 * static_cast<float>(line.end - 1);
  const float turn = x->a1 - x->a0 * line.r1;
  x->half = max(d0 * d0, d1 * d1) / (turn < 0.0F ? -turn : turn) + slack;
  x->taps = floor_to_int(2.0F * x->half) + 1;
  x->carried = p.nb == 1 ? x->weighted : x->value;
  if (x->level && x->even) return true;  // what the line has says it all
  const Vec deep = set(along);
  for (int i = 0; i <= last; i += width) {
    store(x->c + i, fma(deep, load(x->c_step + i), load(x->c_centre + i)));
    if (x->level) continue;
    const Vec b = fma(deep, load(x->b_step + i), load(x->b_centre + i));
    if (p.nb == 1)
      store(x->weighted + i, multiply(load(x->value + i), hat(b)));
    else
      store(x->b + i, b);
  }
  return true;
}

/// The voxels z .. of `rows` rows collect from the rays from `base` on.
template <int rows, bool near>
ISOCENTER_SIMD inline void collect_rows(const LineOfRays& x, const JosephPlane& p, int base, Vec ray, int z, int part,
                                        int row, float* plane) {
  const Vec at = add(lanes(), set(static_cast<float>(z)));
  Vec sum[rows];
  for (int q = 0; q < rows; ++q) sum[q] = set(0.0F);
  for (int m = 0; m < x.taps; ++m) {
    const Vec c = near ? look_up_near(x.c + base, ray) : look_up_far(x.c + base, ray);
    const Vec value = near ? look_up_near(x.carried + base, ray) : look_up_far(x.carried + base, ray);
    const Vec weighted = multiply(hat(subtract(c, at)), value);
    if constexpr (rows == 1) {
      sum[0] = add(sum[0], weighted);
    } else {
      const Vec b = near ? look_up_near(x.b + base, ray) : look_up_far(x.b + base, ray);
#pragma GCC unroll 4
      for (int q = 0; q < rows; ++q) sum[q] = fma(weighted, hat(subtract(b, set(static_cast<float>(row + q)))), sum[q]);
    }
    ray = add(ray, set(1.0F));
  }
  for (int q = 0; q < rows && row + q < p.nb; ++q) {
    float* to = plane + static_cast<std::int64_t>(row + q) * p.stride_b + z;
    if (part == width)
      store(to, add(load(to), sum[q]));
    else
      store_part(to, add(load_part(to, part), sum[q]), part);
  }
}

/// The same of a single row whose rays lie at equal steps along c, which needs no look-up of c.
template <bool near>
ISOCENTER_SIMD inline void collect_evenly(const LineOfRays& x, int base, Vec ray, int z, int part, float* plane) {
  const Vec at = subtract(add(lanes(), set(static_cast<float>(z))), set(x.a0));
  const Vec step = set(x.a1), first = set(static_cast<float>(base));
  Vec sum = set(0.0F);
  for (int m = 0; m < x.taps; ++m) {
    const Vec value = near ? look_up_near(x.carried + base, ray) : look_up_far(x.carried + base, ray);
    sum = fma(hat(fma(step, add(ray, first), subtract(set(0.0F), at))), value, sum);
    ray = add(ray, set(1.0F));
  }
  if (part == width)
    store(plane + z, add(load(plane + z), sum));
  else
    store_part(plane + z, add(load_part(plane + z, part), sum), part);
}

template <bool near>
ISOCENTER_SIMD inline void collect_any(const LineOfRays& x, const JosephPlane& p, int base, int last, Vec ray, int z,
                                       int part, float* plane) {
  if (x.level && x.even) return collect_evenly<near>(x, base, ray, z, part, plane);
  if (p.nb == 1) return collect_rows<1, near>(x, p, base, ray, z, part, 0, plane);
  const float b0 = x.b[limit(base, 0, x.count - 1)], b1 = x.b[limit(last, 0, x.count - 1)];
  const auto highest = static_cast<float>(p.nb);
  const int row_begin = limit(floor_to_int(clamp(min(b0, b1) - slack, -1.0F, highest)), 0, p.nb);
  const int row_end = limit(floor_to_int(clamp(max(b0, b1) + slack, -2.0F, highest)) + 2, 0, p.nb);
  int row = row_begin;
  for (; row + 2 < row_end; row += 4) collect_rows<4, near>(x, p, base, ray, z, part, row, plane);
  if (row < row_end) collect_rows<2, near>(x, p, base, ray, z, part, row, plane);
}

ISOCENTER_SIMD inline void spread_any(const LineOfRays& x, const JosephPlane& p, float* plane) {
  alignas(64) float first_ray[width];
  const float lowest = static_cast<float>(-x.taps), highest = static_cast<float>(x.count);
  const Vec inverse = set(1.0F / x.a1);
  for (int z = x.z_begin & ~(width - 1); z < x.z_end; z += width) {
    // Voxels beyond the outermost rays look where these are.
    const Vec at = minimum(maximum(add(lanes(), set(static_cast<float>(z))), set(x.c_least)), set(x.c_most));
    const Vec from = subtract(at, set(x.a0));
    const Vec position = x.even ? multiply(from, inverse) : divide(from, subtract(set(x.a1), multiply(at, set(x.r1))));
    const Vec low = add(floor_of(subtract(position, set(x.half))), set(1.0F - static_cast<float>(x.begin)));
    const Vec ray = minimum(maximum(low, set(lowest)), set(highest));
    store(first_ray, ray);
    const float r0 = min(first_ray[0], first_ray[width - 1]), r1 = max(first_ray[0], first_ray[width - 1]);
    const int base = static_cast<int>(r0), last = static_cast<int>(r1) + x.taps - 1;
    const Vec from_base = subtract(ray, set(r0));
    const int part = limit(p.nc - z, 0, width);
    if (last - base < 2 * width)
      collect_any<true>(x, p, base, last, from_base, z, part, plane);
    else
      collect_any<false>(x, p, base, last, from_base, z, part, plane);
  }
}

ISOCENTER_SIMD void adjoint_any_task(const JosephAdjoint& job, const JosephTurned& turned, int axis, int k0, int k1,
                                     int z0, int z1, float* scratch) {
  const JosephScan& s = job.scan;
  const JosephPlane& p = axis == turned.fast ? turned.plane : s.plane[axis];
  float* volume = axis == turned.fast ? turned.volume : job.volume;
  LineOfRays x = room_for_rays(scratch, s.stack.stride);
  for (int n = 0; n < s.views; ++n)
    for (int l = 0; l < s.stack.lines; ++l)
      for (int run = 0; run < s.runs; ++run) {
        const JosephLine& line = s.line(n, l)[run];
        const int first = k0 > line.first ? k0 : line.first, last = k1 - 1 < line.last ? k1 - 1 : line.last;
        if (line.axis != axis || first > last || !may_meet(line, p, first, last, z0, z1)) continue;
        take_line(line, p,
                  job.in + n * (static_cast<std::int64_t>(s.stack.lines) * s.stack.stride) +
                      static_cast<std::int64_t>(l) * s.stack.stride,
                  &x);
        for (int k = first; k <= last; ++k)
          if (meet(line, p, k, z0, z1, &x)) spread_any(x, p, volume + k * p.stride_a);
      }
}
