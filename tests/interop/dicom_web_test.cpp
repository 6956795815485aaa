// DICOMweb against Orthanc with its DICOMweb plug-in, on loopback: what we send comes back byte for byte, over TLS too.
#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dcdeftag.h>
#include <dcmtk/dcmdata/dcfilefo.h>

#include <algorithm>
#include <cstdlib>
#include <isocenter/dicom/dicom_series_source.hpp>
#include <isocenter/dicom/dicomweb_fetch.hpp>
#include <isocenter/dicom/dicomweb_source.hpp>
#include <isocenter/isocenter.hpp>
#include <optional>

#include "dicom/web/web_carrier.hpp"
#include "dicom/web/web_query.hpp"
#include "dicom/web/web_retrieve.hpp"
#include "dicom/web/web_test.hpp"

namespace isocenter::test {
namespace {

namespace ic = isocenter;
using namespace detail::dicom;
using ::testing::HasSubstr;
using ::testing::SizeIs;

const std::string prefix = "1.2.826.0.1.3680043.8.498.7";
const WebResource study{prefix + ".1", "", ""};
const WebResource image{prefix + ".1", prefix + ".2", instance_uid(0)};

/// An Orthanc of its own, with more settings of its configuration if need be.
class Orthanc {
 public:
  explicit Orthanc(const std::string& more_settings = "") : port_(free_port()) {
    std::ofstream(folder_ / "orthanc.json")
        << R"({"StorageDirectory": ")" << folder_ / "db"
        << R"(", "IndexDirectory": ")" << folder_ / "db"
        << R"(", "DicomServerEnabled": false, "RemoteAccessAllowed": true, "Plugins": [")" << ISOCENTER_ORTHANC_DICOMWEB
        << R"("], "DicomWeb": {"Enable": true, "Root": "/dicom-web/"}, "HttpPort": )" << port_ << more_settings << "}";
    program_.emplace(std::vector<std::string>{ISOCENTER_ORTHANC, folder_ / "orthanc.json"}, folder_ / "log");
    up_ = wait_for_port(port_);
  }
  int port() const { return port_; }
  bool up() const { return up_; }
  std::string log() const { return text_of(folder_ / "log"); }
  std::string url(const std::string& start = "http://127.0.0.1") const {
    return start + ":" + std::to_string(port_) + "/dicom-web";
  }

 private:
  TemporaryFolder folder_;
  int port_;
  bool up_ = false;
  std::optional<Program> program_;
};

const std::string open_to_all = R"(, "AuthenticationEnabled": false)";

Outbox::Delivery send(WebClient& client, const std::string& folder, const std::vector<std::string>& files) {
  Outbox outbox(folder);
  outbox.put(files);
  WebCarrier carrier(client, 2);
  return outbox.deliver(carrier, {.attempts = 1}, client.stop());
}

TEST(OrthancWeb, TakesWhatWeSendAndGivesItBackByteForByte) {
  const TemporaryFolder folder;
  const Orthanc orthanc(open_to_all);
  ASSERT_TRUE(orthanc.up()) << orthanc.log();
  WebClient client(web_peer(orthanc.url()), never);
  EXPECT_THAT(web_find(client, WebLevel::study, {}, 10), SizeIs(0));
  const auto files = write_ct_series(folder / "ct", 5);
  EXPECT_EQ(send(client, folder / "out", files).delivered, 5) << orthanc.log();

  const auto studies = web_find(client, WebLevel::study, {{"PatientID", "LOOP*"}, {"StudyDescription", ""}}, 10);
  ASSERT_THAT(studies, SizeIs(1));
  EXPECT_THAT(studies[0], HasSubstr(R"("0020000D":{"Value":[")" + study.study + R"("],"vr":"UI"})"));
  EXPECT_THAT(studies[0], HasSubstr(R"({"Alphabetic":"Loop^Back"})"));
  EXPECT_THAT(web_find(client, WebLevel::study, {{"PatientID", "NOBODY"}}, 10), SizeIs(0));
  EXPECT_THAT(web_find(client, WebLevel::series, {{"StudyInstanceUID", study.study}, {"Modality", "CT"}}, 10),
              SizeIs(1));
  const std::vector<QueryKey> instances{{"StudyInstanceUID", study.study}, {"SeriesInstanceUID", prefix + ".2"}};
  EXPECT_THAT(web_find(client, WebLevel::instance, instances, 10), SizeIs(5));
  EXPECT_THAT(error_of([&] { web_find(client, WebLevel::instance, instances, 4); }), HasSubstr("more than 4 answers"));

  Inbox inbox(folder / "inbox");
  EXPECT_EQ(web_retrieve(client, study, "*", inbox).completed, 5);
  for (int i = 0; i < 5; ++i)
    EXPECT_TRUE(same_data_set(folder / "inbox/" + study.study + "/" + image.series + "/" + instance_uid(i) + ".dcm",
                              files[static_cast<std::size_t>(i)]));
  EXPECT_THAT(error_of([&] { web_retrieve(client, {"1.2.3", "", ""}, "*", inbox); }), HasSubstr("404, not found"));
}

