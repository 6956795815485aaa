#pragma once
// The configuration of a MONAI bundle as values, with the line each stands in. References (@a#b, @a::b) and the literal
// part of its Python expressions ($...) are resolved; nothing is executed. The language: MONAI's documentation, "Bundle
// configuration" (config_syntax).
#include <string>
#include <vector>

namespace isocenter::infer {

struct BundleEntry;

struct BundleValue {
  enum class Kind { null, boolean, number, text, list, map } kind = Kind::null;
  bool boolean = false;
  double number = 0;
  std::string text;
  std::vector<BundleValue> items;    ///< of a list
  std::vector<BundleEntry> entries;  ///< of a map, in the file's order
  int line = 0;                      ///< from 1

  const BundleValue* find(const std::string& key) const;
  bool is(Kind k) const { return kind == k; }
};

struct BundleEntry {
  std::string key;
  BundleValue value;
};

class BundleFile {
 public:
  /// Reads JSON or YAML. Errors: not_found, bad_data with the line.
  explicit BundleFile(const std::string& path);

  const BundleValue& root() const { return root_; }
  /// The value with its reference followed or its expression computed; elements of lists and maps stay as they are.
  /// Errors: unsupported, naming file, line and text, for what is neither.
  BundleValue resolved(const BundleValue& value) const { return resolved(value, 0); }
  /// "configs/inference.json, line 12"
  std::string place(const BundleValue& value) const;
  [[noreturn]] void refuse(const BundleValue& where, const std::string& what, const std::string& fix) const;

 private:
  friend class BundleExpression;
  BundleValue resolved(const BundleValue& value, int depth) const;
  BundleValue referred(const std::string& reference, const BundleValue& from, int depth) const;

  std::string name_;
  BundleValue root_;
  mutable std::size_t resolved_ = 0;  ///< references and expressions, of all calls: they may double at each step
};

}  // namespace isocenter::infer
