#pragma once
// An operator's one description as text, Markdown and JSON.
#include <isocenter/isocenter.h>

#include <nlohmann/json.hpp>
#include <string>

namespace isocenter::command {

std::string to_text(const isocenter_operator_type& type);
std::string to_markdown(const isocenter_operator_type& type);
nlohmann::ordered_json to_json(const isocenter_operator_type& type);

}  // namespace isocenter::command
