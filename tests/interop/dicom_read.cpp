// Writes the pixels of one DICOM file for dicom_read.py: float32 real values, or RGB bytes where it is in colour.
//   dicom_read FILE OUT     prints "values" or "rgb", frames, rows, columns; or "no" and the reason
#include <cstdio>
#include <fstream>
#include <isocenter/error.hpp>

#include "dicom/frame_decoder.hpp"
#include "dicom/picture.hpp"
#include "dicom/single_object.hpp"

using namespace isocenter::detail::dicom;

namespace {

bool is_colour(const Image& image) {
  return image.format.samples_per_pixel > 1 || image.format.photometric == "PALETTE COLOR";
}

void write_pixels(const Image& image, const char* path) {
  std::ofstream out(path, std::ios::binary);
  const auto pixels = static_cast<std::size_t>(image.format.rows) * static_cast<std::size_t>(image.format.columns);
  std::vector<std::uint8_t> rgb(3 * pixels);
  std::vector<float> values(pixels);
  PictureReader pictures;
  FrameDecoder decoder;
  for (const Frame& frame : image.frames) {
    if (is_colour(image)) {
      pictures.read(image, frame.number, {}, rgb);
      out.write(reinterpret_cast<const char*>(rgb.data()), static_cast<std::streamsize>(rgb.size()));
    } else {
      decoder.decode(image, frame, frame.rescale.value_or(Rescale{}), values);
      out.write(reinterpret_cast<const char*>(values.data()), static_cast<std::streamsize>(4 * values.size()));
    }
  }
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 3) return 2;
  try {
    const Image image = open_image(arguments[1]);
    if (is_colour(image))
      if (const std::string why = why_no_picture(image); !why.empty()) {
        std::printf("no %s\n", why.c_str());
        return 0;
      }
    write_pixels(image, arguments[2]);
    std::printf("%s %zu %d %d\n", is_colour(image) ? "rgb" : "values", image.frames.size(), image.format.rows,
                image.format.columns);
  } catch (const isocenter::Error& e) {
    std::printf("no %s\n", e.what());
  }
  return 0;
}
