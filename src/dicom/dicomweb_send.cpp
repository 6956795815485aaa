#include <algorithm>

#include "dicomweb_operators.hpp"
#include "network_operators.hpp"
#include "toolkit.hpp"
#include "web/web_carrier.hpp"

namespace isocenter::detail::dicom {

void DicomwebSendOperator::plan(PlanContext& plan) {
  use_dcmtk();
  web_peer_of(params, 1);
  files_below(params.path);
  plan.items(1);
  for (const char* name : {"delivered", "found_there", "refused", "left"}) plan.metric(name, "instances", 1);
}

void DicomwebSendOperator::run(const RunContext& run) {
  if (run.sequence() > 0) throw EndOfStream{};
  const DcmtkLog log;
  Outbox outbox(params.outbox);
  outbox.put(files_below(params.path));
  DeliveryOptions options;
  options.attempts = static_cast<int>(params.attempts);
  options.first_pause_s = params.first_pause_s;
  options.longest_pause_s = params.longest_pause_s;
  const auto total = static_cast<double>(std::max<std::int64_t>(1, outbox.waiting()));
  WebClient client(web_peer_of(params, 1), [&] { return run.cancelled(); });  // the outbox repeats, not the client
  WebCarrier carrier(client, static_cast<int>(params.batch));
  const auto done = outbox.deliver(carrier, options, client.stop(), [&](const Outbox::Delivery& d) {
    run.progress(static_cast<double>(d.delivered + d.found_there + d.refused) / total);
  });
  report_delivery(run, done, params.outbox, "not sent");
}

}  // namespace isocenter::detail::dicom
