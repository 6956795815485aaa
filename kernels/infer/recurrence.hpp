#pragma once
// LSTM and GRU over dense float32 data. x and y count sequences (direction, item), 32 in a row: one runs after the
// other in time, and nothing is shared among them.
#include "infer/along_axis.hpp"
#include "infer/functions.hpp"

namespace isocenter::detail {

/// Sums in float64; activations as elsewhere in networks, in float32. The output block holds y (time, directions,
/// batch, hidden), then the last h and the last c (directions, batch, hidden each); a GRU keeps a gate where c lies.
struct RecurrenceKernel {
  static constexpr const char* name = "infer/recurrence";
  struct Gate {
    infer::Function function;
    float alpha, beta;
  };
  const float *x, *weights, *recurrent;  ///< (time, batch, width), (directions, gates x hidden, width or hidden)
  const float *bias, *initial_h, *initial_c, *peepholes;  ///< null where there is none
  const std::int32_t* lengths;                            ///< (batch), or null: all of the time
  float* out;
  Gate activations[6];  ///< for each direction: LSTM f, g, h; GRU f, g
  int time, batch, width, hidden, directions;
  int is_lstm, backward, linear_before_reset, coupled_gates;
  float clip;  ///< 0: none

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes, int sx, int sy, int) const {
    each_column<Lanes>(sx, sy, static_cast<std::int64_t>(directions) * batch, [this](std::int64_t s) {
      Sequence{*this, static_cast<int>(s / batch), static_cast<int>(s % batch)}.run();
    });
  }

 private:
  struct Sequence {
    const RecurrenceKernel& k;
    int direction, item;

    ISOCENTER_HD std::int64_t states() const { return static_cast<std::int64_t>(k.directions) * k.batch * k.hidden; }
    ISOCENTER_HD std::int64_t state() const {
      return (static_cast<std::int64_t>(direction) * k.batch + item) * k.hidden;
    }
    ISOCENTER_HD float* h() const { return k.out + k.time * states() + state(); }
    ISOCENTER_HD float* c() const { return h() + states(); }
    ISOCENTER_HD float* y(int t) const { return k.out + t * states() + state(); }

    ISOCENTER_HD void run() const {
      const bool lstm = k.is_lstm != 0;
      int length = k.time;
      if (k.lengths != nullptr)
        length = k.lengths[item] < 0 ? 0 : (k.lengths[item] < length ? k.lengths[item] : length);
      for (int j = 0; j < k.hidden; ++j) {
        h()[j] = k.initial_h != nullptr ? k.initial_h[state() + j] : 0.0F;
        c()[j] = lstm && k.initial_c != nullptr ? k.initial_c[state() + j] : 0.0F;
      }
      for (int s = 0; s < k.time; ++s) {
        const int t = (k.backward != 0 || direction == 1) && s < length ? length - 1 - s : s;
        if (s >= length) {
          for (int j = 0; j < k.hidden; ++j) y(t)[j] = 0.0F;
          continue;
        }
        lstm ? lstm_step(t) : gru_step(t);
        for (int j = 0; j < k.hidden; ++j) h()[j] = y(t)[j];
      }
    }

