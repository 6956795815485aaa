// C-FIND, C-GET and C-MOVE against DCMTK's dcmqrscp, the worklist against its wlmscpfs.
#include "dicom/network/query.hpp"

#include <dcmtk/dcmdata/dcuid.h>

#include <algorithm>
#include <fstream>

#include "dicom/network/listener.hpp"
#include "dicom/network/outbox.hpp"
#include "dicom/network/storage_contexts.hpp"
#include "faulty_disk.hpp"
#include "network_test.hpp"

namespace isocenter::test {
namespace {

using namespace detail::dicom;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

/// dcmqrscp with an empty archive that knows us at `our_port`.
class Pacs {
 public:
  Pacs() : port(free_port()), our_port(free_port()) {
    std::filesystem::create_directories(folder / "db");
    std::ofstream(folder / "config") << "NetworkTCPPort = " << port << "\nMaxPDUSize = 131072\nMaxAssociations = 16\n"
                                     << "HostTable BEGIN\nwe = (ISOCENTER, 127.0.0.1, " << our_port
                                     << ")\nHostTable END\nVendorTable BEGIN\nVendorTable END\nAETable BEGIN\nPACS "
                                     << folder / "db"
                                     << " RW (200, 1024mb) ANY\nAETable END\n";
    program = std::make_unique<Program>(
        std::vector<std::string>{"dcmqrscp", "-c", folder / "config", std::to_string(port)}, folder / "log");
    if (!wait_for_port(port)) ADD_FAILURE() << text_of(folder / "log");
  }
  Peer peer() const { return loopback(port, "PACS"); }
  Outbox::Delivery fill(const std::vector<std::string>& files) const {
    Outbox outbox(folder / "fill");
    outbox.put(files);
    return deliver(outbox, peer());
  }

