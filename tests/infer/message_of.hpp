#pragma once
#include <functional>
#include <isocenter/error.hpp>
#include <string>

namespace isocenter::infer::test {

/// What the Error says that `f` throws; "no error" where it throws none.
inline std::string message_of(const std::function<void()>& f) {
  try {
    f();
  } catch (const Error& e) {
    return e.what();
  }
  return "no error";
}

}  // namespace isocenter::infer::test
