#pragma once
// ${name} in a text of a pipeline file.
#include "yaml/document.hpp"

namespace isocenter::detail::yaml {

/// Puts values in for every ${name}; "$${" stands for "${" itself. Values are not looked into again. Notes the names in
/// document.used_variables; refuses unknown and unfinished ones at the text's place.
std::string substitute(const std::string& text, Place place, const Variables& variables, Document& document);

}  // namespace isocenter::detail::yaml
