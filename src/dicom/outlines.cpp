#include "outlines.hpp"

#include <algorithm>
#include <array>
#include <cstdint>

namespace isocenter::detail::dicom {
namespace {

using Polygon = std::vector<Corner>;

constexpr std::array<Corner, 4> steps{{{1, 0}, {0, 1}, {-1, 0}, {0, -1}}};  // right, down, left, up

/// Twice the area, positive for a loop with the mask inside (pixels lie to the right of each edge).
std::int64_t doubled_area(const Polygon& p) {
  std::int64_t sum = 0;
  for (std::size_t i = 0; i < p.size(); ++i) {
    const Corner a = p[i], b = p[(i + 1) % p.size()];
    sum += static_cast<std::int64_t>(a.x) * b.y - static_cast<std::int64_t>(b.x) * a.y;
  }
  return sum;
}

class Tracer {
 public:
  Tracer(int nx, int ny, const std::function<bool(int, int)>& inside)
      : nx_(nx), ny_(ny), edges_(corner_count(), 0), owner_(corner_count(), -1) {
    const auto at = [&](int x, int y) { return x >= 0 && y >= 0 && x < nx && y < ny && inside(x, y); };
    for (int y = 0; y < ny; ++y)
      for (int x = 0; x < nx; ++x) {
        if (!inside(x, y)) continue;
        if (!at(x, y - 1)) edge({x, y}, 0);
        if (!at(x + 1, y)) edge({x + 1, y}, 1);
        if (!at(x, y + 1)) edge({x + 1, y + 1}, 2);
        if (!at(x - 1, y)) edge({x, y + 1}, 3);
      }
  }

  std::vector<Polygon> polygons() {
    for (int y = 0; y <= ny_; ++y)
      for (int x = 0; x <= nx_; ++x)
        while (edges_[index({x, y})] != 0) follow({x, y});
    join_holes();
    std::vector<Polygon> result;
    for (const int i : outer_) result.push_back(without_straight_runs(loops_[static_cast<std::size_t>(i)]));
    return result;
  }

 private:
  std::size_t corner_count() const { return static_cast<std::size_t>(nx_ + 1) * static_cast<std::size_t>(ny_ + 1); }
  std::size_t index(Corner c) const {
    return static_cast<std::size_t>(c.y) * static_cast<std::size_t>(nx_ + 1) + static_cast<std::size_t>(c.x);
  }
  void edge(Corner from, int direction) { edges_[index(from)] |= static_cast<std::uint8_t>(1U << direction); }

  /// Round one loop, unit step by unit step. Where two pixels touch at a corner, the turn to the right stays with the
  /// pixel that the loop goes around.
  void follow(Corner start) {
    const int number = static_cast<int>(loops_.size());
    Polygon loop;
    Corner at = start;
    int direction = 0;
    while ((edges_[index(at)] & 1U << direction) == 0) ++direction;
    const int first = direction;
    do {
      edges_[index(at)] &= static_cast<std::uint8_t>(~(1U << direction));
      loop.push_back(at);
      owner_[index(at)] = number;
      const Corner step = steps[static_cast<std::size_t>(direction)];
      at = {at.x + step.x, at.y + step.y};
      for (const int turn : {1, 0, 3}) {
        const int next = (direction + turn) % 4;
        if ((edges_[index(at)] & 1U << next) == 0 && !(at == start && next == first)) continue;
        direction = next;
        break;
      }
    } while (!(at == start && direction == first));
    (doubled_area(loop) > 0 ? outer_ : holes_).push_back(number);
    root_.push_back(number);
    loops_.push_back(std::move(loop));
  }

  int root(int i) {
    while (root_[static_cast<std::size_t>(i)] != i) i = root_[static_cast<std::size_t>(i)];
    return i;
  }

  /// From left to right, each hole is linked to what lies to the left of its leftmost corner: the part's outer loop, or
  /// a hole that is linked already.
  void join_holes() {
    const auto leftmost = [&](int i) {
      const Polygon& p = loops_[static_cast<std::size_t>(i)];
      return std::min_element(p.begin(), p.end(),
                              [](Corner a, Corner b) { return a.x != b.x ? a.x < b.x : a.y < b.y; });
    };
    std::vector<std::pair<Corner, int>> order;
    for (const int h : holes_) order.emplace_back(*leftmost(h), h);
    std::sort(order.begin(), order.end(), [](const auto& a, const auto& b) {
      return a.first.x != b.first.x ? a.first.x < b.first.x : a.first.y < b.first.y;
    });
    for (const auto& [corner, hole] : order) {
      Corner hit = corner;
      do --hit.x;
      while (owner_[index(hit)] < 0);
      Polygon& outer = loops_[static_cast<std::size_t>(root(owner_[index(hit)]))];
      Polygon& inner = loops_[static_cast<std::size_t>(hole)];
      std::rotate(inner.begin(), std::find(inner.begin(), inner.end(), corner), inner.end());
      Polygon channel{hit};
      channel.insert(channel.end(), inner.begin(), inner.end());
      channel.push_back(corner);
      outer.insert(std::find(outer.begin(), outer.end(), hit), channel.begin(), channel.end());
      root_[static_cast<std::size_t>(hole)] = root(owner_[index(hit)]);
      inner = {};
    }
  }

  static Polygon without_straight_runs(const Polygon& p) {
    const auto sign = [](int v) { return v > 0 ? 1 : v < 0 ? -1 : 0; };
    const auto heading = [&](Corner a, Corner b) { return Corner{sign(b.x - a.x), sign(b.y - a.y)}; };
    Polygon kept;
    for (std::size_t i = 0; i < p.size(); ++i) {
      const Corner before = p[(i + p.size() - 1) % p.size()], after = p[(i + 1) % p.size()];
      if (!(heading(before, p[i]) == heading(p[i], after))) kept.push_back(p[i]);
    }
    return kept;
  }

  int nx_, ny_;
  std::vector<std::uint8_t> edges_;  ///< for each corner, the directions in which an edge leaves it
  std::vector<int> owner_;           ///< for each corner, a loop through it; -1 for none
  std::vector<Polygon> loops_;
  std::vector<int> outer_, holes_, root_;
};

}  // namespace

std::vector<std::vector<Corner>> outlines(int nx, int ny, const std::function<bool(int x, int y)>& inside) {
  return Tracer(nx, ny, inside).polygons();
}

}  // namespace isocenter::detail::dicom
