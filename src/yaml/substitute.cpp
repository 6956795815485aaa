#include "yaml/substitute.hpp"

#include <algorithm>
#include <cctype>

#include "core/text.hpp"

namespace isocenter::detail::yaml {
namespace {

bool is_name(const std::string& name) {
  return !name.empty() && std::isdigit(static_cast<unsigned char>(name.front())) == 0 &&
         std::all_of(name.begin(), name.end(), [](unsigned char c) { return std::isalnum(c) != 0 || c == '_'; });
}

const std::string& value_of(const std::string& name, Place place, const Variables& variables,
                            const Document& document) {
  const auto found = variables.find(name);
  if (found != variables.end()) return found->second;
  std::vector<std::string> known;
  for (const auto& [key, value] : variables) known.push_back(key);
  document.refuse(place, "the variable ${" + name + "} has no value" + did_you_mean(name, known),
                  known.empty() ? "give it one when the file is loaded; none was given"
                                : "give it one when the file is loaded, or use one of: " + join(known),
                  ErrorCode::not_found);
}

}  // namespace

std::string substitute(const std::string& text, Place place, const Variables& variables, Document& document) {
  std::string result;
  for (std::size_t i = 0; i < text.size();) {
    if (text.compare(i, 3, "$${") == 0) {
      result += "${";
      i += 3;
    } else if (text.compare(i, 2, "${") == 0) {
      const std::size_t end = text.find('}', i);
      const std::string name = text.substr(i + 2, end == std::string::npos ? end : end - i - 2);
      if (end == std::string::npos || !is_name(name))
        document.refuse(place, "'" + text.substr(i) + "' begins no ${variable}",
                        "write ${name} with letters, digits and '_', or $${ for the two characters themselves");
      result += value_of(name, place, variables, document);
      document.used_variables.insert(name);
      i = end + 1;
    } else {
      result += text[i++];
    }
  }
  return result;
}

}  // namespace isocenter::detail::yaml
