#include "web_query.hpp"

#include <algorithm>
#include <isocenter/error.hpp>

#include "json_model.hpp"
#include "web_address.hpp"

namespace isocenter::detail::dicom {
namespace {

constexpr std::size_t page_size = 200;

const char* level_name(WebLevel level) {
  return level == WebLevel::study ? "STUDY" : level == WebLevel::series ? "SERIES" : "IMAGE";
}

/// "0010,0010" as 00100010; "Sequence[0].Attribute" as Sequence.Attribute (PS3.18 section 8.3.4).
std::string attribute_id(std::string attribute) {
  for (std::size_t item = attribute.find("[0]"); item != std::string::npos; item = attribute.find("[0]"))
    attribute.erase(item, 3);
  attribute.erase(std::remove(attribute.begin(), attribute.end(), ','), attribute.end());
  return attribute;
}

/// The value of a key, which is taken out when it is a UID; "" without one.
std::string take_uid(std::vector<QueryKey>& keys, const char* attribute) {
  for (auto key = keys.begin(); key != keys.end(); ++key)
    if (key->attribute == attribute && is_uid(key->value)) {
      const std::string uid = key->value;
      keys.erase(key);
      return uid;
    }
  return "";
}

/// "/studies/1.2/series", and the keys that are left.
std::string resource_path(WebLevel level, std::vector<QueryKey>& keys) {
  if (level == WebLevel::study) return "/studies";
  const std::string study = take_uid(keys, "StudyInstanceUID");
  const std::string above = study.empty() ? "" : "/studies/" + study;
  if (level == WebLevel::series) return above + "/series";
  const std::string series = study.empty() ? "" : take_uid(keys, "SeriesInstanceUID");
  return above + (series.empty() ? "" : "/series/" + series) + "/instances";
}

std::string match_query(const std::vector<QueryKey>& keys) {
  std::string query = "fuzzymatching=false";
  for (const QueryKey& key : keys) {
    const std::string attribute = query_encoded(attribute_id(key.attribute));
    query += key.value.empty() ? "&includefield=" + attribute : "&" + attribute + "=" + query_encoded(key.value);
  }
  return query;
}

std::vector<std::string> ask(WebClient& client, const WebRequest& request) {
  TextTaker body;
  const WebAnswer answer = client.request(request, body);
  std::vector<std::string> answers;
  if (answer.status == 204) return answers;
  require_json(answer);
  read_json_texts(body.text, answer.where, [&](std::string one) { answers.push_back(std::move(one)); });
  return answers;
}

}  // namespace

void require_json(const WebAnswer& answer) {
  const std::string& type = answer.type.essence;
  if (type == "application/dicom+json" || type == "application/json") return;
  throw Failure(ErrorCode::bad_data,
                answer.where + ": the answer is '" + shown(type) + "' and no application/dicom+json",
                "check that the address is that of a DICOMweb service");
}

std::vector<std::string> web_find(WebClient& client, WebLevel level, const std::vector<QueryKey>& keys,
                                  std::size_t most) {
  make_query(level_name(level), keys);  // refuses what is no attribute
  std::vector<QueryKey> left = keys;
  WebRequest request;
  request.path = resource_path(level, left);
  request.accept = "application/dicom+json";
  const std::string matching = match_query(left);
  std::vector<std::string> all, page;
  for (;;) {
    // One more than may come, so that too many are noticed.
    const std::size_t count = std::min(page_size, most + 1 - all.size());
    request.query = matching + "&limit=" + std::to_string(count) + "&offset=" + std::to_string(all.size());
    std::vector<std::string> next = ask(client, request);
    if (next.empty()) return all;
    if (!page.empty() && next.front() == page.front()) {
      if (page.size() < count && next.size() == page.size())
        return all;  // it has no more, and does not know of offsets
      throw Failure(ErrorCode::bad_data,
                    "GET " + client.peer().url + request.path + ": offset is ignored: a page came again",
                    "narrow the query to at most " + std::to_string(page.size()) + " answers");
    }
    all.insert(all.end(), next.begin(), next.end());
    if (all.size() > most)
      throw Failure(ErrorCode::bad_data,
                    "GET " + client.peer().url + request.path + ": more than " + std::to_string(most) + " answers",
                    "narrow the query, or raise the limit");
    page = std::move(next);
  }
}

}  // namespace isocenter::detail::dicom
