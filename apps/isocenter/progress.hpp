#pragma once
// What a person sees while a pipeline runs: a bar for each node on a terminal, redrawn in place; plain lines elsewhere.
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace isocenter::command {

/// Everything goes to stderr. Lines: at most one every 2 s for each node, and one when an item of it ends unless the
/// last line is younger than that; the last item's end is always said, by finish().
class Progress {
 public:
  enum class Mode { silent, lines, bars };
  /// Bars on a terminal that can move its cursor, lines elsewhere.
  static Mode choose(bool quiet);

  Progress(std::vector<std::string> nodes, Mode mode);
  ~Progress();

  /// From any thread; fraction 1 is the end of the item.
  void report(const char* node, std::int64_t item, double fraction);
  /// A line above the bars, from any thread.
  void message(const std::string& line);
  /// Draws the last state and lets the terminal go.
  void finish();

 private:
  using Clock = std::chrono::steady_clock;
  struct Node {
    std::string name;
    std::int64_t item = -1, ended = -1;  ///< the last one that was heard of, that came to its end
    double fraction = 0;
    Clock::time_point last_line{};
    bool has_line = false, said = true;
  };

  void say(Node& node, Clock::time_point now);
  void draw_until_finished();
  void draw();
  void erase();
  std::string bar(const Node& node, std::size_t width) const;
  double elapsed_s() const { return std::chrono::duration<double>(Clock::now() - start_).count(); }

  Mode mode_;
  Clock::time_point start_ = Clock::now();
  std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<Node> nodes_;
  std::size_t name_width_ = 0;
  std::size_t lines_drawn_ = 0;
  bool finished_ = false;
  std::thread drawer_;
};

}  // namespace isocenter::command
