// Any bytes as what a DICOMweb server answers: the first byte chooses the parser and how the rest is cut into pieces.
// What is wrong with them has to come back as a Failure, in bounded memory and time.
#include <cstddef>
#include <cstdint>
#include <isocenter/error.hpp>
#include <string>

#include "dicom/web/json_model.hpp"
#include "dicom/web/multipart.hpp"
#include "dicom/web/web_address.hpp"

namespace {

using namespace isocenter::detail::dicom;

struct Counter : PartTaker {
  void begin_part(const MediaType& type) override {
    if (open) __builtin_trap();
    open = true;
    bytes += type.essence.size();
  }
  void part_data(std::span<const std::uint8_t> data) override {
    if (!open) __builtin_trap();
    bytes += data.size();
  }
  void end_part() override {
    if (!open) __builtin_trap();
    open = false;
  }
  bool open = false;
  std::size_t bytes = 0;
};

/// What the parts hold must not depend on how the body was cut.
std::size_t parts_in(const std::uint8_t* bytes, std::size_t count, std::size_t step, bool& whole) {
  Counter counter;
  whole = false;
  try {
    MultipartReader reader("b", counter, "fuzz", {1U << 20U, 1000});
    for (std::size_t at = 0; at < count; at += step) reader.feed({bytes + at, std::min(step, count - at)});
    reader.finish();
    whole = true;
  } catch (const isocenter::Error&) {
  }
  return counter.bytes;
}

void read_parts(const std::uint8_t* bytes, std::size_t count, std::size_t step) {
  bool whole = false, whole_in_pieces = false;
  const std::size_t all = parts_in(bytes, count, count + 1, whole);
  const std::size_t pieces = parts_in(bytes, count, step, whole_in_pieces);
  if (whole != whole_in_pieces || (whole && all != pieces)) __builtin_trap();
}

void read_json(const std::string& text) {
  const BulkFetch bulk = [](const std::string& uri) { return std::vector<std::uint8_t>(uri.begin(), uri.end()); };
  try {
    read_json_model(
        text, "fuzz", [](std::unique_ptr<DcmDataset> data_set) { json_text(*data_set); }, bulk);
  } catch (const isocenter::Error&) {
  }
  std::vector<std::string> taken;
  try {
    read_json_texts(text, "fuzz", [&](std::string one) { taken.push_back(std::move(one)); });
  } catch (const isocenter::Error&) {
  }
  for (const std::string& one : taken) read_json_texts(one, "fuzz", [](const std::string&) {});  // may not throw
}

void read_address(const std::string& text) {
  const MediaType type = parse_media_type(text);
  if (type.parameter("boundary").size() > text.size()) __builtin_trap();
  if (origin_of(text).find('@') != std::string::npos) __builtin_trap();
  try {
    base_address(text);
  } catch (const isocenter::Error&) {
  }
  resolve_address("https://pacs.example/dicom-web/studies", text);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t count) {
  if (count == 0) return 0;
  const std::string text(bytes + 1, bytes + count);
  if (bytes[0] < 'A')
    read_parts(bytes + 1, count - 1, 1 + bytes[0] % 32U);
  else if (bytes[0] < 'a')
    read_address(text);
  else
    read_json(text);
  return 0;
}
