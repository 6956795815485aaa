#pragma once
// Ctrl-C: the first cancels the session, which stops at its next check and keeps what is finished; the second ends the
// process at once. SIGTERM does the same, for service managers.
#include <isocenter/isocenter.hpp>

namespace isocenter::command::interrupt {

void install();
bool requested();
/// While it lives, the first signal, also an earlier one, cancels the session.
class Watch {
 public:
  explicit Watch(Session& session);
  ~Watch();
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;
};
/// While it lives, the second signal waits: for small files that are written in milliseconds.
class Completing {
 public:
  Completing();
  ~Completing();
  Completing(const Completing&) = delete;
  Completing& operator=(const Completing&) = delete;
};

}  // namespace isocenter::command::interrupt
