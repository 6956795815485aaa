#pragma once
// What a detector's outputs hold for one window: boxes with scores, read from whichever of the usual tables they are.
#include <cmath>
#include <cstring>
#include <isocenter/infer/detect_objects.hpp>
#include <string>
#include <vector>

#include "infer/executor.hpp"
#include "volume/box_suppression.hpp"

namespace isocenter::infer {

class BoxTable {
 public:
  using Box = isocenter::detail::ScoredBox;

  /// Finds the outputs for `batch` windows and checks their shapes. `classes` without the background; 0: as many as the
  /// table has. Errors: unsupported, naming output and shape.
  void plan(const DetectObjects::Params& params, const std::vector<Port>& outputs, const std::string& model,
            const std::array<int, 3>& window, bool flat, std::int64_t batch, int classes);
  int classes() const { return classes_; }
  /// What read() needs of the outputs, dense behind one another.
  std::int64_t bytes() const;
  /// The ports in that order.
  const std::vector<Port>& ports() const { return ports_; }

  /// A window: its place in the batch, and what messages call it, counted from 0.
  struct Item {
    std::int64_t place = 0, window = 0;
  };
  /// Calls add(box) for each box of a window of the batch with a score above the limit. Box::row is its row.
  /// `values` is what ports() gave. Errors: bad_data, with output, window, row and class.
  template <class Add>
  void read(const std::byte* values, const Item& item, std::vector<float>& scores, const Add& add) const {
    if (params_.table == DetectorTable::selected) return read_selected(values, item, scores, add);
    for (std::int64_t row = 0; row < rows_; ++row) {
      read_scores(values, item, row, scores);
      for (int c = 0; c < classes_; ++c) add_box(values, item, row, c, scores, add);
    }
  }

 private:
  /// Numbers [row][column] of a window, wherever they lie.
  struct Table {
    std::size_t port = 0;
    std::int64_t at = 0;  ///< bytes before it
    std::int64_t rows = 0, columns = 0, row_step = 0, column_step = 0;
  };

  Table table(std::size_t i, std::int64_t columns, bool last, const char* what) const;
  Table any_table(std::size_t i, const char* what) const;
  void plan_classes(const Table& scores, std::int64_t others, int classes);
  [[noreturn]] void refuse(std::size_t i, const std::string& needed) const;
  float number(const std::byte* values, const Table& t, std::int64_t item, std::int64_t row, std::int64_t column) const;
  void read_scores(const std::byte* values, const Item& item, std::int64_t row, std::vector<float>& scores) const;
  Box read_box(const std::byte* values, const Item& item, std::int64_t row) const;
  int class_of(std::int64_t network_class) const;
  std::string place_of(const Table& t, const Item& item, std::int64_t row) const;
  std::string meaning_of(const Table& t, std::int64_t column) const;
  [[noreturn]] void not_finite(const Table& t, const Item& item, std::int64_t row, std::int64_t column,
                               float value) const;
  [[noreturn]] void no_class(const Table& t, const Item& item, std::int64_t row, const std::string& holds) const;

  template <class Add>
  void add_box(const std::byte* values, const Item& item, std::int64_t row, int category,
               const std::vector<float>& scores, const Add& add) const {
    const auto score = static_cast<double>(scores[static_cast<std::size_t>(category)]);
    if (!(score > params_.score_above)) return;
    Box box = read_box(values, item, row);
    box.score = score;
    box.category = category;
    add(box);
  }

  template <class Add>
  void read_selected(const std::byte* values, const Item& item, std::vector<float>& scores, const Add& add) const {
    for (std::int64_t i = 0; i < selected_.rows; ++i) {
      std::int64_t chosen[3];  // behind floats: not aligned for itself
      std::memcpy(chosen, values + selected_.at + i * static_cast<std::int64_t>(sizeof chosen), sizeof chosen);
      const auto [image, c, row] = chosen;
      if (image < 0) continue;
      if (image > 0 || row < 0 || row >= rows_ || c < 0 || c >= scores_.columns)
        no_class(selected_, item, i,
                 "image " + std::to_string(image) + ", class " + std::to_string(c) + ", box " + std::to_string(row));
      if (class_of(c) < 0) continue;
      read_scores(values, item, row, scores);
      add_box(values, item, row, class_of(c), scores, add);
    }
  }

  DetectObjects::Params params_;
  std::string model_;
  std::array<int, 3> window_{};
  int dimensions_ = 3, classes_ = 0;
  std::int64_t rows_ = 0, batch_ = 1;
  std::vector<Port> ports_;
  Table boxes_, scores_, selected_;
  std::int64_t first_score_ = 0;  ///< column of the table that scores lie in
};

}  // namespace isocenter::infer
