#pragma once
// Text of a data set as UTF-8, Japanese code extensions included. Includes DCMTK.
#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dcitem.h>

#include <optional>
#include <string>
#include <string_view>

namespace isocenter::detail::dicom {

/// What becomes of a byte that is no text of its character set. A question mark is for what is shown, never for what is
/// written.
enum class Undecodable { refuse, question_mark };

/// Turns all text of an item and of what is nested in it to UTF-8 and says so in SpecificCharacterSet (0008,0005).
/// DCMTK does it for most character sets; JIS X 0201, 0208 and 0212 (ISO_IR 13, ISO 2022 IR 13, 87 and 159), which it
/// leaves to an iconv that has them, are taken apart here. False, with the item as it was, when a character set is
/// unknown or a text is not of it; of a Japanese text, as `undecodable` says.
bool to_utf8(DcmItem& item, Undecodable undecodable = Undecodable::refuse);

/// Text in the Japanese sets of PS3.5 annex H; `katakana` when the first value of SpecificCharacterSet is ISO_IR 13 or
/// ISO 2022 IR 13. Nothing when a byte fits no set and `undecodable` refuses it, and when this machine's iconv has no
/// EUC-JP.
std::optional<std::string> japanese_to_utf8(std::string_view text, bool katakana, Undecodable undecodable);

}  // namespace isocenter::detail::dicom
