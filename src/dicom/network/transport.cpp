#include "transport.hpp"

#include <dcmtk/dcmnet/dcmtrans.h>
#include <dcmtk/dcmtls/tlslayer.h>

#include <cerrno>
#include <filesystem>
#include <isocenter/error.hpp>

#include "command_gate.hpp"

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

/// Another connection, of whose bytes DCMTK gets those that pass the gate.
class GatedConnection final : public DcmTransportConnection {
 public:
  GatedConnection(DcmNativeSocketType socket, std::unique_ptr<DcmTransportConnection> inner)
      : DcmTransportConnection(socket), inner_(std::move(inner)) {}

  ssize_t read(void* buffer, size_t most) override {
    const ssize_t count = inner_->read(buffer, most);
    if (count <= 0 || gate_.pass({static_cast<const std::uint8_t*>(buffer), static_cast<std::size_t>(count)}))
      return count;
    errno = EPROTO;
    return -1;
  }
  const std::string& refusal() const { return gate_.refusal(); }

  OFCondition serverSideHandshake() override { return inner_->serverSideHandshake(); }
  OFCondition clientSideHandshake() override { return inner_->clientSideHandshake(); }
  OFCondition renegotiate(const char* suite) override { return inner_->renegotiate(suite); }
  ssize_t write(void* buffer, size_t count) override { return inner_->write(buffer, count); }
  void close() override { inner_->close(); }
  void closeTransportConnection() override { inner_->closeTransportConnection(); }
  unsigned long getPeerCertificateLength() override { return inner_->getPeerCertificateLength(); }
  unsigned long getPeerCertificate(void* buffer, unsigned long length) override {
    return inner_->getPeerCertificate(buffer, length);
  }
  OFBool networkDataAvailable(int timeout) override { return inner_->networkDataAvailable(timeout); }
  OFBool isTransparentConnection() override { return inner_->isTransparentConnection(); }
  OFString& dumpConnectionParameters(OFString& text) override { return inner_->dumpConnectionParameters(text); }

 private:
  std::unique_ptr<DcmTransportConnection> inner_;
  CommandGate gate_;
};

template <class Layer>
class GatedLayer final : public Layer {
 public:
  using Layer::Layer;
  DcmTransportConnection* createConnection(DcmNativeSocketType socket, OFBool secure) override {
    std::unique_ptr<DcmTransportConnection> inner(Layer::createConnection(socket, secure));
    return inner == nullptr ? nullptr : new GatedConnection(socket, std::move(inner));
  }
};

Transport make_tls(const TlsFiles& files, T_ASC_NetworkRole role) {
  require_file("tls_certificate", files.certificate);
  require_file("tls_key", files.key);
  require_file("tls_authorities", files.authorities);
  auto* layer = new GatedLayer<DcmTLSTransportLayer>(role, nullptr, OFTrue);
  Transport owned(layer);
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
  return owned;
}

}  // namespace

void TransportDeleter::operator()(DcmTransportLayer* layer) const { delete layer; }

Transport make_transport(const TlsFiles& files, T_ASC_NetworkRole role) {
  return files.enabled() ? make_tls(files, role) : Transport(new GatedLayer<DcmTransportLayer>);
}

std::string refusal_of(T_ASC_Association* association) {
  if (association == nullptr || association->DULassociation == nullptr) return "";
  const auto* gated = dynamic_cast<GatedConnection*>(DUL_getTransportConnection(association->DULassociation));
  return gated == nullptr ? "" : gated->refusal();
}

}  // namespace isocenter::detail::dicom
