#include "web_retrieve.hpp"

#include <dcmtk/dcmdata/dcdeftag.h>
#include <dcmtk/dcmdata/dcistrmb.h>
#include <dcmtk/dcmdata/dcmetinf.h>

#include <isocenter/error.hpp>

#include "../network/stored_instance.hpp"
#include "multipart.hpp"
#include "part_spool.hpp"
#include "web_address.hpp"
#include "web_query.hpp"

namespace isocenter::detail::dicom {
namespace {

constexpr std::uint64_t most_retrieved_bytes = std::uint64_t{1} << 40U;

/// Takes a body of parts apart, or one that is a single part, and gives both to `parts` alike.
class PartsBody : public BodyTaker {
 public:
  /// `single`: the media type of a body that is one part itself; "" when there is no such.
  PartsBody(PartTaker& parts, std::string single) : parts_(parts), single_(std::move(single)) {}

  void begin(const WebAnswer& answer) override {
    reader_.reset();
    empty_ = answer.status == 204;
    if (empty_) return;
    if (answer.type.essence == "multipart/related") {
      reader_ = std::make_unique<MultipartReader>(answer.type.parameter("boundary"), parts_, answer.where);
    } else if (!single_.empty() && answer.type.essence == single_) {
      parts_.begin_part(answer.type);
    } else {
      throw Failure(ErrorCode::bad_data,
                    answer.where + ": the answer is '" + shown(answer.type.essence) + "' and no multipart/related",
                    "check that the address is that of a DICOMweb service");
    }
  }
  void take(std::span<const std::uint8_t> data) override {
    if (reader_ != nullptr)
      reader_->feed(data);
    else if (!empty_)
      parts_.part_data(data);
  }
  void end() override {
    if (reader_ != nullptr)
      reader_->finish();
    else if (!empty_)
      parts_.end_part();
  }

 private:
  PartTaker& parts_;
  std::string single_;
  std::unique_ptr<MultipartReader> reader_;
  bool empty_ = false;
};

/// Puts each part, a DICOM file, into the inbox.
class InstanceTaker final : public PartTaker, public PartsBody {
 public:
  InstanceTaker(const WebResource& resource, Inbox& inbox, const std::function<void(const WebRetrieved&)>& progress)
      : PartsBody(static_cast<PartTaker&>(*this), "application/dicom"),
        resource_(resource),
        group_(inbox),
        progress_(progress),
        spool_(inbox.folder() + "/.incoming") {}

  void begin(const WebAnswer& answer) override {
    where_ = answer.where;
    done = {};
    PartsBody::begin(answer);
  }
  void begin_part(const MediaType& type) override {
    spool_.clear();
    if (type.essence != "application/dicom" && !type.essence.empty())
      throw Failure(ErrorCode::bad_data, where_ + ": a part is '" + shown(type.essence) + "' and no application/dicom",
                    "look into the server's log");
  }
  void end() override {
    PartsBody::end();
    group_.keep();
  }
  void part_data(std::span<const std::uint8_t> data) override { spool_.append(data); }
  void end_part() override {
    try {
      keep(spool_.whole());
      ++done.completed;
    } catch (const Error& e) {
      if (e.code() != ErrorCode::bad_data && e.code() != ErrorCode::invalid_state && e.code() != ErrorCode::unsupported)
        throw;
      ++done.failed;
      if (done.complaint.empty()) done.complaint = where_ + ": " + e.what();
    }
    spool_.clear();
    if (progress_) progress_(done);
  }

  WebRetrieved done;

 private:
  void keep(std::span<const std::uint8_t> file) {
    DcmInputBufferStream stream;
    stream.setBuffer(file.data(), static_cast<offile_off_t>(file.size()));
    stream.setEos();
    DcmMetaInfo meta;
    meta.transferInit();
    const OFCondition read = meta.read(stream, EXS_Unknown, EGL_noChange, 65536);
    meta.transferEnd();
    OFString syntax;
    if (read.bad() || meta.findAndGetOFString(DCM_TransferSyntaxUID, syntax).bad() || syntax.empty())
      throw Failure(ErrorCode::bad_data, "a part is no DICOM file with TransferSyntaxUID (0002,0010)",
                    "look into the server's log");
    const auto data_set = file.subspan(static_cast<std::size_t>(stream.tell()));
    const InstanceName name = name_of(data_set, syntax.c_str());
    if (name.study_uid != resource_.study || (!resource_.series.empty() && name.series_uid != resource_.series) ||
        (!resource_.instance.empty() && name.sop_instance_uid != resource_.instance))
      throw Failure(ErrorCode::bad_data, "SOPInstanceUID (0008,0018) = " + name.sop_instance_uid + " was not asked for",
                    "look into the server's log");
    group_.add(name, "", data_set);
  }

  const WebResource& resource_;
  Inbox::Group group_;
  const std::function<void(const WebRetrieved&)>& progress_;
  PartSpool spool_;
  std::string where_;
};

/// Keeps every part in memory; the request bounds them together.
class PartCollector final : public PartTaker, public PartsBody {
 public:
  explicit PartCollector(std::string single) : PartsBody(static_cast<PartTaker&>(*this), std::move(single)) {}
  void begin(const WebAnswer& answer) override {
    parts.clear();
    PartsBody::begin(answer);
  }
  void begin_part(const MediaType& type) override { parts.push_back({type, {}}); }
  void part_data(std::span<const std::uint8_t> data) override {
    parts.back().bytes.insert(parts.back().bytes.end(), data.begin(), data.end());
  }
  void end_part() override {}

