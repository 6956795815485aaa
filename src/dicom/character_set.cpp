#include "character_set.hpp"

#include <dcmtk/dcmdata/dcdeftag.h>
#include <dcmtk/dcmdata/dcspchrs.h>
#include <iconv.h>

#include <memory>
#include <vector>

#include "dataset_values.hpp"

namespace isocenter::detail::dicom {
namespace {

bool is_japanese(const std::string& character_sets) {
  for (const std::string& name : split_values(character_sets))
    for (const char* japanese : {"ISO_IR 13", "ISO 2022 IR 13", "ISO 2022 IR 87", "ISO 2022 IR 159"})
      if (name == japanese) return true;
  return false;
}

bool holds_japanese(DcmItem& item) {
  if (is_japanese(text_value(item, attribute::specific_character_set))) return true;
  for (unsigned long i = 0; i < item.card(); ++i) {
    DcmElement* const element = item.getElement(i);
    if (element == nullptr || element->ident() != EVR_SQ) continue;
    DcmObject* nested = nullptr;
    while ((nested = static_cast<DcmSequenceOfItems*>(element)->nextInContainer(nested)) != nullptr)
      if (holds_japanese(static_cast<DcmItem&>(*nested))) return true;
  }
  return false;
}

/// EUC-JP to UTF-8. Its four code sets are ASCII, JIS X 0208, JIS X 0201 katakana and JIS X 0212.
std::optional<std::string> from_euc_jp(std::string text, Undecodable undecodable) {
  const iconv_t converter = iconv_open("UTF-8", "EUC-JP");
  if (converter == reinterpret_cast<iconv_t>(-1)) return std::nullopt;  // this machine lacks its gconv module
  std::string utf8;
  bool lost = false;
  char* from = text.data();
  std::size_t left = text.size();
  while (left > 0) {
    char piece[256];
    char* to = piece;
    std::size_t room = sizeof piece;
    const bool stuck =
        iconv(converter, &from, &left, &to, &room) == static_cast<std::size_t>(-1) && room == sizeof piece;
    utf8.append(piece, sizeof piece - room);
    if (!stuck) continue;
    utf8 += '?';
    lost = true;
    ++from;
    --left;
  }
  iconv_close(converter);
  if (lost && undecodable == Undecodable::refuse) return std::nullopt;
  return utf8;
}

struct Escape {
  std::string_view sequence;
  char set;  ///< 'a' one byte each, 'j' JIS X 0208, 's' JIS X 0212
};
/// PS3.3 C.12.1.1.2, tables C.12-3 and C.12-4. ESC ) I names what bytes from 0xA1 on are anyway.
constexpr Escape escapes[] = {{"\x1B(B", 'a'}, {"\x1B(J", 'a'}, {"\x1B)I", 0},
                              {"\x1B$B", 'j'}, {"\x1B$@", 'j'}, {"\x1B$(D", 's'}};

bool convert(DcmItem& item, const std::string& inherited, Undecodable undecodable) {
  std::string sets = text_value(item, attribute::specific_character_set);
  if (sets.empty()) sets = inherited;
  const bool japanese = is_japanese(sets);
  const std::string first = split_values(sets).front();
  const bool katakana = first == "ISO_IR 13" || first == "ISO 2022 IR 13";
  DcmSpecificCharacterSet converter;
  if (!japanese && converter.selectCharacterSet(OFString(sets.c_str())).bad()) return false;
  for (unsigned long i = 0; i < item.card(); ++i) {
    DcmElement* const element = item.getElement(i);
    if (element == nullptr) continue;
    if (element->ident() == EVR_SQ) {
      DcmObject* nested = nullptr;
      while ((nested = static_cast<DcmSequenceOfItems*>(element)->nextInContainer(nested)) != nullptr)
        if (!convert(static_cast<DcmItem&>(*nested), sets, undecodable)) return false;
      continue;
    }
    if (!element->isAffectedBySpecificCharacterSet()) continue;
    OFString text, utf8;
    if (element->getOFStringArray(text).bad()) return false;
    if (japanese) {
      const auto converted = japanese_to_utf8({text.c_str(), text.length()}, katakana, undecodable);
      if (!converted) return false;
      utf8 = converted->c_str();
    } else if (converter.convertString(text, utf8, element->ident() == EVR_PN ? "\\^=" : "\\").bad()) {
      return false;
    }
    if (element->putOFStringArray(utf8).bad()) return false;
  }
  if (item.tagExists(DCM_SpecificCharacterSet)) item.putAndInsertString(DCM_SpecificCharacterSet, "ISO_IR 192");
  return true;
}

}  // namespace

std::optional<std::string> japanese_to_utf8(std::string_view text, bool katakana, Undecodable undecodable) {
  std::string euc;
  bool lost = false;
  char set = 'a';
  while (!text.empty()) {
    std::size_t taken = 0;
    for (const Escape& e : escapes)
      if (taken == 0 && text.starts_with(e.sequence)) {
        taken = e.sequence.size();
        if (e.set != 0) set = e.set;
        katakana = katakana || e.set == 0;
      }
    const auto byte = static_cast<unsigned char>(text.front());
    if (taken > 0) {
      text.remove_prefix(taken);
    } else if (set != 'a' && byte > 0x20 && byte < 0x7F && text.size() >= 2) {
      if (set == 's') euc += '\x8F';
      euc += static_cast<char>(byte | 0x80U);
      euc += static_cast<char>(static_cast<unsigned char>(text[1]) | 0x80U);
      text.remove_prefix(2);
    } else {
      // Half a pair, or an escape to a set that is none of these.
      lost = lost || (set != 'a' && byte > 0x20 && byte < 0x7F) || byte == 0x1B;
      if (byte < 0x20) set = 'a';  // a control character ends a line, and with it what was designated
      if (byte < 0x80) {
        euc += static_cast<char>(byte);
      } else if (katakana && byte >= 0xA1 && byte <= 0xDF) {
        euc += {'\x8E', static_cast<char>(byte)};
      } else {
        euc += '?';
        lost = true;
      }
      text.remove_prefix(1);
    }
  }
  if (lost && undecodable == Undecodable::refuse) return std::nullopt;
  return from_euc_jp(std::move(euc), undecodable);
}

bool to_utf8(DcmItem& item, Undecodable undecodable) {
  const std::unique_ptr<DcmItem> copy(static_cast<DcmItem*>(item.clone()));
  if (copy == nullptr) return false;
  const bool converted = holds_japanese(*copy) ? convert(*copy, "", undecodable) : copy->convertToUTF8().good();
  return converted && item.copyFrom(*copy).good();
}

}  // namespace isocenter::detail::dicom
