#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dcdeftag.h>
#include <dcmtk/dcmdata/dcfilefo.h>

#include <algorithm>
#include <ctime>
#include <map>
#include <memory>

#include "character_set.hpp"
#include "network/procedure_step.hpp"
#include "service_operators.hpp"
#include "toolkit.hpp"
#include "uid.hpp"

namespace isocenter::detail::dicom {
namespace {

struct Moment {
  std::string date, time;  ///< DA and TM (PS3.5 section 6.2), local
};

Moment now() {
  const std::time_t seconds = std::time(nullptr);
  std::tm local{};
  ::localtime_r(&seconds, &local);
  char date[16], time[16];
  std::strftime(date, sizeof date, "%Y%m%d", &local);
  std::strftime(time, sizeof time, "%H%M%S", &local);
  return {date, time};
}

void add_if_missing(DcmItem& attributes, const DcmTagKey& tag, const std::string& value) {
  if (!attributes.tagExistsWithValue(tag)) attributes.putAndInsertString(tag, value.c_str());
}

std::string value_of(DcmItem& item, const DcmTagKey& tag) {
  OFString value;
  item.findAndGetOFStringArray(tag, value);
  return value.c_str();
}

/// The head of a file, in UTF-8 as the rest of the step is.
void load_head(const std::string& path, DcmFileFormat& file) {
  const OFCondition read =
      file.loadFileUntilTag(path.c_str(), EXS_Unknown, EGL_noChange, 4096, ERM_autoDetect, DCM_PixelData);
  if (read.bad())
    throw Failure(ErrorCode::bad_data, "'" + path + "' cannot be read: " + read.text(),
                  "give the files as they were made");
  if (!to_utf8(*file.getDataset()))
    throw Failure(ErrorCode::unsupported,
                  "'" + path + "': its text cannot be turned from its SpecificCharacterSet (0008,0005) to UTF-8",
                  "mend the attribute, or give the series by PerformedSeriesSequence among the keys");
}

/// PerformedSeriesSequence with an item for each series that these files belong to, and in it each instance.
void add_series(DcmDataset& attributes, const std::vector<std::string>& files) {
  std::map<std::string, DcmItem*> series;
  for (const std::string& path : files) {
    const InstanceName name = name_of_file(path);
    DcmItem*& item = series[name.series_uid];
    if (item == nullptr) {
      DcmFileFormat file;
      load_head(path, file);
      attributes.findOrCreateSequenceItem(DCM_PerformedSeriesSequence, item, -2);
      if (item == nullptr) throw std::bad_alloc();
      item->putAndInsertString(DCM_SeriesInstanceUID, name.series_uid.c_str());
      for (const DcmTagKey& tag :
           {DCM_ProtocolName, DCM_SeriesDescription, DCM_OperatorsName, DCM_PerformingPhysicianName})
        item->putAndInsertString(tag, value_of(*file.getDataset(), tag).c_str());
    }
    DcmItem* reference = nullptr;
    item->findOrCreateSequenceItem(DCM_ReferencedImageSequence, reference, -2);
    if (reference == nullptr) throw std::bad_alloc();
    reference->putAndInsertString(DCM_ReferencedSOPClassUID, name.sop_class.c_str());
    reference->putAndInsertString(DCM_ReferencedSOPInstanceUID, name.sop_instance_uid.c_str());
  }
}

std::unique_ptr<DcmDataset> attributes_of(const std::string& keys) {
  auto attributes = make_query("", query_keys(keys));
  require_valid_values(*attributes);
  return attributes;
}

/// The start's attributes, out of the keys and what is known without them.
std::unique_ptr<DcmDataset> start_of(const DicomProcedureStep::Params& params) {
  auto attributes = attributes_of(params.keys);
  const Moment moment = now();
  add_if_missing(*attributes, DCM_PerformedStationAETitle, params.calling_ae);
  add_if_missing(*attributes, DCM_PerformedProcedureStepID, moment.date.substr(2) + moment.time);
  add_if_missing(*attributes, DCM_PerformedProcedureStepStartDate, moment.date);
  add_if_missing(*attributes, DCM_PerformedProcedureStepStartTime, moment.time);
  return attributes;
}

std::unique_ptr<DcmDataset> end_of(const DicomProcedureStep::Params& params) {
  auto attributes = attributes_of(params.keys);
  const Moment moment = now();
  add_if_missing(*attributes, DCM_PerformedProcedureStepEndDate, moment.date);
  add_if_missing(*attributes, DCM_PerformedProcedureStepEndTime, moment.time);
  add_series(*attributes, files_below(params.path));
  return attributes;
}

}  // namespace

void DicomProcedureStepOperator::plan(PlanContext& plan) {
  use_dcmtk();
  const DcmtkLog log;
  peer_of(params);
  const bool start = params.action == DicomStepAction::start;
  if (params.uid.empty() && !start)
    throw Failure(ErrorCode::invalid_argument, "uid is empty: which step ended is not said",
                  "give the UID that start said");
  uid_ = params.uid.empty() ? new_uid() : params.uid;
  if (start)
    complete_procedure_step_start(uid_, *start_of(params));
  else
    complete_procedure_step_end(uid_, *end_of(params));
  plan.fact("dicom.procedure_step", uid_);
  plan.items(1);
}

void DicomProcedureStepOperator::run(const RunContext& run) {
  if (run.sequence() > 0) throw EndOfStream{};
  const DcmtkLog log;
  const Peer peer = peer_of(params);
  const bool start = params.action == DicomStepAction::start;
  const auto attributes = start ? start_of(params) : end_of(params);
  Association association(peer, {procedure_step_proposal()});
  if (start)
    create_procedure_step(association, uid_, *attributes);
  else
    end_procedure_step(
        association, uid_,
        params.action == DicomStepAction::complete ? ProcedureStepEnd::completed : ProcedureStepEnd::discontinued,
        *attributes);
  association.release();
}

}  // namespace isocenter::detail::dicom
