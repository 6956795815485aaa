// Included once for each instruction set, after ISOCENTER_SIMD (a target attribute), `variant_name`, `width`, `Vec` and
// the functions on it are defined; see fdk_avx512.cpp and fdk_avx2.cpp. Everything here is in that file's anonymous
// namespace.
//
// The idea: with the detector's columns along z, a voxel column (x, y) meets one detector column u of each view, with
// one weight. So the two neighbouring detector columns are blended once, weight included, into a line; then z is
// walked, where the detector's row is v0 + z dv: one linear interpolation in that line for each voxel, out of two
// registers. The voxel columns of a tile stay in the second-level cache over all views, the lines of a block of views
// in the first-level one.

constexpr int tile_x = 16, tile_y = 8;
constexpr int views_at_once = 12;  // their lines fill two thirds of the first-level cache
constexpr int view_block = 16;     // the length of arrays over views: whole registers
constexpr int z_block_max = 256;
constexpr int column_stride = z_block_max + 16;  // in a tile; not a power of two, so that neighbours share no cache set
constexpr int line_length = 576;                 // floats: z_block_max * 1.7 + reach, rounded up

struct Scratch {
  alignas(64) float tile[tile_x * tile_y * column_stride];
  alignas(64) float line[view_block * line_length];
};

/// The matrices of views_at_once views, one number after the other for all views; missing views repeat the last one.
struct Block {
  alignas(64) float ux[view_block], uy[view_block], uc[view_block];
  alignas(64) float wx[view_block], wy[view_block], wc[view_block];
  alignas(64) float vx[view_block], vy[view_block], vz[view_block], vc[view_block];

  Block(const FdkColumns& job, int first, int count, float z0) {
    for (int n = 0; n < view_block; ++n) {
      const float *u = job.matrices[first + (n < count ? n : count - 1)].m, *v = u + 4, *w = u + 8;
      ux[n] = u[job.x_axis], uy[n] = u[job.y_axis], uc[n] = u[3];
      vx[n] = v[job.x_axis], vy[n] = v[job.y_axis], vz[n] = v[job.z_axis], vc[n] = v[3] + v[job.z_axis] * z0;
      wx[n] = w[job.x_axis], wy[n] = w[job.y_axis], wc[n] = w[3];
    }
  }
};

/// The views that see one voxel column, and where.
struct Column {
  alignas(64) float row[view_block];   ///< v of the block's first z
  alignas(64) float step[view_block];  ///< dv
  alignas(64) float base_f[view_block];
  alignas(64) std::int32_t base[view_block];  ///< of the 'width' voxels in work: their lowest row
  alignas(64) float offset[view_block];       ///< v of the first of them, from base
  std::int32_t view[view_block], column[view_block], first[view_block], last[view_block];
  float weight0[view_block], weight1[view_block];
  int count;
};

ISOCENTER_SIMD inline void locate(const Block& b, const FdkStack& stack, int count, float x, float y, int nz,
                                  Column* c) {
  alignas(64) float u[view_block], r[view_block], v[view_block], dv[view_block];
  for (int k = 0; k < view_block; k += width) {
    const Vec xs = set(x), ys = set(y);
    const Vec w = fma(xs, load(b.wx + k), fma(ys, load(b.wy + k), load(b.wc + k)));
    const Vec inverse = divide(set(1.0F), w);
    store(r + k, inverse);
    store(u + k, multiply(inverse, fma(xs, load(b.ux + k), fma(ys, load(b.uy + k), load(b.uc + k)))));
    store(v + k, multiply(inverse, fma(xs, load(b.vx + k), fma(ys, load(b.vy + k), load(b.vc + k)))));
    store(dv + k, multiply(inverse, load(b.vz + k)));
  }
  const auto rows = static_cast<float>(stack.rows);
  c->count = 0;
  for (int n = 0; n < count; ++n) {
    if (!(u[n] > -1.0F && u[n] < static_cast<float>(stack.columns))) continue;
    const float end = v[n] + dv[n] * static_cast<float>(nz - 1);
    const float low = v[n] < end ? v[n] : end, high = v[n] < end ? end : v[n];
    if (!(high > -1.0F && low < rows)) continue;
    const int k = c->count++;
    const int iu = floor_to_int(u[n]);
    const float fu = u[n] - static_cast<float>(iu), weight = r[n] * r[n];
    c->view[k] = n;
    c->column[k] = iu;
    c->weight0[k] = weight - weight * fu;
    c->weight1[k] = weight * fu;
    c->row[k] = v[n];
    c->step[k] = dv[n];
    // Two rows of margin below: one that start_group adds when dv is negative, one for rounding. Then whole cache
    // lines.
    c->first[k] = (floor_to_int(low < -30.0F ? -30.0F : low) - 2) & ~15;
    c->last[k] = floor_to_int(high > rows ? rows : high) + reach;
  }
  // The vector code below works on all view_block entries.
  for (int k = c->count; k < view_block; ++k) c->row[k] = c->step[k] = 0.0F;
}

