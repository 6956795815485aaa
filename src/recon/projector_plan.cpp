#include "recon/projector_plan.hpp"

#include <algorithm>
#include <cmath>
#include <isocenter/operator.hpp>

#include "recon/joseph_simd.hpp"

namespace isocenter::detail {

namespace {

constexpr int round_up(int n, int to) { return (n + to - 1) / to * to; }

/// Positions and directions in voxel indices.
class IndexFrame {
 public:
  explicit IndexFrame(const Geometry& g) {
    for (std::size_t k = 0; k < 3; ++k) {
      const auto axis = g.axis(static_cast<int>(k));
      for (std::size_t i = 0; i < 3; ++i) {
        row_[k][i] = axis[i] / g.spacing_mm[k];
        origin_[i] = g.origin_mm[i];
      }
    }
  }
  Vector3 direction(const Vector3& d) const { return {dot(row_[0], d), dot(row_[1], d), dot(row_[2], d)}; }
  Vector3 position(const Vector3& p) const { return direction(minus(p, origin_)); }

 private:
  Vector3 row_[3]{}, origin_{};
};

/// The strides, where n and the order of the axes are known.
void place_voxels(ProjectorVolume* v) {
  v->padded = round_up(v->n[v->fast], 16);
  v->stride[v->fast] = 1;
  v->stride[v->middle] = v->padded;
  // Neighbours along the slowest axis are kept from falling into one set of the cache.
  const std::int64_t slice = static_cast<std::int64_t>(v->padded) * v->n[v->middle];
  v->stride[v->slow] = slice % 1024 == 0 ? slice + 16 : slice;
  v->floats = v->stride[v->slow] * v->n[v->slow];
}

void place_planes(ProjectorPlan* plan) {
  const ProjectorVolume& v = plan->volume;
  for (int a = 0; a < 3; ++a) {
    const int c = plan->c_axis[a], b = 3 - a - c;
    plan->plane[a] = {
        v.n[a],     v.n[b], v.n[c], static_cast<std::int32_t>(v.stride[b]), static_cast<std::int32_t>(v.stride[c]),
        v.stride[a]};
  }
}

std::size_t largest_component(const Vector3& d) {
  std::size_t best = 0;
  for (std::size_t k = 1; k < 3; ++k)
    if (std::fabs(d[k]) > std::fabs(d[best])) best = k;
  return best;
}

class Planner {
 public:
  explicit Planner(const ProjectorRequest& request) : request_(request), frame_(request.geometry) {}

  ProjectorPlan make() {
    plan_.views = static_cast<int>(request_.views.size());
    plan_.columns = request_.columns;
    plan_.rows = request_.rows;
    plan_.along_rows = request_.rows == 1 && request_.detector == DetectorShape::flat && request_.columns > 1;
    lay_out_volume();
    lay_out_views();
    plan_.along_rows ? lines_along_rows() : lines_along_columns();
    plan_.separated = std::all_of(plan_.lines.begin(), plan_.lines.end(), is_separated);
    plan_.turns = std::any_of(plan_.lines.begin(), plan_.lines.end(), [&](const JosephLine& line) {
      return line.axis == plan_.volume.fast && line.first <= line.last;
    });
    return std::move(plan_);
  }

 private:
  void lay_out_volume() {
    ProjectorVolume& v = plan_.volume;
    v.n[0] = request_.nx, v.n[1] = request_.ny, v.n[2] = request_.nz;
    v.fast = plan_.along_rows ? static_cast<int>(std::max_element(v.n, v.n + 3) - v.n) : axis_along_columns();
    v.middle = v.fast == 0 ? 1 : 0;
    v.slow = 3 - v.fast - v.middle;
    place_voxels(&v);
    for (int a = 0; a < 3; ++a) plan_.c_axis[a] = c_axis(a);
    place_planes(&plan_);
  }

  /// The axis c of a line's planes: the fast one, and where that is the line's own, the longer of the others.
  int c_axis(int axis) const {
    const ProjectorVolume& v = plan_.volume;
    if (axis != v.fast) return v.fast;
    return v.n[v.middle] >= v.n[v.slow] ? v.middle : v.slow;
  }

  int axis_along_columns() const {
    Vector3 along{};
    for (const View& view : request_.views)
      for (std::size_t k = 0; k < 3; ++k) {
        const auto axis = request_.geometry.axis(static_cast<int>(k));
        along[k] += std::fabs(dot(Vector3{axis[0], axis[1], axis[2]}, view.v_step_mm)) / length(view.v_step_mm);
      }
    return static_cast<int>(largest_component(along));
  }

  void lay_out_views() {
    plan_.stack.lines = plan_.along_rows ? 1 : request_.columns;
    plan_.stack.elements = plan_.along_rows ? request_.columns : request_.rows;
    plan_.stack.stride = round_up(plan_.stack.elements, 16);
  }

