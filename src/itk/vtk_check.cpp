// Legacy VTK files (VTK File Formats, "Simple Legacy Formats"), as far as ITK reads them: structured points, scalars.
#include <charconv>
#include <sstream>

#include "file_bytes.hpp"
#include "file_check.hpp"

namespace isocenter::detail::itk_io {
namespace {
namespace fs = std::filesystem;

constexpr std::size_t longest_header = 4096;

/// Lines of the header in lower case; the offset goes with them.
class HeaderLines {
 public:
  explicit HeaderLines(const fs::path& path) : path_(path), text_(longest_header, '\0') {
    const io::InputFile file(path);
    text_.resize(file.read(0, std::as_writable_bytes(std::span(text_))));
  }
  /// The next line that is not empty.
  std::string next() {
    while (at_ < text_.size()) {
      const std::size_t end = text_.find('\n', at_);
      if (end == std::string::npos) break;
      std::string line = text_.substr(at_, end - at_);
      at_ = end + 1;
      if (!line.empty() && line.back() == '\r') line.pop_back();
      std::transform(line.begin(), line.end(), line.begin(),
                     [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
      if (!line.empty()) return line;
    }
    fail(ErrorCode::bad_data, path_, "has no complete header of legacy VTK", "get a complete copy of it");
  }
  bool next_begins_with(std::string_view word) const {
    const std::string_view rest = std::string_view(text_).substr(at_, word.size());
    return std::equal(rest.begin(), rest.end(), word.begin(), word.end(),
                      [](unsigned char a, char b) { return std::tolower(a) == b; });
  }
  std::uint64_t offset() const { return at_; }

 private:
  const fs::path& path_;
  std::string text_;
  std::size_t at_ = 0;
};

std::uint64_t width_of(const fs::path& path, const std::string& type) {
  const std::pair<const char*, int> known[] = {{"unsigned_char", 1}, {"char", 1},  {"unsigned_short", 2}, {"short", 2},
                                               {"unsigned_int", 4},  {"int", 4},   {"unsigned_long", 8},  {"long", 8},
                                               {"float", 4},         {"double", 8}};
  for (const auto& [name, width] : known)
    if (type == name) return static_cast<std::uint64_t>(width);
  fail(ErrorCode::unsupported, path, "holds scalars of type '" + type.substr(0, 40) + "', which is not read",
       "save it with whole numbers, float or double");
}

/// Counts the numbers that stand as text behind the header: ITK repeats the last one for those that are missing.
void require_numbers(const fs::path& path, std::uint64_t offset, std::uint64_t wanted) {
  const io::InputFile file(path);
  std::string piece(std::size_t{1} << 20, '\0');
  std::uint64_t found = 0;
  bool is_inside = false;
  while (const std::size_t n = file.read(offset, std::as_writable_bytes(std::span(piece)))) {
    for (std::size_t i = 0; i < n; ++i) {
      const bool is_space = std::isspace(static_cast<unsigned char>(piece[i])) != 0;
      if (!is_space && std::string_view("0123456789+-.einfa")
                               .find(static_cast<char>(std::tolower(static_cast<unsigned char>(piece[i])))) ==
                           std::string_view::npos)
        fail(ErrorCode::bad_data, path, "has something that is no number after " + std::to_string(found) + " voxels",
             "correct it, or save it with binary data");
      if (!is_space && !is_inside) ++found;
      is_inside = !is_space;
    }
    offset += n;
  }
  if (found < wanted)
    fail(ErrorCode::bad_data, path,
         "is truncated: " + std::to_string(wanted) + " numbers are needed and it holds " + std::to_string(found),
         "get a complete copy of it");
}

}  // namespace

HeaderFacts check_vtk(const fs::path& path) {
  HeaderLines lines(path);
  if (!lines.next().starts_with("# vtk datafile"))
    fail(ErrorCode::bad_data, path, "is not a legacy VTK file: it does not begin with '# vtk DataFile'",
         "give a legacy .vtk file");
  lines.next();  // the title
  const std::string coding = lines.next();
  if (coding != "binary" && coding != "ascii")
    fail(ErrorCode::bad_data, path, "is neither ASCII nor BINARY in its third line", "correct its header");
  if (const std::string set = lines.next(); set != "dataset structured_points")
    fail(ErrorCode::unsupported, path, "is not a volume but '" + set.substr(0, 40) + "'",
         "save it as DATASET STRUCTURED_POINTS");

  HeaderFacts facts;
  facts.has_orientation = false;
  std::string line, name, type;
  while (true) {
    line = lines.next();
    std::istringstream words(line);
    std::string word;
    if (!(words >> word)) continue;
    if (word == "dimensions") {
      facts.size.resize(3);
      if (!(words >> facts.size[0] >> facts.size[1] >> facts.size[2])) facts.size.clear();
    } else if (word == "scalars") {
      int numbers = 1;
      words >> name >> type >> numbers;
      if (words.eof() && words.fail()) numbers = 1;
      if (numbers != 1)
        fail(ErrorCode::unsupported, path, "has " + std::to_string(numbers) + " numbers for each voxel, and 1 is read",
             "save each component as a file of its own");
      break;
    } else if (word != "spacing" && word != "aspect_ratio" && word != "origin" && word != "point_data") {
      fail(ErrorCode::unsupported, path, "has the header line '" + line.substr(0, 40) + "' before any SCALARS",
           "save it with scalars alone, one for each voxel");
    }
  }
  if (facts.size.empty())
    fail(ErrorCode::bad_data, path, "has no line DIMENSIONS with three whole numbers", "correct its header");
  if (lines.next_begins_with("lookup_table")) lines.next();
  io::require_grid(path, facts.size, Geometry());
  const std::uint64_t width = width_of(path, type);
  std::uint64_t voxels = 1;
  for (const std::int64_t n : facts.size) voxels *= static_cast<std::uint64_t>(n);
  if (coding == "ascii")
    require_numbers(path, lines.offset(), voxels);
  else
    facts.data = io::DataLocation{path, lines.offset(), false, 0, voxels * width, true};
  return facts;
}

}  // namespace isocenter::detail::itk_io
