#pragma once
#include <string>
#include <vector>

namespace isocenter::infer {

/// The attribute "labels.names": the names that are given, `labels` of them, or "background\class 1\class 2".
inline std::string label_names(const std::vector<std::string>& names, int labels) {
  std::string joined;
  for (int i = 0; i < labels; ++i) {
    const std::string name =
        !names.empty() ? names[static_cast<std::size_t>(i)] : (i == 0 ? "background" : "class " + std::to_string(i));
    joined += (i == 0 ? "" : "\\") + name;
  }
  return joined;
}

}  // namespace isocenter::infer
