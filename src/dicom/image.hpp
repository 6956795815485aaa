#pragma once
// What the header of a DICOM image says, typed: one Image a file, one Frame a picture in it.
#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "attribute.hpp"
#include "vec3.hpp"

namespace isocenter::detail::dicom {

/// How a stored value sits in memory. PS3.5 section 8.1.
struct PixelFormat {
  enum class Values { integers, float32, float64 };  ///< PixelData, FloatPixelData, DoubleFloatPixelData
  Values values = Values::integers;
  int rows = 0;
  int columns = 0;
  int samples_per_pixel = 1;
  int bits_allocated = 0;
  int bits_stored = 0;
  int high_bit = 0;
  bool is_signed = false;
  int planar_configuration = 0;
  std::string photometric;
};

/// Bits of one native frame. YBR_FULL_422 stores two samples a pixel (PS3.3 C.7.6.3.1.2).
inline std::uint64_t frame_bits(const PixelFormat& f) {
  const int samples = f.samples_per_pixel == 3 && f.photometric == "YBR_FULL_422" ? 2 : f.samples_per_pixel;
  return static_cast<std::uint64_t>(f.rows) * static_cast<std::uint64_t>(f.columns) *
         static_cast<std::uint64_t>(samples) * static_cast<std::uint64_t>(f.bits_allocated);
}
inline std::size_t frame_bytes(const PixelFormat& f) { return (frame_bits(f) + 7) / 8; }

/// Entry i stands for the value first + i; values beyond either end take the entry there.
struct LookupTable {
  int first = 0;
  int bits = 16;  ///< of an entry
  std::vector<std::uint16_t> entries;

  std::uint16_t operator[](int value) const {
    const std::int64_t i = static_cast<std::int64_t>(value) - first;
    const auto last = static_cast<std::int64_t>(entries.size()) - 1;
    return entries[static_cast<std::size_t>(i < 0 ? 0 : i > last ? last : i)];
  }
};
using Palette = std::array<LookupTable, 3>;  ///< red, green, blue

/// A run of bytes in the file.
struct ByteRange {
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
};

/// Where the pixels lie in the file.
struct PixelData {
  enum class Kind {
    absent,
    native,        ///< one run of uncompressed values
    encapsulated,  ///< one or more fragments for each frame
    video,         ///< fragments of one stream for all frames
    deflated       ///< inside a deflated data set: only reachable by reading the whole file
  };
  Kind kind = Kind::absent;
  bool big_endian = false;
  bool bytes_in_words = false;  ///< 8-bit samples that were swapped in pairs: OW in a big endian file
  std::uint64_t frames = 0;     ///< 0 until the pixels were located
  ByteRange native;
  std::vector<ByteRange> fragments;           ///< the codestreams' pieces, in file order
  std::vector<std::uint32_t> first_fragment;  ///< for each frame; fragments.size() closes the last; empty for video
};

/// Attributes that may tell apart images at the same position, in the order in which they are tried.
inline constexpr std::array discriminators{
    attribute::convolution_kernel,
    attribute::image_type,
    attribute::stack_id,
    attribute::echo_time,
    attribute::echo_numbers,
    attribute::inversion_time,
    attribute::diffusion_b_value,
    attribute::diffusion_gradient_orientation,
    attribute::temporal_position_identifier,
    attribute::temporal_position_index,
    attribute::nominal_cardiac_phase,
    attribute::nominal_respiratory_phase,
    attribute::trigger_time,
    attribute::acquisition_number,
    attribute::energy_window_vector,
    attribute::detector_vector,
    attribute::phase_vector,
    attribute::rr_interval_vector,
    attribute::time_slot_vector,
    attribute::time_slice_vector,
};
inline constexpr std::size_t discriminator_count = discriminators.size();
/// From here on a gamma camera's frames differ in them: a value of the vector for each (PS3.3 C.8.4.8).
inline constexpr std::size_t first_nuclear_discriminator = 14;
static_assert(discriminators[first_nuclear_discriminator].group == 0x0054);

struct Rescale {
  double slope = 1;
  double intercept = 0;
  std::string type;  ///< RescaleType, or Units for PET; "" when absent
};

/// One picture: an image of a classic series, or one frame of a multi-frame object.
struct Frame {
  int number = 0;  ///< from 0, within the file
  std::optional<Vec3> position;
  std::optional<Vec3> row_direction;     ///< of increasing column index: first triplet of ImageOrientationPatient
  std::optional<Vec3> column_direction;  ///< of increasing row index: second triplet
  double row_spacing_mm = 0;             ///< between rows (first value of PixelSpacing); 0 when absent
  double column_spacing_mm = 0;          ///< between columns (second value)
  double slice_thickness_mm = 0;         ///< 0 when absent
  double spacing_between_slices_mm = 0;  ///< 0 when absent
  std::optional<Rescale> rescale;
  std::array<std::string, discriminator_count> discriminator;
};

struct Image {
  std::string path;
  std::string name;  ///< relative to what was scanned: what messages say
  std::uint64_t file_bytes = 0;
  std::string transfer_syntax;
  std::string sop_class_uid;
  std::string sop_instance_uid;
  std::string study_uid;
  std::string series_uid;
  std::string frame_of_reference_uid;
  std::string modality;
  std::string series_description;
  std::string series_number;
  std::string units;  ///< Units (0054,1001) of a PET image
  int instance_number = 0;
  double gantry_tilt_deg = 0;
  bool has_gantry_tilt = false;
  bool localiser = false;
  std::shared_ptr<const LookupTable> modality_lut;  ///< null when there is none
  std::string modality_lut_type;                    ///< ModalityLUTType (0028,3004): "HU", "US", ...
  std::shared_ptr<const Palette> palette;           ///< of a PALETTE COLOR image
  PixelFormat format;
  PixelData pixels;
  std::vector<Frame> frames;
  /// Why the pixels cannot be used although the header is good; "" when they can.
  std::string unusable;
  /// Why good pixels cannot become a volume of single values: colour, a segmentation; "" when they can.
  std::string no_volume;
};

/// "CT", "MR", ... or what stands in Modality.
inline bool is_ct(const Image& image) { return image.modality == "CT"; }

}  // namespace isocenter::detail::dicom