  TemporaryFolder folder;
  int port, our_port;
  std::unique_ptr<Program> program;
};

const std::string study = "1.2.826.0.1.3680043.8.498.7.1";

/// Where an inbox has image i of write_ct_series.
std::string kept(const std::string& inbox, int i) {
  return inbox + "/" + study + "/1.2.826.0.1.3680043.8.498.7.2/" + instance_uid(i) + ".dcm";
}

TEST(Query, FindsWhatThePacsHasAndNothingElse) {
  const Pacs pacs;
  ASSERT_EQ(pacs.fill(write_ct_series(pacs.folder / "ct", 4)).delivered, 4);
  Association association(pacs.peer(), {find_proposal(QueryModel::study_root)});
  const auto images = make_query(
      "IMAGE",
      {{"StudyInstanceUID", study}, {"SeriesInstanceUID", "1.2.826.0.1.3680043.8.498.7.2"}, {"SOPInstanceUID", ""}});
  const auto answers = find(association, QueryModel::study_root, *images, 100).json;
  ASSERT_THAT(answers, SizeIs(4));
  EXPECT_THAT(answers[0], HasSubstr("\"00080018\""));
  const auto none = make_query("STUDY", {{"PatientID", "NOBODY"}, {"StudyInstanceUID", ""}});
  EXPECT_THAT(find(association, QueryModel::study_root, *none, 100).json, SizeIs(0));
  EXPECT_THAT(error_of([&] {
                make_query("STUDY", {{"PatientNmae", "x"}});
              }),
              HasSubstr("'PatientNmae' is no attribute"));
  EXPECT_THAT(error_of([&] { find(association, QueryModel::study_root, *images, 3); }),
              HasSubstr("more than 3 answers"));
}

TEST(Query, GetsAndMovesAStudyByteForByte) {
  const Pacs pacs;
  const auto files = write_ct_series(pacs.folder / "ct", 5);
  ASSERT_EQ(pacs.fill(files).delivered, 5);
  const auto query = make_query("STUDY", {{"StudyInstanceUID", study}});
  {
    Inbox inbox(pacs.folder / "got");
    Association association(pacs.peer(), get_proposals(QueryModel::study_root, {}));
    EXPECT_EQ(get(association, QueryModel::study_root, *query, inbox).completed, 5);
    association.release();
  }
  {
    ListenerOptions o;
    o.ae_title = "ISOCENTER";
    o.port = pacs.our_port;
    Listener listener(o, pacs.folder / "moved");
    Association association(pacs.peer(), {move_proposal(QueryModel::study_root)});
    EXPECT_EQ(move(association, QueryModel::study_root, *query, "ISOCENTER").completed, 5);
    EXPECT_THAT(error_of([&] { move(association, QueryModel::study_root, *query, "NOBODY"); }),
                HasSubstr("C-MOVE failed: it answered 0xa801, move destination unknown"));
    association.release();
  }
  for (const char* where : {"got", "moved"}) {
    ASSERT_THAT(dicom_files(pacs.folder / where), SizeIs(5));
    for (int i = 0; i < 5; ++i)
      EXPECT_TRUE(same_data_set(files[static_cast<std::size_t>(i)], kept(pacs.folder / where, i)));
  }
}

TEST(Query, GetsCompressedInstancesAsTheyAreStored) {
  if (!Orthanc::is_installed()) GTEST_SKIP() << "Orthanc is not installed (Debian: orthanc)";
  const Orthanc pacs;  // dcmqrscp sends what it has of a class by the first context of that class alone
  auto files = write_ct_series(pacs.folder / "ct", 4);
  std::size_t i = 0;  // the last one stays as it is
  for (const char* compress : {"dcmcrle", "dcmcjpeg", "dcmcjpls"}) {
    const std::string compressed = pacs.folder / compress;
    ASSERT_EQ(run_program({compress, files[i], compressed}, pacs.folder / "log"), 0) << text_of(pacs.folder / "log");
    files[i++] = compressed;
  }
  Outbox outbox(pacs.folder / "fill");
  outbox.put(files);
  ASSERT_EQ(deliver(outbox, pacs.peer()).delivered, 4) << text_of(pacs.folder / "log");
  const auto query = make_query("STUDY", {{"StudyInstanceUID", study}});
  const Modalities modalities = ask_modalities(pacs.peer(), *query);
  EXPECT_THAT(modalities.known, ElementsAre("CT"));
  EXPECT_EQ(modalities.complaint, "");
  Inbox inbox(pacs.folder / "got");
  Association association(pacs.peer(), get_proposals(QueryModel::study_root, modalities.known));
  EXPECT_EQ(get(association, QueryModel::study_root, *query, inbox).completed, 4);
  association.release();
  for (int k = 0; k < 4; ++k)
    EXPECT_TRUE(same_data_set(files[static_cast<std::size_t>(k)], kept(pacs.folder / "got", k))) << k;
}

TEST(Query, SaysThatAPeerDoesNotTellTheModalities) {
  const TemporaryFolder folder;
  ListenerOptions o;
  o.ae_title = "STORE";
  o.port = 0;
  const Listener listener(o, folder / "inbox");
  const auto query = make_query("STUDY", {{"StudyInstanceUID", study}});
  EXPECT_THAT(ask_modalities(loopback(listener.port()), *query).complaint, HasSubstr("supports none of the 1 SOP"));
  EXPECT_THAT(error_of([&] { ask_modalities(loopback(free_port()), *query); }), HasSubstr("no connection"));
}

TEST(StorageContexts, HaveEachSyntaxOfTheImagesThatAreThereAndEveryOtherObjectUncompressed) {
  const auto has = [](const std::vector<ContextProposal>& proposals, const char* sop_class, const std::string& syntax) {
    return std::any_of(proposals.begin(), proposals.end(), [&](const ContextProposal& p) {
      return p.peer_sends && p.sop_class == sop_class && p.syntaxes == std::vector{syntax};
    });
  };
  const auto ct = storage_contexts({"CT", "SR"}, most_contexts - 1);
  EXPECT_EQ(ct.size(), most_contexts - 1);
  for (const char* syntax :
       {UID_JPEGProcess1TransferSyntax, UID_JPEGProcess2_4TransferSyntax, UID_JPEGProcess14TransferSyntax,
        UID_JPEGProcess14SV1TransferSyntax, UID_JPEGLSLosslessTransferSyntax, UID_JPEGLSLossyTransferSyntax,
        UID_JPEG2000LosslessOnlyTransferSyntax, UID_JPEG2000TransferSyntax, UID_RLELosslessTransferSyntax})
    EXPECT_TRUE(has(ct, UID_CTImageStorage, syntax)) << syntax;
  EXPECT_FALSE(has(ct, UID_MRImageStorage, UID_RLELosslessTransferSyntax));
  for (const char* sop_class : {UID_CTImageStorage, UID_ComprehensiveSRStorage, UID_KeyObjectSelectionDocumentStorage,
                                UID_RTStructureSetStorage})
    EXPECT_TRUE(std::any_of(ct.begin(), ct.end(), [&](const ContextProposal& p) {
      return p.sop_class == sop_class && p.syntaxes == uncompressed_syntaxes();
    })) << sop_class;
  EXPECT_TRUE(has(storage_contexts({"ES"}, most_contexts - 1), UID_VideoEndoscopicImageStorage,
                  UID_MPEG4HighProfileLevel4_1TransferSyntax));
  const std::set<std::string> many{"CT", "MR", "PT", "NM", "US", "CR", "DX", "MG", "XA", "RF", "ES", "XC", "OP", "SEG"};
  EXPECT_EQ(storage_contexts(many, most_contexts - 1).size(), most_contexts - 1);
}

TEST(StorageContexts, LeaveNoClassOutWhenThereIsAModalityWhoseImagesAreNotKnown) {
  const auto has = [](const std::vector<ContextProposal>& proposals, const std::string& sop_class,
                      const std::vector<std::string>& syntaxes) {
    return std::any_of(proposals.begin(), proposals.end(), [&](const ContextProposal& p) {
      return p.peer_sends && p.sop_class == sop_class && p.syntaxes == syntaxes;
    });
  };
  for (const char* unknown : {"DS", "OT", "RG", "DF", "nonsense"}) {
    const auto proposals = storage_contexts({"CT", unknown}, most_contexts - 1);
    EXPECT_LE(proposals.size(), most_contexts - 1);
    for (int i = 0; i < numberOfDcmLongSCUStorageSOPClassUIDs; ++i)
      EXPECT_TRUE(has(proposals, dcmLongSCUStorageSOPClassUIDs[i], uncompressed_syntaxes()))
          << unknown << " " << dcmLongSCUStorageSOPClassUIDs[i];
    EXPECT_TRUE(has(proposals, UID_CTImageStorage, {UID_JPEG2000LosslessOnlyTransferSyntax})) << unknown;
  }
}

TEST(Query, AFetchThatFillsTheDiskKeepsWholeInstancesAndIsDoneAgain) {
  if (!has_all_faults) GTEST_SKIP() << "ThreadSanitizer has write itself";
  const Pacs pacs;
  const auto files = write_ct_series(pacs.folder / "ct", 4);  // of 2 KiB
  ASSERT_EQ(pacs.fill(files).delivered, 4);
  const auto query = make_query("STUDY", {{"StudyInstanceUID", study}});
  Inbox inbox(pacs.folder / "got");
  const auto fetch = [&] {
    Association association(pacs.peer(), get_proposals(QueryModel::study_root, {}));
    const Retrieved done = get(association, QueryModel::study_root, *query, inbox);
    association.release();
    return done.completed;
  };
  set_faults({.room = 6000});
  EXPECT_THAT(error_of(fetch), AllOf(HasSubstr("/got/.incoming/"),
                                     HasSubstr("cannot be written: No space left on device. Fix: free some space")));
  set_faults({});
  EXPECT_THAT(dicom_files(pacs.folder / "got"), SizeIs(2));
  EXPECT_EQ(fetch(), 4);
  for (int i = 0; i < 4; ++i)
    EXPECT_TRUE(same_data_set(files[static_cast<std::size_t>(i)], kept(pacs.folder / "got", i))) << i;
}

TEST(Query, AFetchEndsWithTheDisksErrorKeepsNothingAndIsDoneAgain) {
  const Pacs pacs;
  const auto files = write_ct_series(pacs.folder / "ct", 3);
  ASSERT_EQ(pacs.fill(files).delivered, 3);
  const auto query = make_query("STUDY", {{"StudyInstanceUID", study}});
  Inbox inbox(pacs.folder / "got");
  const auto fetch = [&](const std::function<void(const Retrieved&)>& progress) {
    Association association(pacs.peer(), get_proposals(QueryModel::study_root, {}));
    EXPECT_EQ(get(association, QueryModel::study_root, *query, inbox, progress).completed, 3);
    association.release();
  };
  bool failed = false;
  EXPECT_THAT(error_of([&] {
                fetch([&](const Retrieved&) {
                  if (!failed) set_faults({.write_back_failed = true});
                  failed = true;
                });
              }),
              HasSubstr("cannot be flushed: Input/output error"));
  set_faults({});
  EXPECT_THAT(dicom_files(pacs.folder / "got"), SizeIs(0));
  std::filesystem::remove(pacs.folder / "got/.incoming");
  EXPECT_THAT(error_of([&] { fetch([](const Retrieved&) {}); }), HasSubstr("cannot be created: No such file"));
  std::filesystem::create_directory(pacs.folder / "got/.incoming");
  EXPECT_EQ(error_of([&] { fetch([](const Retrieved&) {}); }), "");
  EXPECT_THAT(dicom_files(pacs.folder / "got"), SizeIs(3));
}

TEST(Outbox, LooksUpWhatAKilledSenderMayHaveSentAndSendsOnlyTheRest) {
  const Pacs pacs;
  const auto files = write_ct_series(pacs.folder / "ct", 6);
  ASSERT_EQ(pacs.fill({files[0], files[1]}).delivered, 2);
  Outbox outbox(pacs.folder / "out");
  outbox.put(files);
  // A sender that was killed leaves what it had taken in sending/; the peer has two of these four.
  int taken = 0;
  for (const auto& path : dicom_files(pacs.folder / "out/queue"))
    if (std::filesystem::path(path).filename().string() < "000000000004")
      std::filesystem::rename(path, pacs.folder / ("out/sending/" + std::filesystem::path(path).filename().string())),
          ++taken;
  ASSERT_EQ(taken, 4);
  const auto done = deliver(outbox, pacs.peer());
  EXPECT_EQ(done.found_there, 2);
  EXPECT_EQ(done.delivered, 4);
  EXPECT_EQ(done.left, 0);
}

}  // namespace
}  // namespace isocenter::test
