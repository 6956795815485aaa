#include "png_file.hpp"

#include <png.h>

#include <bit>
#include <cmath>
#include <csetjmp>
#include <cstdio>
#include <cstring>
#include <isocenter/error.hpp>
#include <memory>
#include <string>

#include "file_access.hpp"
#include "staged_file.hpp"

namespace isocenter::detail::io {
namespace {

// libpng reports an error by longjmp: between setjmp and the jump lie only libpng's frames and the callbacks below,
// which hold nothing that needs a destructor.

struct Trouble {
  char text[200] = {};
};

void on_error(png_structp png, png_const_charp text) {
  auto* trouble = static_cast<Trouble*>(png_get_error_ptr(png));
  std::snprintf(trouble->text, sizeof trouble->text, "%s", text);
  png_longjmp(png, 1);
}

void on_warning(png_structp, png_const_charp) {}

constexpr int compression_level = 4;

int colour_type(PngLayout layout) { return layout == PngLayout::rgb8 ? PNG_COLOR_TYPE_RGB : PNG_COLOR_TYPE_GRAY; }

png_uint_32 pixels_per_metre(double pixel_mm) { return static_cast<png_uint_32>(std::lround(1000.0 / pixel_mm)); }

class Writer {
 public:
  Writer() : png_(png_create_write_struct(PNG_LIBPNG_VER_STRING, &trouble_, on_error, on_warning)) {
    info_ = png_ == nullptr ? nullptr : png_create_info_struct(png_);
  }
  ~Writer() { png_destroy_write_struct(&png_, &info_); }

  std::vector<std::byte> encode(const PngInfo& info, const void* pixels, std::int64_t row_bytes) {
    if (info_ == nullptr) throw std::bad_alloc();
    if (!run(info, static_cast<const png_byte*>(pixels), row_bytes)) {
      if (out_of_memory_) throw std::bad_alloc();
      throw Failure(ErrorCode::bad_data,
                    "a picture of " + std::to_string(info.width) + " x " + std::to_string(info.height) +
                        " pixels cannot be written as PNG: " + trouble_.text,
                    "give it at least one pixel and at most 1000000 in each direction");
    }
    return std::move(bytes_);
  }

 private:
  static void on_bytes(png_structp png, png_bytep data, std::size_t size) {
    auto* self = static_cast<Writer*>(png_get_io_ptr(png));
    try {
      const auto* first = reinterpret_cast<const std::byte*>(data);
      self->bytes_.insert(self->bytes_.end(), first, first + size);
      return;
    } catch (...) {
      self->out_of_memory_ = true;
    }
    png_error(png, "no memory");
  }

  bool run(const PngInfo& info, const png_byte* pixels, std::int64_t row_bytes) {
    if (setjmp(png_jmpbuf(png_)) != 0) return false;
    png_set_write_fn(png_, this, on_bytes, [](png_structp) {});
    png_set_compression_level(png_, compression_level);
    png_set_IHDR(png_, info_, static_cast<png_uint_32>(info.width), static_cast<png_uint_32>(info.height),
                 info.layout == PngLayout::grey16 ? 16 : 8, colour_type(info.layout), PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    if (info.is_srgb) png_set_sRGB(png_, info_, PNG_sRGB_INTENT_PERCEPTUAL);
    if (info.pixel_width_mm > 0 && info.pixel_height_mm > 0)
      png_set_pHYs(png_, info_, pixels_per_metre(info.pixel_width_mm), pixels_per_metre(info.pixel_height_mm),
                   PNG_RESOLUTION_METER);
    png_write_info(png_, info_);
    if (info.layout == PngLayout::grey16 && std::endian::native == std::endian::little) png_set_swap(png_);
    for (int y = 0; y < info.height; ++y) png_write_row(png_, pixels + row_bytes * y);
    png_write_end(png_, nullptr);
    return true;
  }

  Trouble trouble_;
  png_structp png_;
  png_infop info_ = nullptr;
  std::vector<std::byte> bytes_;
  bool out_of_memory_ = false;
};

class Reader {
 public:
  explicit Reader(const std::filesystem::path& path)
      : path_(path),
        bytes_(read_file(path)),
        png_(png_create_read_struct(PNG_LIBPNG_VER_STRING, &trouble_, on_error, on_warning)) {
    info_ = png_ == nullptr ? nullptr : png_create_info_struct(png_);
    if (info_ == nullptr) {
      png_destroy_read_struct(&png_, nullptr, nullptr);
      throw std::bad_alloc();
    }
    if (bytes_.size() < 8 || png_sig_cmp(reinterpret_cast<png_const_bytep>(bytes_.data()), 0, 8) != 0)
      fail(ErrorCode::bad_data, "does not begin as a PNG file does", "give a PNG file");
  }
  ~Reader() { png_destroy_read_struct(&png_, &info_, nullptr); }

