#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dcuid.h>

#include <chrono>
#include <cstdio>

#include "network/association.hpp"
#include "network_operators.hpp"
#include "toolkit.hpp"

namespace isocenter::detail::dicom {

void DicomEchoOperator::plan(PlanContext& plan) {
  use_dcmtk();
  const DcmtkLog log;
  const auto start = std::chrono::steady_clock::now();
  Association association(peer_of(params), {{UID_VerificationSOPClass, uncompressed_syntaxes()}});
  association.echo();
  association.release();
  char text[64];
  std::snprintf(text, sizeof text, "%.1f ms",
                std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count());
  plan.fact("dicom.echo", text);
  plan.items(0);
}

void DicomEchoOperator::run(const RunContext&) { throw EndOfStream{}; }

}  // namespace isocenter::detail::dicom
