#include "recon/line_integrals.hpp"

#include <algorithm>
#include <cmath>
#include <isocenter/recon/line_integrals.hpp>

#include "core/builtin.hpp"
#include "core/launcher.hpp"
#include "recon/correction_input.hpp"

namespace isocenter::detail {

class LineIntegralsOperator : public OperatorBase<LineIntegrals> {
 public:
  void plan(PlanContext& plan) override {
    const PayloadRef input = plan.input("input");
    shape_ = projection_shape(input, "input");
    for (const char* port : {"input", "dark", "flat"})
      if (plan.has_input(port)) check_raw_counts(plan.input(port), port);
    dark_frames_ = frames_of(plan, "dark");
    flat_frames_ = frames_of(plan, "flat");
    if (plan.has_input("bad_pixels") && frames_of(plan, "bad_pixels") != 1)
      throw Failure(ErrorCode::bad_data,
                    "input 'bad_pixels' has " + std::to_string(frames_of(plan, "bad_pixels")) + " frames",
                    "give one frame that is not 0 where a pixel is defective");
    on_cpu_ = plan.on_cpu();
    check_parameters();
    describe(plan, input);
    make_rooms(plan);
    require_kernels(plan);
    plan.metric("defects", "px", 1);
    plan.metric("clamped", "", 1);
    if (params.border_columns == 0) {
      plan.metric("above_i0", "%", 1);
      return;
    }
    plan.metric("i0", "", 1);
    plan.metric("border_imbalance", "", 1);
  }

  void run(const RunContext& run) override {
    const Launcher launcher = launcher_of(run);
    const Frame f = frame(run);
    find_defects(launcher, f);
    launch(launcher,
           CountRows{f.counts, f.dark, f.gain, f.clamped, f.above, f.border, shape_.columns, shape_.rows,
                     static_cast<int>(params.border_columns), dark_value(), minimum()},
           shape_.rows, shape_.views, 1);
    if (f.border != nullptr)
      launch(launcher, BorderIntensity{f.border, f.log_i0, f.imbalance, shape_.rows}, shape_.views, 1, 1);
    const Frame read = for_host(run, f);
    if (read.flat != nullptr) check_frames(read);
    check_defects(run, read);
    check_counts(run, read);
    run.check_cancelled();
    launch(launcher,
           LineIntegralsKernel{f.counts, f.dark, f.gain, f.distance, f.log_i0, f.out, shape_.columns, shape_.rows,
                               dark_value(), minimum()},
           shape_.columns, shape_.rows, shape_.views);
  }

 private:
  /// The pointers of one item.
  struct Frame {
    const float *counts, *dark_frames, *flat_frames, *map;
    float *dark, *dark_deviation, *flat, *flat_deviation, *gain, *defects, *clamped, *above, *log_i0, *imbalance, *out;
    std::int32_t* distance;
    double* border;
  };
  /// Where they lie in scratch memory.
  struct Rooms {
    std::uint64_t dark, dark_deviation, flat, flat_deviation, gain, above, log_i0, imbalance, distance, border;
  };
  /// Where copies of them lie in host memory, on a device.
  struct HostRooms {
    std::uint64_t dark, flat, defects, distance, clamped, above, log_i0, imbalance;
  };

  float dark_value() const { return static_cast<float>(params.dark_counts); }
  float minimum() const { return static_cast<float>(params.minimum_counts); }

  int frames_of(const PlanContext& plan, const char* port) const {
    if (!plan.has_input(port)) return 0;
    const ProjectionShape s = projection_shape(plan.input(port), port);
    check_same_detector(shape_, "input", s, port);
    return s.views;
  }

  void check_parameters() const {
    if (flat_frames_ == 0 && !(params.i0_counts > 0.0) && params.border_columns == 0)
      throw Failure(ErrorCode::invalid_argument, "there are no flats, and i0_counts and border_columns are 0",
                    "connect 'flat', or set i0_counts to the counts of the open beam, or border_columns to the columns "
                    "at each side that see no object");
    if (2 * params.border_columns > shape_.columns)
      throw Failure(ErrorCode::invalid_argument,
                    "border_columns = " + std::to_string(params.border_columns) + " at each side of a detector of " +
                        std::to_string(shape_.columns) + " columns",
                    "give at most " + std::to_string(shape_.columns / 2));
  }

  void describe(PlanContext& plan, const PayloadRef& input) {
    PayloadRef output = plan.output("output");
    output.set_text("unit", "1");
    output.like(input, "views");
    output.set_tensor("clamped", tensor(DType::float32, "nv", {shape_.views, shape_.rows}));
    PayloadRef defects = plan.output("defects");
    defects.set_tensor("views", tensor(DType::float32, "nvu", {1, shape_.rows, shape_.columns}));
  }

