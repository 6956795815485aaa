#include "tls.hpp"

#include <dcmtk/dcmtls/tlslayer.h>

#include <filesystem>
#include <isocenter/error.hpp>

namespace isocenter::detail::dicom {
namespace {

void require_file(const char* parameter, const std::string& path) {
  if (path.empty())
    throw Failure(ErrorCode::invalid_argument, std::string(parameter) + " is empty while other TLS files are given",
                  "give tls_certificate, tls_key and tls_authorities together, or none of them");
  if (!std::filesystem::is_regular_file(path))
    throw Failure(ErrorCode::not_found, std::string("there is no file '") + path + "' (" + parameter + ")",
                  "give the path of a PEM file");
}

void check(const OFCondition& condition, const char* parameter, const std::string& path) {
  if (condition.bad())
    throw Failure(ErrorCode::bad_data, "'" + path + "' (" + parameter + ") cannot be used for TLS: " + condition.text(),
                  "give a PEM file that holds what the parameter's help says");
}

}  // namespace

void TlsLayerDeleter::operator()(DcmTLSTransportLayer* layer) const { delete layer; }

TlsLayer make_tls_layer(const TlsFiles& files, T_ASC_NetworkRole role) {
  require_file("tls_certificate", files.certificate);
  require_file("tls_key", files.key);
  require_file("tls_authorities", files.authorities);
  TlsLayer layer(new DcmTLSTransportLayer(role, nullptr, OFTrue));
  layer->setPrivateKeyPasswd("");  // an encrypted key fails instead of asking the terminal
  check(layer->setTLSProfile(TSP_Profile_BCP195_ND), "tls_certificate", files.certificate);
  check(layer->activateCipherSuites(), "tls_certificate", files.certificate);
  check(layer->addTrustedCertificateFile(files.authorities.c_str(), DCF_Filetype_PEM), "tls_authorities",
        files.authorities);
  check(layer->setPrivateKeyFile(files.key.c_str(), DCF_Filetype_PEM), "tls_key", files.key);
  check(layer->setCertificateFile(files.certificate.c_str(), DCF_Filetype_PEM), "tls_certificate", files.certificate);
  if (!layer->checkPrivateKeyMatchesCertificate())
    throw Failure(ErrorCode::bad_data,
                  "'" + files.key + "' (tls_key) is not the key of '" + files.certificate + "' (tls_certificate)",
                  "give the key that the certificate was made for");
  layer->setCertificateVerification(DCV_requireCertificate);
  return layer;
}

}  // namespace isocenter::detail::dicom
