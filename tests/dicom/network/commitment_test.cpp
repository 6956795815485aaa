// Storage commitment: against Orthanc, which reports over an association of its own, and a provider made of DCMTK,
// which reports over ours.
#include "dicom/network/commitment.hpp"

#include <dcmtk/dcmdata/dcdeftag.h>
#include <dcmtk/dcmdata/dcsequen.h>
#include <dcmtk/dcmdata/dcuid.h>

#include <fstream>

#include "dicom/network/association.hpp"
#include "dicom/network/outbox.hpp"
#include "network_test.hpp"
#include "service_peer.hpp"

namespace isocenter::test {
namespace {

using namespace detail::dicom;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

const auto never = [] { return false; };

std::vector<InstanceName> three_instances() {
  std::vector<InstanceName> names(3);
  for (int i = 0; i < 3; ++i) {
    names[static_cast<std::size_t>(i)].sop_class = UID_CTImageStorage;
    names[static_cast<std::size_t>(i)].sop_instance_uid = instance_uid(i);
  }
  return names;
}

T_DIMSE_Message accepted(const T_DIMSE_Message& request, std::uint16_t status) {
  T_DIMSE_Message message{};
  message.CommandField = DIMSE_N_ACTION_RSP;
  message.msg.NActionRSP.MessageIDBeingRespondedTo = request.msg.NActionRQ.MessageID;
  message.msg.NActionRSP.DimseStatus = status;
  message.msg.NActionRSP.DataSetType = DIMSE_DATASET_NULL;
  return message;
}

void add_reference(DcmDataset& data_set, const DcmTagKey& sequence, int i, int reason = -1) {
  DcmItem* item = nullptr;
  data_set.findOrCreateSequenceItem(sequence, item, -2);
  item->putAndInsertString(DCM_ReferencedSOPClassUID, UID_CTImageStorage);
  item->putAndInsertString(DCM_ReferencedSOPInstanceUID, instance_uid(i).c_str());
  if (reason >= 0) item->putAndInsertUint16(DCM_FailureReason, static_cast<Uint16>(reason));
}

std::string transaction_of(DcmDataset& request) {
  OFString transaction;
  request.findAndGetOFString(DCM_TransactionUID, transaction);
  return transaction.c_str();
}

/// Reports that instance 0 is committed and 1 is not, and nothing about 2.
void report(T_ASC_Association* association, T_ASC_PresentationContextID context, const std::string& transaction) {
  DcmDataset data_set;
  data_set.putAndInsertString(DCM_TransactionUID, transaction.c_str());
  add_reference(data_set, DCM_ReferencedSOPSequence, 0);
  add_reference(data_set, DCM_FailedSOPSequence, 1, 0x0112);
  T_DIMSE_Message message{};
  message.CommandField = DIMSE_N_EVENT_REPORT_RQ;
  T_DIMSE_N_EventReportRQ& event = message.msg.NEventReportRQ;
  event.MessageID = association->nextMsgID++;
  event.DataSetType = DIMSE_DATASET_PRESENT;
  event.EventTypeID = 2;  // PS3.4 J.3.3.1.1: failures exist
  OFStandard::strlcpy(event.AffectedSOPClassUID, UID_StorageCommitmentPushModelSOPClass,
                      sizeof event.AffectedSOPClassUID);
  OFStandard::strlcpy(event.AffectedSOPInstanceUID, UID_StorageCommitmentPushModelSOPInstance,
                      sizeof event.AffectedSOPInstanceUID);
  send_message(association, context, message, &data_set);
}

TEST(Commitment, TakesTheReportOfTheSameAssociationAndBelievesOnlyWhatItNames) {
  int asked_for = 0;
  ServicePeer provider({UID_StorageCommitmentPushModelSOPClass},
                       [&](auto* association, auto context, const auto& request, DcmDataset* data_set) {
                         EXPECT_EQ(request.msg.NActionRQ.ActionTypeID, 1);  // PS3.4 J.3.2
                         EXPECT_STREQ(request.msg.NActionRQ.RequestedSOPInstanceUID, "1.2.840.10008.1.20.1.1");
                         DcmSequenceOfItems* sequence = nullptr;
                         data_set->findAndGetSequence(DCM_ReferencedSOPSequence, sequence);
                         asked_for = sequence == nullptr ? 0 : static_cast<int>(sequence->card());
                         OFString transaction;
                         data_set->findAndGetOFString(DCM_TransactionUID, transaction);
                         send_message(association, context, accepted(request, 0));
                         report(association, context, "1.2.3");  // of somebody else's transaction
                         report(association, context, transaction.c_str());
                       });
  const Commitment result = commit(loopback(provider.port()), three_instances(), {0, 10}, never);
  EXPECT_EQ(asked_for, 3);
  EXPECT_THAT(result.committed, ElementsAre(instance_uid(0)));
  ASSERT_THAT(result.failed, SizeIs(2));
  EXPECT_EQ(result.failed[0].sop_instance_uid, instance_uid(1));
  EXPECT_EQ(result.failed[0].why, "the peer answered 0x0112, no such object instance");
  EXPECT_EQ(result.failed[1].sop_instance_uid, instance_uid(2));
  EXPECT_EQ(result.failed[1].why, "the peer's report does not name it");
}

TEST(Commitment, TakesAReportThatComesBeforeTheAnswerToTheRequest) {
  ServicePeer provider({UID_StorageCommitmentPushModelSOPClass},
                       [&](auto* association, auto context, const auto& request, DcmDataset* data_set) {
                         report(association, context, "1.2.3");  // of somebody else's transaction
                         report(association, context, transaction_of(*data_set));
                         send_message(association, context, accepted(request, 0));
                       });
  const Commitment result = commit(loopback(provider.port()), three_instances(), {0, 10}, never);
  EXPECT_THAT(result.committed, ElementsAre(instance_uid(0)));
  EXPECT_THAT(result.failed, SizeIs(2));
}

TEST(Commitment, EndsWithAPeerThatReportsForEverInsteadOfAnAnswer) {
  ServicePeer provider({UID_StorageCommitmentPushModelSOPClass},
                       [&](auto* association, auto context, const auto&, DcmDataset*) {
                         for (int i = 0; i < 1001; ++i) report(association, context, "1.2.3");
                       });
  EXPECT_THAT(error_of([&] {
                commit(loopback(provider.port()), three_instances(), {0, 10}, never);
              }),
              HasSubstr("it sent another message than the answer"));
}

TEST(Commitment, EndsWhenALateReportOnAnOlderRequestSettlesEverything) {
  ServicePeer provider({UID_StorageCommitmentPushModelSOPClass},
                       [&](auto* association, auto context, const auto& request, DcmDataset*) {
                         send_message(association, context, accepted(request, 0));
                         report(association, context, "1.2.9");
                       });
  CommitmentRequests requests("");
  requests.ask("1.2.9");
  std::size_t committed = 0;
  const auto take = [&](const Commitment& said) {
    committed += said.committed.size();
    return committed < 1;
  };
  auto names = three_instances();
  names.resize(1);
  EXPECT_EQ(error_of([&] { commit(loopback(provider.port()), names, {0, 2}, requests, take, never); }), "");
  EXPECT_EQ(committed, 1U);
}

TEST(Commitment, BelievesTheLaterOfTwoReportsThatAnInstanceIsNotCommitted) {
  ServicePeer provider({UID_StorageCommitmentPushModelSOPClass},
                       [&](auto* association, auto context, const auto& request, DcmDataset* data_set) {
                         send_message(association, context, accepted(request, 0));
                         report(association, context, "1.2.9");
                         report(association, context, transaction_of(*data_set));
                       });
  CommitmentRequests requests("");
  requests.ask("1.2.9");
  std::vector<Commitment> said;
  commit(
      loopback(provider.port()), three_instances(), {0, 10}, requests,
      [&](const Commitment& report) {
        said.push_back(report);
        return true;
      },
      never);
  ASSERT_THAT(said, SizeIs(2));
  EXPECT_THAT(said[0].committed, ElementsAre(instance_uid(0)));
  EXPECT_THAT(said[0].failed, SizeIs(0));
  EXPECT_THAT(said[1].failed, SizeIs(2));
}

TEST(Commitment, TakesTheReportOfAnotherAssociationOverTls) {
  const TemporaryFolder folder;
  const std::string key = folder / "key", certificate = folder / "certificate";
  ASSERT_EQ(run_program({"openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=we",
                         "-keyout", key, "-out", certificate},
                        folder / "openssl"),
            0);
  const int our_port = free_port();
  Peer we = loopback(our_port, "ISOCENTER");
  we.tls = {certificate, key, certificate};
  std::string without_tls;
  ServicePeer provider(
      {UID_StorageCommitmentPushModelSOPClass},
      [&](auto* association, auto context, const auto& request, DcmDataset* data_set) {
        OFString transaction;
        data_set->findAndGetOFString(DCM_TransactionUID, transaction);
        send_message(association, context, accepted(request, 0));
        const std::vector<ContextProposal> as_provider{
            {UID_StorageCommitmentPushModelSOPClass, uncompressed_syntaxes(), true}};
        Peer bare = we;
        bare.tls = {};
        without_tls = error_of([&] { Association refused(bare, as_provider); });
        Association back(we, as_provider);
        report(back.get(), back.context(UID_StorageCommitmentPushModelSOPClass), transaction.c_str());
        T_DIMSE_Message answer{};
        T_ASC_PresentationContextID on = 0;
        DIMSE_receiveCommand(back.get(), DIMSE_NONBLOCKING, 10, &on, &answer, nullptr);
        EXPECT_EQ(answer.CommandField, DIMSE_N_EVENT_REPORT_RSP);
        EXPECT_EQ(answer.msg.NEventReportRSP.DimseStatus, 0);
        back.release();
      },
      we.tls);
  Peer peer = loopback(provider.port());
  peer.tls = we.tls;
  const Commitment result = commit(peer, three_instances(), {our_port, 30}, never);
  EXPECT_THAT(result.committed, ElementsAre(instance_uid(0)));
  EXPECT_THAT(result.failed, SizeIs(2));
  EXPECT_THAT(without_tls, HasSubstr("ISOCENTER at 127.0.0.1:"));
}

TEST(Commitment, SaysWhatToDoWhenThePeerRefusesOrNeverReports) {
  std::uint16_t status = 0x0110;
  ServicePeer provider({UID_StorageCommitmentPushModelSOPClass},
                       [&](auto* association, auto context, const auto& request, DcmDataset*) {
                         send_message(association, context, accepted(request, status));
                       });
  const auto ask = [&](int listen_port, auto cancelled) {
    return error_of([&] { commit(loopback(provider.port()), three_instances(), {listen_port, 1}, cancelled); });
  };
  EXPECT_THAT(ask(0, never), HasSubstr("storage commitment failed: it answered 0x0110, processing failure. Fix: "));
  status = 0;
  EXPECT_THAT(ask(0, never), HasSubstr("no report came within 1 s. Fix: raise wait_s; if the peer reports over an "));
  EXPECT_THAT(ask(0, [] { return true; }), HasSubstr("was cancelled"));
  EXPECT_THAT(ask(provider.port(), never), HasSubstr("cannot be listened at"));
  EXPECT_THAT(error_of([&] { commit(loopback(free_port()), {}, {}, never); }), HasSubstr("no instance"));
}

TEST(Commitment, TakesTheReportThatOrthancBringsItself) {
  if (!Orthanc::is_installed()) GTEST_SKIP() << "Orthanc is not installed (Debian: orthanc)";
  const Orthanc orthanc;
  const auto files = write_ct_series(orthanc.folder / "ct", 2);
  Outbox outbox(orthanc.folder / "out");
  outbox.put(files);
  ASSERT_EQ(deliver(outbox, orthanc.peer()).delivered, 2) << text_of(orthanc.folder / "log");
  const Commitment result = commit(orthanc.peer(), three_instances(), {orthanc.our_port, 20}, never);
  EXPECT_THAT(result.committed, ElementsAre(instance_uid(0), instance_uid(1))) << text_of(orthanc.folder / "log");
  ASSERT_THAT(result.failed, SizeIs(1));
  EXPECT_THAT(result.failed[0].why, HasSubstr("0x0112, no such object instance"));
}

}  // namespace
}  // namespace isocenter::test