  std::vector<WebPart> parts;
};

void require_instance(const WebResource& resource) {
  if (resource.instance.empty())
    throw Failure(ErrorCode::invalid_argument, "frames and rendered pictures are of one instance, and none is named",
                  "give StudyInstanceUID, SeriesInstanceUID and SOPInstanceUID");
}

std::vector<std::uint8_t> bulk_data_at(WebClient& client, const std::string& uri) {
  WebRequest request;
  request.path = uri;
  request.accept = "multipart/related; type=\"application/octet-stream\", application/octet-stream";
  PartCollector taker("application/octet-stream");
  const WebAnswer answer = client.request(request, taker);
  if (taker.parts.size() != 1)
    throw Failure(ErrorCode::bad_data,
                  answer.where + ": bulk data has " + std::to_string(taker.parts.size()) + " parts",
                  "look into the server's log");
  return std::move(taker.parts.front().bytes);
}

}  // namespace

std::string WebResource::path() const {
  return "/studies/" + study + (series.empty() ? "" : "/series/" + series) +
         (instance.empty() ? "" : "/instances/" + instance);
}

WebResource web_resource(const std::vector<QueryKey>& keys) {
  WebResource resource;
  for (const QueryKey& key : keys) {
    std::string* uid = key.attribute == "StudyInstanceUID"    ? &resource.study
                       : key.attribute == "SeriesInstanceUID" ? &resource.series
                       : key.attribute == "SOPInstanceUID"    ? &resource.instance
                                                              : nullptr;
    if (uid == nullptr)
      throw Failure(ErrorCode::invalid_argument, "'" + shown(key.attribute) + "' does not name what to retrieve",
                    "give StudyInstanceUID, and SeriesInstanceUID and SOPInstanceUID for less; look for them first");
    if (!is_uid(key.value))
      throw Failure(ErrorCode::invalid_argument, key.attribute + " = '" + shown(key.value) + "' is no UID",
                    "write digits and dots, at most 64");
    *uid = key.value;
  }
  if (resource.study.empty() || (resource.series.empty() && !resource.instance.empty()))
    throw Failure(ErrorCode::invalid_argument,
                  std::string(resource.study.empty() ? "StudyInstanceUID" : "SeriesInstanceUID") + " is missing",
                  "give StudyInstanceUID, and SeriesInstanceUID and SOPInstanceUID for less");
  return resource;
}

WebRetrieved web_retrieve(WebClient& client, const WebResource& resource, const std::string& transfer_syntax,
                          Inbox& inbox, const std::function<void(const WebRetrieved&)>& progress) {
  WebRequest request;
  request.path = resource.path();
  request.accept = "multipart/related; type=\"application/dicom\"; transfer-syntax=" + transfer_syntax;
  request.most_bytes = most_retrieved_bytes;
  InstanceTaker taker(resource, inbox, progress);
  const WebAnswer answer = client.request(request, taker);
  if (taker.done.completed + taker.done.failed == 0)
    throw Failure(ErrorCode::not_found, answer.where + ": the server has no instance of it", "look for it first");
  if (answer.partial && taker.done.complaint.empty())
    taker.done.complaint =
        answer.where + ": the server answered 206: it left out what it cannot give in this transfer syntax";
  return taker.done;
}

void web_metadata(WebClient& client, const WebResource& resource, bool bulk_data,
                  const std::function<void(std::string)>& take) {
  WebRequest request;
  request.path = resource.path() + "/metadata";
  request.accept = "application/dicom+json";
  TextTaker body;
  const WebAnswer answer = client.request(request, body);
  if (answer.status == 204)
    throw Failure(ErrorCode::not_found, answer.where + ": the server has no instance of it", "look for it first");
  require_json(answer);
  const BulkFetch fetch = [&](const std::string& uri) {
    const std::string address = resolve_address(client.peer().url + request.path, uri);
    if (address.empty())
      throw Failure(ErrorCode::bad_data, answer.where + ": BulkDataURI '" + shown(uri) + "' is no address",
                    "look into the server's log");
    return bulk_data_at(client, address);
  };
  if (bulk_data)
    read_json_model(
        body.text, answer.where, [&](auto data_set) { take(json_text(*data_set)); }, fetch);
  else
    read_json_texts(body.text, answer.where, take);
}

std::vector<WebPart> web_frames(WebClient& client, const WebResource& instance, const std::vector<int>& frames,
                                const std::string& transfer_syntax) {
  require_instance(instance);
  WebRequest request;
  for (const int frame : frames) request.path += (request.path.empty() ? "" : ",") + std::to_string(frame);
  request.path = instance.path() + "/frames/" + request.path;
  request.accept = "multipart/related; type=\"application/octet-stream\"; transfer-syntax=" + transfer_syntax;
  PartCollector taker(frames.size() == 1 ? "application/octet-stream" : "");
  const WebAnswer answer = client.request(request, taker);
  if (taker.parts.size() != frames.size())
    throw Failure(ErrorCode::bad_data,
                  answer.where + ": " + std::to_string(taker.parts.size()) + " frames came, and " +
                      std::to_string(frames.size()) + " were asked for",
                  "look into the server's log");
  return std::move(taker.parts);
}

WebPart web_rendered(WebClient& client, const WebResource& instance, int frame, const std::string& media_type) {
  require_instance(instance);
  WebRequest request;
  request.path = instance.path() + (frame > 0 ? "/frames/" + std::to_string(frame) : "") + "/rendered";
  request.accept = media_type;
  TextTaker body;
  const WebAnswer answer = client.request(request, body);
  if (answer.type.essence != media_type)
    throw Failure(ErrorCode::bad_data,
                  answer.where + ": the answer is '" + shown(answer.type.essence) + "' and no " + media_type,
                  "ask for another media type");
  return {answer.type, {body.text.begin(), body.text.end()}};
}

}  // namespace isocenter::detail::dicom
