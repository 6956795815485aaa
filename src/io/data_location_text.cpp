// MetaImage and NRRD: headers of text lines.
#include <algorithm>
#include <charconv>
#include <isocenter/error.hpp>
#include <map>
#include <string_view>

#include "data_location.hpp"

namespace isocenter::detail::io {
namespace {

constexpr std::size_t longest_header = std::size_t{1} << 20;

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\r");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

/// The lines of a header and where the byte after its last line is.
struct TextHeader {
  std::map<std::string, std::string> fields;  ///< MetaImage's keys as written, NRRD's in lower case without spaces
  std::uint64_t end = 0;

  std::string get(const char* key, const char* otherwise = "") const {
    const auto found = fields.find(key);
    return found == fields.end() ? otherwise : found->second;
  }
};

[[noreturn]] void fail(ErrorCode code, const std::filesystem::path& path, const std::string& what,
                       const std::string& fix) {
  throw Failure(code, "'" + path.string() + "' " + what, fix);
}

std::int64_t integer(const std::filesystem::path& path, const TextHeader& header, const char* key,
                     std::int64_t otherwise) {
  const std::string text = header.get(key);
  if (text.empty()) return otherwise;
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size())
    fail(ErrorCode::bad_data, path,
         std::string("has the header field ") + key + " = '" + text + "', which is no whole number",
         "correct that line");
  return value;
}

std::string read_start(const std::filesystem::path& path) {
  const InputFile file(path);
  std::string text(static_cast<std::size_t>(std::min<std::uint64_t>(file.size(), longest_header)), '\0');
  text.resize(file.read(0, std::as_writable_bytes(std::span(text))));
  return text;
}

/// Calls line(text) for each line until it returns false; gives the offset after the last line that it got.
template <class F>
std::uint64_t for_each_line(const std::string& text, F&& line) {
  std::size_t begin = 0;
  while (begin < text.size()) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    const std::string_view content = trimmed(std::string_view(text).substr(begin, end - begin));
    begin = end + 1;
    if (!line(content)) break;
  }
  return std::min(begin, text.size());
}

/// A data file named in a header lies beside it unless its path is absolute.
std::filesystem::path beside(const std::filesystem::path& header, const std::string& name) {
  return header.parent_path() / name;
}

TextHeader read_meta_header(const std::filesystem::path& path) {
  const std::string text = read_start(path);
  TextHeader header;
  header.end = for_each_line(text, [&](std::string_view line) {
    const auto equals = line.find('=');
    if (equals == std::string_view::npos) return line.empty();
    const std::string key(trimmed(line.substr(0, equals)));
    header.fields[key] = trimmed(line.substr(equals + 1));
    return key != "ElementDataFile";
  });
  for (const char* needed : {"NDims", "DimSize", "ElementType", "ElementDataFile"})
    if (header.get(needed).empty())
      fail(ErrorCode::bad_data, path, std::string("is not a complete MetaImage header: it has no ") + needed,
           "give a .mha or .mhd file, or get an undamaged copy");
  return header;
}

bool is_true(const std::string& text) { return !text.empty() && (text[0] == 'T' || text[0] == 't' || text[0] == '1'); }

TextHeader read_nrrd_header(const std::filesystem::path& path) {
  const std::string text = read_start(path);
  if (text.rfind("NRRD000", 0) != 0)
    fail(ErrorCode::bad_data, path, "is not a NRRD file: it does not begin with NRRD000", "give a .nrrd or .nhdr file");
  TextHeader header;
  header.end = for_each_line(text, [&](std::string_view line) {
    if (line.empty()) return false;
    const auto colon = line.find(": ");
    if (line[0] == '#' || colon == std::string_view::npos) return true;
    std::string key = lower(line.substr(0, colon));
    key.erase(std::remove(key.begin(), key.end(), ' '), key.end());
    header.fields[key] = trimmed(line.substr(colon + 2));
    return true;
  });
  return header;
}

}  // namespace

StoredVoxels locate_meta(const std::filesystem::path& path) {
  const TextHeader header = read_meta_header(path);
  if (!is_true(header.get("BinaryData", "True")))
    fail(ErrorCode::unsupported, path, "holds its voxels as text (BinaryData = False)", "save it with binary data");
  for (const char* scaling : {"ElementToIntensityFunctionSlope", "ElementToIntensityFunctionOffset"})
    if (const std::string value = header.get(scaling);
        !value.empty() && value != (std::string(scaling).ends_with("Slope") ? "1" : "0"))
      fail(ErrorCode::unsupported, path, std::string("scales its values (") + scaling + " = " + value + ")",
           "save it with the values themselves");
  const std::string name = header.get("ElementDataFile");
  if (name == "LIST" || name.rfind("LIST ", 0) == 0 || name.find('%') != std::string::npos)
    fail(ErrorCode::unsupported, path, "spreads its voxels over several files (ElementDataFile = " + name + ")",
         "save it as one .mha file");
  const bool is_local = lower(name) == "local";
  const std::int64_t header_bytes = integer(path, header, "HeaderSize", 0);
  StoredVoxels found;
  found.data.file = is_local ? path : beside(path, name);
  found.data.offset = is_local ? header.end : static_cast<std::uint64_t>(std::max<std::int64_t>(header_bytes, 0));
  found.data_are_at_the_end = !is_local && header_bytes == -1;
  found.data.is_compressed = is_true(header.get("CompressedData"));
  found.data.is_big_endian = is_true(header.get("BinaryDataByteOrderMSB", header.get("ElementByteOrderMSB").c_str()));
  return found;
}

StoredVoxels locate_nrrd(const std::filesystem::path& path) {
  const TextHeader header = read_nrrd_header(path);
  StoredVoxels found;
  const std::string name = header.get("datafile");
  if (name.rfind("LIST", 0) == 0 || name.find('%') != std::string::npos)
    fail(ErrorCode::unsupported, path, "spreads its voxels over several files (data file: " + name + ")",
         "save it as one .nrrd file");
  found.data.file = name.empty() ? path : beside(path, name);
  found.data.offset = name.empty() ? header.end : 0;
  const std::string encoding = lower(header.get("encoding"));
  if (encoding.empty())
    fail(ErrorCode::bad_data, path, "is not a complete NRRD header: it has no encoding", "get an undamaged copy");
  found.data.is_compressed = encoding == "gzip" || encoding == "gz";
  if (!found.data.is_compressed && encoding != "raw")
    fail(ErrorCode::unsupported, path, "stores its voxels with the encoding '" + encoding + "'",
         "save it with raw or gzip");
  if (integer(path, header, "lineskip", 0) != 0)
    fail(ErrorCode::unsupported, path, "leaves out lines of its data file (line skip)", "save it as one .nrrd file");
  const std::int64_t skip = integer(path, header, "byteskip", 0);
  found.data_are_at_the_end = skip == -1 && !found.data.is_compressed;
  if (skip > 0) found.data.skip = static_cast<std::uint64_t>(skip);
  found.data.is_big_endian = lower(header.get("endian")) == "big";
  found.has_orientation = !header.get("spacedirections").empty();
  return found;
}

}  // namespace isocenter::detail::io