/// line = weight0 * (detector column) + weight1 * (its neighbour), rows first .. last.
ISOCENTER_SIMD inline void blend(const FdkStack& stack, std::int64_t view0, const Column& c, float* lines) {
  for (int k = 0; k < c.count; ++k) {
    const float* p = stack.column(view0 + c.view[k], c.column[k]) + c.first[k];
    const float* q = p + stack.row_stride;
    float* line = lines + k * line_length;
    const Vec w0 = set(c.weight0[k]), w1 = set(c.weight1[k]);
    const int n = c.last[k] - c.first[k] + 1;
    for (int i = 0; i < n; i += width) store(line + i, fma(w0, load(p + i), multiply(w1, load(q + i))));
  }
}

/// For voxels z .. z + width - 1 of the column: their lowest row in each view, and v of the first from there.
ISOCENTER_SIMD inline void start_group(const FdkStack& stack, Column* c, int z) {
  const Vec along = set(static_cast<float>(z)), span = set(static_cast<float>(width - 1));
  const Vec low_end = set(static_cast<float>(-FdkStack::pad)), high_end = set(static_cast<float>(stack.rows));
  for (int k = 0; k < view_block; k += width) {
    const Vec step = load(c->step + k);
    const Vec v = fma(along, step, load(c->row + k));
    const Vec last = fma(span, step, v);
    // floor(min) - 1 where the row falls with z, so that rounding of later sums stays above it.
    const Vec base = floor_of(minimum(v, add(last, set(-1.0F))));
    store(c->offset + k, subtract(v, base));
    store_integers(c->base + k, minimum(maximum(base, low_end), high_end));
  }
}

template <bool wide>
ISOCENTER_SIMD inline void walk(const FdkStack& stack, Column* c, const float* lines, int nz, float* voxels) {
  for (int z = 0; z < nz; z += width) {
    Vec sum = load(voxels + z);
    if constexpr (wide) {
      for (int k = 0; k < c->count; ++k) {
        const Vec v = fma(add(lanes(), set(static_cast<float>(z))), set(c->step[k]), set(c->row[k]));
        const Vec on = minimum(maximum(v, set(-1.0F)), set(static_cast<float>(stack.rows)));
        sum = add(sum, interpolate_far(lines + k * line_length, subtract(on, set(static_cast<float>(c->first[k])))));
      }
    } else {
      start_group(stack, c, z);
      for (int k = 0; k < c->count; ++k) {
        const float* from = lines + k * line_length + (c->base[k] - c->first[k]);
        sum = add(sum, interpolate_near(from, fma(lanes(), set(c->step[k]), set(c->offset[k]))));
      }
    }
    store(voxels + z, sum);
  }
}

template <bool wide>
ISOCENTER_SIMD void back_project_tile(const FdkColumns& job, int x0, int y0, int z0, int mz, Scratch* s) {
  const int mx = job.nx - x0 < tile_x ? job.nx - x0 : tile_x, my = job.ny - y0 < tile_y ? job.ny - y0 : tile_y;
  const int groups = (mz + width - 1) / width * width;
  for (int k = 0; k < tile_x * tile_y; ++k)
    for (int z = 0; z < groups; ++z) s->tile[k * column_stride + z] = 0.0F;
  Column column;
  for (int first = 0; first < job.views; first += views_at_once) {
    const int count = job.views - first < views_at_once ? job.views - first : views_at_once;
    const Block block(job, first, count, static_cast<float>(z0));
    for (int y = 0; y < my; ++y)
      for (int x = 0; x < mx; ++x) {
        locate(block, job.stack, count, static_cast<float>(x0 + x), static_cast<float>(y0 + y), groups, &column);
        blend(job.stack, first, column, s->line);
        walk<wide>(job.stack, &column, s->line, groups, s->tile + (y * tile_x + x) * column_stride);
      }
  }
  write_column_tile(job, s->tile, tile_x, column_stride, x0, y0, z0, mx, my, mz);
}

void run_tile(const FdkColumns& job, bool wide, int x0, int y0, int z0, int mz, void* scratch) {
  auto* s = static_cast<Scratch*>(scratch);
  wide ? back_project_tile<true>(job, x0, y0, z0, mz, s) : back_project_tile<false>(job, x0, y0, z0, mz, s);
}

constexpr FdkTileVariant variant = {
    &run_tile, variant_name, {tile_x, tile_y, z_block_max, sizeof(Scratch)}, line_length};
