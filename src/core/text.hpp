#pragma once
// Small text tools of core: JSON writing and messages. Core reads no JSON.
#include <string>
#include <string_view>
#include <vector>

namespace isocenter::detail {

/// Writes JSON front to back; commas are its own concern.
class JsonWriter {
 public:
  JsonWriter& begin_object() { return open('{'); }
  JsonWriter& end_object() { return close('}'); }
  JsonWriter& begin_array() { return open('['); }
  JsonWriter& end_array() { return close(']'); }
  JsonWriter& key(std::string_view name);
  JsonWriter& value(std::string_view text);
  JsonWriter& value(const char* text) { return value(std::string_view(text)); }
  JsonWriter& value(double number);  ///< null when not finite, since JSON has no NaN
  JsonWriter& value(long long number);
  JsonWriter& value(bool flag);
  JsonWriter& raw(std::string_view json);
  template <class T>
  JsonWriter& field(std::string_view name, const T& v) {
    return key(name).value(v);
  }
  const std::string& text() const { return out_; }

 private:
  JsonWriter& open(char c);
  JsonWriter& close(char c);
  void separate();
  std::string out_;
  bool need_comma_ = false;
};

/// "1.5 GiB", "12.0 MiB", "512 B".
std::string format_bytes(unsigned long long bytes);
/// "a, b, c"
std::string join(const std::vector<std::string>& words, std::string_view separator = ", ");
/// The word that is closest in spelling, or "" when none is near.
std::string closest(std::string_view word, const std::vector<std::string>& words);
/// " (did you mean 'x'?)" or "".
std::string did_you_mean(std::string_view word, const std::vector<std::string>& words);
/// A sentence without its last full stop, to be the end of another one.
std::string without_full_stop(std::string_view sentence);
/// snprintf's contract for texts that the C ABI gives.
std::size_t copy_text(std::string_view from, char* to, std::size_t capacity);

}  // namespace isocenter::detail
