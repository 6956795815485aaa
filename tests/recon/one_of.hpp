#pragma once
#include "device_test.hpp"

namespace isocenter::testing {

/// What a source gives first, in host memory.
template <class Source>
Payload one_of(const typename Source::Params& params, const char* port = "output") {
  Pipeline p(context());
  p.add<Source>("source", params);
  p.add_output("out", "source", port);
  Session session = p.prepare();
  session.start();
  return context().copy_to(*session.pull("out"), "cpu");
}

}  // namespace isocenter::testing
