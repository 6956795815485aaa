// Included once for each instruction set, after registers_*.inl; see helical_avx512.cpp and
// helical_avx2.cpp. Everything here is in that file's anonymous namespace.
//
// The idea: for one direction and half turn, a voxel column (x, y) meets one column u of the parallel view, and the
// detector's row is linear in z. So the two neighbouring columns are blended once into a line and z is walked, with a
// weight that depends on the row only. Readings and weights of all half turns of a direction are summed along the
// column before one is divided by the other.

constexpr int tile_x = 16, tile_y = 8;
constexpr int z_block_max = 256;
constexpr int column_stride = z_block_max + 16;  // not a power of two, so that neighbours share no cache set
constexpr int line_length = 640;                 // floats: z_block_max * 1.7 + three slices + alignment + registers

struct Scratch {
  alignas(64) float tile[tile_x * tile_y * column_stride];
  alignas(64) float line[line_length];
  alignas(64) float readings[column_stride], weights[column_stride];
};

/// One direction and a row of voxel columns: what no half turn changes.
struct Across {
  alignas(64) float t[tile_x];         ///< signed distance of the ray from the axis
  alignas(64) float fan[tile_x];       ///< its fan angle
  alignas(64) float slope[2][tile_x];  ///< rows for a millimetre of height, in even and odd half turns
};

ISOCENTER_SIMD inline void look_across(const HelicalBackProject& job, int direction, int x0, int y, Across* a) {
  const HelicalGeometry& g = job.g;
  const Vec c = set(job.directions[2 * direction]), s = set(job.directions[2 * direction + 1]);
  const Vec ys = set(g.y_mm + static_cast<float>(y) * g.dy_mm), one = set(1.0F);
  const Vec per_radius = set(1.0F / g.radius_mm);
  for (int k = 0; k < tile_x; k += width) {
    const Vec xs = fma(add(lanes(), set(static_cast<float>(x0 + k))), set(g.dx_mm), set(g.x_mm));
    const Vec t = fma(xs, c, multiply(ys, s)), l = subtract(multiply(ys, c), multiply(xs, s));
    const Vec across = root(maximum(subtract(set(g.radius_mm * g.radius_mm), multiply(t, t)), one));
    const Vec cosine = multiply(across, per_radius);
    // asin by the half angle, as the reference does.
    const Vec h = divide(multiply(t, per_radius), root(fma(set(2.0F), cosine, set(2.0F)))), h2 = multiply(h, h);
    Vec series = fma(h2, set(0.03038194F), set(0.04464286F));
    series = fma(h2, fma(h2, series, set(0.075F)), set(0.16666667F));
    store(a->t + k, t);
    store(a->fan + k, multiply(add(h, h), fma(h2, series, one)));
    const Vec rows = g.flat ? divide(set(g.rows_per_slope), cosine) : set(g.rows_per_slope);
    store(a->slope[0] + k, divide(rows, add(across, l)));
    store(a->slope[1] + k, divide(rows, subtract(across, l)));
  }
}

/// A ray's part of a voxel column: slices first .. last, row = row0 + z * step.
struct Walk {
  int first, last;
  float row0, step;
};

/// Adds the weighted readings of one view's column u to the sums of the slices.
template <bool wide>
ISOCENTER_SIMD inline void walk(const HelicalBackProject& job, std::int64_t view, float u, const Walk& w, Scratch* s) {
  const FdkStack& stack = job.stack;
  const float last_column = static_cast<float>(stack.columns - 1), last_row = static_cast<float>(stack.rows - 1);
  const float on_u = u < 0.0F ? 0.0F : u > last_column ? last_column : u;
  const int iu = static_cast<int>(on_u);
  const auto row_at = [&](int z) __attribute__((always_inline)) {
    const float v = __builtin_fmaf(static_cast<float>(z), w.step, w.row0);
    return v < 0.0F ? 0.0F : v > last_row ? last_row : v;
  };
  const float begin = row_at(w.first), end = row_at(w.last);
  const int low = static_cast<int>(begin < end ? begin : end) & ~15;
  const int count = static_cast<int>(begin < end ? end : begin) + 2 - low;  // what lies behind is loaded, not picked
  const float* p = stack.column(view, iu) + low;
  const float* q = p + stack.row_stride;
  const Vec part = set(on_u - static_cast<float>(iu)), rest = set(1.0F - (on_u - static_cast<float>(iu)));
  for (int i = 0; i < count; i += width) store(s->line + i, fma(rest, load(p + i), multiply(part, load(q + i))));

  const float middle = 0.5F * last_row, per_edge = 1.0F / (1.0F - job.g.full_part);
  const Vec edge_step = set(-per_edge / middle);
  const Vec top = set(last_row), zero = set(0.0F), one = set(1.0F);
  const int lowest = w.step < 0.0F ? width - 1 : 0;  // the lane whose row is the lowest
  for (int z = w.first; z <= w.last; z += width) {
    const Vec v = fma(add(lanes(), set(static_cast<float>(z))), set(w.step), set(w.row0));
    const Vec on = minimum(maximum(v, zero), top);
    Vec value;
    if constexpr (wide) {
      value = interpolate_far(s->line, subtract(on, set(static_cast<float>(low))));
    } else {
      const int base = static_cast<int>(row_at(z + lowest));
      value = interpolate_near(s->line + (base - low), subtract(on, set(static_cast<float>(base))));
    }
    const Vec inside = fma(absolute(subtract(v, set(middle))), edge_step, set(per_edge));
    const Vec share = minimum(maximum(inside, zero), one);
    const Vec weight = multiply(multiply(share, share), fma(share, set(-2.0F), set(3.0F)));
    store(s->readings + z, fma(weight, value, load(s->readings + z)));
    store(s->weights + z, add(weight, load(s->weights + z)));
  }
}