TEST(OrthancWeb, GivesAnotherTransferSyntaxMetadataFramesAndPictures) {
  const TemporaryFolder folder;
  const Orthanc orthanc(open_to_all);
  ASSERT_TRUE(orthanc.up()) << orthanc.log();
  WebClient client(web_peer(orthanc.url()), never);
  const auto files = write_ct_series(folder / "ct", 2);
  ASSERT_EQ(send(client, folder / "out", files).delivered, 2) << orthanc.log();

  Inbox inbox(folder / "inbox");
  EXPECT_EQ(web_retrieve(client, image, "1.2.840.10008.1.2.4.80", inbox).completed, 1) << orthanc.log();
  EXPECT_EQ(name_of_file(dicom_files(folder / "inbox").at(0)).transfer_syntax, "1.2.840.10008.1.2.4.80");

  DcmFileFormat sent;
  ASSERT_TRUE(sent.loadFile(files[0].c_str()).good());
  const Uint16* pixels = nullptr;
  unsigned long count = 0;
  ASSERT_TRUE(sent.getDataset()->findAndGetUint16Array(DCM_PixelData, pixels, &count).good());
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(pixels);
  const std::vector<std::uint8_t> stored(bytes, bytes + 2 * count);
  EXPECT_EQ(web_frames(client, image, {1}, "*").at(0).bytes, stored);

  // Every attribute that was sent is in the metadata, its bulk data too.
  std::vector<std::string> texts;
  web_metadata(client, image, true, [&](std::string text) { texts.push_back(std::move(text)); });
  ASSERT_THAT(texts, SizeIs(1));
  read_json_model(texts[0], "metadata", [&](std::unique_ptr<DcmDataset> data_set) {
    for (unsigned long i = 0; i < sent.getDataset()->card(); ++i) {
      DcmElement* element = sent.getDataset()->getElement(i);
      OFString ours, theirs;
      if (element->getTag() == DCM_PixelData) continue;
      element->getOFStringArray(ours);
      EXPECT_TRUE(data_set->findAndGetOFStringArray(element->getTag(), theirs).good()) << element->getTag().toString();
      EXPECT_EQ(ours, theirs) << element->getTag().toString();
    }
    const Uint16* came = nullptr;
    ASSERT_TRUE(data_set->findAndGetUint16Array(DCM_PixelData, came, &count).good());
    EXPECT_TRUE(std::equal(pixels, pixels + count, came));
  });

  EXPECT_EQ(web_rendered(client, image, 0, "image/jpeg").bytes.at(0), 0xff);
  const auto png = web_rendered(client, image, 1, "image/png").bytes;
  EXPECT_EQ(std::string(png.begin() + 1, png.begin() + 4), "PNG");
}

