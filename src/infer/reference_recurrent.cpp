#include <algorithm>

#include "infer/reference_loops.hpp"

namespace isocenter::infer {
namespace {

/// One direction of a recurrent network over one item of the batch.
class Recurrent {
 public:
  Recurrent(const Recurrence& what, std::span<const ConstView> in, View out, std::int64_t direction, std::int64_t item)
      : what_(what), in_(in), out_(out), direction_(direction), item_(item) {
    const Shape& x = *in[static_cast<std::size_t>(what.inputs[0])].shape;
    steps_ = x[0];
    batch_ = x[1];
    width_ = x[2];
    hidden_ = what.hidden;
    gates_ = what.kind == Recurrence::Kind::lstm ? 4 : 3;
    length_ = has(4) ? std::clamp<std::int64_t>(static_cast<std::int64_t>(read(4, item)), 0, steps_) : steps_;
    const std::int64_t states = what.directions * batch_ * hidden_;
    last_h_ = steps_ * states + (direction * batch_ + item) * hidden_;
    last_c_ = last_h_ + states;
    room_ = last_c_;  // of a GRU
  }

  void run() {
    const bool lstm = what_.kind == Recurrence::Kind::lstm;
    const std::int64_t state = (direction_ * batch_ + item_) * hidden_;
    for (std::int64_t j = 0; j < hidden_; ++j) {
      write(last_h_ + j, has(5) ? read(5, state + j) : 0.0);
      if (lstm) write(last_c_ + j, has(6) ? read(6, state + j) : 0.0);
    }
    for (std::int64_t s = 0; s < steps_; ++s) {
      const bool backward = what_.backward || direction_ == 1;
      const std::int64_t t = backward && s < length_ ? length_ - 1 - s : s;
      if (s >= length_) {
        for (std::int64_t j = 0; j < hidden_; ++j) write(y(t) + j, 0.0);
        continue;
      }
      lstm ? lstm_step(t) : gru_step(t);
      for (std::int64_t j = 0; j < hidden_; ++j) write(last_h_ + j, value(y(t) + j));
    }
  }

 private:
  bool has(std::size_t i) const { return what_.inputs[i] >= 0; }
  double read(std::size_t i, std::int64_t at) const {
    const ConstView& v = in_[static_cast<std::size_t>(what_.inputs[i])];
    return read_real(v.type, v.data, at);
  }
  double value(std::int64_t at) const { return read_real(out_.type, out_.data, at); }
  void write(std::int64_t at, double v) { write_real(out_.type, out_.data, at, v); }
  std::int64_t y(std::int64_t t) const { return ((t * what_.directions + direction_) * batch_ + item_) * hidden_; }
  std::int64_t row(std::int64_t gate, std::int64_t j) const { return (direction_ * gates_ + gate) * hidden_ + j; }

  double bias(std::int64_t gate, std::int64_t j, bool recurrent) const {
    return has(3) ? read(3, ((direction_ * 2 + (recurrent ? 1 : 0)) * gates_ + gate) * hidden_ + j) : 0.0;
  }
  double from_input(std::int64_t gate, std::int64_t j, std::int64_t t) const {
    double sum = bias(gate, j, false);
    for (std::int64_t i = 0; i < width_; ++i)
      sum += read(1, row(gate, j) * width_ + i) * read(0, (t * batch_ + item_) * width_ + i);
    return sum;
  }
  /// From `state`, hidden_ elements of the output's block.
  double from_state(std::int64_t gate, std::int64_t j, std::int64_t state) const {
    double sum = bias(gate, j, true);
    for (std::int64_t k = 0; k < hidden_; ++k) sum += read(2, row(gate, j) * hidden_ + k) * value(state + k);
    return sum;
  }
  double peephole(std::int64_t gate, std::int64_t j, double c) const {
    return has(7) ? read(7, (direction_ * 3 + gate) * hidden_ + j) * c : 0.0;
  }
  double activate(std::size_t which, double v) const {
    const std::size_t per_direction = what_.activations.size() / static_cast<std::size_t>(what_.directions);
    const Activation& a = what_.activations[static_cast<std::size_t>(direction_) * per_direction + which];
    if (what_.clip > 0.0F) v = std::clamp(v, -static_cast<double>(what_.clip), static_cast<double>(what_.clip));
    return apply_real(a.function, static_cast<double>(a.alpha), static_cast<double>(a.beta), v, 0, 0);
  }

  /// F. Gers et al., "Learning precise timing with LSTM recurrent networks", JMLR 3 (2002), section 2; gates i, o, f,
  /// c.
  void lstm_step(std::int64_t t) {
    for (std::int64_t j = 0; j < hidden_; ++j) {
      const auto gate = [&](std::int64_t g) { return from_input(g, j, t) + from_state(g, j, last_h_); };
      const double before = value(last_c_ + j);
      const double i = activate(0, gate(0) + peephole(0, j, before));
      const double f = what_.coupled_gates ? 1 - i : activate(0, gate(2) + peephole(2, j, before));
      const double c = f * before + i * activate(1, gate(3));
      const double o = activate(0, gate(1) + peephole(1, j, c));
      write(last_c_ + j, c);
      write(y(t) + j, o * activate_state(c));
    }
  }
  double activate_state(double c) const {
    const std::size_t per_direction = what_.activations.size() / static_cast<std::size_t>(what_.directions);
    const Activation& a = what_.activations[static_cast<std::size_t>(direction_) * per_direction + 2];
    return apply_real(a.function, static_cast<double>(a.alpha), static_cast<double>(a.beta), c, 0, 0);
  }

  /// K. Cho et al., "Learning phrase representations using RNN encoder-decoder", EMNLP 2014, eq. 5 to 8; gates z, r, h.
  void gru_step(std::int64_t t) {
    if (!what_.linear_before_reset)
      for (std::int64_t j = 0; j < hidden_; ++j)
        write(room_ + j, activate(0, from_input(1, j, t) + from_state(1, j, last_h_)) * value(last_h_ + j));
    for (std::int64_t j = 0; j < hidden_; ++j) {
      const double z = activate(0, from_input(0, j, t) + from_state(0, j, last_h_));
      const double r = what_.linear_before_reset ? activate(0, from_input(1, j, t) + from_state(1, j, last_h_)) : 0.0;
      const double recurrent = what_.linear_before_reset ? r * from_state(2, j, last_h_) : from_state(2, j, room_);
      const double h = activate(1, from_input(2, j, t) + recurrent);
      write(y(t) + j, (1 - z) * h + z * value(last_h_ + j));
    }
  }

  const Recurrence& what_;
  std::span<const ConstView> in_;
  View out_;
  std::int64_t direction_, item_, steps_ = 0, batch_ = 0, width_ = 0, hidden_ = 0, gates_ = 0, length_ = 0;
  std::int64_t last_h_ = 0, last_c_ = 0, room_ = 0;
};

}  // namespace

void run_loops(const Recurrence& what, std::span<const ConstView> in, View out) {
  const std::int64_t batch = (*in[static_cast<std::size_t>(what.inputs[0])].shape)[1];
  for (std::int64_t d = 0; d < what.directions; ++d)
    for (std::int64_t b = 0; b < batch; ++b) Recurrent(what, in, out, d, b).run();
}

}  // namespace isocenter::infer