  void make_rooms(PlanContext& plan) {
    ScratchRooms rooms;
    const auto pixels = static_cast<std::uint64_t>(shape_.pixels()), views = static_cast<std::uint64_t>(shape_.views);
    const auto floats = [&](std::uint64_t n) { return rooms.add(n * sizeof(float)); };
    if (dark_frames_ > 0) rooms_.dark = floats(pixels), rooms_.dark_deviation = floats(pixels);
    if (flat_frames_ > 0) rooms_.flat = floats(pixels), rooms_.flat_deviation = floats(pixels);
    rooms_.gain = floats(pixels);
    rooms_.distance = rooms.add(4 * pixels * sizeof(std::int32_t));
    if (params.border_columns == 0) {
      rooms_.above = floats(views * static_cast<std::uint64_t>(shape_.rows));
    } else {
      rooms_.log_i0 = floats(views);
      rooms_.imbalance = floats(views);
      rooms_.border = rooms.add(4 * views * static_cast<std::uint64_t>(shape_.rows) * sizeof(double));
    }
    plan.scratch(rooms.bytes());
    if (on_cpu_) return;
    ScratchRooms of_host;
    const auto copies = [&](bool wanted, std::uint64_t n) { return of_host.add(wanted ? n * sizeof(float) : 0); };
    host_rooms_ = {copies(dark_frames_ > 0, pixels),
                   copies(flat_frames_ > 0, pixels),
                   copies(true, pixels),
                   of_host.add(4 * pixels * sizeof(std::int32_t)),
                   copies(true, views * static_cast<std::uint64_t>(shape_.rows)),
                   copies(params.border_columns == 0, views * static_cast<std::uint64_t>(shape_.rows)),
                   copies(params.border_columns > 0, views),
                   copies(params.border_columns > 0, views)};
    plan.host_scratch(of_host.bytes());
  }

  static void require_kernels(const PlanContext& plan) {
    plan.require_kernel<FrameStatistics>();
    plan.require_kernel<DetectorResponse>();
    plan.require_kernel<DefectNeighbours>();
    plan.require_kernel<CountRows>();
    plan.require_kernel<BorderIntensity>();
    plan.require_kernel<LineIntegralsKernel>();
  }

  Frame frame(const RunContext& run) const {
    const auto in = [&](const char* port) -> const float* {
      return run.has_input(port) ? run.input(port).tensor("views").as<const float>() : nullptr;
    };
    const auto room = [&](bool wanted, std::uint64_t at) {
      return wanted ? ScratchRooms::at<float>(run, at) : nullptr;
    };
    const bool dark = dark_frames_ > 0, flat = flat_frames_ > 0, border = params.border_columns > 0;
    Frame f{};
    f.counts = in("input");
    f.dark_frames = in("dark");
    f.flat_frames = in("flat");
    f.map = in("bad_pixels");
    f.dark = room(dark, rooms_.dark);
    f.dark_deviation = room(dark, rooms_.dark_deviation);
    f.flat = room(flat, rooms_.flat);
    f.flat_deviation = room(flat, rooms_.flat_deviation);
    f.gain = room(true, rooms_.gain);
    f.defects = run.output("defects").tensor("views").as<float>();
    f.distance = ScratchRooms::at<std::int32_t>(run, rooms_.distance);
    f.above = room(!border, rooms_.above);
    f.log_i0 = room(border, rooms_.log_i0);
    f.imbalance = room(border, rooms_.imbalance);
    f.border = border ? ScratchRooms::at<double>(run, rooms_.border) : nullptr;
    f.clamped = run.output("output").tensor("clamped").as<float>();
    f.out = run.output("output").tensor("views").as<float>();
    return f;
  }

  void find_defects(const Launcher& launcher, const Frame& f) const {
    const int nu = shape_.columns, nv = shape_.rows;
    if (f.dark != nullptr)
      launch(launcher, FrameStatistics{f.dark_frames, f.dark, f.dark_deviation, shape_.pixels(), nu, dark_frames_}, nu,
             nv, 1);
    if (f.flat != nullptr)
      launch(launcher, FrameStatistics{f.flat_frames, f.flat, f.flat_deviation, shape_.pixels(), nu, flat_frames_}, nu,
             nv, 1);
    DetectorResponse response{};
    response.dark = f.dark;
    response.dark_deviation = dark_frames_ >= 4 ? f.dark_deviation : nullptr;
    response.flat = f.flat;
    response.flat_deviation = flat_frames_ >= 8 ? f.flat_deviation : nullptr;
    response.given = f.map;
    response.gain = f.gain;
    response.defects = f.defects;
    response.columns = nu;
    response.rows = nv;
    response.dark_value = dark_value();
    response.open_beam = params.i0_counts > 0.0 ? static_cast<float>(params.i0_counts) : 1.0F;
    response.response_tolerance = static_cast<float>(params.response_tolerance_percent / 100.0);
    response.offset_tolerance = static_cast<float>(params.offset_tolerance_percent / 100.0);
    response.noise_factor = static_cast<float>(params.noise_factor);
    launch(launcher, response, nu, nv, 1);
    launch(launcher, DefectNeighbours{f.gain, f.distance, nu, nv}, nu, nv, 1);
  }

