#pragma once
// What an association's bytes go through: TCP, or TLS with a certificate of each end; and CommandGate either way.
#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmnet/assoc.h>

#include <memory>
#include <string>

#include "peer.hpp"

namespace isocenter::detail::dicom {

struct TransportDeleter {
  void operator()(DcmTransportLayer* layer) const;
};
using Transport = std::unique_ptr<DcmTransportLayer, TransportDeleter>;

/// With TLS when there are files: both ends show a certificate that the other's authorities issued; host names are not
/// compared. Throws Failure with the file that is missing, cannot be read, or does not fit the others.
Transport make_transport(const TlsFiles& files, T_ASC_NetworkRole role);

/// Why no more bytes of this association are taken; "" while they are.
std::string refusal_of(T_ASC_Association* association);

}  // namespace isocenter::detail::dicom
