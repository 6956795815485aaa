#include "infer/bundle_values.hpp"

#include <yaml-cpp/yaml.h>

#include <cctype>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <isocenter/error.hpp>
#include <iterator>

namespace isocenter::infer {
namespace {

constexpr int deepest = 64;            // nested values, references to references
constexpr std::size_t most = 100'000;  // values of a file, aliases written out

bool number_of(const std::string& text, double* value) {
  const char* end = text.data() + text.size();
  const char* begin = text.data() + (!text.empty() && text[0] == '+' ? 1 : 0);
  const auto result = std::from_chars(begin, end, *value);
  return !text.empty() && result.ec == std::errc() && result.ptr == end && std::isfinite(*value);
}

BundleValue plain(const std::string& text) {
  BundleValue v;
  v.text = text;
  if (text == "null" || text == "~" || text.empty() || text == "None") return v;
  v.kind = BundleValue::Kind::boolean;
  v.boolean = text == "true" || text == "True";
  if (v.boolean || text == "false" || text == "False") return v;
  v.kind = number_of(text, &v.number) ? BundleValue::Kind::number : BundleValue::Kind::text;
  return v;
}

BundleValue converted(const YAML::Node& node, const std::string& name, int depth, std::size_t& count) {
  BundleValue v;
  if (depth > deepest || ++count > most)
    throw Failure(ErrorCode::bad_data,
                  name + ", line " + std::to_string(node.Mark().line + 1) + ": the file holds more than " +
                      std::to_string(most) + " values, or values nested deeper than " + std::to_string(deepest),
                  "write it without anchors that refer to one another");
  if (node.IsScalar()) {
    v = plain(node.Scalar());
    if (node.Tag() == "!") v.kind = BundleValue::Kind::text;  // quoted
  } else if (node.IsSequence()) {
    v.kind = BundleValue::Kind::list;
    for (const YAML::Node& item : node) v.items.push_back(converted(item, name, depth + 1, count));
  } else if (node.IsMap()) {
    v.kind = BundleValue::Kind::map;
    for (const auto& entry : node)
      v.entries.push_back({entry.first.IsScalar() ? entry.first.Scalar() : std::string(),
                           converted(entry.second, name, depth + 1, count)});
  }
  v.line = node.Mark().line + 1;
  return v;
}

}  // namespace

const BundleValue* BundleValue::find(const std::string& key) const {
  for (const auto& [name, value] : entries)
    if (name == key) return &value;
  return nullptr;
}

BundleFile::BundleFile(const std::string& path) {
  const std::filesystem::path file(path);
  name_ = (file.parent_path().filename() / file.filename()).string();
  std::ifstream in(path, std::ios::binary);
  if (!in) throw Failure(ErrorCode::not_found, "'" + path + "' cannot be opened", "check the bundle's folder");
  const std::string text{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  try {
    std::size_t count = 0;
    root_ = converted(YAML::Load(text), name_, 0, count);
  } catch (const YAML::Exception& e) {
    throw Failure(ErrorCode::bad_data,
                  name_ + ", line " + std::to_string(e.mark.line + 1) + ": neither JSON nor YAML (" + e.msg + ")",
                  "correct the file");
  }
  if (!root_.is(BundleValue::Kind::map))
    throw Failure(ErrorCode::bad_data, name_ + " holds no settings", "give the configuration of a MONAI bundle");
}

std::string BundleFile::place(const BundleValue& value) const { return name_ + ", line " + std::to_string(value.line); }

void BundleFile::refuse(const BundleValue& where, const std::string& what, const std::string& fix) const {
  throw Failure(ErrorCode::unsupported, place(where) + ": " + what, fix);
}

/// A Python expression of literals, lists and tuples, references, `not` and + - * /; it begins with '$'.
class BundleExpression {
 public:
  BundleExpression(const BundleFile& file, const BundleValue& where, int depth)
      : file_(file), where_(where), text_(where.text), depth_(depth) {}

  BundleValue value() {
    at_ = 1;
    BundleValue v = sum();
    skip();
    if (at_ != text_.size()) refuse();
    return v;
  }

 private:
  using Kind = BundleValue::Kind;

  [[noreturn]] void refuse() const {
    file_.refuse(where_, "'" + text_ + "' is Python, and nothing of a bundle is executed",
                 "write its value; numbers, texts, lists, references (@...), not and + - * / are read");
  }
  void skip() {
    while (at_ < text_.size() && std::isspace(static_cast<unsigned char>(text_[at_])) != 0) ++at_;
  }
  bool take(char c) {
    skip();
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  std::string taken(const char* others) {
    const std::size_t begin = at_;
    while (at_ < text_.size() && (std::isalnum(static_cast<unsigned char>(text_[at_])) != 0 ||
                                  std::string_view(others).find(text_[at_]) != std::string_view::npos))
      ++at_;
    return text_.substr(begin, at_ - begin);
  }
  static BundleValue of(double number, const BundleValue& where) {
    BundleValue v;
    v.kind = Kind::number;
    v.number = number;
    v.line = where.line;
    return v;
  }

  BundleValue sum() {
    BundleValue left = product();
    for (;;) {
      const bool plus = take('+');
      if (!plus && !take('-')) return left;
      const BundleValue right = product();
      if (plus && left.is(Kind::list) && right.is(Kind::list)) {
        if (left.items.size() + right.items.size() > most) refuse();
        left.items.insert(left.items.end(), right.items.begin(), right.items.end());
      } else if (left.is(Kind::number) && right.is(Kind::number)) {
        left = of(plus ? left.number + right.number : left.number - right.number, where_);
      } else {
        refuse();
      }
    }
  }
  BundleValue product() {
    BundleValue left = factor();
    for (;;) {
      const bool times = take('*');
      if (!times && !take('/')) return left;
      const BundleValue right = factor();
      if (!left.is(Kind::number) || !right.is(Kind::number) || (!times && right.number == 0)) refuse();
      left = of(times ? left.number * right.number : left.number / right.number, where_);
    }
  }
  BundleValue factor() {
    if (++nested_ > deepest) refuse();
    BundleValue v = bare_factor();
    --nested_;
    return v;
  }
  BundleValue bare_factor() {
    skip();
    if (at_ >= text_.size()) refuse();
    if (take('-')) {
      const BundleValue v = factor();
      if (!v.is(Kind::number)) refuse();
      return of(-v.number, where_);
    }
    if (take('[')) return list(']', true);
    if (take('(')) return list(')', false);
    if (text_[at_] == '@') {
      ++at_;
      return file_.referred(taken("_#:."), where_, depth_ + 1);
    }
    if (const char quote = text_[at_]; quote == '\'' || quote == '"') {
      const std::size_t end = text_.find(quote, at_ + 1);
      if (end == std::string::npos || text_.find('\\', at_) < end) refuse();
      BundleValue v;
      v.kind = Kind::text;
      v.text = text_.substr(at_ + 1, end - at_ - 1);
      v.line = where_.line;
      at_ = end + 1;
      return v;
    }
    const std::size_t begin = at_;
    std::string word = taken("_.");
    if (word == "not") {
      const BundleValue v = factor();
      if (!v.is(Kind::boolean)) refuse();
      BundleValue result = v;
      result.boolean = !v.boolean;
      return result;
    }
    if (!word.empty() && (word.back() == 'e' || word.back() == 'E') && at_ < text_.size() &&
        (text_[at_] == '-' || text_[at_] == '+')) {  // 1e-3
      ++at_;
      taken("_.");
      word = text_.substr(begin, at_ - begin);
    }
    BundleValue v = plain(word);
    if (word.empty() || v.is(Kind::text) || word == "null" || word == "true" || word == "false") refuse();
    v.line = where_.line;
    return v;
  }
  BundleValue list(char end, bool even_one) {
    BundleValue all;
    all.kind = Kind::list;
    all.line = where_.line;
    bool comma = even_one;
    while (!take(end)) {
      all.items.push_back(sum());
      if (take(',')) {
        comma = true;
      } else {
        if (!take(end)) refuse();
        break;
      }
    }
    return !comma && all.items.size() == 1 ? all.items[0] : all;
  }

  const BundleFile& file_;
  const BundleValue& where_;
  const std::string& text_;
  int depth_, nested_ = 0;
  std::size_t at_ = 0;
};

BundleValue BundleFile::resolved(const BundleValue& value, int depth) const {
  if (!value.is(BundleValue::Kind::text) || value.text.empty()) return value;
  if (depth > deepest)
    throw Failure(ErrorCode::bad_data, place(value) + ": '" + value.text + "' refers to itself",
                  "correct the references");
  const bool counts = value.text[0] == '@' || value.text[0] == '$';
  if (counts && ++resolved_ > most)
    throw Failure(ErrorCode::bad_data,
                  place(value) + ": '" + value.text + "' is one of more than " + std::to_string(most) +
                      " references and expressions that have to be followed",
                  "write the values in place of references to references");
  if (value.text[0] == '@') return referred(value.text.substr(1), value, depth + 1);
  if (value.text[0] == '$') return BundleExpression(*this, value, depth).value();
  if (value.text[0] == '%')
    refuse(value, "'" + value.text + "' takes text from another place", "write that text here, or refer to it with @");
  return value;
}

BundleValue BundleFile::referred(const std::string& reference, const BundleValue& from, int depth) const {
  const BundleValue* at = &root_;
  BundleValue made;  // what a reference on the way gave
  std::size_t begin = 0;
  const auto missing = [&](const std::string& part) {
    throw Failure(ErrorCode::bad_data,
                  place(from) + ": '@" + reference + "' refers to '" + part + "', which is not there",
                  "correct the reference");
  };
  for (;;) {
    const std::size_t end = std::min(reference.find('#', begin), reference.find("::", begin));
    const std::string part = reference.substr(begin, end == std::string::npos ? end : end - begin);
    if (at->is(BundleValue::Kind::text)) {
      BundleValue next = resolved(*at, depth + 1);
      made = std::move(next);
      at = &made;
    }
    if (at->is(BundleValue::Kind::list)) {
      double index = -1;
      if (!number_of(part, &index) || index < 0 || index != std::floor(index) ||
          index >= static_cast<double>(at->items.size()))
        missing(part);
      at = &at->items[static_cast<std::size_t>(index)];
    } else {
      const BundleValue* found = at->find(part);
      if (found == nullptr) missing(part);
      at = found;
    }
    if (end == std::string::npos) return resolved(*at, depth + 1);
    begin = end + (reference[end] == '#' ? 1 : 2);
  }
}

}  // namespace isocenter::infer
