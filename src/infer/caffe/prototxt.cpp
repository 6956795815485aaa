#include "infer/caffe/prototxt.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <isocenter/error.hpp>

namespace isocenter::infer {
namespace {

constexpr int deepest = 32;

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\v' || c == '\f'; }

class Parser {
 public:
  Parser(std::string_view text, const std::string& source) : text_(text), source_(source) {}

  TextMessage file() { return body('\0', 1, 0); }

 private:
  [[noreturn]] void refuse(const std::string& what) const {
    throw Failure(ErrorCode::bad_data, source_ + ":" + std::to_string(line_) + ": " + what,
                  "give the network's description as Caffe reads it (a .prototxt file, protobuf's text format)");
  }

  bool at_end() const { return at_ == text_.size(); }
  char here() const { return at_end() ? '\0' : text_[at_]; }
  void step() {
    if (text_[at_++] == '\n') ++line_;
  }
  void skip_blanks() {
    while (!at_end() && (is_blank(here()) || here() == '#')) {
      if (here() == '#')
        while (!at_end() && here() != '\n') step();
      else
        step();
    }
  }
  bool take(char c) {
    skip_blanks();
    if (at_end() || here() != c) return false;
    step();
    return true;
  }
  std::string seen() const {
    if (at_end()) return "the file's end";
    const char c = here();
    return c > ' ' && c < '\x7f' ? std::string("'") + c + "'"
                                 : "a byte of value " + std::to_string(static_cast<unsigned char>(c));
  }

  /// Fields up to the closing bracket, or to the file's end.
  TextMessage body(char closing, int line, int depth) {
    if (depth > deepest) refuse("braces are nested deeper than " + std::to_string(deepest));
    TextMessage message(source_, line);
    for (skip_blanks(); !at_end(); skip_blanks()) {
      if (closing != '\0' && take(closing)) return message;
      field(message, depth);
    }
    if (closing != '\0')
      refuse(std::string("the file ends before the '") + closing + "' of line " + std::to_string(line));
    return message;
  }

  void field(TextMessage& message, int depth) {
    TextField f;
    f.line = line_;
    if (!is_letter(here())) refuse("there is " + seen() + " where the name of a field is needed");
    while (!at_end() && (is_letter(here()) || is_digit(here()))) {
      f.name += here();
      step();
    }
    const bool colon = take(':');
    skip_blanks();
    if (here() == '{' || here() == '<') {
      f.value = braces(depth);
      message.fields.push_back(std::move(f));
    } else if (!colon) {
      refuse("there is " + seen() + " behind '" + f.name + "', where ':' or '{' is needed");
    } else if (take('[')) {
      list(message, f, depth);
    } else {
      f.value = scalar(f.name);
      message.fields.push_back(std::move(f));
    }
    if (!take(',')) take(';');
  }

  void list(TextMessage& message, const TextField& f, int depth) {
    if (take(']')) return;
    do {
      skip_blanks();
      TextField one{f.name, line_, {}, false};
      if (here() == '{' || here() == '<')
        one.value = braces(depth);
      else
        one.value = scalar(f.name);
      message.fields.push_back(std::move(one));
    } while (take(','));
    if (!take(']')) refuse("there is " + seen() + " in the list '" + f.name + "', where ',' or ']' is needed");
  }

  std::shared_ptr<const TextMessage> braces(int depth) {
    const char closing = here() == '{' ? '}' : '>';
    const int line = line_;
    step();
    return std::make_shared<const TextMessage>(body(closing, line, depth + 1));
  }

  std::string scalar(const std::string& name) {
    skip_blanks();
    if (here() == '"' || here() == '\'') {
      std::string all;
      for (skip_blanks(); here() == '"' || here() == '\''; skip_blanks()) all += quoted();
      return all;
    }
    std::string token;
    if (here() == '-') {
      token = "-";
      step();
      skip_blanks();
    }
    while (!at_end() && (is_letter(here()) || is_digit(here()) || here() == '.' || here() == '+' || here() == '-')) {
      token += here();
      step();
    }
    if (token.empty() || token == "-") refuse("there is " + seen() + " where the value of '" + name + "' is needed");
    return token;
  }

  std::string quoted() {
    const char quote = here();
    const int line = line_;
    std::string content;
    step();
    while (here() != quote || at_end()) {
      if (at_end() || here() == '\n') refuse("the text that begins in line " + std::to_string(line) + " is not closed");
      if (here() == '\\')
        escape(content);
      else {
        content += here();
        step();
      }
    }
    step();
    return content;
  }

  void escape(std::string& content) {
    step();
    const char c = here();
    if (c >= '0' && c <= '7') {
      int value = 0;
      for (int i = 0; i < 3 && here() >= '0' && here() <= '7'; ++i) {
        value = value * 8 + (here() - '0');
        step();
      }
      content += static_cast<char>(value);
      return;
    }
    constexpr std::string_view names = "abfnrtv\\'\"?", values = "\a\b\f\n\r\t\v\\'\"?";
    const std::size_t i = names.find(c);
    if (at_end() || i == std::string_view::npos) refuse("a text has a backslash and " + seen());
    content += values[i];
    step();
  }

