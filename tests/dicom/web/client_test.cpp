// One request: what every bad answer leads to, retries, redirections, tokens, and every wait that ends.
#include <chrono>
#include <cstdlib>

#include "dicom/web/web_query.hpp"
#include "web_test.hpp"

namespace isocenter::test {
namespace {

using namespace detail::dicom;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

/// What a query of studies says about this answer.
std::string complaint_about(const std::string& answer, WebPeer peer = web_peer("")) {
  ScriptedServer server([&](const auto&, int) { return answer; });
  peer.url = server.url();
  std::string text = error_of([&] {
    WebClient client(peer, never);
    web_find(client, WebLevel::study, {{"PatientID", "SECRET"}}, 10);
  });
  EXPECT_THAT(text, Not(HasSubstr("SECRET")));
  const std::string url = server.url();
  for (std::size_t at = text.find(url); at != std::string::npos; at = text.find(url))
    text.replace(at, url.size(), "URL");
  return text;
}

TEST(WebClient, SaysWhatEachStatusMeansAndWhatToDo) {
  const auto of = [](const char* status) { return complaint_about(http_answer(status, "text/plain", "no")); };
  EXPECT_EQ(
      of("400 x"),
      "GET URL/studies: the server answered 400, bad request. Fix: check the keys; the server's log says what it did "
      "not understand.");
  EXPECT_EQ(
      of("401 x"),
      "GET URL/studies: the server answered 401, unauthorised. Fix: give a token that it accepts in token_file or "
      "token_variable.");
  EXPECT_THAT(of("403 x"),
              StartsWith("GET URL/studies: the server answered 403, forbidden. Fix: have the server allow"));
  EXPECT_THAT(of("404 x"), StartsWith("GET URL/studies: the server answered 404, not found. Fix: check the address"));
  EXPECT_THAT(of("406 x"),
              StartsWith("GET URL/studies: the server answered 406, not acceptable. Fix: ask for another"));
  EXPECT_THAT(of("409 x"), StartsWith("GET URL/studies: the server answered 409, conflict. Fix: look into"));
  EXPECT_THAT(of("429 x"), StartsWith("GET URL/studies: the server answered 429, too many requests. Fix: try later"));
  EXPECT_THAT(of("500 x"),
              StartsWith("GET URL/studies: the server answered 500, internal server error. Fix: look into"));
  EXPECT_THAT(of("503 x"), StartsWith("GET URL/studies: the server answered 503, service unavailable. Fix: try later"));
  EXPECT_THAT(of("299 x"), StartsWith("GET URL/studies: the server answered 299. Fix: look into the server's log."));
}

TEST(WebClient, TellsNoProxyWhatIsForThisMachine) {
  ScriptedServer server([](const auto&, int) { return http_answer("200 OK", dicom_json, "[]"); });
  ScriptedServer proxy([](const auto&, int) { return http_answer("200 OK", dicom_json, "[]"); });
  ::setenv("http_proxy", proxy.url().c_str(), 1);
  WebClient client(web_peer(server.url()), never);
  EXPECT_EQ(web_find(client, WebLevel::study, {}, 10).size(), 0U);
  ::unsetenv("http_proxy");
  EXPECT_EQ(server.requests().size(), 1U);
  EXPECT_EQ(proxy.requests().size(), 0U);
}

TEST(WebClient, RefusesAnswersThatAreNotWhatWasAskedFor) {
  EXPECT_THAT(complaint_about(http_answer("200 OK", "text/html", "<html>")),
              HasSubstr("GET URL/studies: the answer is 'text/html' and no application/dicom+json. Fix: check that"));
  EXPECT_THAT(complaint_about(http_answer("200 OK", dicom_json, "[{\"0010")),
              HasSubstr("it is no JSON in UTF-8. Fix: "));
  EXPECT_THAT(complaint_about("HTTP/1.1 200 OK\r\nContent-Length: 12abc\r\n\r\n"),
              HasSubstr("GET URL/studies: its Content-Length '12abc' is no number. Fix: "));
  EXPECT_THAT(complaint_about("HTTP/1.1 200 OK\r\nContent-Length: 99999999999999\r\n\r\n"),
              HasSubstr("the answer announces 99999999999999 bytes, more than the 268435456 that are taken"));
  EXPECT_THAT(complaint_about("HTTP/1.1 200 OK\r\nContent-Length: 999999999999999999999\r\n\r\n"),
              HasSubstr("the answer announces 999999999999999999999 bytes, more than the 268435456 that are taken"));
  EXPECT_THAT(complaint_about("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n"),
              HasSubstr("the answer is encoded as 'gzip', which was not asked for"));
  EXPECT_THAT(
      complaint_about("HTTP/1.1 200 OK\r\nContent-Length: 100\r\nContent-Type: application/dicom+json\r\n\r\n[]"),
      HasSubstr("GET URL/studies: the connection ended before the answer did"));
  EXPECT_THAT(complaint_about("SSH-2.0-OpenSSH_9.2\r\n"), HasSubstr("what answers there speaks no HTTP"));
  EXPECT_THAT(complaint_about(""), HasSubstr("the connection ended before the answer did"));
  std::string headers = "HTTP/1.1 200 OK\r\n";
  for (int i = 0; i < 3000; ++i) headers += "X-Header-" + std::to_string(i) + ": some words\r\n";
  EXPECT_THAT(complaint_about(headers + "\r\n"), HasSubstr("the answer has more than 65536 bytes of headers"));
}

TEST(WebClient, EndsEveryWait) {
  WebPeer hasty = web_peer("");
  hasty.timeout_s = 1;
  const auto start = std::chrono::steady_clock::now();
  EXPECT_THAT(complaint_about("pause:HTTP/1.1 200 OK\r\nX: " + std::string(200, 'x'), hasty),
              HasSubstr("GET URL/studies: the server is too slow"));
  EXPECT_THAT(complaint_about("pause:" + http_answer("200 OK", dicom_json, std::string(200, ' ')), hasty),
              HasSubstr("raise timeout_s, or look at the network."));
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(20));
  EXPECT_THAT(error_of([] {
                WebClient client(web_peer("http://127.0.0.1:" + std::to_string(free_port()) + "/x"), never);
                web_find(client, WebLevel::study, {}, 1);
              }),
              HasSubstr("/x/studies: nobody answers there"));
}

TEST(WebClient, IsCancelledWhileItWaits) {
  ScriptedServer server([](const auto&, int) { return "pause:HTTP/1.1 200 OK\r\nX: " + std::string(300, 'x'); });
  const auto start = std::chrono::steady_clock::now();
  WebClient client(web_peer(server.url()),
                   [&] { return std::chrono::steady_clock::now() - start > std::chrono::milliseconds(500); });
  EXPECT_THAT(error_of([&] { web_find(client, WebLevel::study, {}, 1); }), HasSubstr("/studies was cancelled. Fix: "));
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(10));
}

