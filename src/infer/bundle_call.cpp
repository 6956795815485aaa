#include "infer/bundle_call.hpp"

#include <algorithm>
#include <cmath>
#include <isocenter/describe.hpp>
#include <isocenter/error.hpp>

namespace isocenter::infer {
namespace {

using Kind = BundleValue::Kind;
using isocenter::detail::to_parameter_text;

std::string shown(const BundleValue& v) {
  if (v.is(Kind::number)) return to_parameter_text(v.number);
  if (v.is(Kind::boolean)) return v.boolean ? "true" : "false";
  if (v.is(Kind::list)) return "a list";
  if (v.is(Kind::map)) return "a table";
  return v.is(Kind::null) ? "null" : "'" + v.text + "'";
}

}  // namespace

BundleCall::BundleCall(const BundleFile& file, const BundleValue& call) : file_(file), call_(call) {
  const BundleValue* target = call.find("_target_");
  if (target == nullptr || !target->is(Kind::text))
    file.refuse(call, "a call is needed here, and there is no _target_", "write {\"_target_\": \"ClassName\", ...}");
  name_ = target->text.substr(target->text.rfind('.') + 1);
  for (const std::string ending : {"Dict", "D"})
    if (name_.size() > ending.size() && name_.ends_with(ending)) {
      name_.replace(name_.size() - ending.size(), ending.size(), "d");
      break;
    }
}

std::string BundleCall::where() const { return file_.place(call_) + ", " + name_; }

void BundleCall::refuse(const std::string& what, const std::string& fix) const {
  file_.refuse(call_, name_ + " " + what, fix);
}

bool BundleCall::has(const std::string& key) const {
  known_.insert(key);
  const BundleValue* v = call_.find(key);
  return v != nullptr && !file_.resolved(*v).is(Kind::null);
}

BundleValue BundleCall::value(const std::string& key) const {
  known_.insert(key);
  const BundleValue* v = call_.find(key);
  if (v == nullptr) refuse("has no '" + key + "'", "give it");
  return file_.resolved(*v);
}

bool BundleCall::disabled() const {
  const BundleValue* v = call_.find("_disabled_");
  if (v == nullptr) return false;
  const BundleValue is = file_.resolved(*v);
  if (!is.is(Kind::boolean)) refuse("has '_disabled_' = " + shown(is), "true or false is allowed");
  return is.boolean;
}

double BundleCall::number(const std::string& key, std::optional<double> otherwise) const {
  if (!has(key) && otherwise) return *otherwise;
  const BundleValue v = value(key);
  if (!v.is(Kind::number)) refuse("has '" + key + "' = " + shown(v), "a number is needed");
  return v.number;
}

bool BundleCall::flag(const std::string& key, bool otherwise) const {
  if (!has(key)) return otherwise;
  BundleValue v = value(key);
  if (v.is(Kind::list) && v.items.size() == 1) v = BundleValue(file_.resolved(v.items[0]));
  if (!v.is(Kind::boolean)) refuse("has '" + key + "' = " + shown(v), "true or false is allowed");
  return v.boolean;
}

std::string BundleCall::text(const std::string& key, std::optional<std::string> otherwise) const {
  if (!has(key) && otherwise) return *otherwise;
  BundleValue v = value(key);
  if (v.is(Kind::list) && v.items.size() == 1) v = BundleValue(file_.resolved(v.items[0]));
  if (!v.is(Kind::text)) refuse("has '" + key + "' = " + shown(v), "a text is needed");
  return v.text;
}

std::vector<double> BundleCall::list(const std::string& key) const {
  const BundleValue v = value(key);
  if (v.is(Kind::number)) return {v.number};
  std::vector<double> numbers;
  if (v.is(Kind::list))
    for (const BundleValue& item : v.items) {
      const BundleValue one = file_.resolved(item);
      if (!one.is(Kind::number)) refuse("has " + shown(one) + " in '" + key + "'", "numbers are needed");
      numbers.push_back(one.number);
    }
  if (numbers.empty()) refuse("has '" + key + "' = " + shown(v), "numbers are needed");
  return numbers;
}

std::array<double, 3> BundleCall::triple(const std::string& key) const {
  const std::vector<double> v = list(key);
  if (v.size() == 1) return {v[0], v[0], v[0]};
  if (v.size() != 3)
    refuse("has " + std::to_string(v.size()) + " numbers in '" + key + "'", "three are needed: a volume is segmented");
  return {v[0], v[1], v[2]};
}

std::array<int, 3> BundleCall::extents(const std::string& key, int least) const {
  std::array<int, 3> extents{};
  const auto numbers = triple(key);
  for (std::size_t k = 0; k < 3; ++k) {
    if (numbers[k] != std::floor(numbers[k]) || numbers[k] < least || numbers[k] > 65535)
      refuse("has " + to_parameter_text(numbers[k]) + " in '" + key + "'",
             "whole numbers from " + std::to_string(least) + " to 65535 are allowed");
    extents[k] = std::max(0, static_cast<int>(numbers[k]));
  }
  return extents;
}

void BundleCall::one_key() const {
  const BundleValue* v = call_.find("keys");
  if (v == nullptr) refuse("has no 'keys'", "name the image");
  const BundleValue keys = file_.resolved(*v);
  if (keys.is(Kind::list) && keys.items.size() != 1)
    refuse("works on " + std::to_string(keys.items.size()) + " keys", "one image and its prediction are read");
}

void BundleCall::require_false(std::initializer_list<const char*> keys) const {
  for (const char* key : keys)
    if (flag(key, false)) refuse("has '" + std::string(key) + "' = true", "false is allowed");
}

void BundleCall::require_null(std::initializer_list<const char*> keys) const {
  for (const char* key : keys)
    if (has(key)) {
      const BundleValue v = value(key);
      if (!v.is(Kind::boolean) || v.boolean) refuse("has '" + std::string(key) + "' = " + shown(v), "leave it out");
    }
}

void BundleCall::require_text(const std::string& key, std::initializer_list<const char*> allowed,
                              const std::string& otherwise) const {
  const std::string v = text(key, otherwise);
  for (const char* one : allowed)
    if (v == one) return;
  std::string words;
  for (const char* one : allowed) words += (words.empty() ? "" : ", ") + std::string(one);
  refuse("has '" + key + "' = '" + v + "'", words + " is allowed");
}

void BundleCall::ignore(std::initializer_list<const char*> keys) const {
  for (const char* key : keys) known_.insert(key);
}

void BundleCall::finish() const {
  for (const auto& [key, v] : call_.entries)
    if (known_.count(key) == 0)
      file_.refuse(v, name_ + " has '" + key + "' = " + shown(v) + ", which is not read", "leave it out");
}

}  // namespace isocenter::infer
