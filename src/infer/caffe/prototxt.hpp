#pragma once
// Protocol Buffers' text format (protobuf.dev, "Text Format Language Specification"), in which Caffe describes
// networks, as a tree of named fields. There is no schema: who reads the tree says what it reads, and what nobody read
// is told.
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace isocenter::infer {

class TextMessage;

struct TextField {
  std::string name;
  int line = 0;
  /// A number, an enumerator or a text without its quotes; or what stands in braces.
  std::variant<std::string, std::shared_ptr<const TextMessage>> value;
  mutable bool read = false;

  void mark() const;  ///< as read, with all that it holds
};

class TextMessage {
 public:
  TextMessage() = default;
  TextMessage(std::string source, int line) : source_(std::move(source)), line_(line) {}

  int line() const { return line_; }
  const std::string& source() const { return source_; }
  bool has(std::string_view name) const;
  /// The one value of a field. Errors: bad_data, where it stands twice or has another form.
  std::int64_t integer(std::string_view name, std::int64_t otherwise) const;
  double real(std::string_view name, double otherwise) const;
  bool flag(std::string_view name, bool otherwise) const;
  std::string text(std::string_view name, std::string_view otherwise) const;
  /// All values of a repeated field, in their order.
  std::vector<std::int64_t> integers(std::string_view name) const;
  std::vector<double> reals(std::string_view name) const;
  std::vector<std::string> texts(std::string_view name) const;
  std::vector<const TextMessage*> messages(std::string_view name) const;
  /// What stands in braces behind the name; an empty message where there is none.
  const TextMessage& message(std::string_view name) const;
  /// These have no bearing on what is read.
  void set_aside(std::initializer_list<std::string_view> names) const;
  /// Refuses the first field, here or deeper, that was neither read nor set aside; `where` begins the sentence.
  void refuse_unread(const std::string& where) const;

  std::vector<TextField> fields;

 private:
  const TextField* single(std::string_view name) const;
  const std::string& scalar(const TextField& field) const;
  std::int64_t to_integer(const TextField& field) const;
  double to_real(const TextField& field) const;
  [[noreturn]] void refuse(const TextField& field, const std::string& what) const;

  std::string source_;
  int line_ = 0;
};

/// Errors: bad_data with the line, for what is not text format, and for braces deeper than 32.
TextMessage parse_prototxt(std::string_view text, const std::string& source);

}  // namespace isocenter::infer
