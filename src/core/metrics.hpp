#pragma once
// Cheap measurements that are always on: no allocation after construction, one writer at a time.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

namespace isocenter::detail {

/// Durations in logarithmic buckets, sixteen to an octave from 0.1 microseconds to about 12 days: a percentile is right
/// to within 4.5 %.
class Histogram {
 public:
  void add(double seconds) {
    const double octaves = std::log2(std::max(seconds, 1e-7) * 1e7);
    const auto bucket = static_cast<std::size_t>(octaves * 16.0);
    ++buckets_[std::min(bucket, buckets_.size() - 1)];
    ++count_;
    sum_ += seconds;
    if (count_ == 1 || seconds < least_) least_ = seconds;
    if (seconds > most_) most_ = seconds;
  }
  std::int64_t count() const { return count_; }
  double sum() const { return sum_; }
  double max() const { return most_; }
  double percentile(double fraction) const {
    const auto wanted = static_cast<std::int64_t>(std::ceil(fraction * static_cast<double>(count_)));
    std::int64_t seen = 0;
    for (std::size_t i = 0; i < buckets_.size(); ++i) {
      seen += buckets_[i];
      if (seen >= wanted && seen > 0) {
        const double middle = 1e-7 * std::exp2((static_cast<double>(i) + 0.5) / 16.0);
        return std::min(std::max(middle, least_), most_);
      }
    }
    return 0.0;
  }

 private:
  std::array<std::int64_t, 700> buckets_{};
  std::int64_t count_ = 0;
  double sum_ = 0, least_ = 0, most_ = 0;
};

/// The last spans of one node, for the trace.
class SpanRing {
 public:
  struct Span {
    std::int64_t sequence;
    double begin_s, end_s;
  };
  explicit SpanRing(std::size_t capacity = 4096) : spans_(capacity) {}
  void add(const Span& span) { spans_[next_++ % spans_.size()] = span; }
  template <class F>
  void for_each(F&& fn) const {
    const std::size_t first = next_ > spans_.size() ? next_ - spans_.size() : 0;
    for (std::size_t i = first; i < next_; ++i) fn(spans_[i % spans_.size()]);
  }

 private:
  std::vector<Span> spans_;
  std::size_t next_ = 0;
};

}  // namespace isocenter::detail
