#include "encapsulated_document.hpp"

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <isocenter/error.hpp>
#include <vector>

#include "attribute.hpp"
#include "character_set.hpp"
#include "dataset_values.hpp"
#include "output_file.hpp"
#include "single_object.hpp"
#include "toolkit.hpp"

namespace isocenter::detail::dicom {
namespace {

constexpr Attribute document_element{0x0042, 0x0011, "EncapsulatedDocument"};
constexpr Attribute document_length{0x0042, 0x0015, "EncapsulatedDocumentLength"};
constexpr Attribute mime_type_element{0x0042, 0x0012, "MIMETypeOfEncapsulatedDocument"};
constexpr Attribute title_element{0x0042, 0x0010, "DocumentTitle"};

struct DocumentType {
  const char* mime_type;  ///< in lower case
  const char* ending;
  bool never_ends_with_zero;
};
/// PS3.3 A.45.1, A.45.2, A.85.1, A.104.1, A.104.2.
constexpr DocumentType types[] = {
    {"application/pdf", ".pdf", true}, {"text/xml", ".xml", true},  {"model/stl", ".stl", false},
    {"model/obj", ".obj", true},       {"model/mtl", ".mtl", true},
};

std::string lower(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

const DocumentType* type_of(const std::string& mime_type) {
  for (const DocumentType& t : types)
    if (lower(mime_type) == t.mime_type) return &t;
  return nullptr;
}

}  // namespace

EncapsulatedDocument::EncapsulatedDocument(const std::string& path) : path_(path) {
  open_header(path, object_);
  DcmDataset& dataset = *object_.getDataset();
  if (dataset.findAndGetElement(key(document_element), element_).bad() || element_ == nullptr)
    fail("holds no document: " + text(document_element) + " is missing");
  mime_type_ = text_value(dataset, mime_type_element);
  bytes_ = element_->getLength();
  find_end();
  DcmDataset words;  // to_utf8 replaces every element of what it is given: not the document's
  for (const Attribute& a : {attribute::specific_character_set, title_element})
    dataset.findAndInsertCopyOfElement(key(a), &words);
  if (to_utf8(words, Undecodable::question_mark)) title_ = text_value(words, title_element);
}

void EncapsulatedDocument::fail(const std::string& what) const {
  throw Failure(ErrorCode::bad_data, "'" + path_ + "' " + what, "export the object again from where it came");
}

void EncapsulatedDocument::read(std::uint32_t at, std::uint32_t count, std::uint8_t* to) {
  const DcmtkLog log;
  if (element_->getPartialValue(to, at, count, &cache_, EBO_LittleEndian).bad())
    fail("cannot be read to the end of " + text(document_element) + ", " + std::to_string(element_->getLength()) +
         " bytes" + (log.first().empty() ? "" : ": " + log.first()));
}

void EncapsulatedDocument::find_end() {
  DcmDataset& dataset = *object_.getDataset();
  const std::uint32_t held = element_->getLength();
  if (held == 0) fail("holds no document: " + text(document_element) + " is empty");
  Uint32 stated = 0;
  if (dataset.findAndGetUint32(key(document_length), stated).good()) {
    if (stated > held || held - stated > 1)
      fail("says " + text(document_length) + " = " + std::to_string(stated) + ", where " + text(document_element) +
           " has " + std::to_string(held) + " bytes");
    bytes_ = stated;
    return;
  }
  const DocumentType* const type = type_of(mime_type_);
  std::uint8_t last = 1;
  if (type != nullptr && type->never_ends_with_zero) read(held - 1, 1, &last);
  if (last == 0) --bytes_;
}

void EncapsulatedDocument::require_ending(const std::string& file) const {
  const std::string ending = lower(std::filesystem::path(file).extension().string());
  const DocumentType* const type = type_of(mime_type_);
  const bool of_another = std::any_of(std::begin(types), std::end(types),
                                      [&](const DocumentType& t) { return &t != type && ending == t.ending; });
  if (type != nullptr ? ending == type->ending : !of_another) return;
  throw Failure(ErrorCode::invalid_argument,
                "'" + file + "' has another ending than the document in '" + path_ + "', " + text(mime_type_element) +
                    " = " + mime_type_,
                type != nullptr ? std::string("let the name end with ") + type->ending
                                : "let the name end as documents of that type do");
}

void EncapsulatedDocument::write(const std::string& file, const std::function<void(double)>& progress) {
  OutputFile output(file);
  std::vector<std::uint8_t> piece(std::min(piece_bytes, bytes_));
  for (std::uint32_t at = 0; at < bytes_;) {
    const std::uint32_t count = std::min(piece_bytes, bytes_ - at);
    read(at, count, piece.data());
    output.write({piece.data(), count});
    at += count;
    progress(static_cast<double>(at) / bytes_);
  }
  output.commit();
}

}  // namespace isocenter::detail::dicom
