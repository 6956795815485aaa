#pragma once
// What operators that send from a durable outbox have in common.
#include <isocenter/describe.hpp>
#include <string>

namespace isocenter::inline v1 {

/// What is sent, where it waits, and how often and when an attempt is made again.
struct OutboxParameters {
  std::string path, outbox;
  std::int64_t attempts = 8;
  double first_pause_s = 1;
  double longest_pause_s = 300;
};

/// What describes `path` and `outbox` for a struct P that inherits them, and retry_parameters the rest.
template <class P>
constexpr auto outbox_parameters() {
  return std::tuple{
      param<P, std::string>(&P::path, "path",
                            "A file, or a folder with all below it; empty: only what is in the outbox.",
                            isocenter::path),
      param<P, std::string>(&P::outbox, "outbox", "Folder that keeps what was not sent yet, one for each peer.",
                            isocenter::required | isocenter::path),
  };
}

template <class P>
constexpr auto retry_parameters() {
  return std::tuple{
      param<P, std::int64_t>(&P::attempts, "attempts", Unit::none, 0, 1e6,
                             "In a row without success before it ends; 0: for ever."),
      param<P, double>(&P::first_pause_s, "first_pause_s", Unit::s, 0.01, 3600,
                       "After a failed attempt; doubled after each further one."),
      param<P, double>(&P::longest_pause_s, "longest_pause_s", Unit::s, 0.01, 86400, "The pause never gets longer."),
  };
}

}  // namespace isocenter::inline v1
