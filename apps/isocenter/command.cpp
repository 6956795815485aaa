#include "command.hpp"

#include <cerrno>
#include <system_error>

namespace isocenter::command {
namespace {

// Core and the sinks say io_error with the system's words; which of those words mean a full disk is fixed.
bool is_disk_full(const std::string& message) {
  for (const int code : {ENOSPC, EDQUOT})
    if (message.find(std::generic_category().message(code)) != std::string::npos) return true;
  return false;
}

ExitCode planning_code(ErrorCode code, const Origin& origin) {
  if (code == ErrorCode::invalid_argument || code == ErrorCode::invalid_state) return exit_usage;
  if (code == ErrorCode::unsupported && origin.gpu) return exit_device;
  if (code == ErrorCode::bad_data || origin.source) return exit_input;
  return code == ErrorCode::internal ? exit_failed : exit_usage;
}

ExitCode running_code(ErrorCode code, const Origin& origin) {
  const bool about_input = code == ErrorCode::bad_data || code == ErrorCode::not_found || code == ErrorCode::io_error ||
                           code == ErrorCode::unsupported;
  return origin.source && about_input ? exit_input : exit_failed;
}

}  // namespace

ExitCode exit_code(ErrorCode code, const std::string& message, const Origin& origin) {
  if (code == ErrorCode::ok) return exit_ok;
  if (code == ErrorCode::cancelled) return exit_cancelled;
  if (code == ErrorCode::out_of_memory || is_disk_full(message)) return exit_resources;
  if (code == ErrorCode::device_lost) return exit_device;
  switch (origin.phase) {
    case Origin::Phase::loading:
      return code == ErrorCode::unsupported ? exit_device : exit_usage;
    case Origin::Phase::planning:
      return planning_code(code, origin);
    default:
      return running_code(code, origin);
  }
}

Context make_context(const Globals& globals, int threads, void (*log)(void*, std::int32_t, const char*),
                     void* log_user) {
  isocenter_context_options options{};
  options.struct_size = sizeof options;
  options.thread_count = threads;
  options.log = log;
  options.log_user = log_user;
  Context context(options);
  for (const auto& path : globals.modules) context.load_module(path);
  return context;
}

std::vector<isocenter_module_info> modules(const Context& context) {
  std::vector<isocenter_module_info> all(isocenter_context_module_count(context.get()));
  for (std::uint32_t i = 0; i < all.size(); ++i) {
    all[i].struct_size = sizeof all[i];
    detail::call([&](auto* e) { return isocenter_context_module(context.get(), i, &all[i], e); });
  }
  return all;
}

std::pair<std::string, std::string> split_setting(const std::string& option, const std::string& text,
                                                  const std::string& form) {
  const std::size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0)
    throw Exit(exit_usage, option + " " + text + " has no '='. Fix: write " + option + " " + form + ".");
  return {text.substr(0, equals), text.substr(equals + 1)};
}

}  // namespace isocenter::command
