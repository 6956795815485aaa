#include "json_model.hpp"

#include <dcmtk/dcmdata/dcdeftag.h>
#include <dcmtk/dcmdata/dcistrmb.h>
#include <dcmtk/dcmdata/dcjson.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdio>
#include <isocenter/error.hpp>
#include <limits>
#include <nlohmann/json.hpp>
#include <sstream>

#include "media_type.hpp"

namespace isocenter::detail::dicom {
namespace {

using Json = nlohmann::json;

[[noreturn]] void fail(const std::string& where, const std::string& what) {
  throw Failure(ErrorCode::bad_data, where + ": the answer is no DICOM JSON: " + what,
                "look into the server's log; PS3.18 annex F has the format");
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

/// Eight hexadecimal digits.
bool read_tag(const std::string& text, DcmTagKey& key) {
  if (text.size() != 8) return false;
  unsigned value = 0;
  for (const char c : text) {
    if (hex_digit(c) < 0) return false;
    value = value << 4U | static_cast<unsigned>(hex_digit(c));
  }
  key = DcmTagKey(static_cast<Uint16>(value >> 16U), static_cast<Uint16>(value & 0xffffU));
  return true;
}

/// RFC 4648 section 4; false for what is none.
bool read_base64(const std::string& text, std::vector<std::uint8_t>& bytes) {
  const auto value = [](char c) {
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
  };
  if (text.size() % 4 != 0) return false;
  const std::size_t padding = text.ends_with("==") ? 2 : text.ends_with("=") ? 1 : 0;
  bytes.clear();
  bytes.reserve(text.size() / 4 * 3 + 1);
  unsigned word = 0;
  for (std::size_t i = 0; i < text.size() - padding; ++i) {
    if (value(text[i]) < 0) return false;
    word = word << 6U | static_cast<unsigned>(value(text[i]));
    if (i % 4 != 3) continue;
    for (const unsigned shift : {16U, 8U, 0U}) bytes.push_back(static_cast<std::uint8_t>(word >> shift & 0xffU));
    word = 0;
  }
  if (padding == 1) bytes.push_back(static_cast<std::uint8_t>(word >> 10U & 0xffU));
  if (padding > 0) bytes.push_back(static_cast<std::uint8_t>(word >> (padding == 1 ? 2U : 4U) & 0xffU));
  return true;
}

static_assert(std::endian::native == std::endian::little, "numbers are appended as they lie in memory");

bool is_binary(DcmEVR vr) {
  return vr == EVR_OB || vr == EVR_OW || vr == EVR_OF || vr == EVR_OD || vr == EVR_OL || vr == EVR_OV || vr == EVR_UN;
}

/// One value for each text: a backslash in it is a character (PS3.5 section 6.2).
bool is_single_text(DcmEVR vr) { return vr == EVR_LT || vr == EVR_ST || vr == EVR_UT || vr == EVR_UR; }

/// What the length of its value is a multiple of.
std::size_t number_bytes(DcmEVR vr) {
  switch (vr) {
    case EVR_US:
    case EVR_SS:
    case EVR_OW:
    case EVR_AT:
      return 2;
    case EVR_UL:
    case EVR_SL:
    case EVR_FL:
    case EVR_OF:
    case EVR_OL:
      return 4;

    case EVR_FD:
    case EVR_OD:
    case EVR_UV:
    case EVR_SV:
    case EVR_OV:
      return 8;
    default:
      return 1;
  }
}

/// Encodes data sets in explicit little endian (PS3.5 section 7.1.2), from which DCMTK then reads them.
class Encoder {
 public:
  Encoder(const std::string& where, const BulkFetch& bulk) : where_(where), bulk_(bulk) {}

  /// The attributes of one object, in the order of their tags.
  std::string data_set(const Json& object) const {
    std::vector<std::pair<DcmTagKey, const Json*>> attributes;
    for (const auto& [name, attribute] : object.items()) {
      DcmTagKey key;
      if (!read_tag(name, key)) fail(where_, "'" + shown(name) + "' is no tag of eight hexadecimal digits");
      if (key.getGroup() == 0x0002) continue;
      if (key.getGroup() < 0x0008 || key.getGroup() == 0xfffe)
        fail_at(key, "such an attribute cannot stand in a data set");
      attributes.emplace_back(key, &attribute);
    }
    std::sort(attributes.begin(), attributes.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    for (std::size_t i = 1; i < attributes.size(); ++i)
      if (attributes[i].first == attributes[i - 1].first) fail_at(attributes[i].first, "it is there twice");
    std::string bytes;
    for (const auto& [key, attribute] : attributes) append_attribute(key, *attribute, bytes);
    return bytes;
  }

 private:
  [[noreturn]] void fail_at(const DcmTagKey& key, const std::string& what) const {
    char tag[16];
    std::snprintf(tag, sizeof tag, " (%04X,%04X)", key.getGroup(), key.getElement());
    DcmTag named(key);
    fail(where_, std::string(named.getTagName()) + tag + ": " + what);
  }

  void append_attribute(const DcmTagKey& key, const Json& attribute, std::string& bytes) const {
    if (!attribute.is_object()) fail_at(key, "it is no object");
    const auto name = attribute.find("vr");
    if (name == attribute.end() || !name->is_string()) fail_at(key, "it has no vr");
    const auto& vr_name = name->get_ref<const std::string&>();
    const DcmVR vr(vr_name.c_str());
    if (vr_name.size() != 2 || !vr.isStandard() || vr_name != vr.getVRName())
      fail_at(key, "vr = '" + shown(vr_name) + "' is none of PS3.5");
    std::string value = key == DCM_SpecificCharacterSet ? "ISO_IR 192" : value_of(key, vr.getEVR(), attribute);
    if (value.size() % 2 != 0) value += vr.getEVR() == EVR_UI || is_binary(vr.getEVR()) ? '\0' : ' ';
    if (value.size() > (vr.usesExtendedLengthEncoding() ? 0xfffffffeU : 0xfffeU))
      fail_at(key, "its value is too long for its vr");
    append(key.getGroup(), bytes);
    append(key.getElement(), bytes);
    bytes += vr_name;
    if (vr.usesExtendedLengthEncoding()) {
      append(Uint16{0}, bytes);
      append(static_cast<Uint32>(value.size()), bytes);
    } else {
      append(static_cast<Uint16>(value.size()), bytes);
    }
    bytes += value;
  }

  std::string value_of(const DcmTagKey& key, DcmEVR vr, const Json& attribute) const {
    const auto value = attribute.find("Value"), inlined = attribute.find("InlineBinary"),
               uri = attribute.find("BulkDataURI"), none = attribute.end();
    if ((value != none) + (inlined != none) + (uri != none) > 1)
      fail_at(key, "it has more than one of Value, InlineBinary and BulkDataURI");
    if (value != none) {
      if (!value->is_array()) fail_at(key, "its Value is no array");
      return encoded(key, vr, *value);
    }
    if (inlined == none && (uri == none || !bulk_)) return "";
    if (vr == EVR_SQ) fail_at(key, "it has bytes, and its vr needs a Value");
    std::vector<std::uint8_t> bytes;
    if (inlined != none && (!inlined->is_string() || !read_base64(inlined->get_ref<const std::string&>(), bytes)))
      fail_at(key, "its InlineBinary is no base64");
    if (uri != none) {
      if (!uri->is_string()) fail_at(key, "its BulkDataURI is no text");
      bytes = bulk_(uri->get_ref<const std::string&>());
    }
    if (bytes.size() % number_bytes(vr) != 0)
      fail_at(key, "it has " + std::to_string(bytes.size()) + " bytes, and its vr needs a multiple of " +
                       std::to_string(number_bytes(vr)));
    return {bytes.begin(), bytes.end()};
  }

  std::string encoded(const DcmTagKey& key, DcmEVR vr, const Json& values) const {
    if (values.empty()) return "";
    if (is_binary(vr)) fail_at(key, "it has a Value, and its vr needs InlineBinary or BulkDataURI");
    if (vr == EVR_SQ) return items(key, values);
    if (number_bytes(vr) > 1) return numbers(key, vr, values);
    if (is_single_text(vr) && values.size() > 1) fail_at(key, "it has several values, and its vr has one");
    std::string all;
    for (std::size_t i = 0; i < values.size(); ++i) {
      const std::string text = text_of(key, vr, values[i]);
      if (!is_single_text(vr) && text.find('\\') != std::string::npos)
        fail_at(key, "a value holds a backslash, which separates values");
      all += (i > 0 ? "\\" : "") + text;
    }
    return all;
  }

  std::string items(const DcmTagKey& key, const Json& values) const {
    std::string all;
    for (const Json& value : values) {
      if (!value.is_object() && !value.is_null()) fail_at(key, "an item is no object");
      const std::string item = value.is_object() ? data_set(value) : "";
      append(Uint16{0xfffe}, all);
      append(Uint16{0xe000}, all);
      append(static_cast<Uint32>(item.size()), all);
      all += item;
    }
    return all;
  }

  std::string text_of(const DcmTagKey& key, DcmEVR vr, const Json& value) const {
    if (value.is_null()) return "";
    if (vr == EVR_PN) return person_name(key, value);
    if (value.is_string()) return value.get<std::string>();
    if (!value.is_number() || (vr != EVR_IS && vr != EVR_DS)) fail_at(key, "a value is no text");
    if (value.is_number_integer()) return value.dump();
    char text[32];  // DS holds 16 characters (PS3.5 section 6.2)
    for (int digits = 16; digits > 0; --digits)
      if (std::snprintf(text, sizeof text, "%.*g", digits, value.get<double>()) <= 16) break;
    return text;
  }

  /// PS3.18 section F.2.2: the groups of PS3.5 section 6.2.1, without trailing empty ones.
  std::string person_name(const DcmTagKey& key, const Json& value) const {
    if (!value.is_object()) fail_at(key, "a person's name is no object with Alphabetic, Ideographic or Phonetic");
    std::string all;
    std::size_t filled = 0;
    for (const char* group : {"Alphabetic", "Ideographic", "Phonetic"}) {
      const auto found = value.find(group);
      if (group[0] != 'A') all += '=';
      if (found == value.end() || found->is_null()) continue;
      if (!found->is_string()) fail_at(key, std::string(group) + " is no text");
      const auto& text = found->get_ref<const std::string&>();
      if (text.find('=') != std::string::npos) fail_at(key, std::string(group) + " holds '=', which separates groups");
      all += text;
      if (!text.empty()) filled = all.size();
    }
    return all.substr(0, filled);
  }

  std::string numbers(const DcmTagKey& key, DcmEVR vr, const Json& values) const {
    std::string bytes;
    for (const Json& value : values) append_number(key, vr, value, bytes);
    return bytes;
  }

  void append_number(const DcmTagKey& key, DcmEVR vr, const Json& value, std::string& bytes) const {
    switch (vr) {
      case EVR_AT: {
        DcmTagKey tag;
        if (!value.is_string() || !read_tag(value.get_ref<const std::string&>(), tag))
          fail_at(key, "a value is no tag of eight hexadecimal digits");
        append(tag.getGroup(), bytes);
        return append(tag.getElement(), bytes);
      }
      case EVR_US:
        return append(integer<Uint16>(key, value), bytes);
      case EVR_SS:
        return append(integer<Sint16>(key, value), bytes);
      case EVR_UL:
        return append(integer<Uint32>(key, value), bytes);
      case EVR_SL:
        return append(integer<Sint32>(key, value), bytes);
      case EVR_UV:
        return append(integer<Uint64>(key, value), bytes);
      case EVR_SV:
        return append(integer<Sint64>(key, value), bytes);
      case EVR_FL:
        return append(single(key, value), bytes);
      default:
        return append(real(key, value), bytes);
    }
  }

  template <class T>
  static void append(T number, std::string& bytes) {
    bytes.append(reinterpret_cast<const char*>(&number), sizeof number);
  }

  /// UV and SV may come as text (PS3.18 table F.2.3-1).
  template <class T>
  T integer(const DcmTagKey& key, const Json& value) const {
    const Json number = value.is_string() ? Json::parse(value.get_ref<const std::string&>(), nullptr, false) : value;
    using Limits = std::numeric_limits<T>;
    if (number.is_number_unsigned() && number.get<std::uint64_t>() <= static_cast<std::uint64_t>(Limits::max()))
      return number.get<T>();
    if (number.is_number_integer() && !number.is_number_unsigned() && std::is_signed_v<T> &&
        number.get<std::int64_t>() >= static_cast<std::int64_t>(Limits::min()) && number.get<std::int64_t>() < 0)
      return number.get<T>();
    fail_at(key, "a value is no whole number that its vr holds");
  }

  double real(const DcmTagKey& key, const Json& value) const {
    using Limits = std::numeric_limits<double>;
    if (value.is_number()) return value.get<double>();
    if (value == "NaN") return Limits::quiet_NaN();
    if (value == "Infinity") return Limits::infinity();
    if (value == "-Infinity") return -Limits::infinity();
    fail_at(key, "a value is no number");
  }

  float single(const DcmTagKey& key, const Json& value) const {
    const double number = real(key, value);
    if (value.is_number() && std::fabs(number) > static_cast<double>(std::numeric_limits<float>::max()))
      fail_at(key, "a value is no number that its vr holds");
    return static_cast<float>(number);
  }

  const std::string& where_;
  const BulkFetch& bulk_;
};

std::unique_ptr<DcmDataset> data_set_of(const std::string& bytes, const std::string& where) {
  DcmInputBufferStream stream;
  stream.setBuffer(bytes.data(), static_cast<offile_off_t>(bytes.size()));
  stream.setEos();
  auto data_set = std::make_unique<DcmDataset>();
  data_set->transferInit();
  const OFCondition read = data_set->read(stream, EXS_LittleEndianExplicit);
  data_set->transferEnd();
  if (read.bad() && read != EC_EndOfStream) fail(where, read.text());
  data_set->putAndInsertString(DCM_SpecificCharacterSet, "ISO_IR 192");
  return data_set;
}

/// Names UTF-8 as the character set wherever an object or an item within it names one.
void name_utf8(Json& object) {
  for (auto& [name, attribute] : object.items()) {
    if (name == "00080005") {
      attribute = {{"vr", "CS"}, {"Value", {"ISO_IR 192"}}};
      continue;
    }
    const auto values = attribute.find("Value");
    if (attribute["vr"] != "SQ" || values == attribute.end()) continue;
    for (Json& item : *values)
      if (item.is_object()) name_utf8(item);
  }
}

/// Gives the objects of an array, or the one that there is; each is forgotten before the next is read.
void for_each_object(const std::string& text, const std::string& where, const JsonLimits& limits,
                     const std::function<void(const Json&)>& take) {
  std::size_t values = 0, objects = 0;
  int top = -1;  // the depth of a data set: 0 for one object, 1 within an array
  const Json::parser_callback_t watch = [&](int depth, Json::parse_event_t event, Json& parsed) {
    if (depth > limits.depth) fail(where, "it is nested deeper than " + std::to_string(limits.depth) + " levels");
    if (++values > limits.most_values)
      fail(where, "a data set has more than " + std::to_string(limits.most_values) + " values");
    if (top < 0) top = event == Json::parse_event_t::array_start ? 1 : 0;
    if (depth != top || event == Json::parse_event_t::key || event == Json::parse_event_t::object_start) return true;
    if (event != Json::parse_event_t::object_end) fail(where, "it is no array of objects");
    if (++objects > limits.most_data_sets)
      fail(where, "it has more than " + std::to_string(limits.most_data_sets) + " data sets");
    take(parsed);
    values = 0;
    return false;
  };
  try {
    [[maybe_unused]] const Json whole = Json::parse(text, watch);
  } catch (const Json::exception&) {  // whose words may quote what they found
    fail(where, "it is no JSON in UTF-8");
  }
}

}  // namespace

void read_json_model(const std::string& text, const std::string& where,
                     const std::function<void(std::unique_ptr<DcmDataset>)>& take, const BulkFetch& bulk,
                     const JsonLimits& limits) {
  const Encoder encoder(where, bulk);
  for_each_object(text, where, limits, [&](const Json& object) { take(data_set_of(encoder.data_set(object), where)); });
}

void read_json_texts(const std::string& text, const std::string& where, const std::function<void(std::string)>& take,
                     const JsonLimits& limits) {
  const BulkFetch none;
  const Encoder encoder(where, none);
  for_each_object(text, where, limits, [&](const Json& object) {
    data_set_of(encoder.data_set(object), where);
    Json row = object;
    name_utf8(row);
    take(row.dump());
  });
}

std::string json_text(DcmDataset& data_set) {
  std::ostringstream text;
  DcmJsonFormatCompact format(OFTrue);
  OFCondition written = data_set.convertToUTF8();
  text << "{";
  if (written.good()) written = data_set.writeJsonExt(text, format, OFFalse, OFFalse);
  if (written.bad())
    throw Failure(ErrorCode::unsupported, std::string("a data set cannot be written as JSON: ") + written.text(),
                  "fetch the instances instead");
  text << "}";
  return text.str();
}

}  // namespace isocenter::detail::dicom
