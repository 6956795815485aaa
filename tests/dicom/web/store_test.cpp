// STOW-RS through an outbox: what each answer does to an instance, and that nothing is lost or sent twice.
#include "dicom/web/web_carrier.hpp"
#include "dicom/web/web_store.hpp"
#include "web_test.hpp"

namespace isocenter::test {
namespace {

using namespace detail::dicom;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

std::string reference(int i, const std::string& reason = "") {
  return R"({"00081155": {"vr": "UI", "Value": [")" + instance_uid(i) + "\"]}" +
         (reason.empty() ? "" : R"(, "00081197": {"vr": "US", "Value": [)" + reason + "]}") + "}";
}
std::string report(const std::string& stored, const std::string& failed = "") {
  return R"({"00081199": {"vr": "SQ", "Value": [)" + stored + R"(]}, "00081198": {"vr": "SQ", "Value": [)" + failed +
         "]}}";
}

class WebStore : public ::testing::Test {
 protected:
  Outbox::Delivery deliver(const ScriptedServer& server, int attempts = 1, int batch = 2,
                           const std::string& out = "out") {
    WebClient client(web_peer(server.url()), never);
    Outbox outbox(folder_ / out);
    if (!put_) outbox.put(files_);
    put_ = true;
    WebCarrier carrier(client, batch);
    return outbox.deliver(carrier, {.attempts = attempts, .first_pause_s = 0.01, .longest_pause_s = 0.01}, never);
  }
  std::size_t in(const char* state) const { return dicom_files(folder_ / "out/" + state).size(); }

