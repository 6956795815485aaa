// WADO-RS: what arrives whole is in the inbox, and whatever is wrong with an answer is said.
#include "dicom/web/part_spool.hpp"
#include "dicom/web/web_retrieve.hpp"
#include "web_test.hpp"

namespace isocenter::test {
namespace {

using namespace detail::dicom;
using ::testing::HasSubstr;
using ::testing::SizeIs;

const WebResource study{"1.2.826.0.1.3680043.8.498.7.1", "", ""};
const WebResource image{study.study, "1.2.826.0.1.3680043.8.498.7.2", "1.2.826.0.1.3680043.8.498.7.3.1"};

class WebRetrieve : public ::testing::Test {
 protected:
  /// Retrieves the study from a server that answers so.
  WebRetrieved retrieve(const std::string& answer, const WebResource& resource = study) {
    ScriptedServer server([&](const auto&, int) { return answer; });
    WebClient client(web_peer(server.url()), never);
    Inbox inbox(folder_ / "inbox");
    return web_retrieve(client, resource, "*", inbox);
  }
  std::string complaint_about(const std::string& answer) {
    return error_of([&] { retrieve(answer); });
  }
  std::vector<std::string> kept() const { return dicom_files(folder_ / "inbox"); }

  TemporaryFolder folder_;
  std::vector<std::string> files_ = write_ct_series(folder_ / "ct", 3);
};

TEST_F(WebRetrieve, PutsEveryInstanceIntoTheInboxByteForByte) {
  ScriptedServer server([&](const auto&, int) { return http_answer("200 OK", dicom_parts, parts_of(files_)); });
  WebClient client(web_peer(server.url()), never);
  Inbox inbox(folder_ / "inbox");
  int reports = 0;
  const WebRetrieved done = web_retrieve(client, study, "1.2.840.10008.1.2.1", inbox, [&](const auto&) { ++reports; });
  EXPECT_EQ(done.completed, 3);
  EXPECT_EQ(done.complaint, "");
  EXPECT_EQ(reports, 3);
  for (int i = 0; i < 3; ++i) {
    const std::string path = folder_ / "inbox/" + image.study + "/" + image.series + "/" + instance_uid(i) + ".dcm";
    EXPECT_TRUE(same_data_set(path, files_[static_cast<std::size_t>(i)])) << path;
  }
  EXPECT_EQ(server.requests().at(0).line, "GET /web/studies/" + study.study + " HTTP/1.1");
  EXPECT_EQ(server.requests().at(0).header("Accept"),
            "multipart/related; type=\"application/dicom\"; transfer-syntax=1.2.840.10008.1.2.1");
  EXPECT_EQ(web_retrieve(client, study, "*", inbox).completed, 3);  // again: they are there
}

TEST_F(WebRetrieve, TakesASingleInstanceWithoutParts) {
  EXPECT_EQ(retrieve(http_answer("200 OK", "application/dicom", text_of(files_[0])), image).completed, 1);
  EXPECT_THAT(kept(), SizeIs(1));
}

TEST_F(WebRetrieve, KeepsWhatCameWholeAndTriesAgainWhenItBreaksOff) {
  const std::string whole = http_answer("200 OK", dicom_parts, parts_of(files_));
  ScriptedServer server([&](const auto&, int n) { return n == 0 ? whole.substr(0, whole.size() - 1500) : whole; });
  WebPeer peer = web_peer(server.url());
  Inbox inbox(folder_ / "inbox");
  WebClient once(peer, never);
  EXPECT_THAT(error_of([&] { web_retrieve(once, study, "*", inbox); }), HasSubstr("ended before the answer did"));
  EXPECT_THAT(kept(), SizeIs(2));
  peer.attempts = 2;
  ScriptedServer second([&](const auto&, int n) { return n == 0 ? whole.substr(0, whole.size() - 1500) : whole; });
  peer.url = second.url();
  WebClient twice(peer, never);
  EXPECT_EQ(web_retrieve(twice, study, "*", inbox).completed, 3);
  EXPECT_THAT(kept(), SizeIs(3));
}

TEST_F(WebRetrieve, SaysWhatIsWrongWithTheBody) {
  const auto parts = [&](const std::string& body, const std::string& type = dicom_parts) {
    return complaint_about(http_answer("200 OK", type, body));
  };
  EXPECT_THAT(parts("<html>", "text/html"), HasSubstr("the answer is 'text/html' and no multipart/related. Fix: "));
  EXPECT_THAT(parts(parts_of(files_), "multipart/related"), HasSubstr("its Content-Type gives no boundary. Fix: "));
  EXPECT_THAT(parts(parts_of(files_), "multipart/related; boundary=other"), HasSubstr("its boundary never came"));
  EXPECT_THAT(parts(parts_of(files_, "")), HasSubstr("it ends within part 3, without its closing boundary"));
  EXPECT_THAT(parts("--b\r\nContent-Type: text/plain\r\n\r\nno\r\n--b--"),
              HasSubstr("a part is 'text/plain' and no application/dicom"));
  EXPECT_THAT(parts("--b--"), HasSubstr("/studies/" + study.study + ": the server has no instance of it. Fix: "));
  EXPECT_THAT(complaint_about("HTTP/1.1 204 No Content\r\n\r\n"), HasSubstr("the server has no instance of it"));
  EXPECT_THAT(
      complaint_about("HTTP/1.1 200 OK\r\nContent-Type: " + dicom_parts + "\r\nContent-Length: 9999999999999\r\n\r\n"),
      HasSubstr("the answer announces 9999999999999 bytes, more than"));
}

TEST_F(WebRetrieve, GoesOnAfterAnInstanceThatCannotBeTaken) {
  const auto strangers = write_ct_series(folder_ / "other", 1, 32, "1.2.3");
  const std::string no_file = "--b\r\n\r\nno DICOM file\r\n";
  const WebRetrieved done =
      retrieve(http_answer("200 OK", dicom_parts, no_file + parts_of({strangers[0]}, "") + parts_of({files_[1]})));
  EXPECT_EQ(done.completed, 1);
  EXPECT_EQ(done.failed, 2);
  EXPECT_THAT(done.complaint, HasSubstr(": a part is no DICOM file with TransferSyntaxUID (0002,0010). Fix: "));
  const WebRetrieved stranger = retrieve(http_answer("200 OK", dicom_parts, parts_of(strangers)));
  EXPECT_THAT(stranger.complaint, HasSubstr("SOPInstanceUID (0008,0018) = 1.2.3.3.1 was not asked for"));
  EXPECT_THAT(kept(), SizeIs(1));
}

TEST_F(WebRetrieve, RefusesDeflatedParts) {
  const auto head = file_head({"1.2.840.10008.5.1.4.1.1.2", instance_uid(0), "1.2.840.10008.1.2.1.99", "", ""}, "");
  const std::string part = "--b\r\n\r\n" + std::string(head.begin(), head.end()) + "deflated\r\n";
  const WebRetrieved done = retrieve(http_answer("200 OK", dicom_parts, part + parts_of({files_[0]})));
  EXPECT_EQ(done.completed, 1);
  EXPECT_EQ(done.failed, 1);
  EXPECT_THAT(
      done.complaint,
      HasSubstr("transfer syntax Deflated Explicit VR Little Endian (1.2.840.10008.1.2.1.99) is not taken. Fix: "));
}

TEST_F(WebRetrieve, TellsWhenTheServerLeftSomethingOut) {
  EXPECT_THAT(retrieve(http_answer("206 Partial Content", dicom_parts, parts_of(files_))).complaint,
              HasSubstr("the server answered 206: it left out what it cannot give in this transfer syntax"));
}

TEST_F(WebRetrieve, KeepsALargePartInAFile) {
  PartSpool spool(folder_.path());
  std::vector<std::uint8_t> piece(std::size_t{5} << 20U);
  for (std::uint8_t i = 0; i < 8; ++i) {
    std::fill(piece.begin(), piece.end(), i);
    spool.append(piece);
  }
  ASSERT_EQ(spool.whole().size(), 8 * piece.size());
  EXPECT_EQ(spool.whole().front(), 0);
  EXPECT_EQ(spool.whole().back(), 7);
  EXPECT_EQ(spool.whole()[piece.size() * 3], 3);
  spool.clear();
  EXPECT_EQ(spool.whole().size(), 0U);
}

TEST_F(WebRetrieve, GivesMetadataWithItsBulkData) {
  std::string uri = "../bulk/1";
  ScriptedServer server([&](const ScriptedServer::Request& request, int) {
    if (request.line.find("/bulk/1") != std::string::npos)
      return http_answer("200 OK", "multipart/related; boundary=b",
                         "--b\r\nContent-Type: application/octet-stream\r\n\r\nabcd\r\n--b--");
    return http_answer("200 OK", dicom_json, R"([{"7FE00010": {"vr": "OW", "BulkDataURI": ")" + uri + "\"}}]");
  });
  WebClient client(web_peer(server.url()), never);
  std::vector<std::string> texts;
  const auto ask = [&](bool bulk) {
    texts.clear();
    web_metadata(client, study, bulk, [&](std::string text) { texts.push_back(std::move(text)); });
  };
  ask(false);
  ASSERT_THAT(texts, SizeIs(1));
  EXPECT_EQ(texts[0], R"({"7FE00010":{"BulkDataURI":"../bulk/1","vr":"OW"}})");
  ask(true);
  EXPECT_EQ(server.requests().back().line, "GET /web/studies/bulk/1 HTTP/1.1");
  EXPECT_THAT(texts.at(0), HasSubstr(R"("InlineBinary":"YWJjZA==")"));
  uri = "https://elsewhere.example/bulk/1?x=SECRET";
  EXPECT_EQ(error_of([&] { ask(true); }), "GET https://elsewhere.example/bulk/1: this address is not of " +
                                              server.url() + ". Fix: fetch it by hand if it is to be trusted.");
}

TEST_F(WebRetrieve, GivesFramesAndPictures) {
  ScriptedServer server([&](const ScriptedServer::Request& request, int) {
    if (request.line.find("/frames/2,1 ") != std::string::npos)
      return http_answer("200 OK", "multipart/related; boundary=b", "--b\r\n\r\ntwo\r\n--b\r\n\r\none\r\n--b--");
    if (request.line.find("/frames/3/rendered") != std::string::npos) return http_answer("200 OK", "image/png", "png");
    return http_answer("200 OK", "multipart/related; boundary=b", "--b\r\n\r\none\r\n--b--");
  });
  WebClient client(web_peer(server.url()), never);
  const auto frames = web_frames(client, image, {2, 1}, "*");
  EXPECT_EQ(frames.at(0).bytes, (std::vector<std::uint8_t>{'t', 'w', 'o'}));
  EXPECT_THAT(error_of([&] {
                web_frames(client, image, {4, 5}, "*");
              }),
              HasSubstr("/frames/4,5: 1 frames came, and 2 were asked for"));
  EXPECT_THAT(web_rendered(client, image, 3, "image/png").bytes, SizeIs(3));
  EXPECT_THAT(error_of([&] { web_rendered(client, image, 3, "image/jpeg"); }),
              HasSubstr("/frames/3/rendered: the answer is 'image/png' and no image/jpeg"));
  EXPECT_THAT(error_of([&] { web_rendered(client, study, 0, "image/jpeg"); }),
              HasSubstr("of one instance, and none is"));
}

TEST_F(WebRetrieve, IsToldWhatToRetrieveByUniqueKeys) {
  EXPECT_EQ(web_resource({{"StudyInstanceUID", "1.2"}, {"SeriesInstanceUID", "1.3"}}).path(),
            "/studies/1.2/series/1.3");
  const auto error = [](const std::vector<QueryKey>& keys) { return error_of([&] { web_resource(keys); }); };
  EXPECT_THAT(error({}), HasSubstr("StudyInstanceUID is missing. Fix: "));
  EXPECT_THAT(error({{"StudyInstanceUID", "1.2"}, {"SOPInstanceUID", "1.3"}}),
              HasSubstr("SeriesInstanceUID is missing"));
  EXPECT_THAT(error({{"StudyInstanceUID", "../.."}}), HasSubstr("StudyInstanceUID = '../..' is no UID"));
  EXPECT_THAT(error({{"PatientID", "1"}}), HasSubstr("'PatientID' does not name what to retrieve"));
}

}  // namespace
}  // namespace isocenter::test