  /// What the checks read of an item, where the host can read it.
  Frame for_host(const RunContext& run, Frame f) const {
    const auto pixels = static_cast<std::uint64_t>(shape_.pixels()), views = static_cast<std::uint64_t>(shape_.views);
    const auto fetch = [&](auto** values, std::uint64_t count, std::uint64_t at) {
      *values = detail::for_host(run, on_cpu_, *values, count, at);
    };
    fetch(&f.dark, pixels, host_rooms_.dark);
    fetch(&f.flat, pixels, host_rooms_.flat);
    fetch(&f.defects, pixels, host_rooms_.defects);
    fetch(&f.distance, 4 * pixels, host_rooms_.distance);
    fetch(&f.clamped, views * static_cast<std::uint64_t>(shape_.rows), host_rooms_.clamped);
    fetch(&f.above, views * static_cast<std::uint64_t>(shape_.rows), host_rooms_.above);
    fetch(&f.log_i0, views, host_rooms_.log_i0);
    fetch(&f.imbalance, views, host_rooms_.imbalance);
    run.wait();
    return f;
  }

  void check_frames(const Frame& f) const {
    double dark = 0.0, flat = 0.0;
    for (std::int64_t i = 0; i < shape_.pixels(); ++i) {
      dark += f.dark != nullptr ? f.dark[i] : params.dark_counts;
      flat += f.flat[i];
    }
    dark /= static_cast<double>(shape_.pixels());
    flat /= static_cast<double>(shape_.pixels());
    if (!std::isfinite(dark) || !std::isfinite(flat))
      throw Failure(ErrorCode::bad_data,
                    std::string("the ") + (std::isfinite(dark) ? "flat" : "dark") + " frames hold NaN or infinity",
                    "check how they were read; known bad pixels go into 'bad_pixels' with finite counts in the frames");
    if (dark >= flat)
      throw Failure(ErrorCode::bad_data,
                    "the dark is as bright as the flat or brighter: " + text_of(dark) + " and " + text_of(flat) +
                        " counts in the mean",
                    "check whether the two are exchanged, and whether the beam was on for the flats");
  }

  void check_defects(const RunContext& run, const Frame& f) const {
    std::int64_t defects = 0, first = -1, lost = -1;
    for (std::int64_t i = 0; i < shape_.pixels(); ++i) {
      if (f.defects[i] == 0.0F) continue;
      if (defects++ == 0) first = i;
      const std::int32_t* d = f.distance + 4 * i;
      if (lost < 0 && (d[0] | d[1] | d[2] | d[3]) == 0) lost = i;
    }
    run.metric("defects", static_cast<double>(defects));
    const double percent = 100.0 * static_cast<double>(defects) / static_cast<double>(shape_.pixels());
    if (defects == shape_.pixels())
      throw Failure(ErrorCode::bad_data, "all " + std::to_string(defects) + " pixels are defective",
                    "check that the flats were taken with the beam on, and that 'bad_pixels' is 0 where a pixel works");
    if (percent > params.largest_defect_percent)
      throw Failure(ErrorCode::bad_data,
                    std::to_string(defects) + " of " + std::to_string(shape_.pixels()) + " pixels are defective (" +
                        text_of(percent) + " %, the first at row " + std::to_string(first / shape_.columns) +
                        ", column " + std::to_string(first % shape_.columns) +
                        "), and largest_defect_percent = " + text_of(params.largest_defect_percent),
                    "look at the output 'defects' with largest_defect_percent = 100, and check the dark and flat "
                    "frames, or raise it");
    if (lost >= 0)
      throw Failure(ErrorCode::bad_data,
                    "the defective pixel at row " + std::to_string(lost / shape_.columns) + ", column " +
                        std::to_string(lost % shape_.columns) + " has no good pixel in its row or its column",
                    "cut these rows off the projections");
  }