  void lines_along_columns() {
    plan_.aligned = true;
    plan_.lines.reserve(request_.views.size() * static_cast<std::size_t>(request_.columns));
    for (std::size_t n = 0; n < request_.views.size(); ++n)
      for (int i = 0; i < request_.columns; ++i) {
        const View& view = request_.views[n];
        const JosephLine line = make_line(n, view.element_mm(i, 0, request_.detector), view.v_step_mm, 0, request_.rows,
                                          "column " + std::to_string(i));
        plan_.aligned = plan_.aligned && is_aligned(line);
        plan_.lines.push_back(line);
      }
  }

  /// Whether the line keeps to a plane along the fast axis, on which its rays are at least a sixteenth of a voxel
  /// apart.
  bool is_aligned(const JosephLine& line) const {
    const float first = line.c1 + (static_cast<float>(line.first) - line.centre) * line.c_step1;
    const float last = line.c1 + (static_cast<float>(line.last) - line.centre) * line.c_step1;
    return line.axis != plan_.volume.fast && line.r1 == 0.0F && line.b1 == 0.0F && line.b_step1 == 0.0F &&
           (line.last < line.first || (first * last > 0.0F && std::min(std::fabs(first), std::fabs(last)) >= 0.0625F));
  }

  /// Whether its rays are at least a sixteenth of a voxel apart along c, with c = (a0 + a1 j) / (1 + r1 j) in a plane:
  /// dc/dj = (a1 - a0 r1) / (1 + r1 j)², whose numerator is linear in the plane's number.
  static bool is_separated(const JosephLine& line) {
    if (line.last < line.first) return true;
    const auto numerator = [&](std::int32_t k) {
      const float along = static_cast<float>(k) - line.centre;
      return line.c1 + along * line.c_step1 - (line.c0 + along * line.c_step0) * line.r1;
    };
    const float first = numerator(line.first), last = numerator(line.last);
    const float turn = 1.0F + line.r1 * static_cast<float>(line.begin),
                turn_at_end = 1.0F + line.r1 * static_cast<float>(line.end - 1);
    const float least = std::min(std::fabs(first), std::fabs(last)) / std::max(turn * turn, turn_at_end * turn_at_end);
    return first * last > 0.0F && least * joseph_any_most_rays >= 1.0F;
  }

  /// Runs of rays with the same fastest axis. They begin at multiples of 8, so that a pack of eight rays has one line.
  void lines_along_rows() {
    std::vector<std::vector<JosephLine>> found(request_.views.size());
    for (std::size_t n = 0; n < request_.views.size(); ++n) {
      const View& view = request_.views[n];
      const auto axis_at = [&](int block) {
        const int middle = std::min(8 * block + 4, request_.columns - 1);
        return largest_component(ray(view, view.element_mm(middle, 0)));
      };
      const int blocks = (request_.columns + 7) / 8;
      for (int first = 0, next = 0; first < blocks; first = next) {
        for (next = first + 1; next < blocks && axis_at(next) == axis_at(first);) ++next;
        const int end = std::min(8 * next, request_.columns);
        found[n].push_back(make_line(n, view.detector_origin_mm, view.u_step_mm, 8 * first, end, "the row"));
      }
      plan_.runs = std::max(plan_.runs, static_cast<int>(found[n].size()));
    }
    for (auto& runs : found) {
      runs.resize(static_cast<std::size_t>(plan_.runs), JosephLine{.last = -1});
      plan_.lines.insert(plan_.lines.end(), runs.begin(), runs.end());
    }
  }

  /// The ray to a point of the detector, mm.
  Vector3 ray(const View& view, const Vector3& element) const {
    return frame_.direction(request_.beam == Beam::cone ? minus(element, view.source_mm) : view.source_mm);
  }