TEST(WebClient, TriesAgainWhenTheServerIsBusyForAsLongAsItAsks) {
  std::vector<std::chrono::steady_clock::time_point> times;
  ScriptedServer server([&](const auto&, int n) {
    times.push_back(std::chrono::steady_clock::now());
    if (n == 0) return http_answer("503 x", "text/plain", "", "Retry-After: 1\r\n");
    if (n == 1) return http_answer("429 x", "text/plain", "");
    if (n == 2) return std::string();  // the connection breaks
    return http_answer("200 OK", dicom_json, "[]");
  });
  WebPeer peer = web_peer(server.url());
  peer.attempts = 4;
  WebClient client(peer, never);
  EXPECT_EQ(web_find(client, WebLevel::study, {}, 1).size(), 0U);
  ASSERT_EQ(times.size(), 4U);
  EXPECT_GT(times[1] - times[0], std::chrono::milliseconds(900));
}

TEST(WebClient, DoesNotWaitLongerThanItMay) {
  WebPeer peer = web_peer("");
  peer.attempts = 5;
  EXPECT_THAT(
      complaint_about(http_answer("503 x", "text/plain", "", "Retry-After: 3600\r\n"), peer),
      StartsWith("GET URL/studies: the server answered 503, service unavailable, and asks to wait 3600 s. Fix: "));
}

TEST(WebClient, FollowsARedirectionToTheSamePlaceAlone) {
  ScriptedServer other([](const auto&, int) { return http_answer("200 OK", dicom_json, "[]"); });
  std::string location = "/elsewhere/studies?x=1";
  ScriptedServer server([&](const ScriptedServer::Request& request, int) {
    if (request.line.find("/elsewhere/studies?x=1") != std::string::npos)
      return http_answer("200 OK", dicom_json, "[]");
    return http_answer("307 x", "text/plain", "", "Location: " + location + "\r\n");
  });
  WebPeer peer = web_peer(server.url());
  setenv("ISOCENTER_TEST_TOKEN", "abc.DEF", 1);
  peer.token_variable = "ISOCENTER_TEST_TOKEN";
  WebClient client(peer, never);
  const auto ask = [&] { web_find(client, WebLevel::study, {}, 1); };
  EXPECT_EQ(error_of(ask), "");
  location = other.url() + "/studies?PatientID=SECRET";
  EXPECT_EQ(error_of(ask), "GET " + server.url() +
                               "/studies: the server answered 307, temporary redirect and points to "
                               "another place, " +
                               other.url() +
                               "/studies. Fix: give that address as url if it is to be "
                               "trusted.");
  EXPECT_EQ(other.requests().size(), 0U);
  location = "file:///etc/passwd";
  EXPECT_THAT(error_of(ask), HasSubstr("points to another place"));
  location = "studies";
  EXPECT_THAT(error_of(ask), HasSubstr("more than 5 redirections"));
}

