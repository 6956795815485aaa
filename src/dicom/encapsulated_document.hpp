#pragma once
// The document in a DICOM object: PS3.3 C.24.2. Includes DCMTK.
#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dcfcache.h>
#include <dcmtk/dcmdata/dcfilefo.h>

#include <functional>
#include <string>

namespace isocenter::detail::dicom {

class EncapsulatedDocument {
 public:
  static constexpr std::uint32_t piece_bytes = 1U << 20U;

  /// Opens the object and checks the document's length. Throws Failure (not_found, io_error, bad_data).
  explicit EncapsulatedDocument(const std::string& path);

  const std::string& mime_type() const { return mime_type_; }
  const std::string& title() const { return title_; }  ///< in the object's character set turned to UTF-8
  std::uint32_t bytes() const { return bytes_; }

  /// Throws Failure(invalid_argument) when the name ends as documents of another type do.
  void require_ending(const std::string& file) const;

  /// Piece by piece; `progress` is told the share that is written.
  void write(const std::string& file, const std::function<void(double)>& progress);

 private:
  void read(std::uint32_t at, std::uint32_t count, std::uint8_t* to);
  void find_end();
  [[noreturn]] void fail(const std::string& what) const;

  std::string path_;
  DcmFileFormat object_;
  DcmElement* element_ = nullptr;
  DcmFileCache cache_;
  std::string mime_type_, title_;
  std::uint32_t bytes_ = 0;
};

}  // namespace isocenter::detail::dicom
