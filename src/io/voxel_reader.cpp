#include "voxel_reader.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <isocenter/error.hpp>
#include <type_traits>

#include "number_text.hpp"

namespace isocenter::detail::io {
namespace {

constexpr std::size_t piece_bytes = std::size_t{1} << 20;

void swap_bytes(std::span<std::byte> bytes, std::size_t width) {
  for (std::size_t i = 0; i + width <= bytes.size(); i += width) std::reverse(&bytes[i], &bytes[i] + width);
}

/// Calls f with a value of the stored type.
template <class F>
void with_type(VoxelType type, F&& f) {
  switch (type) {
    case VoxelType::uint8:
      return f(std::uint8_t{});
    case VoxelType::int8:
      return f(std::int8_t{});
    case VoxelType::uint16:
      return f(std::uint16_t{});
    case VoxelType::int16:
      return f(std::int16_t{});
    case VoxelType::uint32:
      return f(std::uint32_t{});
    case VoxelType::int32:
      return f(std::int32_t{});
    case VoxelType::uint64:
      return f(std::uint64_t{});
    case VoxelType::int64:
      return f(std::int64_t{});
    case VoxelType::float32:
      return f(float{});
    case VoxelType::float64:
      return f(double{});
  }
}

template <class T>
T load(const std::byte* from, std::size_t index) {
  T value;
  std::memcpy(&value, from + index * sizeof(T), sizeof(T));
  return value;
}

[[noreturn]] void fail_at(const ImageInfo& info, std::int64_t index, const std::string& what, const std::string& fix) {
  throw Failure(ErrorCode::bad_data,
                "'" + info.path.string() + "' has " + what + " at voxel " + voxel_text(info, index), fix);
}

template <class T>
std::string value_text(T value) {
  if constexpr (std::is_integral_v<T>)
    return std::to_string(value);
  else
    return number_text(static_cast<double>(value));
}

/// Whether float32 holds the whole number: it always does with a width of 16 bits.
template <class T>
bool is_exact(T value) {
  if constexpr (std::is_integral_v<T> && sizeof(T) > 2)
    return static_cast<long double>(static_cast<float>(value)) == static_cast<long double>(value);
  else
    return true;
}

template <class T>
void convert_to_float(const ImageInfo& info, const std::byte* from, std::span<float> to, std::int64_t first,
                      NonFinite non_finite) {
  const bool is_scaled = info.slope != 1 || info.intercept != 0;
  for (std::size_t i = 0; i < to.size(); ++i) {
    const T stored = load<T>(from, i);
    float value = is_scaled ? static_cast<float>(info.slope * static_cast<double>(stored) + info.intercept)
                            : static_cast<float>(stored);
    if (!std::isfinite(value)) {
      if (non_finite == NonFinite::refuse)
        fail_at(info, first + static_cast<std::int64_t>(i),
                "the value " + value_text(stored) + ", which is not a finite float32,",
                "set non_finite to zero, or replace such values in the file");
      value = 0;
    } else if (!is_scaled && !is_exact(stored)) {
      fail_at(info, first + static_cast<std::int64_t>(i),
              "the value " + value_text(stored) + ", which float32 cannot hold exactly,",
              "scale the file's values to less than 16777216, or read labels with label_source");
    }
    to[i] = value;
  }
}

template <class T>
void convert_to_label(const ImageInfo& info, const std::byte* from, std::span<std::uint8_t> to, std::int64_t first) {
  for (std::size_t i = 0; i < to.size(); ++i) {
    const T stored = load<T>(from, i);
    const double value = info.slope * static_cast<double>(stored) + info.intercept;
    if (!(value >= 0 && value <= 255 && value == std::floor(value)))
      fail_at(info, first + static_cast<std::int64_t>(i),
              "the label " + number_text(value) + ", and labels are whole numbers from 0 to 255,",
              "renumber the labels, or read the file with image_source");
    to[i] = static_cast<std::uint8_t>(value);
  }
}

}  // namespace

void convert_voxels(const ImageInfo& info, const std::byte* from, std::span<float> to, std::int64_t first,
                    NonFinite non_finite) {
  with_type(info.type, [&](auto stored) { convert_to_float<decltype(stored)>(info, from, to, first, non_finite); });
}

VoxelReader::VoxelReader(ImageInfo info) : info_(std::move(info)), piece_(piece_bytes) {}

template <class Convert>
void VoxelReader::for_each_piece(Convert&& convert, const ReadProgress& progress) {
  DataStream stream(info_.data);
  const std::size_t width = size_of(info_.type);
  const std::int64_t total = info_.voxels(), at_once = static_cast<std::int64_t>(piece_bytes / width);
  for (std::int64_t first = 0; first < total; first += at_once) {
    progress(static_cast<double>(first) / static_cast<double>(total));
    const auto count = static_cast<std::size_t>(std::min(at_once, total - first));
    const std::span<std::byte> bytes = std::span(piece_).first(count * width);
    stream.read(bytes);
    if (info_.data.is_big_endian != (std::endian::native == std::endian::big)) swap_bytes(bytes, width);
    convert(bytes.data(), first, count);
  }
  stream.finish();
}

void VoxelReader::read(std::span<float> out, NonFinite non_finite, const ReadProgress& progress) {
  for_each_piece(
      [&](const std::byte* from, std::int64_t first, std::size_t count) {
        convert_voxels(info_, from, out.subspan(static_cast<std::size_t>(first), count), first, non_finite);
      },
      progress);
}

void VoxelReader::read_labels(std::span<std::uint8_t> out, const ReadProgress& progress) {
  with_type(info_.type, [&](auto stored) {
    for_each_piece(
        [&](const std::byte* from, std::int64_t first, std::size_t count) {
          convert_to_label<decltype(stored)>(info_, from, out.subspan(static_cast<std::size_t>(first), count), first);
        },
        progress);
  });
}

}  // namespace isocenter::detail::io
