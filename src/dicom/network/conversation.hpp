#pragma once
// One association that a peer opened: who may, what is accepted, and the answer to each message.
#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmnet/dimse.h>

#include <cstdint>
#include <string>
#include <vector>

#include "listener.hpp"

namespace isocenter::detail::dicom {

/// Storage SOP classes: those of DCMTK's list, and whatever lies below the standard's root of them.
bool is_storage_class(const std::string& sop_class);

class Conversation {
 public:
  Conversation(Listener& listener, T_ASC_Association* association, std::uint64_t number);
  /// From the negotiation to the end, which it leaves to the caller to clean up.
  void hold();

 private:
  bool negotiate();
  void reject(T_ASC_RejectParametersReason reason, const std::string& why);
  void accept_contexts();
  bool wait_for_message();
  bool answer(T_ASC_PresentationContextID context, T_DIMSE_Message& message);
  OFCondition store(T_ASC_PresentationContextID context, const T_DIMSE_C_StoreRQ& request);
  std::uint16_t keep(const T_DIMSE_C_StoreRQ& request, const std::string& syntax);
  void tell(ListenerEvent::Kind kind, const std::string& what);

  Listener& listener_;
  T_ASC_Association* association_;
  std::uint64_t number_;
  std::string calling_ae_, called_ae_, address_;
  std::vector<std::uint8_t> data_set_;
};

}  // namespace isocenter::detail::dicom
