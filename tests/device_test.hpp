#pragma once
// Tests that run on every device of this machine. With ISOCENTER_REQUIRE_CUDA=1 a missing GPU is a failure.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <isocenter/isocenter.hpp>
#include <string>
#include <vector>

namespace isocenter::testing {

/// One context with the run-time modules of the build tree, for all tests of the program.
inline const Context& context() {
  static const Context made = [] {
    isocenter_context_options options{};
    options.struct_size = sizeof options;
    options.module_path = ISOCENTER_MODULE_DIR;
    options.flags = std::filesystem::is_directory(ISOCENTER_MODULE_DIR) ? 0 : ISOCENTER_CONTEXT_NO_MODULES;
    return Context(options);
  }();
  return made;
}

inline std::vector<std::string> devices() {
  std::vector<std::string> names;
  for (const auto& d : context().devices()) names.emplace_back(d.name);
  if (std::getenv("ISOCENTER_REQUIRE_CUDA") != nullptr && names.size() == 1) names.emplace_back("cuda:0");
  return names;
}

/// GetParam() is the device's name.
class DeviceTest : public ::testing::TestWithParam<std::string> {
 protected:
  SessionOptions options() const {
    SessionOptions o;
    o.device = GetParam();
    return o;
  }
};

inline std::string test_name(const ::testing::TestParamInfo<std::string>& info) {
  std::string name;
  for (const char c : info.param) name += c == ':' ? '_' : c;
  return name;
}

/// The message of the Error that `f` throws; fails when it throws none.
template <class F>
std::string error_of(F&& f) {
  try {
    f();
  } catch (const Error& e) {
    return e.what();
  }
  ADD_FAILURE() << "no error was thrown";
  return "";
}

}  // namespace isocenter::testing

#define ISOCENTER_DEVICE_SUITE(Suite)                                                          \
  class Suite : public isocenter::testing::DeviceTest {};                                      \
  INSTANTIATE_TEST_SUITE_P(Devices, Suite, ::testing::ValuesIn(isocenter::testing::devices()), \
                           isocenter::testing::test_name)