  PngInfo header() {
    if (!read_header()) fail_damaged();
    const int bits = png_get_bit_depth(png_, info_), type = png_get_color_type(png_, info_);
    if ((type & PNG_COLOR_MASK_ALPHA) != 0 || png_get_valid(png_, info_, PNG_INFO_tRNS) != 0)
      fail(ErrorCode::unsupported, "has transparency", "save it without an alpha channel");
    if (bits == 16 && type != PNG_COLOR_TYPE_GRAY)
      fail(ErrorCode::unsupported, "has colours of 16 bits", "save it with 8 bits a channel");
    PngInfo info;
    info.layout = type != PNG_COLOR_TYPE_GRAY ? PngLayout::rgb8 : bits == 16 ? PngLayout::grey16 : PngLayout::grey8;
    info.width = static_cast<int>(png_get_image_width(png_, info_));
    info.height = static_cast<int>(png_get_image_height(png_, info_));
    info.is_srgb = png_get_valid(png_, info_, PNG_INFO_sRGB) != 0;
    const png_uint_32 across = png_get_x_pixels_per_meter(png_, info_), down = png_get_y_pixels_per_meter(png_, info_);
    if (across > 0 && down > 0) {
      info.pixel_width_mm = 1000.0 / across;
      info.pixel_height_mm = 1000.0 / down;
    }
    return info;
  }

  void pixels(const PngInfo& info, std::span<std::byte> pixels) {
    std::vector<png_bytep> rows(static_cast<std::size_t>(info.height));
    for (std::size_t y = 0; y < rows.size(); ++y)
      rows[y] = reinterpret_cast<png_bytep>(pixels.data()) + static_cast<std::size_t>(info.row_bytes()) * y;
    if (!read_rows(rows.data())) fail_damaged();
  }

  [[noreturn]] void fail(ErrorCode code, const std::string& what, const std::string& fix) {
    png_destroy_read_struct(&png_, &info_, nullptr);
    throw Failure(code, "'" + path_.string() + "' " + what, fix);
  }

 private:
  static void on_bytes(png_structp png, png_bytep data, std::size_t size) {
    auto* self = static_cast<Reader*>(png_get_io_ptr(png));
    if (size > self->bytes_.size() - self->position_) png_error(png, "the file ends too soon: it is truncated");
    std::memcpy(data, self->bytes_.data() + self->position_, size);
    self->position_ += size;
  }

  bool read_header() {
    if (setjmp(png_jmpbuf(png_)) != 0) return false;
    png_set_read_fn(png_, this, on_bytes);
    png_read_info(png_, info_);
    return true;
  }

  bool read_rows(png_bytepp rows) {
    if (setjmp(png_jmpbuf(png_)) != 0) return false;
    png_set_expand(png_);
    if (png_get_bit_depth(png_, info_) == 16 && std::endian::native == std::endian::little) png_set_swap(png_);
    png_set_interlace_handling(png_);
    png_read_update_info(png_, info_);
    png_read_image(png_, rows);
    png_read_end(png_, nullptr);
    return true;
  }

  [[noreturn]] void fail_damaged() {
    fail(ErrorCode::bad_data, std::string("is damaged: ") + trouble_.text, "get an undamaged copy of it");
  }

  std::filesystem::path path_;
  std::vector<std::byte> bytes_;
  std::size_t position_ = 0;
  Trouble trouble_;
  png_structp png_;
  png_infop info_ = nullptr;
};

}  // namespace

std::vector<std::byte> encode_png(const PngInfo& info, const void* pixels, std::int64_t row_bytes) {
  return Writer().encode(info, pixels, row_bytes);
}

void write_png(const std::filesystem::path& path, const PngInfo& info, const void* pixels, std::int64_t row_bytes) {
  const std::vector<std::byte> bytes = encode_png(info, pixels, row_bytes);
  StagedFile file(path);
  file.write(bytes);
  file.commit();
}

PngInfo read_png_info(const std::filesystem::path& path) { return Reader(path).header(); }

void read_png(const std::filesystem::path& path, const PngInfo& expected, std::span<std::byte> pixels) {
  Reader reader(path);
  const PngInfo info = reader.header();
  if (info.width != expected.width || info.height != expected.height || info.layout != expected.layout ||
      pixels.size() != static_cast<std::size_t>(info.row_bytes()) * static_cast<std::size_t>(info.height))
    reader.fail(ErrorCode::bad_data, "has changed since it was planned",
                "let no other program write to it while the pipeline runs");
  reader.pixels(info, pixels);
}

}  // namespace isocenter::detail::io
