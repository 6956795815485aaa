#include "store.hpp"

#include <dcmtk/dcmdata/dcfilefo.h>
#include <dcmtk/dcmdata/dcmetinf.h>
#include <dcmtk/dcmdata/dcuid.h>
#include <dcmtk/dcmdata/dcxfer.h>

#include <algorithm>
#include <isocenter/error.hpp>
#include <set>

namespace isocenter::detail::dicom {
namespace {

StoreAnswer refused(const Outgoing& file, const std::string& why) {
  return {StoreAnswer::Outcome::refused, "'" + file.path + "' (" + file.name.sop_instance_uid + "): " + why};
}

}  // namespace

std::vector<ContextProposal> proposals_for(std::span<const Outgoing> files) {
  std::set<std::pair<std::string, std::string>> own;
  std::set<std::string> classes;
  for (const Outgoing& file : files) {
    classes.insert(file.name.sop_class);
    own.insert({file.name.sop_class, file.name.transfer_syntax});
  }
  std::vector<ContextProposal> proposals;
  for (const std::string& sop_class : classes) proposals.push_back({sop_class, uncompressed_syntaxes()});
  const std::vector<std::string> plain = uncompressed_syntaxes();
  for (const auto& [sop_class, syntax] : own)
    if (std::find(plain.begin(), plain.end(), syntax) != plain.end() || syntax.empty())
      continue;
    else
      proposals.push_back({sop_class, {syntax}});
  return proposals;
}

StoreAnswer store(Association& association, const Outgoing& file) {
  const std::string& syntax = file.name.transfer_syntax;
  T_ASC_PresentationContextID context = association.context(file.name.sop_class, syntax);
  if (context == 0)
    for (const std::string& plain : uncompressed_syntaxes())
      if (context == 0) context = association.context(file.name.sop_class, plain);
  if (context == 0)
    return refused(file, association.peer().name() + " accepts neither SOP class " + file.name.sop_class +
                             " in transfer syntax " + syntax + " nor uncompressed");
  T_ASC_PresentationContext accepted{};
  ASC_findAcceptedPresentationContext(association.get()->params, context, &accepted);
  DcmFileFormat object;
  const OFCondition loaded = object.loadFile(file.path.c_str());
  if (loaded.bad()) return refused(file, std::string("it cannot be read: ") + loaded.text());
  const E_TransferSyntax wanted = DcmXfer(accepted.acceptedTransferSyntax).getXfer();
  DcmDataset* data_set = object.getDataset();
  if (data_set->chooseRepresentation(wanted, nullptr).bad() || !data_set->canWriteXfer(wanted))
    return refused(file, association.peer().name() + " wants it uncompressed, and " +
                             DcmXfer(data_set->getOriginalXfer()).getXferName() + " cannot be decoded here");
  T_DIMSE_C_StoreRQ request{};
  T_DIMSE_C_StoreRSP response{};
  request.MessageID = association.next_message();
  request.DataSetType = DIMSE_DATASET_PRESENT;
  request.Priority = DIMSE_PRIORITY_MEDIUM;
  OFStandard::strlcpy(request.AffectedSOPClassUID, file.name.sop_class.c_str(), sizeof request.AffectedSOPClassUID);
  OFStandard::strlcpy(request.AffectedSOPInstanceUID, file.name.sop_instance_uid.c_str(),
                      sizeof request.AffectedSOPInstanceUID);
  DcmDataset* detail = nullptr;
  const OFCondition sent = DIMSE_storeUser(association.get(), context, &request, nullptr, data_set, nullptr, nullptr,
                                           DIMSE_NONBLOCKING, association.peer().timeout_s, &response, &detail);
  const std::unique_ptr<DcmDataset> owned(detail);
  if (sent.bad()) fail_with(association.get(), association.peer(), "C-STORE of " + file.name.sop_instance_uid, sent);
  const std::uint16_t status = response.DimseStatus;
  const std::string words =
      "'" + file.path + "' (" + file.name.sop_instance_uid + "): the peer answered " + status_text(status);
  if (status == STATUS_Success) return {};
  if ((status & 0xf000U) == 0xb000U) return {StoreAnswer::Outcome::stored, words};
  if ((status & 0xff00U) == 0xa700U) return {StoreAnswer::Outcome::try_later, words};
  return {StoreAnswer::Outcome::refused, words};
}

}  // namespace isocenter::detail::dicom
