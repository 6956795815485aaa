#pragma once
// Errors of the C++ face: exceptions, or Result<T> from the try_ calls for the frame loop and for -fno-exceptions.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <isocenter/struct_size.hpp>
#include <stdexcept>
#include <string>
#include <utility>

namespace isocenter::inline v1 {

enum class ErrorCode : int {
  ok = ISOCENTER_OK,
  invalid_argument = ISOCENTER_INVALID_ARGUMENT,
  invalid_state = ISOCENTER_INVALID_STATE,
  not_found = ISOCENTER_NOT_FOUND,
  bad_data = ISOCENTER_BAD_DATA,
  out_of_memory = ISOCENTER_OUT_OF_MEMORY,
  device_lost = ISOCENTER_DEVICE_LOST,
  unsupported = ISOCENTER_UNSUPPORTED,
  cancelled = ISOCENTER_CANCELLED,
  io_error = ISOCENTER_IO_ERROR,
  end_of_stream = ISOCENTER_END_OF_STREAM,
  timeout = ISOCENTER_TIMEOUT,
  internal = ISOCENTER_INTERNAL
};

/// What every call of the C++ face throws. The message is one sentence or two that end with "Fix: ...".
class Error : public std::runtime_error {
 public:
  Error(ErrorCode code, const std::string& message) : std::runtime_error(message), code_(code) {}
  ErrorCode code() const noexcept { return code_; }

 private:
  ErrorCode code_;
};

/// What an operator throws in validate, plan or run: what is wrong and where, and what to do about it.
class Failure : public Error {
 public:
  Failure(ErrorCode code, const std::string& what, const std::string& fix)
      : Error(code, what + ". Fix: " + fix + ".") {}
};

}  // namespace isocenter::inline v1

namespace isocenter::detail {

[[noreturn]] inline void raise(ErrorCode code, const std::string& message) {
#if defined(__cpp_exceptions)
  throw Error(code, message);
#else
  std::fprintf(stderr, "isocenter: %s\n", message.c_str());
  std::abort();
#endif
}

/// Calls f(isocenter_error*) and turns a status that is not OK into an Error.
template <class F>
void call(F&& f) {
  isocenter_error e{sizeof e, ISOCENTER_OK, {}};
  const isocenter_status status = f(&e);
  if (status != ISOCENTER_OK) raise(static_cast<ErrorCode>(status), e.message);
}

/// Reads a text that the C ABI gives as snprintf does.
template <class F>
std::string read_text(F&& f) {
  std::string text(f(nullptr, std::size_t{0}), '\0');
  f(text.data(), text.size() + 1);
  return text;
}

inline isocenter_status write_error(isocenter_error* error, ErrorCode code, const char* message) noexcept {
  const auto status = static_cast<isocenter_status>(code);
  if (error != nullptr) {
    isocenter_error written{sizeof written, status, {}};
    std::snprintf(written.message, sizeof written.message, "%s", message);
    copy_out(written, error);
  }
  return status;
}

#if defined(__cpp_exceptions)
/// The one guard at the border: runs f and turns whatever it throws into a status and a text.
template <class F>
isocenter_status guarded(isocenter_error* error, F&& f) noexcept {
  try {
    return f();
  } catch (const Error& e) {
    return write_error(error, e.code(), e.what());
  } catch (const std::bad_alloc&) {
    return write_error(
        error, ErrorCode::out_of_memory,
        "host memory is exhausted. Fix: close other programs, use a smaller input or a machine with more.");
  } catch (const std::exception& e) {
    return write_error(error, ErrorCode::internal, (std::string("unexpected error: ") + e.what()).c_str());
  } catch (...) {
    return write_error(error, ErrorCode::internal, "unexpected error of an unknown type.");
  }
}
#endif

}  // namespace isocenter::detail

namespace isocenter::inline v1 {

/// A value or an error, for callers that do not want exceptions.
template <class T>
class Result {
 public:
  Result(T value) : value_(std::move(value)) {}
  Result(const isocenter_error& e) : error_(e) {}
  explicit operator bool() const noexcept { return error_.code == ISOCENTER_OK; }
  T& operator*() noexcept { return value_; }
  T* operator->() noexcept { return &value_; }
  ErrorCode code() const noexcept { return static_cast<ErrorCode>(error_.code); }
  const char* message() const noexcept { return error_.message; }

 private:
  T value_{};
  isocenter_error error_{sizeof(isocenter_error), ISOCENTER_OK, {}};
};

}  // namespace isocenter::inline v1
