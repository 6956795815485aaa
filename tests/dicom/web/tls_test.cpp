// TLS with client certificates, against openssl's own server, which answers every request with a page of HTML.
#include "dicom/web/web_query.hpp"
#include "system_authorities.hpp"
#include "web_test.hpp"

namespace isocenter::test {
namespace {

using namespace detail::dicom;
using ::testing::AnyOf;
using ::testing::HasSubstr;

TEST(WebTls, ShowsOurCertificateToAServerThatWantsIt) {
  const TemporaryFolder folder;
  const TlsFiles server = make_certificate(folder, "server", "DNS:localhost"),
                 we = make_certificate(folder, "we", "DNS:we"),
                 stranger = make_certificate(folder, "stranger", "DNS:stranger");
  for (const char* version : {"-tls1_2", "-tls1_3"}) {
    const int port = free_port();
    const Program program(
        {"openssl", "s_server", "-accept", std::to_string(port), "-cert", server.certificate, "-key", server.key,
         "-CAfile", we.certificate, "-Verify", "1", "-verify_return_error", "-www", version},
        folder / "log");
    ASSERT_TRUE(wait_for_port(port));
    const auto complaint = [&](const TlsFiles& files) {
      WebPeer peer = web_peer("https://localhost:" + std::to_string(port));
      peer.tls = files;
      return error_of([&] {
        WebClient client(peer, never);
        web_find(client, WebLevel::study, {}, 10);
      });
    };
    EXPECT_THAT(complaint({we.certificate, we.key, server.certificate}), HasSubstr("the answer is 'text/html'"))
        << text_of(folder / "log");
    const auto refused = AnyOf(HasSubstr("/studies: TLS failed ("), HasSubstr("/studies: the server ended TLS ("));
    EXPECT_THAT(complaint({"", "", server.certificate}), refused);
    EXPECT_THAT(complaint({stranger.certificate, stranger.key, server.certificate}), refused);
    EXPECT_THAT(complaint({we.certificate, we.key, stranger.certificate}),
                HasSubstr("/studies: the server's certificate is not accepted ("));
    EXPECT_THAT(complaint({we.certificate, stranger.key, server.certificate}),
                HasSubstr("tls_certificate or tls_key cannot be used ("));
    EXPECT_THAT(complaint({we.certificate, we.key, server.key}), HasSubstr("tls_authorities cannot be used ("));
  }
}

TEST(WebTls, TrustsTheSystemsAuthoritiesUnlessItIsGivenOthers) {
  const TemporaryFolder folder;
  const TlsFiles server = make_certificate(folder, "server", "DNS:localhost"),
                 stranger = make_certificate(folder, "stranger", "DNS:stranger");
  std::filesystem::create_directory(folder / "system");
  std::filesystem::copy(server.certificate, folder / "system/server.pem");
  ASSERT_EQ(run_program({"openssl", "rehash", folder / "system"}, folder / "openssl"), 0);
  const int port = free_port();
  const Program program(
      {"openssl", "s_server", "-accept", std::to_string(port), "-cert", server.certificate, "-key", server.key, "-www"},
      folder / "log");
  ASSERT_TRUE(wait_for_port(port));
  set_system_authorities(folder / "system");
  const auto complaint = [&](const std::string& authorities) {
    WebPeer peer = web_peer("https://localhost:" + std::to_string(port));
    peer.tls.authorities = authorities;
    return error_of([&] {
      WebClient client(peer, never);
      web_find(client, WebLevel::study, {}, 10);
    });
  };
  EXPECT_THAT(complaint(""), HasSubstr("the answer is 'text/html'"));
  EXPECT_THAT(complaint(stranger.certificate), HasSubstr("the server's certificate is not accepted ("));
  set_system_authorities("");
}

}  // namespace
}  // namespace isocenter::test
