#pragma once
// Parameter values as written, checked against their descriptions.
#include <isocenter/isocenter.h>

#include <deque>
#include <map>
#include <string>
#include <vector>

namespace isocenter::detail {

/// "[0.1, 10] mm", "true or false", "one of ramp, hann", as messages and `describe` say it.
std::string allowed_text(const isocenter_parameter& p);

}  // namespace isocenter::detail

struct isocenter_parameter_values {
  struct Value {
    std::string text;
    double number = 0;
    std::int64_t integer = 0;
    std::vector<double> numbers;
  };
  std::map<std::string, Value, std::less<>> values;
};

namespace isocenter::detail {

/// Reads `text` for a parameter; throws with node, parameter, value and what is allowed. `where` is "fdk 'recon'".
isocenter_parameter_values::Value parse_parameter(const isocenter_parameter& p, const std::string& text,
                                                  const std::string& where);
const isocenter_parameter* find_parameter(const isocenter_operator_type& type, const std::string& name);

}  // namespace isocenter::detail
