#include <cmath>
#include <isocenter/volume/detections.hpp>
#include <string_view>

#include "core/builtin.hpp"
#include "volume/detected_boxes.hpp"

namespace isocenter::detail {

class DetectionsOperator : public OperatorBase<Detections> {
 public:
  void plan(PlanContext& plan) override {
    const PayloadRef volume = plan.input("volume");
    const TensorView voxels = volume.tensor("voxels"), table = plan.input("candidates").tensor("voxels");
    if (std::string_view(voxels.axes) != "zyx")
      throw Failure(ErrorCode::bad_data, std::string("input 'volume' has the axes '") + voxels.axes + "', not 'zyx'",
                    "give one time point at a time");
    for (std::size_t i = 0; i < 3; ++i) extent_[i] = static_cast<int>(voxels.shape[2 - i]);
    plan_candidates(table, voxels);
    const std::vector<std::string> names = split_names(params.names);
    check_class_names(names, "names = '" + params.names + "'");
    classes_ = static_cast<int>(names.size());
    if (columns_ != 2 * params.dimensions + classes_)
      throw Failure(ErrorCode::bad_data,
                    "input 'candidates' has rows of " + std::to_string(columns_) + " numbers, and " +
                        std::to_string(2 * params.dimensions) +
                        " for a box (dimensions = " + std::to_string(params.dimensions) + ") and " +
                        std::to_string(classes_) + " scores (names = " + params.names + ") make " +
                        std::to_string(2 * params.dimensions + classes_),
                    "set dimensions and names to what the detector gives");
    plan_scale();
    plan_slice();
    describe_boxes(plan.output("output"), volume, extent_, names, params.dimensions);
    limit_ = static_cast<std::size_t>(params.candidates_at_most);
    boxes_.reserve(limit_);
    values_.reserve(numbers_a_box * static_cast<std::size_t>(params.most));
    plan.declare_host_memory(boxes_.capacity() * sizeof(ScoredBox) + values_.capacity() * sizeof(double));
    plan.metric("objects", "1", 1);
  }

  void run(const RunContext& run) override {
    const Geometry geometry = run.input("volume").geometry();
    read(run.input("candidates").tensor("voxels").as<const float>());
    suppress_boxes(boxes_, params.overlap_above, static_cast<std::size_t>(params.most));
    const PayloadRef output = run.output("output");
    give_boxes(boxes_, geometry, {extent_, params.dimensions, params.outline}, values_, output,
               output.tensor("labels").as<std::uint8_t>());
    const double count[] = {static_cast<double>(boxes_.size())};
    run.metric("objects", count);
  }

 private:
  void plan_candidates(const TensorView& table, const TensorView& voxels) {
    dense_ = params.form == BoxForm::distances;
    if (std::string_view(table.axes) != (dense_ ? "czyx" : "yx") || table.type() != DType::float32)
      throw Failure(ErrorCode::bad_data,
                    std::string("input 'candidates' has the axes '") + table.axes + "', and " +
                        (dense_ ? "float32 channels 'czyx' are needed for form = distances"
                                : "a float32 table 'yx' is needed, a row for each box"),
                    dense_ ? "give network_inference's channels, or set form to corners or centre"
                           : "give the detector's boxes and scores side by side, or set form = distances");
    if (dense_ && !std::equal(voxels.shape, voxels.shape + 3, table.shape + 1))
      throw Failure(ErrorCode::bad_data, "input 'candidates' has another grid than input 'volume'",
                    "give the volume that the network saw");
    rows_ = dense_ ? voxels.count() : table.shape[0];
    columns_ = dense_ ? table.shape[0] : table.shape[1];
  }

  void plan_scale() {
    const auto dimensions = static_cast<std::size_t>(params.dimensions);
    if (!params.input_extent.empty() && params.input_extent.size() != dimensions)
      throw Failure(ErrorCode::invalid_argument,
                    "input_extent has " + std::to_string(params.input_extent.size()) +
                        " numbers for dimensions = " + std::to_string(params.dimensions),
                    "give x, y (and z) of the image that the network saw");
    scale_ = {1, 1, 1};
    for (std::size_t i = 0; i < params.input_extent.size(); ++i) scale_[i] = extent_[i] / params.input_extent[i];
  }

