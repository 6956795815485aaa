#include <algorithm>
#include <cmath>
#include <isocenter/recon/acquisition.hpp>
#include <isocenter/recon/rotation_centre.hpp>
#include <numbers>

#include "core/builtin.hpp"
#include "core/launcher.hpp"
#include "recon/centre_search.hpp"
#include "recon/correction_input.hpp"
#include "recon/view_blocks.hpp"

namespace isocenter::detail {

namespace {

using Vector = std::array<double, 3>;
double inner(const Vector& a, const Vector& b) { return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]; }
Vector product(const Vector& a, const Vector& b) {
  return {a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]};
}
Vector difference(const Vector& a, const Vector& b) { return {a[0] - b[0], a[1] - b[1], a[2] - b[2]}; }

/// The distance of the source from the detector's plane.
double distance_mm(const View& v) {
  const Vector n = product(v.u_step_mm, v.v_step_mm);
  return std::fabs(inner(n, difference(v.detector_origin_mm, v.source_mm))) / std::sqrt(inner(n, n));
}

/// Where the geometry has the axis, which passes through the origin along the columns.
double planned_column(const View& v, Beam beam) {
  const Vector& u = v.u_step_mm;
  if (beam == Beam::parallel) return -inner(v.detector_origin_mm, u) / inner(u, u);
  // The ray from the source through the origin, where it meets the detector.
  const Vector n = product(v.u_step_mm, v.v_step_mm);
  const double t = inner(n, difference(v.detector_origin_mm, v.source_mm)) / -inner(n, v.source_mm);
  const Vector at = {v.source_mm[0] * (1 - t), v.source_mm[1] * (1 - t), v.source_mm[2] * (1 - t)};
  return inner(difference(at, v.detector_origin_mm), u) / inner(u, u);
}

}  // namespace

class RotationCentreOperator : public OperatorBase<RotationCentre> {
 public:
  void plan(PlanContext& plan) override {
    const PayloadRef input = plan.input("input");
    shape_ = projection_shape(input, "input");
    check_line_integrals(input, "input");
    plan.output("output").like(input, "views");
    require_whole_scan(input, shape_.views);
    const std::span<const View> views = views_of(input);
    if (shape_.views < 16 || shape_.columns < 16)
      throw Failure(ErrorCode::unsupported,
                    "there are " + std::to_string(shape_.views) + " views of " + std::to_string(shape_.columns) +
                        " columns, and at least 16 of each are needed",
                    "give all views of the turn in one item");
    beam_ = beam_of(input);
    find_arc(views);
    check_axis(views);
    data_ = {nullptr, used_views_, shape_.rows, shape_.columns, 0, 1};
    choose_rows(views);
    plan.scratch(centre_work_doubles(data_) * sizeof(double));
    plan.metric("centre_column", "px", 1);
    plan.metric("shift_columns", "px", 1);
    if (beam_ == Beam::cone) plan.metric("disagreement", "1", 1);
  }

  void run(const RunContext& run) override {
    const Launcher threads = launcher_of(run);
    data_.values = run.input("input").tensor("views").as<const float>();
    check_values();
    const double reach = params.search_columns > 0.0 ? params.search_columns : shape_.columns / 8.0;
    const double low = std::max(2.0, planned_ - reach), high = std::min(shape_.columns - 3.0, planned_ + reach);
    auto* work = run.scratch<double>();
    double centre = 0.0, disagreement = 0.0;
    if (beam_ == Beam::cone)
      centre = centre_of_fan(threads, data_, columns_per_distance_, along_, low, high, work, &disagreement);
    else if (whole_turn_)
      centre = centre_of_whole_turn(threads, data_, low, high, work);
    else
      centre = centre_of_half_turn(threads, data_, low, high, work);
    run.metric("centre_column", centre);
    run.metric("shift_columns", centre - planned_);
    if (beam_ == Beam::cone) run.metric("disagreement", disagreement);
    if (centre < low + 0.5 || centre > high - 0.5)
      run.warn("the axis was sought from column " + text_of(low) + " to " + text_of(high) + " and found at an end, " +
                   text_of(centre),
               "raise search_columns, and check the arc and the order of the views");
    move(threads, run.output("output").tensor("views").as<float>(), params.apply ? centre - planned_ : 0.0);
  }

