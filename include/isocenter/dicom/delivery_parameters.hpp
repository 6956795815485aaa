#pragma once
// What operators that send from a durable outbox have in common.
#include <isocenter/describe.hpp>

namespace isocenter::inline v1 {

/// The parameters of struct P that say what is sent and where it waits; P has members of these names.
template <class P>
constexpr auto outbox_parameters() {
  return std::tuple{
      param(&P::path, "path", "A file, or a folder with all below it; empty: only what is in the outbox.",
            isocenter::path),
      param(&P::outbox, "outbox", "Folder that keeps what was not sent yet, one for each peer.",
            isocenter::required | isocenter::path),
  };
}

/// The parameters of struct P that say how often and when an attempt is made again.
template <class P>
constexpr auto retry_parameters() {
  return std::tuple{
      param(&P::attempts, "attempts", Unit::none, 0, 1e6, "In a row without success before it ends; 0: for ever."),
      param(&P::first_pause_s, "first_pause_s", Unit::s, 0.01, 3600,
            "After a failed attempt; doubled after each further one."),
      param(&P::longest_pause_s, "longest_pause_s", Unit::s, 0.01, 86400, "The pause never gets longer."),
  };
}

}  // namespace isocenter::inline v1
