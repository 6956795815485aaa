#include "load.hpp"

#include <algorithm>
#include <cmath>
#include <isocenter/error.hpp>
#include <memory>

#include "frame_decoder.hpp"

namespace isocenter::detail::dicom {
namespace {

/// Decoders with their working memory, lent to whoever runs: as many as work at once.
class DecoderPool {
 public:
  template <class F>
  void use(F&& f) {
    std::unique_ptr<FrameDecoder> decoder = take();
    f(*decoder);
    const std::lock_guard lock(mutex_);
    idle_.push_back(std::move(decoder));
  }

 private:
  std::unique_ptr<FrameDecoder> take() {
    const std::lock_guard lock(mutex_);
    if (idle_.empty()) return std::make_unique<FrameDecoder>();
    std::unique_ptr<FrameDecoder> decoder = std::move(idle_.back());
    idle_.pop_back();
    return decoder;
  }
  std::mutex mutex_;
  std::vector<std::unique_ptr<FrameDecoder>> idle_;
};

class Loader {
 public:
  Loader(const LoadPlan& plan, std::span<float> voxels, const LoadProgress& progress)
      : plan_(plan), voxels_(voxels), progress_(progress) {}

  void straight(const Workers& workers) {
    const std::size_t plane = plane_size(plan_.grid);
    const auto count = static_cast<std::int64_t>(plan_.planes.size());
    workers.for_each(count, [&](std::int64_t k) {
      decode(plan_.planes[static_cast<std::size_t>(k)], voxels_.subspan(static_cast<std::size_t>(k) * plane, plane));
      report_done(count);
    });
  }

  /// One interval between two neighbouring slices at a time: both are decoded, and every plane of the grid between them
  /// is interpolated.
  void resampled(const Workers& workers) {
    const auto intervals = std::max<std::int64_t>(1, static_cast<std::int64_t>(plan_.planes.size()) - 1);
    workers.for_each(intervals, [&](std::int64_t i) {
      const Slice& lower = plan_.planes[static_cast<std::size_t>(i)];
      const Slice& upper = plan_.planes[std::min(static_cast<std::size_t>(i) + 1, plan_.planes.size() - 1)];
      const bool last = i + 1 == intervals;
      std::vector<float> a(slice_size()), b(slice_size());
      bool decoded = false;
      for (int k = 0; k < plan_.grid.nz; ++k) {
        const double p = offset(k);
        const bool inside = p >= lower.offset_mm && (p < upper.offset_mm || last);
        if (!inside && !(i == 0 && p < lower.offset_mm)) continue;
        if (!decoded) {
          decode(lower, a);
          decode(upper, b);
          decoded = true;
        }
        const double gap = upper.offset_mm - lower.offset_mm;
        const double w = gap > 0 ? std::clamp((p - lower.offset_mm) / gap, 0.0, 1.0) : 0.0;
        interpolate(k, a, shift(lower), b, shift(upper), w);
      }
      report_done(intervals);
    });
  }

 private:
  struct Shift {
    double x_px, y_px;  ///< where the slice's first voxel lies in the grid
  };

  const Image& image(const Slice& s) const { return plan_.report->images[static_cast<std::size_t>(s.image)]; }
  static std::size_t plane_size(const StackGeometry& g) {
    return static_cast<std::size_t>(g.nx) * static_cast<std::size_t>(g.ny);
  }
  std::size_t slice_size() const { return plane_size(plan_.stack->geometry); }

  double offset(int k) const { return plan_.planes.front().offset_mm + k * plan_.grid.dz_mm; }

  Shift shift(const Slice& s) const {
    const Vec3 d = *image(s).frames[static_cast<std::size_t>(s.frame)].position - plan_.grid.origin;
    return {dot(d, plan_.grid.row) / plan_.grid.dx_mm, dot(d, plan_.grid.column) / plan_.grid.dy_mm};
  }

