#pragma once
// The headers of the three formats; read_image_info (image_file.hpp) checks what they say.
#include <initializer_list>
#include <isocenter/error.hpp>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "image_file.hpp"

namespace isocenter::detail::io {

/// What a header says, in LPS, mm and s; not checked yet beyond what parsing needs.
struct ImageHeader {
  std::vector<std::int64_t> size;  ///< along x, y, z and, with four entries, t
  Geometry geometry;
  bool has_orientation = true;
  std::string remark;  ///< something that the user should know, empty when there is nothing
  VoxelType type = VoxelType::float32;
  double slope = 1;
  double intercept = 0;
  DataLocation data;                 ///< `bytes` is left to the caller
  bool data_are_at_the_end = false;  ///< the offset follows from the file's size
};

/// NIfTI-1 and NIfTI-2 with the voxels in the same file, also gzipped (nifti1.h and nifti2.h of the NIfTI Data Format
/// Working Group). The matrix (sform) is taken where there is one with right angles, else the quaternion (qform).
ImageHeader read_nifti_header(const std::filesystem::path& path);

/// MetaImage: lines "Key = Value" up to ElementDataFile (MetaIO's documentation, "MetaImage").
ImageHeader read_meta_header(const std::filesystem::path& path);

/// NRRD 1 to 5: lines "field: value" up to an empty one (teem's "Definition of NRRD File Format").
ImageHeader read_nrrd_header(const std::filesystem::path& path);

/// The fields of a header of text lines.
class TextHeader {
 public:
  /// Splits the start of a file into lines until `line` returns false for one.
  template <class Line>
  TextHeader(const std::filesystem::path& path, Line&& line) : path_(path) {
    const std::string text = read_start(path);
    std::size_t begin = 0;
    while (begin < text.size()) {
      const std::size_t end = std::min(text.find('\n', begin), text.size());
      const std::string_view content = trimmed(std::string_view(text).substr(begin, end - begin));
      begin = end + 1;
      if (!line(*this, content)) break;
    }
    end_ = std::min(begin, text.size());
  }

  void set(std::string key, std::string_view value) { fields_[std::move(key)] = trimmed(value); }
  /// The field's text; "" when there is none.
  std::string get(const std::string& key) const;
  /// The first of several names of one field that is there.
  std::string get_any(std::initializer_list<const char*> keys) const;
  std::string required(const char* key) const;
  /// Whole numbers or reals separated by spaces. Throws bad_data unless there are `count` of them.
  std::vector<std::int64_t> integers(const char* key, std::size_t count) const;
  std::vector<double> numbers(const char* key, const std::string& text, std::size_t count) const;
  std::int64_t integer(const char* key, std::int64_t otherwise) const;
  /// The offset of the byte after the header.
  std::uint64_t end() const { return end_; }
  [[noreturn]] void fail(ErrorCode code, const std::string& what, const std::string& fix) const;

  static std::string_view trimmed(std::string_view text);
  static std::string lower(std::string_view text);

 private:
  static std::string read_start(const std::filesystem::path& path);
  [[noreturn]] void fail_value(const char* key, const std::string& text, const std::string& wanted) const;

  std::filesystem::path path_;
  std::map<std::string, std::string> fields_;
  std::uint64_t end_ = 0;
};

}  // namespace isocenter::detail::io
