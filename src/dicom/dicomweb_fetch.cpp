#include <charconv>
#include <filesystem>
#include <sstream>

#include "dicomweb_operators.hpp"
#include "network/durable.hpp"
#include "network_operators.hpp"
#include "toolkit.hpp"

namespace isocenter::detail::dicom {
namespace {

std::vector<int> frame_numbers(const std::string& text) {
  std::vector<int> numbers;
  std::istringstream stream(text);
  for (std::string one; std::getline(stream, one, ',');) {
    int number = 0;
    const auto [end, error] = std::from_chars(one.data(), one.data() + one.size(), number);
    if (error != std::errc{} || end != one.data() + one.size() || number < 1)
      throw Failure(ErrorCode::invalid_argument,
                    "frames = '" + text + "' has '" + one + "', which is no frame's number",
                    "write whole numbers from 1, separated by commas");
    numbers.push_back(number);
  }
  return numbers;
}

/// A file that is there whole or not at all.
void write_whole(const std::string& path, std::span<const std::uint8_t> bytes) {
  write_durable(path + ".part", {}, bytes);
  rename_file(path + ".part", path);
}

std::string metadata_json(WebClient& client, const WebResource& resource, bool bulk_data) {
  std::string all = "[";
  web_metadata(client, resource, bulk_data,
               [&](const std::string& one) { all += (all.size() > 1 ? ",\n" : "\n") + one; });
  return all + "\n]\n";
}

}  // namespace

void require_transfer_syntax(const std::string& text) {
  if (text != "*" && !is_uid(text))
    throw Failure(ErrorCode::invalid_argument, "transfer_syntax = '" + shown(text) + "' is no UID",
                  "write a UID, as 1.2.840.10008.1.2.1, or * for what is stored there");
}

void DicomwebFetchOperator::plan(PlanContext& plan) {
  use_dcmtk();
  web_peer_of(params, params.attempts);
  require_transfer_syntax(params.transfer_syntax);
  const WebResource resource = web_resource(query_keys(params.keys));
  const std::vector<int> frames = frame_numbers(params.frames);
  const bool pictures = params.content == DicomwebContent::frames || params.content == DicomwebContent::rendered;
  if (pictures && resource.instance.empty())
    throw Failure(ErrorCode::invalid_argument, "content = frames and rendered are of one instance, and keys name none",
                  "give SOPInstanceUID, too");
  if (frames.empty() && params.content == DicomwebContent::frames)
    throw Failure(ErrorCode::invalid_argument, "frames is empty", "name the frames, as in 1,2,3");
  if (!frames.empty() && !pictures)
    throw Failure(ErrorCode::invalid_argument, "frames are named, and content is neither frames nor rendered",
                  "leave frames out, or set content");
  plan.items(1);
  const char* unit = params.content == DicomwebContent::instances ? "instances" : "files";
  plan.metric("completed", unit, 1);
  plan.metric("failed", unit, 1);
}

void DicomwebFetchOperator::run(const RunContext& run) {
  if (run.sequence() > 0) throw EndOfStream{};
  const DcmtkLog log;
  WebClient client(web_peer_of(params, params.attempts), [&] { return run.cancelled(); });
  if (params.content == DicomwebContent::instances) return fetch_instances(client, run);
  run.metric("completed", fetch_files(client));
  run.metric("failed", 0);
}

void DicomwebFetchOperator::fetch_instances(WebClient& client, const RunContext& run) const {
  Inbox inbox(params.inbox);
  const WebRetrieved done =
      web_retrieve(client, web_resource(query_keys(params.keys)), params.transfer_syntax, inbox,
                   [&](const WebRetrieved& so_far) { run.metric("completed", static_cast<double>(so_far.completed)); });
  run.metric("completed", static_cast<double>(done.completed));
  run.metric("failed", static_cast<double>(done.failed));
  if (!done.complaint.empty()) {
    const auto [what, fix] = what_and_fix(done.complaint);
    throw Failure(ErrorCode::bad_data, what,
                  done.failed > 0 ? fix : "look into the server's log; what came is in the inbox");
  }
}

/// How many files it made.
int DicomwebFetchOperator::fetch_files(WebClient& client) const {
  const WebResource resource = web_resource(query_keys(params.keys));
  const std::vector<int> frames = frame_numbers(params.frames);
  std::error_code error;
  std::filesystem::create_directories(params.inbox, error);
  if (error) fail_io(params.inbox, "be made", error.value());
  const std::string stem = params.inbox + "/" + resource.instance;
  if (params.content == DicomwebContent::metadata) {
    const std::string text = metadata_json(client, resource, params.bulk_data);
    write_whole(params.inbox + "/metadata.json", {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
    return 1;
  }
  if (params.content == DicomwebContent::frames) {
    const auto parts = web_frames(client, resource, frames, params.transfer_syntax);
    for (std::size_t i = 0; i < parts.size(); ++i)
      write_whole(stem + "_" + std::to_string(frames[i]) + ".bin", parts[i].bytes);
    return static_cast<int>(parts.size());
  }
  const bool png = params.picture == DicomwebPicture::png;
  const char* ending = png ? ".png" : ".jpg";
  const char* media_type = png ? "image/png" : "image/jpeg";
  if (frames.empty()) write_whole(stem + ending, web_rendered(client, resource, 0, media_type).bytes);
  for (const int frame : frames)
    write_whole(stem + "_" + std::to_string(frame) + ending, web_rendered(client, resource, frame, media_type).bytes);
  return std::max(1, static_cast<int>(frames.size()));
}

}  // namespace isocenter::detail::dicom
