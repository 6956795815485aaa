#pragma once
// Files through ITK. itk_file.cpp alone includes ITK.
#include <functional>
#include <memory>

#include "file_check.hpp"

namespace isocenter::detail::itk_io {

/// A file that ITK reads. It is checked first (file_check.hpp), and what ITK says of it must be what its header says.
/// Reading is serialised over the process, ITK's and its libraries' console output is off meanwhile.
///
/// Errors: those of check_header and check_voxels; bad_data in ITK's words when it cannot read the file; unsupported
/// for several numbers a voxel, other axes than x, y, z and t, and where ITK places the voxels elsewhere than the
/// header.
class ItkFile {
 public:
  ItkFile(const std::filesystem::path& path, const Format& format);
  ~ItkFile();
  /// Slope and intercept were applied by ITK: `type` is what ITK gives.
  const ImageInfo& info() const { return info_; }
  std::uint64_t bytes() const { return static_cast<std::uint64_t>(info_.voxels()) * io::size_of(info_.type); }
  /// Checks the voxels in the file and reads them, bytes() of them.
  void read(std::byte* out, const io::ReadProgress& progress);

 private:
  struct Reader;
  void take_information();
  void require_header();

  const Format& format_;
  ImageInfo info_;
  HeaderFacts facts_;
  std::unique_ptr<Reader> reader_;
};

/// Writes a file with ITK: `image` says its extents, type (float32, uint8 or uint16), geometry and, as its path, which
/// file is meant; ITK writes to `path`. HDF5's class ends the process when it cannot write to the end: `hold_room` is
/// called for it when the file is there. Errors: io_error in ITK's words. No error means nothing yet: read it again.
void write_with_itk(const std::filesystem::path& path, const Format& format, const ImageInfo& image, const void* voxels,
                    bool compress, const std::function<void()>& hold_room);

}  // namespace isocenter::detail::itk_io
