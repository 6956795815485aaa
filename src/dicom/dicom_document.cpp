#include "dicom_document.hpp"

#include "encapsulated_document.hpp"
#include "output_file.hpp"

namespace isocenter::detail::dicom {

void DicomDocumentOperator::plan(PlanContext& plan) {
  const EncapsulatedDocument document(params.path);
  document.require_ending(params.document);
  require_file_path(params.document);
  plan.items(1);
  plan.declare_host_memory(2 * EncapsulatedDocument::piece_bytes);
  plan.fact("mime_type", document.mime_type());
  plan.fact("title", document.title());
  plan.fact("bytes", std::to_string(document.bytes()));
}

void DicomDocumentOperator::run(const RunContext& run) {
  if (run.sequence() > 0) throw EndOfStream{};
  EncapsulatedDocument document(params.path);
  document.require_ending(params.document);
  document.write(params.document, [&](double done) {
    run.check_cancelled();
    run.progress(done);
  });
}

}  // namespace isocenter::detail::dicom