  TemporaryFolder folder_;
  std::vector<std::string> files_ = write_ct_series(folder_ / "ct", 3);
  bool put_ = false;
};

TEST_F(WebStore, PostsTheFilesByteForByteInBatches) {
  ScriptedServer server([](const auto&, int n) {
    return http_answer("200 OK", dicom_json, n == 0 ? report(reference(0) + "," + reference(1)) : report(reference(2)));
  });
  const Outbox::Delivery done = deliver(server);
  EXPECT_EQ(done.delivered, 3);
  EXPECT_EQ(done.left, 0);
  EXPECT_THAT(done.complaints, SizeIs(0));
  ASSERT_THAT(server.requests(), SizeIs(2));
  const ScriptedServer::Request first = server.requests()[0];
  EXPECT_EQ(first.line, "POST /web/studies HTTP/1.1");
  const std::string type = first.header("Content-Type"), mark = "boundary=";
  const std::string boundary = type.substr(type.find(mark) + mark.size());
  EXPECT_EQ(type, "multipart/related; type=\"application/dicom\"; boundary=" + boundary);
  const std::string head = "--" + boundary + "\r\nContent-Type: application/dicom\r\n\r\n";
  EXPECT_EQ(first.body,
            head + text_of(files_[0]) + "\r\n" + head + text_of(files_[1]) + "\r\n--" + boundary + "--\r\n");
}

TEST_F(WebStore, KeepsWhatIsRefusedWithTheReasonByName) {
  ScriptedServer server([](const auto&, int n) {
    return n == 0 ? http_answer("202 Accepted", dicom_json, report(reference(0), reference(1, "43264")))  // 0xa900
                  : http_answer("409 Conflict", dicom_json, report("", reference(2, "272")));             // 0x0110
  });
  const Outbox::Delivery done = deliver(server);
  EXPECT_EQ(done.delivered, 1);
  EXPECT_EQ(done.refused, 2);
  ASSERT_THAT(done.complaints, SizeIs(2));
  EXPECT_THAT(done.complaints[0], HasSubstr(instance_uid(1) + "): the server answered 0xa900"));
  EXPECT_THAT(done.complaints[1], HasSubstr("0x0110, processing failure"));
  EXPECT_EQ(in("failed"), 2U);
  const std::string name = folder_ / "out/failed/000000000001_" + instance_uid(1) + ".dcm";
  EXPECT_TRUE(same_data_set(name, files_[1]));
  EXPECT_THAT(text_of(name + ".txt"), HasSubstr("0xa900"));
  EXPECT_EQ(store_reason_text(0xc122), "0xc122, transfer syntax not supported");
}

TEST_F(WebStore, TriesAgainWhatTheServerHasNoRoomFor) {
  ScriptedServer server([](const auto&, int n) {
    return http_answer("202 Accepted", dicom_json,
                       n == 0   ? report(reference(0), reference(1, "42752"))  // 0xa700
                       : n == 1 ? report(reference(1) + "," + reference(2))
                                : "");
  });
  const Outbox::Delivery done = deliver(server, 3);
  EXPECT_EQ(done.delivered, 3);
  EXPECT_EQ(done.left, 0);
}

TEST_F(WebStore, LooksUpWhatMayHaveArrivedAndSendsItOnce) {
  // The first request is stored there, and its answer is lost.
  int posts = 0;
  ScriptedServer server([&](const ScriptedServer::Request& request, int) {
    if (request.line.starts_with("GET")) {
      // It answers with that instance whichever it is asked for.
      const bool first_page = request.line.find("offset=0") != std::string::npos;
      const std::string found = R"([{}, {"00080018": {"vr": "UI", "Value": [")" + instance_uid(0) + R"("]}}])";
      return http_answer("200 OK", dicom_json, first_page ? found : "[]");
    }
    if (++posts == 1) return std::string();
    return http_answer("200 OK", dicom_json, report(reference(1) + "," + reference(2)));
  });
  const Outbox::Delivery lost = deliver(server);
  EXPECT_EQ(lost.left, 3);
  EXPECT_EQ(in("sending"), 2U);
  const Outbox::Delivery done = deliver(server);  // as after a crash: another process finds the folder so
  EXPECT_EQ(done.found_there, 1);
  EXPECT_EQ(done.delivered, 2);
  EXPECT_EQ(done.left, 0);
  EXPECT_EQ(posts, 2);
  EXPECT_EQ(server.requests().back().body.find(instance_uid(0)), std::string::npos);
}

TEST_F(WebStore, SendsTheRestOfAQueueWithADamagedFile) {
  {
    Outbox outbox(folder_ / "out");
    outbox.put(files_);
    put_ = true;
  }
  const std::string damaged = "000000000000_" + instance_uid(0) + ".dcm";
  std::ofstream(folder_ / "out/queue/" + damaged, std::ios::trunc) << "no DICOM file";
  std::ofstream(folder_ / "out/queue/stranger.dcm") << "not of the outbox";
  ScriptedServer server(
      [](const auto&, int) { return http_answer("200 OK", dicom_json, report(reference(1) + "," + reference(2))); });
  const Outbox::Delivery done = deliver(server);
  EXPECT_EQ(done.delivered, 2);
  EXPECT_EQ(done.refused, 1);
  EXPECT_EQ(done.left, 0);
  EXPECT_THAT(text_of(folder_ / "out/failed/" + damaged + ".txt"),
              HasSubstr(damaged + "': SOPClassUID (0008,0016) is missing"));
  EXPECT_EQ(text_of(folder_ / "out/queue/stranger.dcm"), "not of the outbox");
}

TEST_F(WebStore, StaysInDoubtWhenTheAnswerNamesNoInstance) {
  ScriptedServer server([](const auto&, int) { return http_answer("200 OK", dicom_json, "{}"); });
  const Outbox::Delivery done = deliver(server);
  EXPECT_EQ(done.delivered, 0);
  EXPECT_EQ(done.left, 3);
  EXPECT_EQ(in("sending"), 2U);
  EXPECT_THAT(done.complaints, ElementsAre(HasSubstr("the answer does not say what became of " + instance_uid(0))));
}

TEST_F(WebStore, SendsLessAtOnceWhenThatIsTooMuch) {
  ScriptedServer server([](const auto&, int n) {
    return n == 0   ? http_answer("413 x", "text/plain", "")
           : n == 2 ? http_answer("413 x", "text/plain", "")
                    : http_answer("200 OK", dicom_json, report(reference(0) + "," + reference(2)));
  });
  const Outbox::Delivery done = deliver(server);
  EXPECT_EQ(done.delivered, 2);
  EXPECT_EQ(done.refused, 1);
  EXPECT_EQ(done.left, 0);
  EXPECT_THAT(done.complaints.back(), HasSubstr("413, content too large"));
}

TEST_F(WebStore, AnInstanceOnWhichTheServerFailsKeepsNoneThatGoWithItWaiting) {
  files_ = write_ct_series(folder_ / "five", 5);
  for (const char* failure : {"500 x", "503 x", "408 x"}) {
    ScriptedServer server([&](const ScriptedServer::Request& request, int) {
      if (request.line.starts_with("GET")) return http_answer("200 OK", dicom_json, "[]");
      if (request.body.find(instance_uid(0)) != std::string::npos) return http_answer(failure, "text/plain", "");
      std::string stored;
      for (int i = 1; i < 5; ++i)
        if (request.body.find(instance_uid(i)) != std::string::npos)
          stored += (stored.empty() ? "" : ",") + reference(i);
      return http_answer("200 OK", dicom_json, report(stored));
    });
    put_ = false;
    const Outbox::Delivery done = deliver(server, 3, 4, std::string("out ") + failure);
    EXPECT_EQ(done.delivered, 4) << failure;
    EXPECT_EQ(done.left, 1) << failure;
  }
}

TEST_F(WebStore, EndsAtOnceWhenItMayNot) {
  ScriptedServer server([](const auto&, int) { return http_answer("401 x", "text/plain", ""); });
  const Outbox::Delivery done = deliver(server, 10);
  EXPECT_EQ(done.left, 3);
  EXPECT_EQ(in("queue"), 3U);
  EXPECT_THAT(server.requests(), SizeIs(1));
  EXPECT_THAT(done.complaints, ElementsAre(HasSubstr("POST " + server.url() + "/studies: the server answered 401")));
}

TEST_F(WebStore, WaitsForAServerThatIsBusy) {
  ScriptedServer server([](const auto&, int n) {
    return n < 2 ? http_answer("503 x", "text/plain", "")
                 : http_answer("200 OK", dicom_json, report(reference(0) + "," + reference(1) + "," + reference(2)));
  });
  EXPECT_EQ(deliver(server, 5).delivered, 3);
  EXPECT_EQ(in("queue") + in("sending") + in("failed"), 0U);
}

}  // namespace
}  // namespace isocenter::test
