#include "header_text.hpp"

#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dcdeftag.h>
#include <dcmtk/dcmdata/dcfilefo.h>

#include "character_set.hpp"
#include "dataset_values.hpp"
#include "single_object.hpp"
#include "toolkit.hpp"
#include "utf8.hpp"

namespace isocenter::detail::dicom {
namespace {

constexpr unsigned long longest_binary = 1024;

struct Place {
  std::string tags, keywords;
};

std::string hex_tag(const DcmTag& tag) {
  char text[16];
  std::snprintf(text, sizeof text, "%04x%04x", tag.getGroup(), tag.getElement());
  return text;
}

/// Private and unknown attributes have no keyword.
std::string keyword_of(DcmTag tag) {
  std::string name = tag.getTagName();
  if (const std::string_view retired = "RETIRED_"; name.rfind(retired, 0) == 0) name.erase(0, retired.size());
  const bool known =
      !tag.isPrivate() && !name.empty() &&
      name.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789") == std::string::npos;
  return known ? name : hex_tag(tag);
}

bool is_text(DcmEVR vr) {
  const DcmVR known(vr);
  return known.isaString();
}

std::string value_of(DcmItem& item, DcmElement& element) {
  const DcmTag& tag = element.getTag();
  if (!is_text(element.ident()) && element.getLength() > longest_binary)
    return std::to_string(element.getLength()) + " bytes";
  return text_value(item, {tag.getGroup(), tag.getElement(), ""});
}

std::string escaped(const std::string& value) {
  std::string text;
  for (const char c : valid_utf8(value)) {
    if (c == '\t' || c == '\n' || c == '\r')
      text += std::string("\x1B") + (c == '\t' ? 't' : c == '\n' ? 'n' : 'r');
    else if (c != '\x1B' && c != '\0')
      text += c;
  }
  return text;
}

void append(DcmItem& item, const Place& place, int frame, std::string& text) {
  for (unsigned long i = 0; i < item.card(); ++i) {
    DcmElement* const element = item.getElement(i);
    if (element == nullptr || element->getTag().getElement() == 0) continue;  // group lengths
    const Place here{place.tags + hex_tag(element->getTag()), place.keywords + keyword_of(element->getTag())};
    if (element->ident() != EVR_SQ) {
      text += here.tags + "\t" + here.keywords + "\t" + DcmVR(element->getVR()).getVRName() + "\t" +
              escaped(value_of(item, *element)) + "\n";
      continue;
    }
    auto& sequence = static_cast<DcmSequenceOfItems&>(*element);
    const bool per_frame = element->getTag() == DCM_PerFrameFunctionalGroupsSequence;
    DcmObject* nested = nullptr;
    for (int n = 0; (nested = sequence.nextInContainer(nested)) != nullptr; ++n) {
      if (per_frame && n != frame) continue;
      const std::string number = "[" + std::to_string(n + 1) + "].";
      append(static_cast<DcmItem&>(*nested), {here.tags + number, here.keywords + number}, frame, text);
    }
  }
}

}  // namespace

std::string header_text(const std::string& path, int frame) {
  DcmFileFormat header;
  open_header(path, header);
  const DcmtkLog log;  // a character set that is not known leaves question marks, and no line on the terminal
  DcmDataset& dataset = *header.getDataset();
  const std::string character_set = text_value(dataset, attribute::specific_character_set);
  if (to_utf8(dataset, Undecodable::question_mark) && !character_set.empty())  // the file's own stays readable
    dataset.putAndInsertString(DCM_SpecificCharacterSet, character_set.c_str());
  std::string text;
  append(dataset, {}, frame, text);
  return text;
}

}  // namespace isocenter::detail::dicom
