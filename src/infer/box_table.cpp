#include "infer/box_table.hpp"

#include <algorithm>
#include <cmath>
#include <sstream>

namespace isocenter::infer {
namespace {

std::int64_t bytes_of(const Port& p) {
  return element_count(p.shape) * static_cast<std::int64_t>(p.type == ElementType::i64 ? 8 : 4);
}

}  // namespace

std::int64_t BoxTable::bytes() const {
  std::int64_t all = 0;
  for (const Port& p : ports_) all += bytes_of(p);
  return all;
}

void BoxTable::refuse(std::size_t i, const std::string& needed) const {
  throw Failure(ErrorCode::unsupported,
                model_ + ": output '" + ports_[i].name + "' is " + to_text(ports_[i].shape) + " of " +
                    name_of(ports_[i].type) + " for " + std::to_string(batch_) +
                    (batch_ == 1 ? " window, and " : " windows, and ") + needed +
                    " (table = " + DetectObjects::Params::tables[static_cast<std::size_t>(params_.table)] + ")",
                "set table, names and background to what the detector gives, or name its outputs");
}

/// A float32 output (windows, a, b), the longer of a and b as rows.
BoxTable::Table BoxTable::any_table(std::size_t i, const char* what) const {
  Shape s = ports_[i].shape;
  if (s.size() == 2 && batch_ == 1) s.insert(s.begin(), 1);
  if (s.size() != 3 || s[0] != batch_ || ports_[i].type != ElementType::f32 || element_count(s) < 1)
    refuse(i, std::string("float32 (windows, rows, columns) of ") + what + " are needed");
  return s[1] >= s[2] ? table(i, s[2], true, what) : table(i, s[1], false, what);
}

/// The same with a known number of columns, on the last axis or (last = false, or where it does not fit) the one
/// before.
BoxTable::Table BoxTable::table(std::size_t i, std::int64_t columns, bool last, const char* what) const {
  Shape s = ports_[i].shape;
  if (s.size() == 2 && batch_ == 1) s.insert(s.begin(), 1);
  if (s.size() != 3 || s[0] != batch_ || ports_[i].type != ElementType::f32 || (s[1] != columns && s[2] != columns))
    refuse(i, "float32 (windows, rows, " + std::to_string(columns) + ") or (windows, " + std::to_string(columns) +
                  ", rows) of " + what + " are needed");
  Table t;
  t.port = i;
  for (std::size_t k = 0; k < i; ++k) t.at += bytes_of(ports_[k]);
  last = s[2] == columns && (last || s[1] != columns);
  t.columns = columns;
  t.rows = last ? s[1] : s[2];
  t.row_step = last ? columns : 1;
  t.column_step = last ? 1 : t.rows;
  return t;
}

/// `scores` has `others` columns that are no scores.
void BoxTable::plan_classes(const Table& scores, std::int64_t others, int classes) {
  const std::int64_t all = scores.columns - others;
  classes_ = static_cast<int>(all) - (params_.background >= 0 ? 1 : 0);
  const std::size_t i = params_.table == DetectorTable::apart || params_.table == DetectorTable::selected ? 1 : 0;
  if (classes_ < 1 || classes_ > 255 || params_.background >= all || (classes > 0 && classes != classes_))
    refuse(i, (classes > 0 ? std::to_string(classes) : std::string("1 to 255")) + " classes" +
                  (params_.background >= 0 ? " beside the background " + std::to_string(params_.background) : "") +
                  " are needed, and its columns hold " + std::to_string(all) + " scores");
}

void BoxTable::plan(const DetectObjects::Params& params, const std::vector<Port>& outputs, const std::string& model,
                    const std::array<int, 3>& window, bool flat, std::int64_t batch, int classes) {
  params_ = params;
  model_ = model;
  window_ = window;
  dimensions_ = flat ? 2 : 3;
  batch_ = batch;
  const std::size_t needed = params.table == DetectorTable::selected ? 3 : params.table == DetectorTable::apart ? 2 : 1;
  ports_.clear();
  std::string there;
  for (const Port& p : outputs) there += (there.empty() ? "'" : ", '") + p.name + "'";
  std::istringstream wanted(params.outputs);
  for (std::string name; std::getline(wanted, name, '/');) {
    const auto found = std::find_if(outputs.begin(), outputs.end(), [&](const Port& p) { return p.name == name; });
    if (found == outputs.end())
      throw Failure(ErrorCode::invalid_argument, "outputs names '" + name + "', and " + model + " has " + there,
                    "name outputs of the model");
    ports_.push_back(*found);
  }
  if (params.outputs.empty()) ports_ = outputs;
  if (ports_.size() < needed || (ports_.size() > needed && !params.outputs.empty()))
    throw Failure(ErrorCode::invalid_argument,
                  "table = " + std::string(DetectObjects::Params::tables[static_cast<std::size_t>(params.table)]) +
                      " reads " + std::to_string(needed) + " outputs, and " +
                      (params.outputs.empty() ? model + " has " + there : "outputs names " + params.outputs),
                  "set table or outputs to what the detector gives");
  ports_.resize(needed);

  const std::int64_t box = 2 * dimensions_, background = params.background >= 0 ? 1 : 0;
  if (params.table == DetectorTable::label) {
    if (params.activation == DetectorScale::softmax)
      throw Failure(ErrorCode::invalid_argument, "activation = softmax, and table = label has one score in a row",
                    "set activation to none or sigmoid");
    boxes_ = scores_ = table(0, box + 2, true, "box, score and class");
    classes_ = classes;
    if (classes == 0)
      throw Failure(ErrorCode::invalid_argument,
                    "names is empty, nor does " + model + " name its classes, and table = label does not count them",
                    "name the classes, lesion/nodule for example");
  } else if (needed == 1) {
    first_score_ = box + (params.table == DetectorTable::objectness ? 1 : 0);
    boxes_ = classes > 0 ? table(0, first_score_ + classes + background, true, "boxes with their scores")
                         : any_table(0, "boxes with their scores");
    scores_ = boxes_;
    plan_classes(boxes_, first_score_, classes);
  } else {
    boxes_ = table(0, box, true, "boxes");
    // NonMaxSuppression reads (images, classes, boxes).
    const bool by_class = params.table == DetectorTable::selected;
    scores_ = classes > 0 ? table(1, classes + background, !by_class, "scores") : any_table(1, "scores");
    if (scores_.rows != boxes_.rows && ports_[1].shape.size() == 3 && scores_.columns == boxes_.rows) {
      std::swap(scores_.rows, scores_.columns);
      std::swap(scores_.row_step, scores_.column_step);
    }
    if (scores_.rows != boxes_.rows) refuse(1, "scores for " + std::to_string(boxes_.rows) + " boxes are needed");
    plan_classes(scores_, 0, classes);
  }
  rows_ = boxes_.rows;
  if (params.table != DetectorTable::selected) return;
  const Shape& s = ports_[2].shape;
  if (batch != 1 || s.size() != 2 || s[1] != 3 || ports_[2].type != ElementType::i64)
    refuse(2, batch != 1 ? "what is selected is read of one window at a time: batch = 1 is needed"
                         : "int64 (rows, 3) of NonMaxSuppression are needed");
  selected_ = {2, bytes_of(ports_[0]) + bytes_of(ports_[1]), s[0], 3, 3, 1};
}

float BoxTable::number(const std::byte* values, const Table& t, std::int64_t item, std::int64_t row,
                       std::int64_t column) const {
  const auto* from = reinterpret_cast<const float*>(values + t.at) + item * t.rows * t.columns;
  return from[row * t.row_step + column * t.column_step];
}

int BoxTable::class_of(std::int64_t c) const {
  if (c == params_.background) return -1;
  return static_cast<int>(params_.background >= 0 && c > params_.background ? c - 1 : c);
}

/// A score for each class that is an object, after objectness and activation.
void BoxTable::read_scores(const std::byte* values, const Item& item, std::int64_t row,
                           std::vector<float>& scores) const {
  const std::int64_t box = 2 * dimensions_;
  const auto logistic = [&](float v) {
    return params_.activation == DetectorScale::sigmoid
               ? static_cast<float>(1 / (1 + std::exp(-static_cast<double>(v))))
               : v;
  };
  if (params_.table == DetectorTable::label) {
    std::fill(scores.begin(), scores.end(), -INFINITY);
    const float score = number(values, scores_, item.place, row, box),
                c = number(values, scores_, item.place, row, box + 1);
    if (!std::isfinite(score)) not_finite(scores_, item, row, box, score);
    if (!(static_cast<double>(logistic(score)) > params_.score_above))
      return;  // rows that are not filled have any class
    const std::int64_t network_classes = classes_ + (params_.background >= 0 ? 1 : 0);
    if (!(c >= 0 && c < static_cast<float>(network_classes) && c == std::floor(c)))
      no_class(scores_, item, row, "class " + isocenter::detail::to_parameter_text(c));
    if (const int mine = class_of(static_cast<std::int64_t>(c)); mine >= 0)
      scores[static_cast<std::size_t>(mine)] = logistic(score);
    return;
  }
  float factor = 1;
  if (params_.table == DetectorTable::objectness) {
    const float objectness = number(values, scores_, item.place, row, box);
    if (!std::isfinite(objectness)) not_finite(scores_, item, row, box, objectness);
    factor = logistic(objectness);
  }
  const std::int64_t all = scores_.columns - first_score_;
  double sum = 0, most = -INFINITY;
  const bool softmax = params_.activation == DetectorScale::softmax;
  const auto given = [&](std::int64_t c) {
    const float v = number(values, scores_, item.place, row, first_score_ + c);
    if (!std::isfinite(v)) not_finite(scores_, item, row, first_score_ + c, v);
    return v;
  };
  for (std::int64_t c = 0; c < all; ++c) most = std::max(most, static_cast<double>(given(c)));
  for (std::int64_t c = 0; c < all && softmax; ++c) sum += std::exp(static_cast<double>(given(c)) - most);
  for (std::int64_t c = 0; c < all; ++c) {
    const int mine = class_of(c);
    if (mine < 0) continue;
    const float v =
        softmax ? static_cast<float>(std::exp(static_cast<double>(given(c)) - most) / sum) : logistic(given(c));
    scores[static_cast<std::size_t>(mine)] = v * factor;
  }
}

/// In the window, x, y, z.
BoxTable::Box BoxTable::read_box(const std::byte* values, const Item& item, std::int64_t row) const {
  Box box;
  box.low = {0, 0, 0};
  box.high = {1, 1, 1};
  box.row = row;
  for (int i = 0; i < dimensions_; ++i) {
    const auto axis = static_cast<std::size_t>(params_.slowest_first ? dimensions_ - 1 - i : i);
    const float a = number(values, boxes_, item.place, row, i),
                b = number(values, boxes_, item.place, row, dimensions_ + i);
    if (!std::isfinite(a)) not_finite(boxes_, item, row, i, a);
    if (!std::isfinite(b)) not_finite(boxes_, item, row, dimensions_ + i, b);
    const double first = static_cast<double>(a), second = static_cast<double>(b);
    const double unit = params_.fractions ? window_[axis] : 1;
    const bool centre = params_.box == DetectorBox::centre;
    box.low[axis] = unit * (centre ? first - second / 2 : std::min(first, second));
    box.high[axis] = unit * (centre ? first + second / 2 : std::max(first, second));
  }
  return box;
}

std::string BoxTable::place_of(const Table& t, const Item& item, std::int64_t row) const {
  return model_ + ": output '" + ports_[t.port].name + "', window " + std::to_string(item.window + 1) + ", row " +
         std::to_string(row + 1);
}

/// What a number of a row of boxes_ or scores_ is.
std::string BoxTable::meaning_of(const Table& t, std::int64_t column) const {
  const std::int64_t box = 2 * dimensions_;
  if (t.port == boxes_.port && column < box) return "number " + std::to_string(column + 1) + " of the box";
  if (params_.table == DetectorTable::label) return column == box ? "the score" : "the class";
  if (column < first_score_) return "the objectness";
  return "the score of the network's class " + std::to_string(column - first_score_) + " (counted from 0)";
}

void BoxTable::not_finite(const Table& t, const Item& item, std::int64_t row, std::int64_t column, float value) const {
  throw Failure(ErrorCode::bad_data,
                place_of(t, item, row) + ": " + meaning_of(t, column) + " is " +
                    (std::isnan(value) ? "not a number" : "infinite"),
                "set check_numbers to true to see where it comes from");
}

void BoxTable::no_class(const Table& t, const Item& item, std::int64_t row, const std::string& holds) const {
  throw Failure(ErrorCode::bad_data,
                place_of(t, item, row) + " holds " + holds + ", and there are " +
                    std::to_string(classes_ + (params_.background >= 0 ? 1 : 0)) + " classes and " +
                    std::to_string(rows_) + " boxes",
                "name all classes of the detector, in its order");
}

}  // namespace isocenter::infer