  std::string_view text_;
  const std::string& source_;
  std::size_t at_ = 0;
  int line_ = 1;
};

}  // namespace

TextMessage parse_prototxt(std::string_view text, const std::string& source) { return Parser(text, source).file(); }

void TextMessage::refuse(const TextField& field, const std::string& what) const {
  throw Failure(ErrorCode::bad_data, source_ + ":" + std::to_string(field.line) + ": '" + field.name + "' " + what,
                "correct it as Caffe's schema (caffe.proto) has it");
}

const TextField* TextMessage::single(std::string_view name) const {
  const TextField* found = nullptr;
  for (const auto& f : fields) {
    if (f.name != name) continue;
    if (found != nullptr) refuse(f, "stands twice, and one value is allowed");
    f.read = true;
    found = &f;
  }
  return found;
}

const std::string& TextMessage::scalar(const TextField& field) const {
  if (const auto* text = std::get_if<std::string>(&field.value)) return *text;
  refuse(field, "has braces, and a value is needed");
}

std::int64_t TextMessage::to_integer(const TextField& field) const {
  const std::string& text = scalar(field);
  std::string_view digits = text;
  const bool negative = !digits.empty() && digits[0] == '-';
  if (negative) digits.remove_prefix(1);
  int base = 10;
  if (digits.size() > 1 && digits[0] == '0') {
    const bool hexadecimal = digits[1] == 'x' || digits[1] == 'X';
    base = hexadecimal ? 16 : 8;
    digits.remove_prefix(hexadecimal ? 2 : 1);
  }
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, base);
  if (digits.empty() || digits[0] == '-' || error != std::errc{} || end != digits.data() + digits.size())
    refuse(field, "is '" + text + "', and an integer is needed");
  return negative ? -value : value;
}

double TextMessage::to_real(const TextField& field) const {
  const std::string& text = scalar(field);
  std::string_view digits = text;
  if (digits.size() > 1 && (digits.back() == 'f' || digits.back() == 'F') && digits.find("in") == digits.npos)
    digits.remove_suffix(1);
  double value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc{} || end != digits.data() + digits.size() || !std::isfinite(value))
    refuse(field, "is '" + text + "', and a finite number is needed");
  return value;
}

bool TextMessage::has(std::string_view name) const {
  for (const auto& f : fields)
    if (f.name == name) return true;
  return false;
}

std::int64_t TextMessage::integer(std::string_view name, std::int64_t otherwise) const {
  const TextField* f = single(name);
  return f == nullptr ? otherwise : to_integer(*f);
}
double TextMessage::real(std::string_view name, double otherwise) const {
  const TextField* f = single(name);
  return f == nullptr ? otherwise : to_real(*f);
}
bool TextMessage::flag(std::string_view name, bool otherwise) const {
  const TextField* f = single(name);
  if (f == nullptr) return otherwise;
  const std::string& text = scalar(*f);
  for (const char* yes : {"true", "True", "t", "1"})
    if (text == yes) return true;
  for (const char* no : {"false", "False", "f", "0"})
    if (text == no) return false;
  refuse(*f, "is '" + text + "', and true or false is needed");
}
std::string TextMessage::text(std::string_view name, std::string_view otherwise) const {
  const TextField* f = single(name);
  return f == nullptr ? std::string(otherwise) : scalar(*f);
}

std::vector<std::int64_t> TextMessage::integers(std::string_view name) const {
  std::vector<std::int64_t> all;
  for (const auto& f : fields)
    if (f.name == name) {
      f.read = true;
      all.push_back(to_integer(f));
    }
  return all;
}
std::vector<double> TextMessage::reals(std::string_view name) const {
  std::vector<double> all;
  for (const auto& f : fields)
    if (f.name == name) {
      f.read = true;
      all.push_back(to_real(f));
    }
  return all;
}
std::vector<std::string> TextMessage::texts(std::string_view name) const {
  std::vector<std::string> all;
  for (const auto& f : fields)
    if (f.name == name) {
      f.read = true;
      all.push_back(scalar(f));
    }
  return all;
}

std::vector<const TextMessage*> TextMessage::messages(std::string_view name) const {
  std::vector<const TextMessage*> all;
  for (const auto& f : fields)
    if (f.name == name) {
      const auto* message = std::get_if<std::shared_ptr<const TextMessage>>(&f.value);
      if (message == nullptr) refuse(f, "has a value, and braces are needed");
      f.read = true;
      all.push_back(message->get());
    }
  return all;
}

const TextMessage& TextMessage::message(std::string_view name) const {
  static const TextMessage empty;
  const TextField* f = single(name);
  if (f == nullptr) return empty;
  const auto* message = std::get_if<std::shared_ptr<const TextMessage>>(&f->value);
  if (message == nullptr) refuse(*f, "has a value, and braces are needed");
  return **message;
}

void TextMessage::set_aside(std::initializer_list<std::string_view> names) const {
  for (const auto& f : fields)
    if (std::find(names.begin(), names.end(), f.name) != names.end()) f.mark();
}

void TextField::mark() const {
  read = true;
  if (const auto* message = std::get_if<std::shared_ptr<const TextMessage>>(&value))
    for (const auto& inner : (*message)->fields) inner.mark();
}

void TextMessage::refuse_unread(const std::string& where) const {
  for (const auto& f : fields) {
    if (!f.read)
      throw Failure(ErrorCode::unsupported,
                    source_ + ":" + std::to_string(f.line) + ": " + where + " has '" + f.name + "', which is not known",
                    "take it out if the network does not need it");
    if (const auto* message = std::get_if<std::shared_ptr<const TextMessage>>(&f.value))
      (*message)->refuse_unread(where + ", '" + f.name + "',");
  }
}

}  // namespace isocenter::infer
