// Included once for each instruction set, after ISOCENTER_SIMD (a target attribute), `variant_name`, `width`, `Vec`,
// `Mask` and the functions on them are defined; see fbp_avx512.cpp and fbp_avx2.cpp. Everything here is in that file's
// anonymous namespace.
//
// One slice: neighbouring pixels of a row meet neighbouring columns, so that both samples of `width` pixels come out of
// two registers by permutes; the sums of strip_rows rows stay in registers over all views. Several slices: they lie
// next to each other, so that a pixel's two samples of sixteen slices are two loads and no permute; a column's place
// and weight are found once for all slices.

constexpr int strip_rows = 8;
constexpr int tile_x = 32, tile_y = 16;
constexpr int views_together = 4;  // per load and store of a pixel's sums
constexpr int slices = FbpStack::slices_together;

/// Pixels past the row's end repeat its last one, so that places rise or fall along all lanes.
ISOCENTER_SIMD inline Vec pixels_from(int x, int nx) {
  return bounded(add(set(static_cast<float>(x)), lanes()), set(0.0F), set(static_cast<float>(nx - 1)));
}

/// Where pixels are seen, in columns from the zero column at -1 on, and with which weight.
struct Place {
  Vec column, weight;
};

/// arctan(across / depth), depth > 0; as `arctangent`, but with one division.
ISOCENTER_SIMD inline Vec arctangent_of(Vec across, Vec depth) {
  const Vec size = absolute(across);
  const Mask large = above(size, multiply(depth, set(2.41421356F)));
  const Mask middle = above(size, multiply(depth, set(0.41421356F)));
  const Vec numerator = select(large, subtract(set(0.0F), depth), select(middle, subtract(size, depth), size));
  const Vec denominator = select(large, size, select(middle, add(size, depth), depth));
  const Vec t = divide(numerator, denominator);
  const Vec start = select(large, set(1.57079633F), select(middle, set(0.785398163F), set(0.0F)));
  const Vec z = multiply(t, t);
  Vec p = fma(z, set(0.08060301F), set(-0.13879847F));
  p = fma(z, fma(z, p, set(0.19977926F)), set(-0.33332955F));
  return with_sign(add(start, fma(t, multiply(z, p), t)), across);
}

template <FbpBeam beam>
ISOCENTER_SIMD inline Place place_of(const FbpView& v, Vec x, float y, float columns) {
  const Vec across = fma(x, set(v.across[0]), set(v.across[1] * y + v.across[2]));
  Place place{across, set(1.0F)};
  if constexpr (beam != FbpBeam::parallel) {
    const Vec depth = fma(x, set(v.depth[0]), set(v.depth[1] * y + v.depth[2]));
    if constexpr (beam == FbpBeam::flat_fan) {
      const Vec inverse = divide(set(1.0F), depth);
      place = {multiply(across, inverse), multiply(inverse, inverse)};
    } else {
      const Vec angle = arctangent_of(across, depth);
      place.column = fma(set(v.columns_per_rad), angle, set(v.middle));
      place.weight = divide(set(1.0F), fma(across, across, multiply(depth, depth)));
    }
  }
  place.column = bounded(add(place.column, set(1.0F)), set(0.0F), set(columns + 1.0F));
  return place;
}

ISOCENTER_SIMD inline void store_some(float* to, Vec v, int count) {
  if (count >= width) return store(to, v);
  alignas(64) float all[width];
  store(all, v);
  for (int k = 0; k < count; ++k) to[k] = all[k];
}

template <FbpBeam beam>
ISOCENTER_SIMD void strip_of(const FbpBackProject& job, int y0, int slice) {
  const float columns = static_cast<float>(job.stack.columns);
  for (int x0 = 0; x0 < job.nx; x0 += width) {
    const Vec x = pixels_from(x0, job.nx);
    Vec sum[strip_rows];
    for (int k = 0; k < strip_rows; ++k) sum[k] = set(0.0F);
    for (int n = 0; n < job.count; ++n) {
      const float* line = job.stack.at(n, -1, slice);
      for (int k = 0; k < strip_rows; ++k) {
        const Place p = place_of<beam>(job.views[n], x, static_cast<float>(y0 + k), columns);
        const Vec value = interpolate(line, p.column);
        sum[k] = beam == FbpBeam::parallel ? add(sum[k], value) : fma(p.weight, value, sum[k]);
      }
    }
    for (int k = 0; k < strip_rows && y0 + k < job.ny; ++k)
      store_some(job.image + (static_cast<std::int64_t>(slice) * job.ny + y0 + k) * job.nx + x0,
                 add(sum[k], set(job.initial)), job.nx - x0);
  }
}