  void decode(const Slice& s, std::span<float> to) {
    const Frame& frame = image(s).frames[static_cast<std::size_t>(s.frame)];
    Rescale rescale = frame.rescale.value_or(Rescale{});
    if (!plan_.factors.empty()) {
      const double factor = plan_.factors[static_cast<std::size_t>(&s - plan_.planes.data())];
      rescale.slope *= factor;
      rescale.intercept *= factor;
    }
    decoders_.use([&](FrameDecoder& decoder) { decoder.decode(image(s), frame, rescale, to); });
  }

  void report_done(std::int64_t total) {
    const std::int64_t now = ++done_;
    if (progress_ && !progress_(now, total)) throw Error(ErrorCode::cancelled, "cancelled.");
  }

  /// Bilinear within the slice; plan.outside beyond its outermost voxel centres.
  float sample(const std::vector<float>& slice, double x, double y) const {
    const StackGeometry& g = plan_.stack->geometry;
    constexpr double rounding = 1e-4;
    if (x < -rounding || y < -rounding || x > g.nx - 1 + rounding || y > g.ny - 1 + rounding)
      return static_cast<float>(plan_.outside);
    const double cx = std::clamp(x, 0.0, g.nx - 1.0), cy = std::clamp(y, 0.0, g.ny - 1.0);
    const int i = std::min(static_cast<int>(cx), std::max(0, g.nx - 2)),
              j = std::min(static_cast<int>(cy), std::max(0, g.ny - 2));
    const int i1 = std::min(i + 1, g.nx - 1), j1 = std::min(j + 1, g.ny - 1);
    const double u = cx - i, v = cy - j;
    const auto at = [&](int ix, int iy) {
      return static_cast<double>(
          slice[static_cast<std::size_t>(iy) * static_cast<std::size_t>(g.nx) + static_cast<std::size_t>(ix)]);
    };
    return static_cast<float>((1 - v) * ((1 - u) * at(i, j) + u * at(i1, j)) +
                              v * ((1 - u) * at(i, j1) + u * at(i1, j1)));
  }

  void interpolate(int k, const std::vector<float>& a, Shift sa, const std::vector<float>& b, Shift sb, double w) {
    const StackGeometry& g = plan_.grid;
    float* out = voxels_.data() + static_cast<std::size_t>(k) * plane_size(g);
    for (int y = 0; y < g.ny; ++y)
      for (int x = 0; x < g.nx; ++x, ++out) {
        const float lower = w < 1 ? sample(a, x - sa.x_px, y - sa.y_px) : 0;
        const float upper = w > 0 ? sample(b, x - sb.x_px, y - sb.y_px) : 0;
        *out = static_cast<float>((1 - w) * static_cast<double>(lower) + w * static_cast<double>(upper));
      }
  }

  const LoadPlan& plan_;
  std::span<float> voxels_;
  const LoadProgress& progress_;
  DecoderPool decoders_;
  std::atomic<std::int64_t> done_{0};
};

}  // namespace

void load(const LoadPlan& plan, const Workers& workers, std::span<float> voxels, const LoadProgress& progress) {
  const StackGeometry& g = plan.grid;
  if (voxels.size() != static_cast<std::size_t>(plan.times) * static_cast<std::size_t>(g.nx) *
                           static_cast<std::size_t>(g.ny) * static_cast<std::size_t>(g.nz))
    throw Failure(ErrorCode::invalid_argument, "the buffer for the volume has another size than the plan says",
                  "allocate times * nz * ny * nx values");
  Loader loader(plan, voxels, progress);
  if (plan.resampled)
    loader.resampled(workers);
  else
    loader.straight(workers);
}

std::uint64_t load_working_bytes(const LoadPlan& plan, const Workers& workers) {
  std::uint64_t largest = 0;
  for (const Slice& s : plan.planes)
    largest = std::max(largest, FrameDecoder::working_bytes(plan.report->images[static_cast<std::size_t>(s.image)]));
  const StackGeometry& g = plan.stack->geometry;
  if (plan.resampled)
    largest += 2 * sizeof(float) * static_cast<std::uint64_t>(g.nx) * static_cast<std::uint64_t>(g.ny);
  return largest * static_cast<std::uint64_t>(workers.concurrency());
}

}  // namespace isocenter::detail::dicom
