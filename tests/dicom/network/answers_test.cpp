// What a peer may answer to a query: bounded, named when it is damaged, and believed only as far as it says.
#include <dcmtk/dcmdata/dcdeftag.h>
#include <dcmtk/dcmdata/dcuid.h>

#include "cutting_proxy.hpp"
#include "dicom/network/commitment.hpp"
#include "dicom/network/query.hpp"
#include "dicom/network/store.hpp"
#include "network_test.hpp"
#include "service_peer.hpp"

namespace isocenter::test {
namespace {

using namespace detail::dicom;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

/// Answers every C-FIND with this data set, so many times.
class Answerer {
 public:
  explicit Answerer(DcmDataset data_set, int times = 1)
      : peer({UID_FINDStudyRootQueryRetrieveInformationModel},
             [answer = std::make_shared<DcmDataset>(std::move(data_set)), times](
                 auto* association, auto context, const T_DIMSE_Message& request, DcmDataset*) {
               T_DIMSE_Message message{};
               message.CommandField = DIMSE_C_FIND_RSP;
               T_DIMSE_C_FindRSP& response = message.msg.CFindRSP;
               response.MessageIDBeingRespondedTo = request.msg.CFindRQ.MessageID;
               response.DimseStatus = 0xff00;
               response.DataSetType = DIMSE_DATASET_PRESENT;
               for (int i = 0; i < times; ++i) send_message(association, context, message, answer.get());
               response.DimseStatus = 0;
               response.DataSetType = DIMSE_DATASET_NULL;
               send_message(association, context, message);
             }) {}
  template <class Work>
  auto ask(Work work) const {
    Association association(loopback(peer.port()), {find_proposal(QueryModel::study_root)});
    return work(association);
  }
  Answers find_images(std::size_t most = 100) const {
    return ask([&](Association& association) {
      return find(association, QueryModel::study_root, *make_query("IMAGE", {{"StudyInstanceUID", "1.2"}}), most);
    });
  }
  ServicePeer peer;
};

DcmDataset one_value(const DcmTagKey& tag, const std::string& value) {
  DcmDataset data_set;
  data_set.putAndInsertString(tag, value.c_str());
  return data_set;
}

TEST(Answers, ThatNameAnotherInstanceDoNotSayThatOursIsThere) {
  const InstanceName ours{UID_CTImageStorage, "1.2.3.4", "", "1.2", "1.3"};
  const auto is_there = [&](const Answerer& peer) {
    return peer.ask([&](Association& association) { return has_instance(association, ours); });
  };
  EXPECT_TRUE(is_there(Answerer(one_value(DCM_SOPInstanceUID, "1.2.3.4"))));
  EXPECT_FALSE(is_there(Answerer(one_value(DCM_SOPInstanceUID, "1.2.3.5"))));
  EXPECT_FALSE(is_there(Answerer(one_value(DCM_StudyInstanceUID, "1.2"))));
}

TEST(Answers, NestedDeeperThan64LevelsAreRefusedBeforeTheyAreParsed) {
  for (const int levels : {60, 70}) {
    DcmDataset nested;
    DcmItem* item = &nested;
    for (int i = 0; i < levels; ++i) item->findOrCreateSequenceItem(DCM_ReferencedImageSequence, item, -2);
    item->putAndInsertString(DCM_ReferencedSOPInstanceUID, "1.2");
    const Answerer peer(nested);
    const std::string said = error_of([&] { peer.find_images(); });
    if (levels < 64)
      EXPECT_EQ(said, "");
    else
      EXPECT_THAT(said, HasSubstr("C-FIND failed: its sequences are nested more than 64 levels deep. Fix: "));
  }
}

TEST(Answers, OfMoreThanWasAllowedEndTheQuery) {
  const Answerer peer(one_value(DCM_SOPInstanceUID, "1.2.3.4"), 8);
  EXPECT_EQ(peer.find_images(8).json.size(), 8U);
  EXPECT_THAT(error_of([&] { peer.find_images(7); }), HasSubstr("more than 7 answers. Fix: "));
}

TEST(Answers, WhoseTextIsNotOfItsCharacterSetAreShownAndSaid) {
  DcmDataset damaged = one_value(DCM_SpecificCharacterSet, "ISO_IR 192");
  damaged.putAndInsertString(DCM_PatientName, "M\xfcller^A");  // Latin-1
  damaged.putAndInsertString(DCM_PatientID, "7");
  const Answers shown = Answerer(damaged).find_images();
  ASSERT_EQ(shown.json.size(), 1U);
  EXPECT_THAT(shown.json[0], AllOf(HasSubstr("M?ller^A"), HasSubstr("\"7\"")));
  EXPECT_THAT(shown.complaint, AllOf(HasSubstr("text of answer 1 is not of its SpecificCharacterSet (0008,0005) = "
                                               "'ISO_IR 192', and shows '?'"),
                                     HasSubstr(". Fix: ")));
  DcmDataset latin = one_value(DCM_SpecificCharacterSet, "ISO_IR 100");
  latin.putAndInsertString(DCM_PatientName, "M\xfcller^A");
  const Answers whole = Answerer(latin).find_images();
  EXPECT_THAT(whole.json.at(0), HasSubstr("M\xc3\xbcller^A"));
  EXPECT_EQ(whole.complaint, "");
}

TEST(Answers, ThatNeverComeAreWaitedForNoLongerThanAllowed) {
  const ServicePeer silent(
      {UID_FINDStudyRootQueryRetrieveInformationModel, UID_CTImageStorage, UID_StorageCommitmentPushModelSOPClass},
      [](auto*, auto, const T_DIMSE_Message&, DcmDataset*) {});
  Peer peer = loopback(silent.port());
  peer.timeout_s = 1;
  const auto query = make_query("IMAGE", {{"StudyInstanceUID", "1.2"}});
  const std::string query_said = error_of([&] {
    Association association(peer, {find_proposal(QueryModel::study_root)});
    find(association, QueryModel::study_root, *query, 10);
  });
  EXPECT_THAT(query_said,
              HasSubstr(": C-FIND failed: it did not answer in time. Fix: check the peer and the network, or "
                        "raise timeout_s"));
  EXPECT_THAT(error_of([&] {
                commit(peer, {{UID_CTImageStorage, "1.2.3", "", "1.2", "1.3"}}, {0, 5}, [] { return false; });
              }),
              HasSubstr("storage commitment failed: it did not answer in time. Fix: "));
  const TemporaryFolder folder;
  const auto files = write_ct_series(folder / "ct", 1);
  const Outgoing file{files[0], name_of_file(files[0])};
  const std::string store_said = error_of([&] {
    Association association(peer, proposals_for(std::span(&file, 1)));
    store(association, file);
  });
  EXPECT_THAT(store_said, HasSubstr("C-STORE of " + instance_uid(0) + " failed: it did not answer in time. Fix: "));
}

/// Does something through a proxy that cuts before and within each PDU, either way; every complaint names the peer.
void disconnect_everywhere(int port, const std::function<void(const Peer&)>& work, std::size_t least_cuts) {
  std::vector<std::size_t> cuts[2];
  {
    CuttingProxy proxy(port, never_cut, never_cut);
    work(loopback(proxy.port()));
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    for (std::size_t way = 0; way < 2; ++way) cuts[way] = cuts_of(proxy.carried(way));
  }
  EXPECT_GE(cuts[0].size() + cuts[1].size(), least_cuts);
  int failed = 0;
  for (std::size_t way = 0; way < 2; ++way)
    for (const std::size_t cut : cuts[way]) {
      CuttingProxy proxy(port, way == 0 ? cut : never_cut, way == 1 ? cut : never_cut);
      const std::string said = error_of([&] { work(loopback(proxy.port())); });
      if (said.empty()) continue;  // cut behind the answer: within the release
      ++failed;
      EXPECT_THAT(said, AllOf(HasSubstr("STORE at 127.0.0.1:" + std::to_string(proxy.port()) + ": "),
                              HasSubstr(" failed: "), HasSubstr(". Fix: "), Not(HasSubstr("\n"))));
    }
  EXPECT_GE(failed, static_cast<int>(least_cuts) - 6);
}

TEST(Disconnect, WithinAQueryIsOneSentence) {
  const Answerer peer(one_value(DCM_SOPInstanceUID, "1.2.3.4"));
  disconnect_everywhere(
      peer.peer.port(),
      [&](const Peer& at) {
        Association association(at, {find_proposal(QueryModel::study_root)});
        find(association, QueryModel::study_root, *make_query("IMAGE", {{"StudyInstanceUID", "1.2"}}), 100);
        association.release();
      },
      20);  // up: request, command, data set, release; down: acceptance, two answers, release
}

}  // namespace
}  // namespace isocenter::test
