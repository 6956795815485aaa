#pragma once
// Sources and sinks run alone, in a pipeline of one node.
#include "device_test.hpp"
#include "io_test.hpp"

namespace isocenter::io_test {

/// Runs a source alone and gives its item.
template <class Source>
Payload read(const typename Source::Params& params) {
  Pipeline pipeline(testing::context());
  pipeline.add_output("result", pipeline.add<Source>("read", params).output);
  Session session = pipeline.prepare();
  session.start();
  const std::optional<Payload> item = session.pull("result");
  if (!item) session.wait();
  return testing::context().copy_to(*item, "cpu");
}

/// Pushes payloads into a sink and waits; throws the first error.
template <class Sink, class T>
void write(const typename Sink::Params& params, const std::vector<T>& items) {
  Pipeline pipeline(testing::context());
  const auto in = pipeline.add_input("in", items.front());
  pipeline.connect(in, pipeline.add<Sink>("write", params).input);
  Session session = pipeline.prepare();
  session.start();
  for (const T& item : items) session.push("in", item);
  session.end_input("in");
  session.wait();
}

}  // namespace isocenter::io_test
