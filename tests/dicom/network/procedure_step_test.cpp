// Modality performed procedure steps, against a provider made of DCMTK.
#include "dicom/network/procedure_step.hpp"

#include <dcmtk/dcmdata/dcdeftag.h>
#include <dcmtk/dcmdata/dcuid.h>

#include "dicom/network/query.hpp"
#include "network_test.hpp"
#include "service_peer.hpp"

namespace isocenter::test {
namespace {

using namespace detail::dicom;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

const std::string step = "1.2.826.0.1.3680043.8.498.7.9";

/// Keeps what it was told, and answers with `status`.
struct InformationSystem {
  std::vector<std::string> told;
  DcmDataset last;
  std::uint16_t status = 0;
  ServicePeer peer{
      {UID_ModalityPerformedProcedureStepSOPClass},
      [this](auto* association, auto context, const T_DIMSE_Message& request, DcmDataset* data_set) {
        last = *data_set;
        OFString state;
        data_set->findAndGetOFString(DCM_PerformedProcedureStepStatus, state);
        T_DIMSE_Message answer{};
        if (request.CommandField == DIMSE_N_CREATE_RQ) {
          told.push_back("create " + std::string(request.msg.NCreateRQ.AffectedSOPInstanceUID) + " " + state.c_str());
          answer.CommandField = DIMSE_N_CREATE_RSP;
          answer.msg.NCreateRSP.MessageIDBeingRespondedTo = request.msg.NCreateRQ.MessageID;
          answer.msg.NCreateRSP.DimseStatus = status;
          answer.msg.NCreateRSP.DataSetType = DIMSE_DATASET_PRESENT;
          send_message(association, context, answer, data_set);  // with the attributes, as it may
          return;
        }
        told.push_back("set " + std::string(request.msg.NSetRQ.RequestedSOPInstanceUID) + " " + state.c_str());
        answer.CommandField = DIMSE_N_SET_RSP;
        answer.msg.NSetRSP.MessageIDBeingRespondedTo = request.msg.NSetRQ.MessageID;
        answer.msg.NSetRSP.DimseStatus = status;
        answer.msg.NSetRSP.DataSetType = DIMSE_DATASET_NULL;
        send_message(association, context, answer);
      }};
};

std::vector<QueryKey> beginning() {
  return {{"ScheduledStepAttributesSequence[0].StudyInstanceUID", "1.2.3"},
          {"PerformedProcedureStepID", "P1"},
          {"PerformedStationAETitle", "ISOCENTER"},
          {"PerformedProcedureStepStartDate", "20260101"},
          {"PerformedProcedureStepStartTime", "120000"},
          {"Modality", "CT"},
          {"PatientName", "Loop^Back"}};
}

std::vector<QueryKey> ending() {
  return {{"PerformedProcedureStepEndDate", "20260101"},
          {"PerformedProcedureStepEndTime", "121500"},
          {"PerformedSeriesSequence[0].SeriesInstanceUID", "1.2.3.4"},
          {"PerformedSeriesSequence[0].ProtocolName", "HEAD"}};
}

TEST(ProcedureStep, TellsTheBeginningAndTheEndWithEveryAttributeThatHasToBeThere) {
  InformationSystem system;
  Association association(loopback(system.peer.port()), {procedure_step_proposal()});
  create_procedure_step(association, step, *make_query("", beginning()));
  // PS3.4 table F.7.2-1: type 2 attributes are there, empty when nobody knows them.
  for (const auto& tag : {DCM_PatientID, DCM_PatientSex, DCM_PerformedLocation, DCM_StudyID,
                          DCM_PerformedProcedureStepEndDate, DCM_PerformedSeriesSequence})
    EXPECT_TRUE(system.last.tagExists(tag)) << tag.toString();
  OFString name;
  system.last.findAndGetOFString(DCM_PatientName, name);
  EXPECT_EQ(name, "Loop^Back");
  EXPECT_TRUE(system.last.tagExists(DCM_AccessionNumber, OFTrue));
  end_procedure_step(association, step, ProcedureStepEnd::completed, *make_query("", ending()));
  end_procedure_step(association, step, ProcedureStepEnd::discontinued, *make_query("", ending()));
  association.release();
  EXPECT_THAT(system.told, ElementsAre("create " + step + " IN PROGRESS", "set " + step + " COMPLETED",
                                       "set " + step + " DISCONTINUED"));
}

TEST(ProcedureStep, NamesWhatIsMissingBeforeItSendsAndSaysWhatThePeerRefused) {
  InformationSystem system;
  Association association(loopback(system.peer.port()), {procedure_step_proposal()});
  for (std::size_t i = 0; i < 6; ++i) {
    auto keys = beginning();
    const std::string keyword = keys[i].attribute.substr(keys[i].attribute.find('.') + 1);
    keys.erase(keys.begin() + static_cast<std::ptrdiff_t>(i));
    const std::string said = error_of([&] { create_procedure_step(association, step, *make_query("", keys)); });
    EXPECT_THAT(said, HasSubstr(i == 0 ? "no item in ScheduledStepAttributesSequence (0040,0270)" : "no " + keyword));
  }
  for (std::size_t i = 0; i < 4; ++i) {
    auto keys = ending();
    const std::string keyword = keys[i].attribute.substr(keys[i].attribute.find('.') + 1);
    keys.erase(keys.begin() + static_cast<std::ptrdiff_t>(i));
    EXPECT_THAT(
        error_of([&] { end_procedure_step(association, step, ProcedureStepEnd::completed, *make_query("", keys)); }),
        HasSubstr("has no " + keyword));
  }
  const auto complaint = [](const QueryKey& key) {
    return error_of([&] { require_valid_values(*make_query("", {key})); });
  };
  EXPECT_THAT(complaint({"PerformedProcedureStepEndDate", "2026-11-23"}),
              HasSubstr("PerformedProcedureStepEndDate (0040,0250) = '2026-11-23' is no value of DA: a date is eight "
                        "digits, YYYYMMDD. Fix: "));
  EXPECT_THAT(complaint({"PerformedSeriesSequence[0].SeriesInstanceUID", "1.2.x"}),
              HasSubstr("SeriesInstanceUID (0020,000e) = '1.2.x' is no value of UI"));
  EXPECT_THAT(complaint({"Modality", "C\\MR"}), HasSubstr("Modality (0008,0060) = 'C\\MR' is no value of CS"));
  EXPECT_THAT(complaint({"PerformedProcedureStepStatus", "COMPLETED"}),
              HasSubstr("PerformedProcedureStepStatus (0040,0252) = 'COMPLETED' cannot be given"));
  for (const auto& keys : {beginning(), ending()})
    for (const QueryKey& key : keys) EXPECT_EQ(complaint(key), "");
  EXPECT_THAT(error_of([&] { create_procedure_step(association, "../1", *make_query("", beginning())); }),
              HasSubstr("'../1' is no UID"));
  EXPECT_TRUE(system.told.empty());
  system.status = 0x0110;
  EXPECT_THAT(error_of([&] { create_procedure_step(association, step, *make_query("", beginning())); }),
              HasSubstr("it answered 0x0110, processing failure"));
}

}  // namespace
}  // namespace isocenter::test
