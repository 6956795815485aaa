#include "validate.hpp"

#include <cstdio>

namespace isocenter::testing {

std::string validation_errors([[maybe_unused]] const std::filesystem::path& file) {
#if defined(ISOCENTER_DCIODVFY)
  std::FILE* pipe = ::popen((std::string(ISOCENTER_DCIODVFY) + " -new '" + file.string() + "' 2>&1").c_str(), "r");
  if (pipe == nullptr) return "dciodvfy cannot be started";
  std::string errors;
  bool ran = false;
  char line[4096];
  while (std::fgets(line, sizeof line, pipe) != nullptr) {
    ran = true;
    if (std::string(line).find("Error") != std::string::npos) errors += line;
  }
  const int status = ::pclose(pipe);
  if (!ran && status != 0) return "dciodvfy failed";
  return errors;
#else
  return {};
#endif
}

}  // namespace isocenter::testing
