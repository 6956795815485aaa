// Included once for each instruction set, after registers_*.inl and the functions on lanes that motion_avx512.cpp and
// motion_avx2.cpp define. Everything here is in that file's anonymous namespace.
//
// The idea: u w, v w and w of a voxel are linear in its place, so that a displacement adds to them what the field's
// nodes hold (MotionColumns). Of a voxel column that is a line, blended once from four node columns; z is walked with
// three interpolations out of registers, and one division. Neighbours along z see rows close together and few columns
// of the detector, so that samples are permutes out of each of these columns too, weighted with a hat in u.

constexpr int tile_x = 16, tile_y = 8;
constexpr int z_block_max = 256;
constexpr int column_stride = z_block_max + 16;  // not a power of two, so that neighbours share no cache set
constexpr int line_length = 512;                 // nodes: z_block_max * 1.7 + alignment + registers
constexpr int most_columns = 6;                  // of the detector, for one group of voxels

struct Scratch {
  alignas(64) float tile[tile_x * tile_y * column_stride];
  alignas(64) float line[3 * line_length];
  alignas(64) std::int32_t node[z_block_max];  ///< of each voxel in the column, from its group's first
  alignas(64) float part[z_block_max];         ///< its way to the next node
  int base[z_block_max / width];               ///< the group's first node, from the line's
};

/// Which nodes a voxel lies between, beyond the field its nearest: the first, the way to the second, and how far.
struct Node {
  int first, next;
  float part;
};

inline Node node_of(const MotionColumns& f, int axis, int nodes, float voxel) {
  const float at = (voxel - f.origin[axis]) * f.per_voxel[axis], last = static_cast<float>(nodes - 1);
  const float on = at < 0.0F ? 0.0F : at > last ? last : at;
  const int first = static_cast<int>(on);
  return {first, first + 1 < nodes ? 1 : 0, on - static_cast<float>(first)};
}

/// Where the voxels z0 .. z0 + groups - 1 lie between the nodes of a column; returns the line's first node, and how
/// many there are of it.
inline int place_nodes(const MotionColumns& f, int z0, int groups, Scratch* s, int* count) {
  const int start = node_of(f, 2, f.nz, static_cast<float>(z0)).first;
  for (int z = 0; z < groups; z += width) {
    const int base = node_of(f, 2, f.nz, static_cast<float>(z0 + z)).first;
    s->base[z / width] = base - start;
    for (int k = 0; k < width; ++k) {
      const Node n = node_of(f, 2, f.nz, static_cast<float>(z0 + z + k));
      s->node[z + k] = n.first - base;
      s->part[z + k] = n.part;
    }
  }
  const int needed = s->base[groups / width - 1] + 2 * width, there = f.nz + 1 - start;
  *count = needed < there ? needed : there;
  return start;
}

/// Each part's line of nodes for the voxel column, out of four node columns.
ISOCENTER_SIMD inline void blend_nodes(const MotionColumns& f, int view, const Node& x, const Node& y, int start,
                                       int count, float* lines) {
  const Vec w00 = set((1.0F - x.part) * (1.0F - y.part)), w10 = set(x.part * (1.0F - y.part)),
            w01 = set((1.0F - x.part) * y.part), w11 = set(x.part * y.part);
  for (int part = 0; part < 3; ++part) {
    const float* p00 = f.column(view, part, x.first, y.first) + start;
    const float* p10 = p00 + x.next * f.x_stride;
    const float* p01 = p00 + static_cast<std::int64_t>(y.next) * f.nx * f.x_stride;
    const float* p11 = p01 + x.next * f.x_stride;
    float* line = lines + part * line_length;
    for (int i = 0; i < count; i += width)
      store(line + i,
            fma(w00, load(p00 + i), fma(w10, load(p10 + i), fma(w01, load(p01 + i), multiply(w11, load(p11 + i))))));
  }
}

/// One part's line at the voxels z .. z + width - 1.
ISOCENTER_SIMD inline Vec moved(const Scratch* s, int part, int z) {
  const float* line = s->line + part * line_length + s->base[z / width];
  return between(load(line), load(line + width), load_integers(s->node + z), load(s->part + z));
}

