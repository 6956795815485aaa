#include "memory.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <fstream>
#include <optional>
#include <sstream>
#include <utility>

#include "command.hpp"

namespace isocenter::command {
namespace {

constexpr std::array<std::pair<const char*, double>, 10> units = {{{"", 1},
                                                                   {"B", 1},
                                                                   {"KiB", 0x1p10},
                                                                   {"MiB", 0x1p20},
                                                                   {"GiB", 0x1p30},
                                                                   {"TiB", 0x1p40},
                                                                   {"kB", 1e3},
                                                                   {"MB", 1e6},
                                                                   {"GB", 1e9},
                                                                   {"TB", 1e12}}};

std::optional<std::uint64_t> read_number(const std::string& path) {
  std::ifstream file(path);
  std::uint64_t n = 0;
  if (file >> n) return n;
  return std::nullopt;  // also for "max", which is no limit
}

/// The value of a line "key: 123" or "key 123".
std::optional<std::uint64_t> read_line(const std::string& path, const std::string& key) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string word;
    std::uint64_t n = 0;
    if (words >> word >> n && (word == key || word == key + ":")) return n;
  }
  return std::nullopt;
}

// Linux, control groups version 2: Documentation/admin-guide/cgroup-v2.rst, memory.max and memory.stat. File pages are
// given back under pressure, so that only anonymous memory counts as taken.
std::optional<std::uint64_t> left_in_control_group() {
  std::ifstream groups("/proc/self/cgroup");
  std::string folder = "/sys/fs/cgroup";
  for (std::string line; std::getline(groups, line);)
    if (line.rfind("0::", 0) == 0 && line.size() > 4) folder += line.substr(3);
  for (const auto& place : {folder, std::string("/sys/fs/cgroup")}) {
    const auto limit = read_number(place + "/memory.max");
    if (!limit) continue;
    const std::uint64_t taken = read_line(place + "/memory.stat", "anon").value_or(0);
    return *limit > taken ? *limit - taken : 0;
  }
  return std::nullopt;
}

}  // namespace

std::uint64_t parse_bytes(const std::string& option, const std::string& text) {
  double value = 0;
  const char* end = text.data() + text.size();
  const auto read = std::from_chars(text.data(), end, value);
  std::string unit(read.ptr, end);
  unit.erase(0, unit.find_first_not_of(' ') == std::string::npos ? unit.size() : unit.find_first_not_of(' '));
  for (const auto& [name, factor] : units)
    if (read.ec == std::errc() && unit == name && value * factor >= 1 && value * factor < 0x1p63)
      return static_cast<std::uint64_t>(std::llround(value * factor));
  throw Exit(exit_usage,
             option + " " + text + " is no amount of memory. Fix: write a number and a unit: 4GiB, 512MiB.");
}

std::uint64_t available_memory() {
  const auto machine = read_line("/proc/meminfo", "MemAvailable");
  const auto group = left_in_control_group();
  const std::uint64_t bytes = machine.value_or(0) * 1024;
  return group && (bytes == 0 || *group < bytes) ? *group : bytes;
}

}  // namespace isocenter::command
