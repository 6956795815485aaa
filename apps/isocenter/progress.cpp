#include "progress.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>

namespace isocenter::command {
namespace {

constexpr auto line_interval = std::chrono::seconds(2);
constexpr auto redraw_interval = std::chrono::milliseconds(100);

struct TerminalSize {
  std::size_t columns = 80, rows = 24;
};
TerminalSize terminal_size() {
  winsize size{};
  if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 || size.ws_row == 0) return {};
  return {size.ws_col, size.ws_row};
}

void put(const std::string& text) {
  std::fputs(text.c_str(), stderr);
  std::fflush(stderr);
}

std::string percent(double fraction) {
  char text[16];
  std::snprintf(text, sizeof text, "%3.0f %%", std::floor(100 * std::clamp(fraction, 0.0, 1.0)));
  return text;
}

std::string item_text(std::int64_t item) { return item > 0 ? "  item " + std::to_string(item) : ""; }

}  // namespace

Progress::Mode Progress::choose(bool quiet) {
  if (quiet) return Mode::silent;
  const char* terminal = std::getenv("TERM");
  const bool can_move = terminal != nullptr && std::string(terminal) != "dumb";
  return isatty(STDERR_FILENO) != 0 && can_move ? Mode::bars : Mode::lines;
}

Progress::Progress(std::vector<std::string> nodes, Mode mode) : mode_(mode) {
  for (auto& name : nodes) {
    name_width_ = std::max(name_width_, name.size());
    nodes_.emplace_back().name = std::move(name);
  }
  if (mode_ == Mode::bars) drawer_ = std::thread([this] { draw_until_finished(); });
}

Progress::~Progress() { finish(); }

void Progress::report(const char* node, std::int64_t item, double fraction) {
  if (mode_ == Mode::silent) return;
  const std::lock_guard lock(mutex_);
  const auto found = std::find_if(nodes_.begin(), nodes_.end(), [&](const Node& n) { return n.name == node; });
  if (found == nodes_.end()) return;  // a copy between devices
  if (item == found->ended) return;   // an operator may say 1 itself, then the session says it
  const bool first_end = fraction >= 1 && found->ended < 0;
  found->item = item;
  found->fraction = fraction;
  found->said = false;
  if (fraction >= 1) found->ended = item;
  const auto now = Clock::now();
  const bool due = !found->has_line || now - found->last_line >= line_interval;
  if (mode_ == Mode::lines && (due || first_end)) say(*found, now);
}

void Progress::say(Node& node, Clock::time_point now) {
  char time[32];
  std::snprintf(time, sizeof time, "[%7.1f s] ", elapsed_s());
  const std::string what = node.fraction >= 1 ? " done" : " " + percent(node.fraction);
  put(time + node.name + what + item_text(node.item) + "\n");
  node.last_line = now;
  node.has_line = node.said = true;
}

void Progress::message(const std::string& line) {
  const std::lock_guard lock(mutex_);
  erase();
  put(line + "\n");
  if (mode_ == Mode::bars && !finished_) draw();
}

void Progress::finish() {
  {
    const std::lock_guard lock(mutex_);
    if (finished_) return;
    finished_ = true;
    if (mode_ == Mode::lines)
      for (auto& node : nodes_)
        if (!node.said) say(node, Clock::now());
  }
  wake_.notify_all();
  if (drawer_.joinable()) drawer_.join();
}

void Progress::draw_until_finished() {
  std::unique_lock lock(mutex_);
  while (!finished_) {
    erase();
    draw();
    wake_.wait_for(lock, redraw_interval, [this] { return finished_; });
  }
  erase();
  draw();
  lines_drawn_ = 0;
}

// ECMA-48: CSI n A goes up, CSI J clears what is below.
void Progress::erase() {
  if (lines_drawn_ > 0) put("\x1b[" + std::to_string(lines_drawn_) + "A\r\x1b[J");
  lines_drawn_ = 0;
}

void Progress::draw() {
  const TerminalSize size = terminal_size();
  const std::size_t room = size.rows > 3 ? size.rows - 2 : 1;
  std::string text;
  // Where there are more nodes than lines, those that work are more telling than those that wait or are done.
  const bool all = nodes_.size() <= room;
  for (const auto& node : nodes_) {
    if (lines_drawn_ == room) break;
    if (!all && (node.item < 0 || node.fraction >= 1)) continue;
    text += bar(node, size.columns) + "\n";
    ++lines_drawn_;
  }
  put(text);
}

std::string Progress::bar(const Node& node, std::size_t width) const {
  std::string text = "  " + node.name + std::string(name_width_ - node.name.size() + 2, ' ');
  if (node.item < 0) return (text + "waiting").substr(0, width - 1);
  constexpr int cells = 30;
  const int filled = static_cast<int>(std::clamp(node.fraction, 0.0, 1.0) * cells);
  text += "[" + std::string(static_cast<std::size_t>(filled), '=') +
          std::string(static_cast<std::size_t>(cells - filled), ' ') + "] " + percent(node.fraction) +
          item_text(node.item);
  return text.substr(0, width - 1);
}

}  // namespace isocenter::command
