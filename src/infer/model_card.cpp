#include "infer/model_card.hpp"

#include <cmath>
#include <initializer_list>
#include <isocenter/error.hpp>
#include <sstream>

#include "infer/orientation.hpp"

namespace isocenter::infer {
namespace {

/// Numbers between blanks or commas; nothing when a word is not one.
std::optional<std::vector<double>> numbers(std::string text) {
  for (char& c : text)
    if (c == ',') c = ' ';
  std::istringstream in(text);
  std::vector<double> values;
  for (std::string word; in >> word;) {
    std::istringstream one(word);
    one.imbue(std::locale::classic());
    double value = 0;
    if (!(one >> value) || !one.eof() || !std::isfinite(value)) return std::nullopt;
    values.push_back(value);
  }
  return values;
}

class Reader {
 public:
  Reader(const std::map<std::string, std::string>& metadata, const std::string& source)
      : metadata_(metadata), source_(source) {}

  const std::string* text(const char* key) const {
    const auto it = metadata_.find(key);
    return it == metadata_.end() || it->second.empty() ? nullptr : &it->second;
  }
  /// Three numbers in [low, high].
  std::optional<std::array<double, 3>> triple(const char* key, double low, double high) const {
    const std::string* t = text(key);
    if (t == nullptr) return std::nullopt;
    const auto v = numbers(*t);
    if (!v || v->size() != 3) refuse(key, "three numbers (x y z) are needed");
    for (const double x : *v)
      if (!(x >= low && x <= high))
        refuse(key, "each number lies in [" + std::to_string(low) + ", " + std::to_string(high) + "]");
    return std::array<double, 3>{(*v)[0], (*v)[1], (*v)[2]};
  }
  /// One to `most` numbers in [low, high]; empty where the key is not there.
  std::vector<double> few(const char* key, std::size_t most, double low, double high) const {
    const std::string* t = text(key);
    if (t == nullptr) return {};
    const auto v = numbers(*t);
    if (!v || v->empty() || v->size() > most) refuse(key, "1 to " + std::to_string(most) + " numbers are needed");
    for (const double x : *v)
      if (!(x >= low && x <= high))
        refuse(key, "each number lies in [" + std::to_string(low) + ", " + std::to_string(high) + "]");
    return *v;
  }
  std::string word(const char* key, std::initializer_list<const char*> allowed) const {
    const std::string* t = text(key);
    if (t == nullptr) return {};
    std::string list;
    for (const char* a : allowed) {
      if (*t == a) return *t;
      list += (list.empty() ? "'" : ", '") + std::string(a) + "'";
    }
    refuse(key, "one of " + list + " is allowed");
  }
  [[noreturn]] void refuse(const char* key, const std::string& rule) const {
    throw Failure(ErrorCode::bad_data,
                  source_ + ": the model's metadata '" + key + "' is '" + *text(key) + "', and " + rule,
                  "write the metadata again (docs/infer/models.md)");
  }
  std::string where(const char* key) const { return source_ + ": the model's metadata '" + key + "'"; }

 private:
  const std::map<std::string, std::string>& metadata_;
  const std::string& source_;
};

}  // namespace

Intensity parse_intensity(const std::string& text, const std::string& where) {
  std::istringstream in(text);
  std::string kind, scale, rest;
  in >> kind;
  Intensity i;
  if (kind == "none" && !(in >> rest)) return i;
  i.kind = Intensity::Kind::z_score;
  if (kind == "z_score" && !(in >> rest)) return i;
  i.kind = Intensity::Kind::clip;
  if (kind == "clip" && in >> i.low >> i.high >> scale >> i.from >> i.to && scale == "scale" && !(in >> rest) &&
      i.low < i.high && i.from != i.to)
    return i;
  throw Failure(
      ErrorCode::invalid_argument,
      where + " is '" + text + "', and 'none', 'z_score' or 'clip LOW HIGH scale FROM TO' with LOW < HIGH is allowed",
      "write it as 'clip -1000 1000 scale 0 1', for example");
}

ModelCard read_model_card(const std::map<std::string, std::string>& metadata, const std::string& source) {
  const Reader reader(metadata, source);
  ModelCard card;
  if (const std::string* names = reader.text("isocenter.class_names")) {
    std::string name;
    std::istringstream in(*names);
    while (std::getline(in, name, '\\')) card.class_names.push_back(name);
  }
  if (const std::string* colours = reader.text("isocenter.class_colours")) {
    const auto values = numbers(*colours);
    if (!values || values->size() % 3 != 0)
      reader.refuse("isocenter.class_colours", "three numbers for each class are needed");
    for (const double v : *values)
      if (v < 0 || v > 1) reader.refuse("isocenter.class_colours", "each number lies in [0, 1]");
    card.class_colours = *values;
  }
  card.spacing_mm = reader.triple("isocenter.spacing_mm", 0.01, 100);
  if (const auto w = reader.triple("isocenter.window", 1, 4096))
    card.window = std::array<int, 3>{static_cast<int>((*w)[0]), static_cast<int>((*w)[1]), static_cast<int>((*w)[2])};
  if (const std::string* axes = reader.text("isocenter.axes")) {
    if (*axes != "any" && !are_axes(*axes))
      reader.refuse("isocenter.axes", "'any', or one each of L R, P A and S I is allowed, LPS for example");
    card.axes = *axes;
  }
  if (const std::string* intensity = reader.text("isocenter.intensity"))
    card.intensity = parse_intensity(*intensity, reader.where("isocenter.intensity"));
  card.resize = reader.few("isocenter.resize", 2, 1, 4096);
  card.crop = reader.few("isocenter.crop", 2, 1, 4096);
  card.mean = reader.few("isocenter.mean", 3, -1e6, 1e6);
  card.deviation = reader.few("isocenter.deviation", 3, 1e-6, 1e6);
  card.interpolation = reader.word("isocenter.interpolation", {"bilinear", "bicubic"});
  card.activation = reader.word("isocenter.activation", {"none", "softmax", "sigmoid"});
  return card;
}

}  // namespace isocenter::infer
