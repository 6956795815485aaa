#include "web_store.hpp"

#include <dcmtk/dcmdata/dcdeftag.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <isocenter/error.hpp>
#include <map>
#include <random>

#include "json_model.hpp"
#include "web_query.hpp"
#include "web_status.hpp"

namespace isocenter::detail::dicom {
namespace {

/// 128 random bits: no file holds them.
std::string new_boundary() {
  std::random_device random;
  std::string text = "isocenter-";
  char word[16];
  for (int i = 0; i < 4; ++i) {
    std::snprintf(word, sizeof word, "%08x", static_cast<unsigned>(random()));
    text += word;
  }
  return text;
}

bool has_file_head(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  char head[132] = {};
  return file.read(head, sizeof head) && std::string(head + 128, 4) == "DICM";
}

StoreAnswer refused(const Outgoing& file, const std::string& why) {
  return {StoreAnswer::Outcome::refused, "'" + file.path + "' (" + file.name.sop_instance_uid + "): " + why};
}

WebRequest store_request(const std::vector<const Outgoing*>& files) {
  const std::string boundary = new_boundary();
  WebRequest request;
  request.post = true;
  request.path = "/studies";
  request.accept = "application/dicom+json";
  request.conflict_is_an_answer = true;
  request.content_type = "multipart/related; type=\"application/dicom\"; boundary=" + boundary;
  for (const Outgoing* file : files) {
    std::error_code error;
    const auto bytes = static_cast<std::uint64_t>(std::filesystem::file_size(file->path, error));
    if (error)
      throw Failure(ErrorCode::io_error, "'" + file->path + "' cannot be read: " + error.message(),
                    "leave it until it was sent");
    request.body.push_back(
        {(request.body.empty() ? "--" : "\r\n--") + boundary + "\r\nContent-Type: application/dicom\r\n\r\n", "", 0});
    request.body.push_back({"", file->path, bytes});
  }
  request.body.push_back({"\r\n--" + boundary + "--\r\n", "", 0});
  return request;
}

/// What the sequences of the answer say, by SOP instance UID.
struct StoreReport {
  std::map<std::string, std::uint16_t> failed, stored;  ///< the reason; 0 without one
  std::uint16_t other_failure = 0;                      ///< of something that it could not name
};

void read_sequence(DcmDataset& data_set, const DcmTagKey& sequence, const DcmTagKey& reason_key,
                   std::map<std::string, std::uint16_t>& to) {
  DcmItem* item = nullptr;
  for (Sint32 i = 0; data_set.findAndGetSequenceItem(sequence, item, i).good(); ++i) {
    OFString uid;
    Uint16 reason = 0;
    item->findAndGetOFString(DCM_ReferencedSOPInstanceUID, uid);
    item->findAndGetUint16(reason_key, reason);
    if (!uid.empty()) to[uid.c_str()] = reason;
  }
}

StoreReport read_report(const WebAnswer& answer, const std::string& text) {
  StoreReport report;
  if (text.empty()) return report;
  require_json(answer);
  read_json_model(text, answer.where, [&](std::unique_ptr<DcmDataset> data_set) {
    read_sequence(*data_set, DCM_ReferencedSOPSequence, DCM_WarningReason, report.stored);
    read_sequence(*data_set, DCM_FailedSOPSequence, DCM_FailureReason, report.failed);
    DcmItem* other = nullptr;
    Uint16 reason = 0;
    if (data_set->findAndGetSequenceItem(DCM_OtherFailuresSequence, other).good() &&
        other->findAndGetUint16(DCM_FailureReason, reason).good())
      report.other_failure = reason;
  });
  return report;
}

StoreAnswer judge(const Outgoing& file, const WebAnswer& answer, const StoreReport& report) {
  const auto failed = report.failed.find(file.name.sop_instance_uid);
  const auto stored = report.stored.find(file.name.sop_instance_uid);
  const std::string words = "'" + file.path + "' (" + file.name.sop_instance_uid + "): the server answered ";
  if (failed != report.failed.end()) {
    const bool full = (failed->second & 0xff00U) == 0xa700U;
    return {full ? StoreAnswer::Outcome::try_later : StoreAnswer::Outcome::refused,
            words + store_reason_text(failed->second)};
  }
  if (stored != report.stored.end())
    return {StoreAnswer::Outcome::stored, stored->second == 0 ? "" : words + store_reason_text(stored->second)};
  if (answer.status == 409)  // none of them was stored (PS3.18 table 10.5.3-1)
    return {StoreAnswer::Outcome::refused,
            words + web_status_text(409) +
                (report.other_failure == 0 ? "" : " (" + store_reason_text(report.other_failure) + ")")};
  throw Failure(ErrorCode::io_error,
                answer.where + ": the answer does not say what became of " + file.name.sop_instance_uid,
                "look into the server's log");
}

}  // namespace

std::string store_reason_text(std::uint16_t reason) {
  const auto named = [&](const char* words) {
    char number[16];
    std::snprintf(number, sizeof number, "0x%04x", static_cast<unsigned>(reason));
    return std::string(number) + ", " + words;
  };
  switch (reason) {
    case 0x0117:
      return named("invalid SOP instance");
    case 0x0119:
      return named("class and instance do not fit");
    case 0x0213:
      return named("resource limitation");
    case 0xc122:
      return named("transfer syntax not supported");
    default:
      return status_text(reason);
  }
}

std::vector<StoreAnswer> web_store(WebClient& client, std::span<const Outgoing> files) {
  std::vector<StoreAnswer> answers(files.size());
  std::vector<const Outgoing*> sent;
  for (std::size_t i = 0; i < files.size(); ++i) {
    if (has_file_head(files[i].path))
      sent.push_back(&files[i]);
    else
      answers[i] = refused(files[i], "it has no file meta information, without which it cannot be posted");
  }
  if (sent.empty()) return answers;
  TextTaker body;
  const WebAnswer answer = client.request(store_request(sent), body);
  const StoreReport report = read_report(answer, body.text);
  for (std::size_t i = 0, next = 0; i < files.size() && next < sent.size(); ++i)
    if (sent[next] == &files[i]) {
      answers[i] = judge(files[i], answer, report);
      ++next;
    }
  return answers;
}

}  // namespace isocenter::detail::dicom