/// column += readings / weights where there are any; leaves both zero.
ISOCENTER_SIMD inline void settle(int first, int last, Scratch* s, float* column) {
  for (int z = first; z <= last; z += width) {
    const Vec mean = divide(load(s->readings + z), maximum(load(s->weights + z), set(1e-20F)));
    store(column + z, add(load(column + z), mean));
    store(s->readings + z, set(0.0F));
    store(s->weights + z, set(0.0F));
  }
}

/// Which slices of 0 .. groups - 1 a ray meets, in whole groups of `width`; none where last < first.
inline Walk slices_of(float row0, float step, float last_row, int groups) {
  const float a = -row0 / step, b = (last_row - row0) / step;
  // One slice more on either side, for rounding.
  const float low = (a < b ? a : b) - 1.0F, high = (a < b ? b : a) + 1.0F;
  const float end = static_cast<float>(groups - 1);
  if (!(high >= 0.0F && low <= end)) return {0, -1, row0, step};
  const int first = low <= 0.0F ? 0 : static_cast<int>(low) / width * width;
  const int last = high >= end ? groups - 1 : static_cast<int>(high) / width * width + width - 1;
  return {first, last, row0, step};
}

template <bool wide>
ISOCENTER_SIMD void back_project_tile(const HelicalBackProject& job, const FdkColumns& columns, int x0, int y0, int z0,
                                      int mz, Scratch* s) {
  const HelicalGeometry& g = job.g;
  const int mx = job.nx - x0 < tile_x ? job.nx - x0 : tile_x, my = job.ny - y0 < tile_y ? job.ny - y0 : tile_y;
  const int groups = (mz + width - 1) / width * width;
  for (int k = 0; k < tile_x * tile_y; ++k)
    for (int z = 0; z < groups; ++z) s->tile[k * column_stride + z] = 0.0F;
  for (int z = 0; z < groups; ++z) s->readings[z] = s->weights[z] = 0.0F;
  const float last_row = static_cast<float>(job.stack.rows - 1),
              columns_seen = static_cast<float>(job.stack.columns - 1);
  const float zs = static_cast<float>(job.first_z + z0) * g.dz_mm, height = static_cast<float>(mz - 1) * g.dz_mm;
  for (int a = 0; a < job.direction_count; ++a) {
    const HelicalHalfTurn* turns = job.turns.first + static_cast<std::int64_t>(a) * job.turns.stride;
    for (int y = 0; y < my; ++y) {
      Across across;
      look_across(job, a, x0, y0 + y, &across);
      for (int x = 0; x < mx; ++x) {
        int first = groups, last = -1;
        for (int k = 0; k < job.turns.count; ++k) {
          const float behind = zs - turns[k].source_mm;
          if (behind > g.reach_mm || behind + height < -g.reach_mm) continue;
          const float sign = (k & 1) != 0 ? -1.0F : 1.0F, fan = across.fan[x] * sign;
          const float u = (across.t[x] * sign - g.first_t_mm) * g.columns_per_mm;
          const float view = static_cast<float>(turns[k].view) + (turns[k].part + fan * g.views_per_rad);
          if (!(u > -0.75F && u < columns_seen + 0.75F && view > -1e-3F &&
                view < static_cast<float>(job.views - 1) + 1e-3F))
            continue;
          const float slope = across.slope[k & 1][x];
          const Walk w =
              slices_of(g.centre_row + slope * (behind - g.feed_mm * fan), slope * g.dz_mm, last_row, groups);
          if (w.last < w.first) continue;
          walk<wide>(job, job.places.at(a, k), u, w, s);
          first = w.first < first ? w.first : first;
          last = w.last > last ? w.last : last;
        }
        settle(first, last, s, s->tile + (y * tile_x + x) * column_stride);
      }
    }
  }
  write_column_tile(columns, s->tile, tile_x, column_stride, x0, y0, z0, mx, my, mz);
}

void run_tile(const HelicalBackProject& job, const FdkColumns& columns, bool wide, int x0, int y0, int z0, int mz,
              void* scratch) {
  auto* s = static_cast<Scratch*>(scratch);
  wide ? back_project_tile<true>(job, columns, x0, y0, z0, mz, s)
       : back_project_tile<false>(job, columns, x0, y0, z0, mz, s);
}

constexpr HelicalVariant variant = {
    &run_tile, variant_name, {tile_x, tile_y, z_block_max, sizeof(Scratch)}, line_length};
