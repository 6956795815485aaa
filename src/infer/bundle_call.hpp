#pragma once
// One `_target_` of a bundle's configuration with its arguments. Every argument is either read, named as one that has
// no bearing on labels, or refused: finish() sees to it.
#include <array>
#include <initializer_list>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "infer/bundle_values.hpp"

namespace isocenter::infer {

class BundleCall {
 public:
  BundleCall(const BundleFile& file, const BundleValue& call);

  /// The class without its module: "Spacingd" also for SpacingD and SpacingDict.
  const std::string& name() const { return name_; }
  bool disabled() const;
  /// "configs/inference.json, line 12, Spacingd"
  std::string where() const;
  [[noreturn]] void refuse(const std::string& what, const std::string& fix) const;

  bool has(const std::string& key) const;  ///< there, and not null
  BundleValue value(const std::string& key) const;
  double number(const std::string& key, std::optional<double> otherwise = std::nullopt) const;
  bool flag(const std::string& key, bool otherwise) const;
  std::string text(const std::string& key, std::optional<std::string> otherwise = std::nullopt) const;
  std::vector<double> list(const std::string& key) const;  ///< one number is a list too
  std::array<double, 3> triple(const std::string& key) const;
  /// Whole numbers from `least` on; one stands for all three.
  std::array<int, 3> extents(const std::string& key, int least) const;

  /// `keys` names one key, which is the image or its prediction.
  void one_key() const;
  void require_false(std::initializer_list<const char*> keys) const;
  void require_null(std::initializer_list<const char*> keys) const;
  void require_text(const std::string& key, std::initializer_list<const char*> allowed,
                    const std::string& otherwise) const;
  void ignore(std::initializer_list<const char*> keys) const;
  /// Refuses an argument that was not asked for.
  void finish() const;

 private:
  const BundleFile& file_;
  const BundleValue& call_;
  std::string name_;
  mutable std::set<std::string> known_{"_target_", "_disabled_", "_desc_", "keys", "allow_missing_keys"};
};

}  // namespace isocenter::infer