/// Samples of a view at column u - 1 and row v - 1, linear in both; 0 off the detector. 0 <= u <= columns + 1, v
/// likewise.
ISOCENTER_SIMD inline Vec sample(const FdkStack& stack, int view, Vec u, Vec v) {
  const Integers iu = whole_of(u), iv = whole_of(v);
  const Range columns = range_of(iu), rows = range_of(iv);
  if (columns.high - columns.low < most_columns - 1 && rows.high - rows.low <= 2 * width - 2) {
    const int last = columns.high < stack.columns ? columns.high : stack.columns;
    const Integers at = subtract(iv, rows.low);
    const Vec part = subtract(v, real_of(iv));
    const float* from = stack.column(view, columns.low - 1) + rows.low - 1;
    Vec away = subtract(u, set(static_cast<float>(columns.low))), sum = set(0.0F);
    for (int c = columns.low; c <= last + 1; ++c, from += stack.row_stride) {
      const Vec hat = maximum(subtract(set(1.0F), absolute(away)), set(0.0F));
      sum = fma(hat, between(load(from), load(from + width), at, part), sum);
      away = subtract(away, set(1.0F));
    }
    return sum;
  }
  return sample_far(stack.column(view, -1) - 1, u, v, stack.columns, stack.row_stride);
}

ISOCENTER_SIMD void back_project_tile(const FdkColumns& job, const MotionColumns& f, int x0, int y0, int z0, int mz,
                                      Scratch* s) {
  const int mx = job.nx - x0 < tile_x ? job.nx - x0 : tile_x, my = job.ny - y0 < tile_y ? job.ny - y0 : tile_y;
  const int groups = (mz + width - 1) / width * width;
  for (int k = 0; k < tile_x * tile_y; ++k)
    for (int z = 0; z < groups; ++z) s->tile[k * column_stride + z] = 0.0F;
  for (float& node : s->line) node = 0.0F;  // registers are read beyond the last one
  int count = 0;
  const int start = place_nodes(f, z0, groups, s, &count);
  const Vec u_end = set(static_cast<float>(job.stack.columns + 1)), v_end = set(static_cast<float>(job.stack.rows + 1));
  const Vec zero = set(0.0F), one = set(1.0F);
  for (int n = 0; n < job.views; ++n) {
    const float *mu = job.matrices[n].m, *mv = mu + 4, *mw = mu + 8;
    const Vec uz = set(mu[job.z_axis]), vz = set(mv[job.z_axis]), wz = set(mw[job.z_axis]);
    for (int y = 0; y < my; ++y) {
      const Node yn = node_of(f, 1, f.ny, static_cast<float>(y0 + y));
      for (int x = 0; x < mx; ++x) {
        const Node xn = node_of(f, 0, f.nx, static_cast<float>(x0 + x));
        blend_nodes(f, n, xn, yn, start, count, s->line);
        const float xs = static_cast<float>(x0 + x), ys = static_cast<float>(y0 + y);
        const Vec u0 = set(mu[job.x_axis] * xs + (mu[job.y_axis] * ys + mu[3]));
        const Vec v0 = set(mv[job.x_axis] * xs + (mv[job.y_axis] * ys + mv[3]));
        const Vec w0 = set(mw[job.x_axis] * xs + (mw[job.y_axis] * ys + mw[3]));
        float* column = s->tile + (y * tile_x + x) * column_stride;
        for (int z = 0; z < groups; z += width) {
          const Vec zs = add(lanes(), set(static_cast<float>(z0 + z)));
          const Vec w = add(fma(zs, wz, w0), moved(s, 2, z));
          const Vec r = divide(one, w);
          const Vec u = fma(add(fma(zs, uz, u0), moved(s, 0, z)), r, one);
          const Vec v = fma(add(fma(zs, vz, v0), moved(s, 1, z)), r, one);
          const Vec value = sample(job.stack, n, minimum(maximum(u, zero), u_end), minimum(maximum(v, zero), v_end));
          store(column + z, fma(multiply(r, r), value, load(column + z)));
        }
      }
    }
  }
  write_column_tile(job, s->tile, tile_x, column_stride, x0, y0, z0, mx, my, mz);
}

void run_tile(const FdkColumns& job, const MotionColumns& field, int x0, int y0, int z0, int mz, void* scratch) {
  back_project_tile(job, field, x0, y0, z0, mz, static_cast<Scratch*>(scratch));
}

constexpr MotionVariant variant = {&run_tile, variant_name, {tile_x, tile_y, z_block_max, sizeof(Scratch)}};