  void check_counts(const RunContext& run, const Frame& f) {
    double clamped = 0.0;
    std::int64_t row = -1;
    for (std::int64_t i = 0; i < static_cast<std::int64_t>(shape_.views) * shape_.rows; ++i) {
      if (f.clamped[i] > 0.0F && row < 0) row = i;
      clamped += f.clamped[i];
    }
    run.metric("clamped", clamped);
    if (clamped > 0.0) report_clamped(run, f, row, clamped);
    if (f.above != nullptr) check_open_beam(run, f);
    if (f.border == nullptr) return;
    double i0 = 0.0, imbalance = 0.0;
    int worst = 0;
    for (int n = 0; n < shape_.views; ++n) {
      i0 += std::exp(static_cast<double>(f.log_i0[n]));
      if (const double d = std::fabs(f.imbalance[n]); d > imbalance) imbalance = d, worst = n;
    }
    run.metric("i0", i0 / shape_.views);
    run.metric("border_imbalance", imbalance);
    if (imbalance > 0.1)
      run.warn("the left and the right border of view " + std::to_string(worst) + " differ by a factor of " +
                   text_of(std::exp(imbalance)) + ", so that one of them may see the object",
               "use fewer border_columns, or flats");
  }

  /// Noise leaves few readings so far above the open beam; a stream is warned as report_clamped warns it.
  void check_open_beam(const RunContext& run, const Frame& f) {
    double above = 0.0;
    for (std::int64_t i = 0; i < static_cast<std::int64_t>(shape_.views) * shape_.rows; ++i) above += f.above[i];
    const double percent = 100.0 * above / static_cast<double>(shape_.elements());
    run.metric("above_i0", percent);
    if (percent <= 10.0 || percent < 2.0 * warned_above_percent_) return;
    warned_above_percent_ = percent;
    run.warn(text_of(percent) + " % of the readings are above " + text_of(CountRows::far_above) +
                 " times the open beam's, so that their line integrals are below 0",
             flat_frames_ > 0 ? "take the flats at the exposure of the scan"
                              : "set i0_counts = " + text_of(params.i0_counts) + " to the counts of the open beam");
  }

  /// The first of them is in `row` of all rows of all views. A stream is warned of its first item, and of those that
  /// are twice as bad as the last one warned of.
  void report_clamped(const RunContext& run, const Frame& f, std::int64_t row, double clamped) {
    const double percent = 100.0 * clamped / static_cast<double>(shape_.elements());
    const bool refuses = params.bad_counts == BadCounts::refuse;
    if (!refuses && percent < 2.0 * warned_percent_) return;
    const std::string what = std::to_string(static_cast<std::int64_t>(clamped)) +
                             " counts have no logarithm, the first at " + first_clamped(run, f, row) +
                             ", and minimum_counts = " + text_of(params.minimum_counts);
    if (refuses)
      throw Failure(ErrorCode::bad_data, what, "set bad_counts to clamp, or check the exposure and the dark frames");
    warned_percent_ = percent;
    run.warn(what + " stands for these " + text_of(percent) + " %",
             "check the exposure and the dark frames, and what the output's tensor \"clamped\" says of views and rows");
  }

  /// Counts and gain lie on the device.
  std::string first_clamped(const RunContext& run, const Frame& f, std::int64_t row) const {
    const auto columns = static_cast<std::size_t>(shape_.columns);
    const std::int64_t first_pixel = row % shape_.rows * shape_.columns;
    std::vector<float> counts(columns), gain(columns);
    run.copy(counts.data(), f.counts + row * shape_.columns, columns * sizeof(float));
    run.copy(gain.data(), f.gain + first_pixel, columns * sizeof(float));
    run.wait();
    for (std::size_t u = 0; u < columns; ++u) {
      const std::int64_t pixel = first_pixel + static_cast<std::int64_t>(u);
      if (gain[u] == 0.0F) continue;
      const float low = f.dark != nullptr ? f.dark[pixel] : dark_value();
      if (usable_counts(counts[u] - low, minimum()) == counts[u] - low) continue;
      return place_of(shape_, row * shape_.columns + static_cast<std::int64_t>(u)) + ": " + text_of(counts[u]) +
             " with a dark of " + text_of(low);
    }
    throw Failure(ErrorCode::internal, "a count without a logarithm was not found again", "report this");
  }

  ProjectionShape shape_;
  int dark_frames_ = 0, flat_frames_ = 0;
  bool on_cpu_ = true;
  Rooms rooms_{};
  HostRooms host_rooms_{};
  double warned_percent_ = 0, warned_above_percent_ = 0;
};

}  // namespace isocenter::detail

ISOCENTER_BUILTIN_OPERATOR(line_integrals, LineIntegralsOperator)
