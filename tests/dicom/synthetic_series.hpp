#pragma once
// Small CT and MR images made for a test, written with DCMTK, each wrong in the way that the test is about.
#include <array>
#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace isocenter::testing {

/// An attribute by its tag, 0x00280030, and a value as text with backslashes between values.
using TagText = std::pair<std::uint32_t, std::string>;

struct SyntheticSlice {
  std::array<double, 3> position{0, 0, 0};
  std::array<double, 6> orientation{1, 0, 0, 0, 1, 0};
  int rows = 6, columns = 7;
  double row_spacing = 0.5, column_spacing = 0.5;
  std::string series_uid = "1.2.3.4";
  std::string series_number = "5";
  std::string modality = "CT";
  int instance_number = 1;
  bool is_signed = false;
  int bits_allocated = 16;
  int bits_stored = 12;
  double slope = 1, intercept = -1024;
  std::vector<std::uint16_t> pixels;  ///< empty: (7 x + 13 y + 31 instance_number) mod 2048
  std::vector<TagText> set;           ///< added or replaced last
  std::vector<TagText> set_after_compression;
  std::vector<std::uint32_t> remove;
  std::string transfer_syntax = "1.2.840.10008.1.2.1";
};

/// Writes the image with UIDs of its own; gives its SOPInstanceUID.
std::string write_slice(const std::filesystem::path& file, const SyntheticSlice& slice);

/// The stored value of pixel (x, y) of a slice.
int stored_value(const SyntheticSlice& slice, int x, int y);

/// `count` axial slices z = first, first + step, ...; instance numbers run against the position, so that an order by
/// number would be wrong. Named s000.dcm, ...
void write_series(const std::filesystem::path& folder, int count, double first = -10, double step = 2.5,
                  const SyntheticSlice& like = {});

/// Cuts a file to its first `bytes`, or drops its last -bytes.
void cut_file(const std::filesystem::path& file, std::int64_t bytes);

/// A folder of a test's own, empty at first, removed with the object.
class ScratchFolder {
 public:
  ScratchFolder();
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  ~ScratchFolder();
  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }
  std::string string() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

}  // namespace isocenter::testing
