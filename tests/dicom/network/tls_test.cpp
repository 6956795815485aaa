// TLS with client certificates, against DCMTK's echoscu, storescp, and ourselves.
#include "dicom/network/association.hpp"
#include "dicom/network/listener.hpp"
#include "network_test.hpp"

namespace isocenter::test {
namespace {

using namespace detail::dicom;
using ::testing::HasSubstr;
using namespace std::chrono_literals;

/// An authority and a certificate that it issued, made by openssl.
class Authority {
 public:
  explicit Authority(const TemporaryFolder& folder, const std::string& name)
      : files{folder / (name + ".pem"), folder / (name + ".key"), folder / (name + "-ca.pem")} {
    const std::string ca_key = folder / (name + "-ca.key"), request = folder / (name + ".csr"),
                      log = folder / "openssl";
    EXPECT_EQ(run_program({"openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
                           "/CN=" + name + " authority", "-keyout", ca_key, "-out", files.authorities},
                          log),
              0);
    EXPECT_EQ(run_program({"openssl", "req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=" + name, "-keyout",
                           files.key, "-out", request},
                          log),
              0);
    EXPECT_EQ(run_program({"openssl", "x509", "-req", "-in", request, "-CA", files.authorities, "-CAkey", ca_key,
                           "-CAcreateserial", "-days", "2", "-out", files.certificate},
                          log),
              0);
  }
  TlsFiles files;
};

void echo(const Peer& peer) {
  Association association(peer, {{"1.2.840.10008.1.1", uncompressed_syntaxes()}});
  association.echo();
  association.release();
}

TEST(Tls, BothEndsShowCertificatesAndAWrongOneIsRefused) {
  const TemporaryFolder folder;
  const Authority hospital(folder, "hospital"), stranger(folder, "stranger");
  ListenerOptions o;
  o.ae_title = "STORE";
  o.port = 0;
  o.timeout_s = 3;
  o.tls = hospital.files;
  Listener listener(o, folder / "inbox");
  Peer peer = loopback(listener.port());
  peer.tls = hospital.files;
  EXPECT_EQ(error_of([&] { echo(peer); }), "");

  const std::string port = std::to_string(listener.port());
  EXPECT_EQ(run_program({"echoscu", "-aec", "STORE", "+tls", hospital.files.key, hospital.files.certificate, "+cf",
                         hospital.files.authorities, "127.0.0.1", port},
                        folder / "log"),
            0)
      << text_of(folder / "log");

  peer.tls = stranger.files;
  peer.tls.authorities = hospital.files.authorities;  // it trusts us, and we do not know it
  EXPECT_THAT(error_of([&] { echo(peer); }), HasSubstr("STORE at 127.0.0.1:" + port + ": "));
  const auto event = listener.next(10s);
  ASSERT_TRUE(event.has_value());
  EXPECT_THAT(event->text, HasSubstr("over TLS: "));

  peer.tls = hospital.files;
  peer.tls.authorities = stranger.files.authorities;  // we are not who it trusts
  EXPECT_THAT(error_of([&] { echo(peer); }), HasSubstr("TLS failed"));
  peer.tls = {};
  EXPECT_NE(error_of([&] { echo(peer); }), "");  // no TLS at all
}

TEST(Tls, FilesThatDoNotFitAreNamed) {
  const TemporaryFolder folder;
  const Authority one(folder, "one"), other(folder, "other");
  Peer peer = loopback(1);
  peer.tls = {one.files.certificate, "", ""};
  EXPECT_THAT(error_of([&] { echo(peer); }), HasSubstr("tls_key is empty"));
  peer.tls = one.files;
  peer.tls.key = other.files.key;
  EXPECT_THAT(error_of([&] { echo(peer); }), HasSubstr("(tls_"));
  peer.tls.key = folder / "nothing";
  EXPECT_THAT(error_of([&] { echo(peer); }), HasSubstr("there is no file"));
}

}  // namespace
}  // namespace isocenter::test
