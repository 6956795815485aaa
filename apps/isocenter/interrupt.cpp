#include "interrupt.hpp"

#include <unistd.h>

#include <atomic>
#include <csignal>
#include <thread>

#include "command.hpp"

namespace isocenter::command::interrupt {
namespace {

std::atomic<isocenter_session*> watched{nullptr};
std::atomic<int> signals{0};
std::atomic<int> handlers{0};    // running now, so that a session does not go while one looks at it
std::atomic<int> completing{0};  // files being written that are milliseconds away from being whole
std::atomic<bool> ends_when_complete{false};
static_assert(std::atomic<isocenter_session*>::is_always_lock_free && std::atomic<int>::is_always_lock_free &&
                  std::atomic<bool>::is_always_lock_free,
              "a signal handler may use lock-free atomics only");

// Async-signal-safe: atomics, write and _exit.
void on_signal(int) {
  handlers.fetch_add(1);
  if (signals.fetch_add(1) > 0) {
    ends_when_complete.store(true);
    if (completing.load() == 0) _exit(exit_cancelled);
    handlers.fetch_sub(1);
    return;
  }
  constexpr char text[] = "\ncancelling; what is finished stays. Once more ends at once.\n";
  [[maybe_unused]] const auto ignored = ::write(STDERR_FILENO, text, sizeof text - 1);
  if (isocenter_session* session = watched.load()) isocenter_session_cancel(session);
  handlers.fetch_sub(1);
}

}  // namespace

void install() {
  struct sigaction action {};
  action.sa_handler = on_signal;
  sigemptyset(&action.sa_mask);
  action.sa_flags = SA_RESTART;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

bool requested() { return signals.load() > 0; }

Watch::Watch(Session& session) {
  watched.store(session.get());
  if (requested()) session.cancel();
}

Watch::~Watch() {
  watched.store(nullptr);
  while (handlers.load() > 0) std::this_thread::yield();
}

Completing::Completing() {
  completing.fetch_add(1);
  if (ends_when_complete.load()) _exit(exit_cancelled);
}

Completing::~Completing() {
  if (completing.fetch_sub(1) == 1 && ends_when_complete.load()) _exit(exit_cancelled);
}

}  // namespace isocenter::command::interrupt
