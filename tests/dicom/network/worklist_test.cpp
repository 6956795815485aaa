// The modality worklist (PS3.4 annex K) against DCMTK's wlmscpfs.
#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dcfilefo.h>

#include <fstream>

#include "dicom/network/query.hpp"
#include "network_test.hpp"

namespace isocenter::test {
namespace {

using namespace detail::dicom;
using ::testing::HasSubstr;
using ::testing::SizeIs;

/// A worklist file as wlmscpfs reads them: one scheduled procedure step.
void write_entry(const std::string& path, const std::string& patient, const std::string& modality) {
  const auto entry = make_query("", {{"PatientName", "Loop^Back"},
                                     {"PatientID", patient},
                                     {"AccessionNumber", "A1"},
                                     {"StudyInstanceUID", "1.2.3." + patient},
                                     {"RequestedProcedureID", "R1"},
                                     {"RequestedProcedureDescription", "Head"},
                                     {"ScheduledProcedureStepSequence[0].Modality", modality},
                                     {"ScheduledProcedureStepSequence[0].ScheduledStationAETitle", "ISOCENTER"},
                                     {"ScheduledProcedureStepSequence[0].ScheduledProcedureStepStartDate", "20260101"},
                                     {"ScheduledProcedureStepSequence[0].ScheduledProcedureStepStartTime", "120000"},
                                     {"ScheduledProcedureStepSequence[0].ScheduledProcedureStepID", "S1"},
                                     {"ScheduledProcedureStepSequence[0].ScheduledPerformingPhysicianName", "Doe^Jane"},
                                     {"ScheduledProcedureStepSequence[0].ScheduledProcedureStepDescription", "Head"}});
  DcmFileFormat file(entry.get());
  ASSERT_TRUE(file.saveFile(path.c_str(), EXS_LittleEndianExplicit).good());
}

TEST(Worklist, IsFoundByModalityInsideItsSequence) {
  const TemporaryFolder folder;
  const std::string entries = folder / "worklists/RIS";
  std::filesystem::create_directories(entries);
  std::ofstream(entries + "/lockfile") << "";
  write_entry(entries + "/1.wl", "1", "CT");
  write_entry(entries + "/2.wl", "2", "MR");
  write_entry(entries + "/3.wl", "3", "CT");
  const int port = free_port();
  const Program provider({"wlmscpfs", "-dfp", folder / "worklists", std::to_string(port)}, folder / "log");
  ASSERT_TRUE(wait_for_port(port)) << text_of(folder / "log");
  const auto ask = [&](const std::string& modality) {
    Association association(loopback(port, "RIS"), {find_proposal(QueryModel::worklist)});
    const auto query = make_query("", {{"PatientID", ""},
                                       {"StudyInstanceUID", ""},
                                       {"ScheduledProcedureStepSequence[0].Modality", modality},
                                       {"ScheduledProcedureStepSequence[0].ScheduledProcedureStepID", ""}});
    auto answers = find(association, QueryModel::worklist, *query, 100).json;
    association.release();
    return answers;
  };
  ASSERT_THAT(ask("CT"), SizeIs(2)) << text_of(folder / "log");
  ASSERT_THAT(ask("MR"), SizeIs(1));
  EXPECT_THAT(ask("MR")[0], HasSubstr("1.2.3.2"));
  EXPECT_THAT(ask("MR")[0], HasSubstr("S1"));
  EXPECT_THAT(ask("US"), SizeIs(0));
}

}  // namespace
}  // namespace isocenter::test