// Debian's Orthanc 1.10.1 dies of its own SslEnabled at the first request, so something else speaks TLS for it.
TEST(OrthancWeb, IsReachedOverTlsWhenItsCertificateFits) {
  const TemporaryFolder folder;
  const TlsFiles server = make_certificate(folder, "server", "DNS:localhost"),
                 stranger = make_certificate(folder, "stranger", "DNS:localhost");
  const Orthanc orthanc(open_to_all);
  ASSERT_TRUE(orthanc.up()) << orthanc.log();
  const int port = free_port();
  const Program proxy({"python3", ISOCENTER_INTEROP_DIR "/tls_proxy.py", std::to_string(port), server.certificate,
                       server.key, std::to_string(orthanc.port())},
                      folder / "log");
  ASSERT_TRUE(wait_for_port(port)) << text_of(folder / "log");
  const auto peer_at = [&](const std::string& start, const std::string& authorities) {
    WebPeer peer = web_peer(start + ":" + std::to_string(port) + "/dicom-web");
    peer.tls.authorities = authorities;
    return peer;
  };
  const auto complaint = [&](const std::string& start, const std::string& authorities) {
    return error_of([&] {
      WebClient client(peer_at(start, authorities), never);
      web_find(client, WebLevel::study, {}, 10);
    });
  };
  const std::string refused = "/studies: the server's certificate is not accepted (";
  EXPECT_THAT(complaint("https://127.0.0.1", server.certificate), HasSubstr(refused));  // issued for another name
  EXPECT_THAT(complaint("https://localhost", stranger.certificate), HasSubstr(refused));
  EXPECT_THAT(complaint("https://localhost", ""),
              HasSubstr("Fix: give who issued it in tls_authorities, and the name"));
  EXPECT_NE(complaint("http://localhost", ""), "");

  WebClient client(peer_at("https://localhost", server.certificate), never);
  const auto files = write_ct_series(folder / "ct", 3, 512);
  EXPECT_EQ(send(client, folder / "out", files).delivered, 3) << orthanc.log();
  Inbox inbox(folder / "inbox");
  EXPECT_EQ(web_retrieve(client, study, "*", inbox).completed, 3);
  EXPECT_TRUE(
      same_data_set(folder / "inbox/" + study.study + "/" + image.series + "/" + instance_uid(2) + ".dcm", files[2]));
}

TEST(OrthancWeb, AsksWhoWeAre) {
  const TemporaryFolder folder;
  std::ofstream(folder / "filter.lua") << "function IncomingHttpRequestFilter(method, uri, ip, username, headers)\n"
                                          "  return headers['authorization'] == 'Bearer right.token'\nend\n";
  const Orthanc orthanc(open_to_all + R"(, "LuaScripts": [")" + folder / "filter.lua" + "\"]");
  ASSERT_TRUE(orthanc.up()) << orthanc.log();
  WebPeer peer = web_peer(orthanc.url());
  const auto complaint = [&] {
    return error_of([&] {
      WebClient client(peer, never);
      web_find(client, WebLevel::study, {}, 10);
    });
  };
  EXPECT_THAT(complaint(), HasSubstr("/studies: the server answered 403, forbidden. Fix: "));
  setenv("ISOCENTER_TEST_TOKEN", "wrong.token", 1);
  peer.token_variable = "ISOCENTER_TEST_TOKEN";
  EXPECT_THAT(complaint(), HasSubstr("403, forbidden"));
  setenv("ISOCENTER_TEST_TOKEN", "right.token", 1);
  EXPECT_EQ(complaint(), "");

  const Orthanc with_passwords(R"(, "AuthenticationEnabled": true, "RegisteredUsers": {"a": "b"})");
  ASSERT_TRUE(with_passwords.up()) << with_passwords.log();
  peer.url = with_passwords.url();
  EXPECT_THAT(complaint(), HasSubstr("/studies: the server answered 401, unauthorised. Fix: give a token"));
}

ic::Context context_with_dicom() {
  isocenter_context_options options{};
  options.struct_size = sizeof options;
  options.flags = ISOCENTER_CONTEXT_NO_MODULES;
  ic::Context context(options);
  context.load_module(std::string(ISOCENTER_MODULE_DIR) + "/isocenter_dicom.so");
  return context;
}

