#pragma once
// Plans that a library made for a problem on a device, kept in files: a folder with one file for each. What is there
// is taken only whole; everything else is as if it were not there.
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace isocenter::infer {

class PlanStore {
 public:
  /// "" keeps nothing.
  explicit PlanStore(std::string folder) : folder_(std::move(folder)) {}
  /// `problem` names device, versions and everything that the plan depends on.
  std::optional<std::vector<std::uint8_t>> find(const std::string& problem) const;
  /// A folder that cannot be written to is left alone: the plan is there, and is made again next time.
  void keep(const std::string& problem, const std::vector<std::uint8_t>& plan) const;

 private:
  std::string file_of(const std::string& problem) const;
  std::string folder_;
};

}  // namespace isocenter::infer