 private:
  /// The turn from each view to the next, and what the views make of it.
  void find_arc(std::span<const View> views) {
    const Vector& u0 = views[0].u_step_mm;
    const Vector w0 = product(views[0].v_step_mm, u0);
    const double scale = std::sqrt(inner(u0, u0) / inner(w0, w0));
    const auto angle = [&](std::size_t n) {
      return std::atan2(inner(views[n].u_step_mm, w0) * scale, inner(views[n].u_step_mm, u0));
    };
    const double step = angle(1);
    double arc = 0.0;
    for (std::size_t n = 1; n < views.size(); ++n) {
      const double turn = std::remainder(angle(n) - angle(n - 1), 2.0 * std::numbers::pi);
      if (std::fabs(turn - step) > 0.02 * std::fabs(step) || step == 0.0)
        throw Failure(ErrorCode::unsupported,
                      "view " + std::to_string(n) + " is turned by " + text_of(turn * 180 / std::numbers::pi) +
                          " deg against the one before, and view 1 by " + text_of(step * 180 / std::numbers::pi) +
                          " deg",
                      "give equally spaced views in the order in which they were taken");
      arc += turn;
    }
    arc = std::fabs(arc);
    const double s = std::fabs(step), half = std::numbers::pi;
    used_views_ = shape_.views;
    const auto is = [&](double a, double b) { return std::fabs(a - b) < 0.05 * s; };
    for (const double turn : {half, 2.0 * half}) {
      whole_turn_ = turn > half;
      if (is(arc + s, turn)) break;
      if (is(arc, turn)) {
        --used_views_;  // the last view is the first one's again, or its mirror image
        break;
      }
      if (whole_turn_) refuse_arc(arc + s);
    }
    if (beam_ == Beam::cone && !whole_turn_) refuse_arc(arc + s);
    if (beam_ == Beam::parallel && whole_turn_ && used_views_ % 2 != 0)
      throw Failure(ErrorCode::unsupported,
                    "a whole turn of " + std::to_string(used_views_) + " parallel views has none opposite to another",
                    "give an even number of views");
  }

  [[noreturn]] void refuse_arc(double arc) const {
    throw Failure(ErrorCode::unsupported,
                  "the views cover " + text_of(arc * 180 / std::numbers::pi) + " deg with a " +
                      (beam_ == Beam::cone ? "cone or fan beam, and 360 deg are needed"
                                           : "parallel beam, and 180 or 360 deg are needed"),
                  "give the views of one such turn, without overlap");
  }

  /// The axis must fall on the same column in every view.
  void check_axis(std::span<const View> views) {
    planned_ = planned_column(views[0], beam_);
    for (std::size_t n = 0; n < views.size(); ++n) {
      const double here = planned_column(views[n], beam_);
      if (!(std::fabs(here - planned_) < 0.02))
        throw Failure(ErrorCode::unsupported,
                      "the geometry has the axis at column " + text_of(planned_) + " in view 0 and at " +
                          text_of(here) + " in view " + std::to_string(n),
                      "give a circular scan around the patient frame's origin");
    }
    if (!(planned_ > 2.0) || !(planned_ < shape_.columns - 3.0))
      throw Failure(
          ErrorCode::unsupported,
          "the geometry has the axis at column " + text_of(planned_ + 0.0) + " of " + std::to_string(shape_.columns),
          "give an origin (of a stack of images: origin 0 has the axis at column 0) or a detector offset with which the"
          " detector lies across the axis; one that does not see the axis cannot show it");
  }

  void choose_rows(std::span<const View> views) {
    const View& view = views.front();
    if (beam_ == Beam::parallel) {
      data_.row_step = std::max(1, shape_.rows / static_cast<int>(params.rows));
      data_.first_row = (shape_.rows - 1) % data_.row_step / 2;
      return;
    }
    const Vector& v = view.v_step_mm;
    const double row = inner(difference(view.source_mm, view.detector_origin_mm), v) / inner(v, v);
    if (!(row > -0.51) || !(row < shape_.rows - 0.49))
      throw Failure(ErrorCode::unsupported,
                    "the plane of the source's circle meets the detector at row " + text_of(row) + " of " +
                        std::to_string(shape_.rows),
                    "include the middle plane in the detector");
    data_.first_row = std::clamp(static_cast<int>(std::lround(row)), 0, shape_.rows - 1);
    columns_per_distance_ = distance_mm(view) / std::sqrt(inner(view.u_step_mm, view.u_step_mm));
    along_ = inner(difference(views[1].source_mm, view.source_mm), view.u_step_mm) > 0.0 ? 1.0 : -1.0;
  }

  void check_values() const {
    for (std::int64_t i = 0; i < shape_.elements(); ++i)
      if (!std::isfinite(data_.values[i]))
        throw Failure(ErrorCode::bad_data, "the line integral at " + place_of(shape_, i) + " is not a finite number",
                      "put line_integrals before this node, which names and counts such values");
  }

  /// out[u] = in[u + by].
  void move(const Launcher& threads, float* out, double by) const {
    const int columns = shape_.columns;
    const auto whole = static_cast<int>(std::floor(by));
    const auto t = static_cast<float>(by - whole);
    parallel_for(threads, static_cast<std::int64_t>(shape_.views) * shape_.rows, 16,
                 [&](std::int64_t begin, std::int64_t end) {
                   for (std::int64_t line = begin; line < end; ++line) {
                     const float* in = data_.values + line * columns;
                     const auto at = [&](int u) { return in[std::clamp(u, 0, columns - 1)]; };
                     for (int u = 0; u < columns; ++u) {
                       const int i = u + whole;
                       out[line * columns + u] = catmull_rom(at(i - 1), at(i), at(i + 1), at(i + 2), t);
                     }
                   }
                 });
  }

  ProjectionShape shape_;
  Beam beam_ = Beam::cone;
  bool whole_turn_ = true;
  int used_views_ = 0;
  double planned_ = 0, columns_per_distance_ = 0, along_ = 1;
  CentreData data_{};
};

}  // namespace isocenter::detail

ISOCENTER_BUILTIN_OPERATOR(rotation_centre, RotationCentreOperator)