/// Of `width` pixels in views_together views.
struct Samples {
  alignas(64) std::int32_t column[views_together][width];
  alignas(64) float low[views_together][width], high[views_together][width];
};

template <FbpBeam beam>
ISOCENTER_SIMD inline void find_samples(const FbpBackProject& job, int first, Vec x, float y, Samples* s) {
  for (int k = 0; k < views_together; ++k) {
    const bool last = first + k >= job.count;
    const Place p =
        place_of<beam>(job.views[last ? job.count - 1 : first + k], x, y, static_cast<float>(job.stack.columns));
    const Vec part = subtract(p.column, whole_part(p.column, s->column[k]));
    const Vec weight = last ? set(0.0F) : p.weight;
    const Vec high = multiply(weight, part);
    store(s->high[k], high);
    store(s->low[k], subtract(weight, high));
  }
}

template <FbpBeam beam>
ISOCENTER_SIMD void tile_of(const FbpBackProject& job, int x0, int y0) {
  alignas(64) float sums[tile_x * tile_y * slices];
  const int mx = job.nx - x0 < tile_x ? job.nx - x0 : tile_x, my = job.ny - y0 < tile_y ? job.ny - y0 : tile_y;
  for (int i = 0; i < tile_x * my * slices; i += width) store(sums + i, set(job.initial));
  for (int first = 0; first < job.count; first += views_together) {
    const float* line[views_together];
    for (int k = 0; k < views_together; ++k)
      line[k] = job.stack.at(first + k < job.count ? first + k : job.count - 1, -1, 0);
    for (int y = 0; y < my; ++y)
      for (int xs = 0; xs < mx; xs += width) {
        const Vec x = pixels_from(x0 + xs, job.nx);
        Samples s;
        find_samples<beam>(job, first, x, static_cast<float>(y0 + y), &s);
        const int count = mx - xs < width ? mx - xs : width;
        for (int i = 0; i < count; ++i) {
          float* sum = sums + (y * tile_x + xs + i) * slices;
          for (int j = 0; j < slices; j += width) {
            Vec v = load(sum + j);
            for (int k = 0; k < views_together; ++k) {
              const float* from = line[k] + static_cast<std::int64_t>(s.column[k][i]) * slices + j;
              v = fma(set(s.low[k][i]), load(from), v);
              v = fma(set(s.high[k][i]), load(from + slices), v);
            }
            store(sum + j, v);
          }
        }
      }
  }
  for (int j = 0; j < job.stack.slices; ++j)
    for (int y = 0; y < my; ++y) {
      float* to = job.image + (static_cast<std::int64_t>(j) * job.ny + y0 + y) * job.nx + x0;
      for (int i = 0; i < mx; ++i) to[i] = sums[(y * tile_x + i) * slices + j];
    }
}

void strip(const FbpBackProject& job, int y0, int slice) {
  if (job.beam == FbpBeam::parallel) return strip_of<FbpBeam::parallel>(job, y0, slice);
  if (job.beam == FbpBeam::flat_fan) return strip_of<FbpBeam::flat_fan>(job, y0, slice);
  strip_of<FbpBeam::curved_fan>(job, y0, slice);
}

void tile(const FbpBackProject& job, int x0, int y0) {
  if (job.beam == FbpBeam::parallel) return tile_of<FbpBeam::parallel>(job, x0, y0);
  if (job.beam == FbpBeam::flat_fan) return tile_of<FbpBeam::flat_fan>(job, x0, y0);
  tile_of<FbpBeam::curved_fan>(job, x0, y0);
}

const FbpVariant variant{variant_name, &strip, strip_rows, &tile, tile_x, tile_y};
