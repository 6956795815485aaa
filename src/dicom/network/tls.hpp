#pragma once
// TLS for associations: the BCP 195 profile of PS3.15 (section B.9), without the step down to older versions.
#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmnet/assoc.h>

#include <memory>

#include "peer.hpp"

class DcmTLSTransportLayer;

namespace isocenter::detail::dicom {

struct TlsLayerDeleter {
  void operator()(DcmTLSTransportLayer* layer) const;
};
using TlsLayer = std::unique_ptr<DcmTLSTransportLayer, TlsLayerDeleter>;

/// Both ends show a certificate that the other's authorities issued; host names are not compared. Throws Failure with
/// the file that is missing, cannot be read, or does not fit the others.
TlsLayer make_tls_layer(const TlsFiles& files, T_ASC_NetworkRole role);

}  // namespace isocenter::detail::dicom