    ISOCENTER_HD double bias(int gate, int j, int recurrent) const {
      const int gates = k.is_lstm != 0 ? 4 : 3;
      return k.bias == nullptr
                 ? 0.0
                 : static_cast<double>(
                       k.bias[(static_cast<std::int64_t>(direction * 2 + recurrent) * gates + gate) * k.hidden + j]);
    }
    ISOCENTER_HD std::int64_t row(int gate, int j) const {
      return (static_cast<std::int64_t>(direction) * (k.is_lstm != 0 ? 4 : 3) + gate) * k.hidden + j;
    }
    ISOCENTER_HD double from_input(int gate, int j, int t) const {
      const float *w = k.weights + row(gate, j) * k.width,
                  *v = k.x + (static_cast<std::int64_t>(t) * k.batch + item) * k.width;
      double sum = bias(gate, j, 0);
      for (int i = 0; i < k.width; ++i) sum += static_cast<double>(w[i]) * static_cast<double>(v[i]);
      return sum;
    }
    ISOCENTER_HD double from_state(int gate, int j, const float* v) const {
      const float* w = k.recurrent + row(gate, j) * k.hidden;
      double sum = bias(gate, j, 1);
      for (int i = 0; i < k.hidden; ++i) sum += static_cast<double>(w[i]) * static_cast<double>(v[i]);
      return sum;
    }
    ISOCENTER_HD double peephole(int gate, int j, double v) const {
      return k.peepholes == nullptr
                 ? 0.0
                 : static_cast<double>(k.peepholes[(static_cast<std::int64_t>(direction) * 3 + gate) * k.hidden + j]) *
                       v;
    }
    ISOCENTER_HD double apply(int which, double v) const {
      const Gate& g = k.activations[direction * (k.is_lstm != 0 ? 3 : 2) + which];
      return static_cast<double>(apply_unary(g.function, g.alpha, g.beta, static_cast<float>(v)));
    }
    ISOCENTER_HD double activate(int which, double v) const {
      const double limit = static_cast<double>(k.clip);
      if (limit > 0.0) v = v < -limit ? -limit : (v > limit ? limit : v);
      return apply(which, v);
    }

    /// F. Gers et al., "Learning precise timing with LSTM recurrent networks", JMLR 3 (2002), section 2; the gates of
    /// the weights are i, o, f, c, and o is computed last: it sees the new c.
    ISOCENTER_HD void lstm_step(int t) const {
      for (int j = 0; j < k.hidden; ++j) {
        const double before = static_cast<double>(c()[j]);
        double open = 0, now = 0;  // i; what is kept of the old c, then the new c
        for (int step = 0; step < 4; ++step) {
          const int which = step == 0 ? 0 : (step == 3 ? 1 : step + 1);
          const int peep = which == 3 ? -1 : which;
          double v = 0;
          if (which != 2 || k.coupled_gates == 0)
            v = activate(which == 3 ? 1 : 0,
                         gate(which, j, t) + (peep < 0 ? 0.0 : peephole(peep, j, which == 1 ? now : before)));
          if (which == 0) open = v;
          if (which == 2) now = (k.coupled_gates != 0 ? 1 - open : v) * before;
          if (which == 3) now += open * v;
          if (which == 1) open = v;
        }
        c()[j] = static_cast<float>(now);
        y(t)[j] = static_cast<float>(open * apply(2, now));
      }
    }
    ISOCENTER_HD double gate(int g, int j, int t) const { return from_input(g, j, t) + from_state(g, j, h()); }

    /// K. Cho et al., "Learning phrase representations using RNN encoder-decoder", EMNLP 2014, eq. 5 to 8; the gates
    /// are z, r, h. Without linear_before_reset what r leaves of the old h is there before the rest, where c lies.
    ISOCENTER_HD void gru_step(int t) const {
      const bool linear = k.linear_before_reset != 0;
      for (int pass = linear ? 1 : 0; pass < 2; ++pass)
        for (int j = 0; j < k.hidden; ++j) {
          double z = 0, r = 0;
          for (int g = pass == 0 || linear ? 1 : 0; g >= (pass == 0 ? 1 : 0); --g) {
            const double v = activate(0, gate(g, j, t));
            (g == 0 ? z : r) = v;
          }
          if (pass == 0) {
            c()[j] = static_cast<float>(r * static_cast<double>(h()[j]));
            continue;
          }
          const double past = from_state(2, j, linear ? h() : c());
          const double now = activate(1, from_input(2, j, t) + (linear ? r * past : past));
          y(t)[j] = static_cast<float>((1 - z) * now + z * static_cast<double>(h()[j]));
        }
    }
  };
};

}  // namespace isocenter::detail