  void plan_slice() {
    if (dense_ && params.slice >= 0)
      throw Failure(ErrorCode::invalid_argument,
                    "slice = " + std::to_string(params.slice) + ", and a voxel of form = distances has its own",
                    "leave slice away");
    if (dense_) return;
    if (params.dimensions == 3) {
      if (params.slice >= 0)
        throw Failure(ErrorCode::invalid_argument, "slice = " + std::to_string(params.slice) + " is for 2-D boxes",
                      "leave slice away, or set dimensions = 2");
      return;
    }
    slice_ = std::max(params.slice, 0);
    if (slice_ >= extent_[2] || (params.slice < 0 && extent_[2] > 1))
      throw Failure(ErrorCode::invalid_argument,
                    "slice = " + std::to_string(params.slice) + " for 2-D boxes in a volume of " +
                        std::to_string(extent_[2]) + " slices",
                    "set slice to one of 0 ... " + std::to_string(extent_[2] - 1));
  }

  /// The candidates above the score, one for each class that reaches it.
  void read(const float* table) {
    boxes_.clear();
    const int dimensions = params.dimensions;
    std::array<float, 6> numbers{};
    for (std::int64_t row = 0; row < rows_; ++row) {
      const auto number = [&](std::int64_t i) { return dense_ ? table[i * rows_ + row] : table[row * columns_ + i]; };
      for (std::int64_t i = 0; i < columns_; ++i)
        if (!std::isfinite(number(i))) refuse(row, i, number(i));
      for (int i = 0; i < 2 * dimensions; ++i) numbers[static_cast<std::size_t>(i)] = number(i);
      ScoredBox box = place(numbers.data(), row);
      if (!box.has_volume()) continue;
      box.row = row;
      for (int c = 0; c < classes_; ++c) {
        box.score = static_cast<double>(number(2 * dimensions + c));
        box.category = c;
        if (box.score > params.score_above) add_candidate(boxes_, box, limit_);
      }
    }
  }

  [[noreturn]] void refuse(std::int64_t row, std::int64_t column, float number) const {
    const std::array<std::int64_t, 3> v = voxel(row);
    throw Failure(
        ErrorCode::bad_data,
        "input 'candidates': number " + std::to_string(column + 1) + " of " +
            (dense_ ? "voxel (" + std::to_string(v[0]) + ", " + std::to_string(v[1]) + ", " + std::to_string(v[2]) + ")"
                    : "row " + std::to_string(row + 1)) +
            " is " + (std::isnan(number) ? "not a number" : "infinite"),
        "look for the operator before this one that made it");
  }

  std::array<std::int64_t, 3> voxel(std::int64_t row) const {
    return {row % extent_[0], row / extent_[0] % extent_[1], row / extent_[0] / extent_[1]};
  }

  /// A row's box on the grid, cut to it.
  ScoredBox place(const float* numbers, std::int64_t row) const {
    const int dimensions = params.dimensions;
    const std::array<std::int64_t, 3> at = voxel(row);
    const auto slice = static_cast<double>(dense_ ? at[2] : slice_);
    ScoredBox box;
    box.low = {0, 0, slice};
    box.high = {0, 0, slice + 1};
    for (int i = 0; i < dimensions; ++i) {
      const auto axis = static_cast<std::size_t>(params.slowest_first ? dimensions - 1 - i : i);
      const auto first = static_cast<double>(numbers[i]), second = static_cast<double>(numbers[dimensions + i]);
      double low = std::min(first, second), high = std::max(first, second);
      if (params.form == BoxForm::centre) low = first - second / 2, high = first + second / 2;
      low *= scale_[axis];
      high *= scale_[axis];
      if (dense_) {
        const double centre = static_cast<double>(at[axis]) + 0.5;
        low = centre - first * scale_[axis];
        high = centre + second * scale_[axis];
      }
      box.low[axis] = std::clamp(low, 0.0, static_cast<double>(extent_[axis]));
      box.high[axis] = std::clamp(high, 0.0, static_cast<double>(extent_[axis]));
    }
    return box;
  }

  std::array<int, 3> extent_{};
  std::array<double, 3> scale_{1, 1, 1};
  std::int64_t rows_ = 0, columns_ = 0;
  bool dense_ = false;  ///< a candidate for each voxel
  std::size_t limit_ = 0;
  int classes_ = 0, slice_ = 0;
  std::vector<ScoredBox> boxes_;
  std::vector<double> values_;
};

}  // namespace isocenter::detail

ISOCENTER_BUILTIN_OPERATOR(detections, DetectionsOperator)