  JosephLine make_line(std::size_t n, const Vector3& first_mm, const Vector3& step_mm, int begin, int end,
                       const std::string& what) const {
    const View& view = request_.views[n];
    const bool cone = request_.beam == Beam::cone;
    const Vector3 middle_mm = plus(first_mm, times(0.5 * (begin + end - 1), step_mm));
    const Vector3 middle = ray(view, middle_mm);
    const std::size_t a = largest_component(middle);
    const auto c = static_cast<std::size_t>(c_axis(static_cast<int>(a))), b = 3 - a - c;
    const Vector3 d0 = ray(view, first_mm), e0 = frame_.position(first_mm), v = frame_.direction(step_mm);
    const Vector3 source = frame_.position(view.source_mm);
    check_turn(n, view, first_mm, step_mm, begin, end, a, what);

    const double centre = 0.5 * (plan_.volume.n[a] - 1);
    JosephLine line{};
    line.axis = static_cast<std::int32_t>(a);
    line.begin = begin;
    line.end = end;
    line.centre = static_cast<float>(centre);
    double r1 = 0, at[3][2] = {}, slope[3][2] = {};
    for (const std::size_t k : {b, c}) {
      if (cone) {
        r1 = v[a] / d0[a];
        at[k][0] = source[k] + (centre - source[a]) * d0[k] / d0[a];
        at[k][1] = (source[k] * v[a] + (centre - source[a]) * v[k]) / d0[a];
        slope[k][0] = d0[k] / d0[a];
        slope[k][1] = v[k] / d0[a];
      } else {
        slope[k][0] = d0[k] / d0[a];
        at[k][0] = e0[k] + (centre - e0[a]) * slope[k][0];
        at[k][1] = v[k] - v[a] * slope[k][0];
      }
    }
    // What stays below a ten-thousandth of a voxel over the whole line is rounding of the geometry.
    const double along = std::max(1, plan_.stack.elements - 1), deep = plan_.volume.n[a];
    if (std::fabs(r1) * along * deep < 1e-4) r1 = 0.0;
    if (std::fabs(at[b][1]) * along < 1e-4 && std::fabs(slope[b][1]) * along * deep < 1e-4)
      at[b][1] = slope[b][1] = 0.0;
    line.r1 = static_cast<float>(r1);
    line.b0 = static_cast<float>(at[b][0]);
    line.b1 = static_cast<float>(at[b][1]);
    line.b_step0 = static_cast<float>(slope[b][0]);
    line.b_step1 = static_cast<float>(slope[b][1]);
    line.c0 = static_cast<float>(at[c][0]);
    line.c1 = static_cast<float>(at[c][1]);
    line.c_step0 = static_cast<float>(slope[c][0]);
    line.c_step1 = static_cast<float>(slope[c][1]);
    const Vector3 d_mm = cone ? minus(first_mm, view.source_mm) : view.source_mm;
    line.l0 = static_cast<float>(dot(d_mm, d_mm) / (d0[a] * d0[a]));
    if (cone) {
      line.l1 = static_cast<float>(2.0 * dot(d_mm, step_mm) / (d0[a] * d0[a]));
      line.l2 = static_cast<float>(dot(step_mm, step_mm) / (d0[a] * d0[a]));
    }
    set_planes(a, source[a], frame_.position(middle_mm)[a], &line);
    return line;
  }

  /// With a cone beam the planes between the source and the line's middle element.
  void set_planes(std::size_t a, double source, double element, JosephLine* line) const {
    line->first = 0;
    line->last = plan_.volume.n[a] - 1;
    if (request_.beam == Beam::parallel) return;
    line->first = static_cast<std::int32_t>(std::clamp(std::ceil(std::min(source, element)), 0.0, 1e6));
    line->last = static_cast<std::int32_t>(
        std::clamp(std::floor(std::max(source, element)), -1.0, static_cast<double>(line->last)));
  }

  void check_turn(std::size_t n, const View& view, const Vector3& first_mm, const Vector3& step_mm, int begin, int end,
                  std::size_t a, const std::string& what) const {
    const Vector3 middle = ray(view, plus(first_mm, times(0.5 * (begin + end - 1), step_mm)));
    for (const int j : {begin, end - 1}) {
      const Vector3 d = ray(view, plus(first_mm, times(j, step_mm)));
      if (d[a] * middle[a] > 0.0 && std::fabs(d[a]) >= 0.25 * std::fabs(d[largest_component(d)])) continue;
      throw Failure(ErrorCode::unsupported,
                    "view " + std::to_string(n) + ": the rays of " + what +
                        " turn by more than the projector follows (a slope of 4 against the volume's axis " + "xyz"[a] +
                        ")",
                    "check detector_origin_mm and v_step_mm of this view in acquisition.views, or cut the detector");
    }
  }

  const ProjectorRequest& request_;
  IndexFrame frame_;
  ProjectorPlan plan_;
};

}  // namespace

ProjectorPlan plan_projector(const ProjectorRequest& request) { return Planner(request).make(); }

bool is_too_large(const ProjectorPlan& plan) { return plan.volume.floats >= (std::int64_t{1} << 31); }

ProjectorPlan plan_of_slab(const ProjectorPlan& whole, int height) {
  ProjectorPlan plan;
  plan.volume = whole.volume;
  plan.volume.n[2] = height;
  place_voxels(&plan.volume);
  plan.stack = whole.stack;
  plan.views = whole.views, plan.columns = whole.columns, plan.rows = whole.rows, plan.runs = whole.runs;
  plan.along_rows = whole.along_rows, plan.aligned = whole.aligned;
  plan.separated = whole.separated, plan.turns = whole.turns;
  std::copy_n(whole.c_axis, 3, plan.c_axis);
  place_planes(&plan);
  return plan;
}

}  // namespace isocenter::detail