TEST(WebClient, SendsItsTokenAndNeverTellsIt) {
  const TemporaryFolder folder;
  ScriptedServer server([](const auto&, int) { return http_answer("401 x", "text/plain", ""); });
  WebPeer peer = web_peer(server.url());
  peer.token_file = folder / "token";
  std::ofstream(folder / "token") << "first.token==\n";
  WebClient client(peer, never);
  const auto ask = [&] { return error_of([&] { web_find(client, WebLevel::study, {}, 1); }); };
  EXPECT_THAT(ask(), Not(HasSubstr("first")));
  EXPECT_EQ(server.requests().at(0).header("Authorization"), "Bearer first.token==");
  std::ofstream(folder / "token") << "second";  // renewed while the client lives
  ask();
  EXPECT_EQ(server.requests().at(1).header("Authorization"), "Bearer second");
  std::ofstream(folder / "token") << "two words";
  EXPECT_THAT(ask(), HasSubstr("/token' (token_file) holds no bearer token. Fix: put the token there alone"));
  EXPECT_THAT(ask(), Not(HasSubstr("words")));
  std::ofstream(folder / "token") << "x\r\nX-Injected: 1";
  EXPECT_THAT(ask(), HasSubstr("holds no bearer token"));
  EXPECT_EQ(server.requests().size(), 2U);
}

TEST(WebClient, RefusesSettingsThatCannotBeMeant) {
  const auto error = [](auto change) {
    WebPeer peer = web_peer("https://pacs.example/dicom-web");
    change(peer);
    return error_of([&] { require_valid(peer); });
  };
  EXPECT_EQ(error([](WebPeer&) {}), "");
  EXPECT_THAT(error([](WebPeer& p) { p.token_file = p.token_variable = "x"; }), HasSubstr("are both set"));
  EXPECT_THAT(error([](WebPeer& p) {
                p.url = "http://pacs.example/x";
                p.token_variable = "X";
              }),
              HasSubstr("a token would travel over plain http, for everybody to read. Fix: write https:// in url."));
  EXPECT_THAT(error([](WebPeer& p) { p.tls.key = "x"; }),
              HasSubstr("tls_certificate and tls_key are not given together"));
  EXPECT_THAT(error([](WebPeer& p) { p.tls.authorities = "/nowhere"; }),
              HasSubstr("there is no file '/nowhere' (tls_authorities)"));
  EXPECT_THAT(error([](WebPeer& p) {
                p.url = "http://pacs.example/x";
                p.tls.authorities = "x";
              }),
              HasSubstr("TLS files are given, and url begins with http://"));
}

TEST(WebFind, AsksPageByPageAndFindsTheEnd) {
  const auto row = [](int i) { return "{\"00100020\":{\"Value\":[\"P" + std::to_string(i) + "\"],\"vr\":\"LO\"}}"; };
  bool knows_offsets = true;
  int total = 450, most_in_page = 1000;
  ScriptedServer server([&](const ScriptedServer::Request& request, int) {
    const auto number = [&](const std::string& name) {
      return std::stoi(request.line.substr(request.line.find(name) + name.size()));
    };
    const int first = knows_offsets ? number("offset=") : 0;
    const int count = std::min({number("limit="), most_in_page, total - first});
    if (count <= 0) return std::string("HTTP/1.1 204 No Content\r\n\r\n");
    std::string body = "[";
    for (int i = first; i < first + count; ++i) body += (i > first ? "," : "") + row(i);
    return http_answer("200 OK", dicom_json, body + "]");
  });
  WebClient client(web_peer(server.url()), never);
  const auto ask = [&](std::size_t most) {
    return web_find(client, WebLevel::series,
                    {{"StudyInstanceUID", "1.2"}, {"PatientName", "A B*"}, {"0008,103E", ""}, {"Modality", ""}}, most);
  };
  const auto all = ask(1000);
  ASSERT_EQ(all.size(), 450U);
  EXPECT_EQ(all.back(), row(449));
  EXPECT_EQ(server.requests().at(0).line,
            "GET /web/studies/1.2/series?fuzzymatching=false&PatientName=A%20B*&includefield=0008103E&includefield="
            "Modality&limit=200&offset=0 HTTP/1.1");
  most_in_page = 70;  // of the server, which does not say so
  EXPECT_EQ(ask(450).size(), 450U);
  EXPECT_THAT(error_of([&] { ask(449); }), HasSubstr("/studies/1.2/series: more than 449 answers. Fix: narrow"));
  knows_offsets = false;
  most_in_page = 1000;
  EXPECT_THAT(error_of([&] { ask(450); }), HasSubstr("offset is ignored: a page came again"));
  total = 30;
  EXPECT_EQ(ask(450).size(), 30U);
  EXPECT_THAT(error_of([&] {
                web_find(client, WebLevel::study, {{"NoKeyword", "1"}}, 1);
              }),
              HasSubstr("'NoKeyword' is no attribute"));
}

}  // namespace
}  // namespace isocenter::test