TEST(DicomwebFetch, RefusesParametersThatDoNotFit) {
  const ic::Context context = context_with_dicom();
  const auto complaint = [&](auto change) {
    ic::DicomwebFetch::Params params;
    params.url = "https://pacs.example/dicom-web";
    params.inbox = "inbox";
    params.keys = "StudyInstanceUID=1.2";
    change(params);
    ic::Pipeline pipeline(context);
    pipeline.add<ic::DicomwebFetch>("fetch", params);
    return error_of([&] { pipeline.prepare(); });
  };
  using Params = ic::DicomwebFetch::Params;
  EXPECT_EQ(complaint([](Params&) {}), "");
  EXPECT_EQ(complaint([](Params& p) { p.url = "pacs.example"; }),
            "dicomweb_fetch 'fetch': url = 'pacs.example' is no web address. Fix: write it as in "
            "https://pacs.example:8443/dicom-web.");
  EXPECT_THAT(complaint([](Params& p) { p.keys = "PatientID=1"; }),
              HasSubstr("'PatientID' does not name what to retrieve"));
  EXPECT_THAT(complaint([](Params& p) { p.transfer_syntax = "JPEG"; }),
              HasSubstr("transfer_syntax = 'JPEG' is no UID"));
  EXPECT_THAT(complaint([](Params& p) { p.frames = "1,x"; }), HasSubstr("frames = '1,x' has 'x', which is no frame's"));
  EXPECT_THAT(complaint([](Params& p) { p.frames = "1"; }), HasSubstr("content is neither frames nor rendered"));
  EXPECT_THAT(complaint([](Params& p) { p.content = ic::DicomwebContent::rendered; }),
              HasSubstr("of one instance, and"));
  EXPECT_THAT(complaint([](Params& p) { p.token_file = "/nowhere"; }), "");  // read when it is needed
}

TEST(OrthancWeb, StreamsSeriesAsVolumes) {
  const TemporaryFolder folder;
  const Orthanc orthanc(open_to_all);
  ASSERT_TRUE(orthanc.up()) << orthanc.log();
  WebClient client(web_peer(orthanc.url()), never);
  auto files = write_ct_series(folder / "a", 3);
  const auto more = write_ct_series(folder / "b", 3, 32, prefix + ".9"),
             other = write_ct_series(folder / "c", 2, 16, prefix + ".8");
  files.insert(files.end(), more.begin(), more.end());
  files.insert(files.end(), other.begin(), other.end());
  ASSERT_EQ(send(client, folder / "out", files).delivered, 8) << orthanc.log();

  const ic::Context context = context_with_dicom();
  ic::DicomSeriesSource::Params file_params;
  file_params.path = folder / "a";
  ic::Pipeline from_files(context);
  from_files.add_output("volume", from_files.add<ic::DicomSeriesSource>("source", file_params).output);
  ic::Session expected = from_files.prepare();
  expected.start();
  const ic::Volume truth = *expected.pull("volume");

  ic::DicomwebSource::Params params;
  params.url = orthanc.url();
  params.inbox = folder / "inbox";
  params.keys = "Modality=CT\nPatientID=LOOP1";
  params.limit = 10;
  ic::Pipeline pipeline(context);
  pipeline.add_output("volume", pipeline.add<ic::DicomwebSource>("source", params).output);
  ic::Session session = pipeline.prepare();
  session.start();
  int volumes = 0;
  while (const auto item = session.pull("volume")) {
    const ic::Volume volume = *item;
    EXPECT_TRUE(std::equal(volume.values().begin(), volume.values().end(), truth.values().begin()));
    EXPECT_EQ(volume.geometry().spacing_mm[2], 2.0);
    ++volumes;
  }
  EXPECT_EQ(volumes, 2);
  EXPECT_THAT(error_of([&] { session.wait(); }), HasSubstr("a series of 16 x 16 x 2 voxels, while the pipeline was"));
  params.keys = "PatientID=NOBODY";
  ic::Pipeline nobody(context);
  nobody.add_output("volume", nobody.add<ic::DicomwebSource>("source", params).output);
  EXPECT_THAT(error_of([&] { nobody.prepare(); }), HasSubstr("has no series that matches the keys. Fix: "));
}

}  // namespace
}  // namespace isocenter::test
